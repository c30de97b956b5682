import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from resnet_scratch.cli import main
from resnet_scratch.layers import GlobalAvgPool2d, Linear, ReLU, Sequential
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.measure import bench

WORKLOAD = bench.Workload("resnet8", batch_size=4, image_size=16)


def test_a_race_is_run_in_turn_and_its_first_two_rounds_do_not_count():
    order = []
    seconds = bench.race({"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.1))}, 3)
    assert order == ["a", "b"] * 5 and [len(times) for times in seconds.values()] == [3, 3]
    assert min(seconds["b"]) >= 0.1 > max(seconds["a"])


def test_a_step_changes_the_weights_and_inference_does_not(monkeypatch):
    models = []
    monkeypatch.setattr(bench, "build", lambda *a, build=bench.build, **k: models.append(build(*a, **k)) or models[-1])
    jobs = bench.numpy_jobs(WORKLOAD)

    def weights():
        return np.concatenate([p.value.ravel() for p in models[0].parameters()])

    start = weights()
    jobs["inference"]()
    assert np.array_equal(weights(), start)
    jobs["training step"]()
    assert not np.array_equal(weights(), start)


def test_multiply_adds_of_a_convolutional_network_by_hand(device):
    """ResNet-8 on 16x16: stem, then 2, 1 + 1 and 1 + 1 convolutions, classifier. A training step does each three times,
    but the stem twice: its input, the images, needs no gradient."""
    stem, stage = 4 * 256 * 9 * 3 * 16, 4 * 256 * 9 * 16 * 16
    rest = 2 * stage + 2 * (stage // 2 + stage) + 4 * 640
    workload = replace(WORKLOAD, device=device)
    assert bench.multiply_adds(workload) == {"training step": 2 * stem + 3 * rest, "inference": stem + rest}


def test_layer_times_name_every_layer_that_does_something():
    rows = bench.layer_times(WORKLOAD, repeats=2)
    names = [row.name for row in rows]
    assert names[:3] == ["conv1", "bn1", "relu"] and names[-2:] == ["avgpool", "fc"]
    assert all(row.forward > 0 and row.backward > 0 for row in rows)
    by_name = {row.name: row for row in rows}
    assert by_name["conv1"].multiply_adds == 3 * 4 * 256 * 27 * 16 and by_name["relu"].multiply_adds == 0


def test_the_time_of_a_layer_is_the_median_without_the_first_pass(monkeypatch):
    """ReLU's forward sleeps 1 s in the first pass, then 0, 200 and 400 ms."""
    forward, sleeps = ReLU.forward, iter([1, 0, 0.2, 0.4])

    def slow(self, x, training=False):
        time.sleep(next(sleeps))
        return forward(self, x, training)

    model = Sequential(relu=ReLU(), pool=GlobalAvgPool2d(), fc=Linear(3, 10, rng=np.random.default_rng(0)))
    monkeypatch.setattr(bench.Workload, "network", lambda self: model)
    monkeypatch.setattr(ReLU, "forward", slow)
    assert 0.2 <= bench.layer_times(WORKLOAD, repeats=3)[0].forward < 0.38


def test_the_step_that_is_timed_is_that_of_training(monkeypatch):
    """One step of SGD without momentum's history: w - 0.01 (g + 5e-4 w), with g from a pass by hand."""
    model = WORKLOAD.network()
    monkeypatch.setattr(bench.Workload, "network", lambda self: model)
    step = bench.numpy_jobs(WORKLOAD)["training step"]
    images, labels = WORKLOAD.batch()
    logits, cache = model.forward(images, training=True)
    model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    expected = [p.value - 0.01 * (p.grad + 5e-4 * p.value) for p in model.parameters()]
    step()
    for parameter, value in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.value, value, rtol=0, atol=1e-6)
    step()  # and it goes on
    assert not np.allclose(model.fc.weight.value, expected[-2], rtol=0, atol=1e-6)


def test_the_machine_reaches_a_believable_speed():
    assert 1e8 < bench.sgemm_peak(256) < 1e14


@pytest.mark.parametrize("option", [[], ["--layers"], ["--layers", "--device", "cuda"]])
def test_the_command_prints_its_table(option, gpu):
    result = CliRunner().invoke(
        main, ["bench", "resnet8", "--batch-size", "4", "--image-size", "16", "--repeats", "1", *option]
    )
    assert result.exit_code == 0, result.output
    assert "training step  resnet_scratch" in result.output and "inference" in result.output
    assert ("layer1.0.conv1" in result.output) == bool(option)
    assert ("cuda:0 (" in result.output) == ("cuda" in option)


def test_waiting_for_the_device_counts(standin, monkeypatch):
    """A GPU is told what to do and does it later: without waiting one would measure how fast it is told."""
    waits = []
    monkeypatch.setattr(standin.cuda.Device, "synchronize", lambda self: waits.append(self.id))
    jobs = bench.numpy_jobs(bench.Workload("resnet8", 2, 8, device="cuda:1"))
    jobs["training step"](), jobs["inference"]()
    assert waits == [1, 1]


def test_comparisons_with_the_processor_are_not_made_on_a_gpu(gpu):
    result = CliRunner().invoke(main, ["bench", "resnet8", "--device", "cuda", "--memory"])
    assert result.exit_code == 2 and "summary resnet8 --batch-size 128" in result.output


def test_waiting_for_slow_batches_shows(monkeypatch):
    def slow(dataset, batch_size, seed):
        while True:
            time.sleep(0.2)
            yield dataset.train_images[:batch_size].astype(np.float32), dataset.train_labels[:batch_size]

    workload = bench.Workload("resnet8", batch_size=4, image_size=32)
    assert bench.waiting_share(workload, 3) < 0.5
    monkeypatch.setattr(bench, "training_batches", slow)
    assert bench.waiting_share(workload, 3) > 0.5
