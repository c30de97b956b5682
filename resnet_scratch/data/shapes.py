"""The built-in data set: ten shapes and textures, drawn by NumPy in a few seconds, 32x32 pixels, RGB.

Only the shape (or, in the last two classes, the texture) tells the class. Colours, contrast, size, rotation, stretch,
position, shading, background, noise and what stands in front are all drawn at random, so that no pixel by itself says
anything: a linear classifier on the pixels stays near chance, and a network has to find edges, corners and what they
make together. Every shape remains itself when mirrored.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .dataset import Dataset

CLASSES = ("circle", "ring", "triangle", "square", "star", "cross", "crescent", "heart", "stripes", "checkers")
TRAIN_IMAGES, TEST_IMAGES = 10_000, 2_000
SIZE = 32  # pixels
CHUNK = 250  # images drawn at a time: what is worked out for them stays in the processor's cache


@lru_cache(maxsize=1)
def load_shapes(seed: int = 0) -> Dataset:
    """10,000 images to train on and 2,000 to test on, each class equally often; the same `seed`, the same images."""
    train_images, train_labels = draw(TRAIN_IMAGES, np.random.default_rng([seed, 0]))
    test_images, test_labels = draw(TEST_IMAGES, np.random.default_rng([seed, 1]))
    return Dataset("shapes", CLASSES, train_images, train_labels, test_images, test_labels, mirror=True)


def draw(images: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(`images` pictures (N, 32, 32, 3) of uint8, their labels (N,) of int64), in random order."""
    labels = rng.permutation(np.arange(images, dtype=np.int64) % len(CLASSES))
    chunks = [_draw_chunk(labels[k : k + CHUNK], rng) for k in range(0, images, CHUNK)]
    return np.concatenate(chunks), labels


def _draw_chunk(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Background, figure, something in front, noise: one layer over the other."""
    N = len(labels)
    axis = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
    x, y = np.broadcast_to(axis, (N, SIZE, SIZE)), np.broadcast_to(axis[:, None], (N, SIZE, SIZE))

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (N, *(shape or (1, 1)))).astype(np.float32)

    background, figure, other, front = _colours(rng, N)  # (N, 1, 1, 3) each

    # where the figure is: u and v are 1 at the rim of a figure of `radius` pixels
    radius, turn, stretch = uniform(6.5, 13), uniform(0, 2 * np.pi), uniform(0.85, 1.18)
    room = 17 - radius  # a large figure has to be near the middle
    u, v = _turn(x - uniform(-1, 1) * room, y - uniform(-1, 1) * room, turn)
    u, v = u / radius * stretch, v / radius / stretch
    distance = np.empty((N, SIZE, SIZE), np.float32)
    for label, shape in enumerate(_DISTANCES):
        chosen = labels == label
        distance[chosen] = shape(u[chosen], v[chosen])
    cover = np.clip(0.5 - distance * radius, 0, 1)[..., None]  # of each pixel, how much the figure covers

    # the texture of the last two classes, and a shading from one side to the other for the rest
    waves = uniform(2.2, 3.2) * np.pi
    phase, sine = uniform(0, 2 * np.pi), np.sin
    stripes = sine(waves * u + phase)
    checkers = stripes * sine(waves * v + uniform(0, 2 * np.pi))
    shading = 0.5 * uniform(-1, 1) * u
    mix = np.where((labels == 8)[:, None, None], np.clip(4 * stripes, -1, 1) / 2 + 0.5, shading)
    mix = np.where((labels == 9)[:, None, None], np.clip(8 * checkers, -1, 1) / 2 + 0.5, mix)[..., None]

    # a background that runs from one colour to another, with soft waves on it
    along, across = _turn(x, y, uniform(0, 2 * np.pi))
    ground = background + (uniform(-0.3, 0.3, 1, 1, 3) * (along / SIZE)[..., None])
    ground = ground + (uniform(0, 0.08) * sine(uniform(0.2, 1.2) * across + uniform(0, 6)))[..., None]
    picture = ground + cover * (figure + mix * (other - figure) - ground)

    # a bar in front of every other picture, somewhere, at any angle
    along, across = _turn(x - uniform(-13, 13), y - uniform(-13, 13), uniform(0, np.pi))
    half_width, half_length = uniform(0.5, 2.2), uniform(3, 12) * (rng.random((N, 1, 1)) < 1 / 2)
    bar = np.clip(0.5 + half_width - np.abs(across), 0, 1) * np.clip(half_length - np.abs(along), 0, 1)
    picture += bar[..., None] * (front - picture)

    picture += uniform(0.01, 0.08, 1, 1, 1) * rng.standard_normal(picture.shape, np.float32)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _colours(rng: np.random.Generator, N: int) -> list[np.ndarray]:
    """Four colours (N, 1, 1, 3) for each picture: background, figure, its second colour, and what is in front.

    The figure's first colour keeps a distance from the background, and the second from the first, or there would be
    nothing to see."""
    background = rng.uniform(0.1, 0.9, (N, 3))
    figure = _away_from(background, rng)
    return [
        c[:, None, None].astype(np.float32) for c in (background, figure, _away_from(figure, rng), rng.random((N, 3)))
    ]


def _away_from(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of `colours` (N, 3), a random one with a Euclidean distance of at least 0.4."""
    found = rng.random(colours.shape)
    while (near := np.linalg.norm(found - colours, axis=1) < 0.4).any():
        found[near] = rng.random((near.sum(), 3))
    return found


def _turn(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in a system turned by `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


# For each class, how far a point (u, v) lies outside the figure; negative inside. The figures reach out to about 1.


def _circle(u, v):
    return np.hypot(u, v) - 0.85


def _ring(u, v):
    return np.abs(np.hypot(u, v) - 0.7) - 0.2


def _polygon(u, v, corners):
    """Outside of any of its sides."""
    sides = 2 * np.pi * np.arange(corners) / corners
    return np.max([np.cos(a) * u + np.sin(a) * v for a in sides], axis=0) - np.float32(np.cos(np.pi / corners))


def _star(u, v):
    """One half of one of its five points, into which all others are folded."""
    half = np.pi / 5
    angle = np.abs((np.arctan2(v, u) % (2 * half)) - half)  # 0 at a point, pi / 5 between two
    along, across = np.hypot(u, v) * np.cos(angle), np.hypot(u, v) * np.sin(angle)
    inner = 0.42 * np.array([np.cos(half), np.sin(half)])
    normal = np.array([inner[1], 1 - inner[0]]) / np.hypot(inner[1], 1 - inner[0])
    return (along - 1) * np.float32(normal[0]) + across * np.float32(normal[1])


def _cross(u, v):
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - 0.95, v - 0.28), np.maximum(u - 0.28, v - 0.95))


def _crescent(u, v):
    return np.maximum(np.hypot(u, v) - 0.95, 0.75 - np.hypot(u - 0.45, v))


def _heart(u, v):
    """A square on its corner and a disc on each of its upper sides."""
    square = np.abs(u) + np.abs(v + 0.15) - 0.75
    discs = np.hypot(np.abs(u) - 0.375, v - 0.225) - 0.53
    return np.minimum(square / np.float32(np.sqrt(2)), discs)


_DISTANCES = (
    _circle,
    _ring,
    lambda u, v: _polygon(u, v, 3),
    lambda u, v: _polygon(u, v, 4),
    _star,
    _cross,
    _crescent,
    _heart,
    _circle,
    _circle,
)
