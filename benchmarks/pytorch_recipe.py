"""A recipe of this library, run in PyTorch: the same network, batches and schedule, in PyTorch's own arithmetic.

    python benchmarks/pytorch_recipe.py cifar10-fast --data-dir DIR --seed 0 --run-dir runs/torch-fast-0

writes log.csv into the folder, with the columns of a run's, so that `resnet-scratch compare` draws both. PyTorch runs
eagerly on channels_last images, its fastest way on a CPU. Initial weights are this library's, moved over.
"""

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from resnet_scratch import build, load_data, training_batches
from resnet_scratch.data import Dataset, test_batches
from resnet_scratch.experiment.log import History, write_log
from resnet_scratch.experiment.recipe import Recipe, find
from resnet_scratch.measure.bench import relu_in_place
from resnet_scratch.models.torch_twin import twin


def images_of(x: np.ndarray) -> torch.Tensor:
    """Our images (N, H, W, 3) as PyTorch's (N, 3, H, W); in memory they are the same, which is channels_last."""
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def make_optimizer(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with the recipe's settings."""
    with_decay = [p for p in model.parameters() if p.ndim > 1 or recipe.decay_biases_and_norms]
    without = [p for p in model.parameters() if p.ndim <= 1 and not recipe.decay_biases_and_norms]
    groups = [{"params": with_decay, "weight_decay": recipe.weight_decay}, {"params": without, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov)


@torch.no_grad()
def test(model: Any, data: Dataset, size: int | None, flip: bool) -> tuple[float, float]:
    """Mean loss and accuracy on the test images."""
    model.eval()
    loss, correct = 0.0, 0
    for x, labels in test_batches(data.test_images, data.test_labels, 256, data.mean, data.std, size):
        images, answers = images_of(x), torch.from_numpy(labels)
        logits = (model(images) + model(images.flip(3))) / 2 if flip else model(images)
        loss += cross_entropy(logits, answers, reduction="sum").item()
        correct += (logits.argmax(1) == answers).sum().item()
    model.train()
    return loss / len(data.test_labels), correct / len(data.test_labels)


def follow(recipe: Recipe, data_dir: str | None, seed: int, folder: Path) -> None:
    """Train, and write a row of the log after every epoch."""
    data = load_data(recipe.dataset, data_dir=data_dir)
    model = relu_in_place(twin(build(recipe.model, len(data.classes), rng=np.random.default_rng(seed))))
    model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, recipe)
    steps_per_epoch = len(data.train_images) // recipe.batch_size
    total_steps = recipe.total_steps(steps_per_epoch)
    rates, sizes = recipe.learning_rates(total_steps), recipe.sizes_at(total_steps)
    history: History = []
    folder.mkdir(parents=True)
    begin = then = time.perf_counter()
    losses: list[float] = []
    correct = 0
    source = training_batches(data, recipe.batch_size, seed, 0, recipe.augment, sizes, recipe.crop_padding)
    with closing(source) as batches:
        for step, (x, labels) in zip(range(total_steps), batches):
            for group in optimizer.param_groups:
                group["lr"] = rates(step)
            images, answers = images_of(x), torch.from_numpy(labels)
            optimizer.zero_grad()
            logits = model(images)
            loss = cross_entropy(logits, answers, label_smoothing=recipe.label_smoothing)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct += int((logits.argmax(1) == answers).sum())
            if (step + 1) % steps_per_epoch and step + 1 < total_steps:
                continue
            images_seen = len(losses) * recipe.batch_size
            speed = images_seen / (time.perf_counter() - then)
            test_loss, accuracy = test(model, data, sizes(step), recipe.flip_in_evaluation and data.mirror)
            then = time.perf_counter()
            history.append({
                "epoch": len(history) + 1, "step": step + 1, "learning_rate": rates(step),
                "train_loss": float(np.mean(losses)), "train_accuracy": correct / images_seen,
                "test_loss": test_loss, "test_accuracy": accuracy,
                "seconds": then - begin, "images_per_second": speed,
            })  # fmt: skip
            write_log(folder, history)
            print(f"epoch {len(history)}: loss {np.mean(losses):.3f}, test accuracy {accuracy:.2%}, "
                  f"{speed:.0f} images/s, {then - begin:.0f} s", flush=True)  # fmt: skip
            losses, correct = [], 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data-dir")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-dir", type=Path, required=True)
    options = parser.parse_args()
    follow(find(options.recipe), options.data_dir, options.seed, options.run_dir)
