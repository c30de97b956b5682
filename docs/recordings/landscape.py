"""The loss around the weights of a plain and a residual network, trained briefly, for the page on loss landscapes."""

import numpy as np

from resnet_scratch import SGD, train
from resnet_scratch.data.shapes import draw_images
from resnet_scratch.insight.landscape import filter_normalised_direction, loss_surface
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import ResNetConfig, build
from resnet_scratch.schedules import one_cycle

IMAGES, BATCH, STEPS = 512, 64, 100
REACH, POINTS = 1.0, 15  # the surface goes from -REACH to REACH in each direction
NETWORKS = {"plain": "plain network", "basic": "residual network"}


def record() -> dict:
    """By network: its surface over a grid of two directions, and the loss at the trained weights."""
    images, labels = _data()
    alphas = np.linspace(-REACH, REACH, POINTS)
    return {
        "alphas": alphas.tolist(),
        "steps": STEPS,
        "images": IMAGES,
        "batch": BATCH,
        "guessing": float(np.log(10)),
        "networks": {block: _surface(block, images, labels, alphas) for block in NETWORKS},
    }


def _data() -> tuple[np.ndarray, np.ndarray]:
    """The built-in images at half their size, normalised: a network of 14 layers is trained on them in seconds."""
    images, labels = draw_images(IMAGES, np.random.default_rng(0))
    small = images.reshape(IMAGES, 16, 2, 16, 2, 3).mean((2, 4))
    return ((small - small.mean((0, 1, 2))) / small.std((0, 1, 2))).astype(np.float32), labels


def _surface(block: str, images: np.ndarray, labels: np.ndarray, alphas: np.ndarray) -> dict:
    """Train one network and take the slice of its loss through two random directions, on the first batch of images."""
    config = ResNetConfig(f"small {block}", block, (2, 2, 2), (8, 16, 32), "cifar", "A", 16)
    model = build(config, 10, rng=np.random.default_rng(0))
    order = np.random.default_rng(1)

    def batches():
        while True:
            chosen = order.choice(IMAGES, BATCH, replace=False)
            yield images[chosen], labels[chosen]

    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
    for _ in train(model, optimizer, batches(), one_cycle(0.1, STEPS), STEPS):
        pass
    rng = np.random.default_rng(2)
    one, other = (filter_normalised_direction(model, rng) for _ in range(2))
    shown, truth = images[:BATCH], labels[:BATCH]
    surface = loss_surface(model, shown, truth, one, other, alphas)
    loss = float(softmax_cross_entropy(model.forward(shown, training=True)[0], truth)[0])
    return {"name": NETWORKS[block], "layers": 14, "surface": surface.tolist(), "loss": loss}
