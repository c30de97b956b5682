"""Drawings for tutorial 00: the data set, the loss of a run, predictions."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..data.dataset import Dataset
from .style import BLUE, GREEN, GREY, ORANGE


def draw_one_of_each(dataset: Dataset) -> Figure:
    """The first training image of each class, with the name of the class."""
    columns = 5
    rows = -(-len(dataset.classes) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(7, 1.6 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for label, (name, ax) in enumerate(zip(dataset.classes, axes.flat)):
        ax.imshow(dataset.train_images[dataset.train_labels == label][0])
        ax.set_title(name, fontsize=9)
    fig.tight_layout()
    return fig


def draw_loss(losses: Sequence[float], guessing: float) -> Figure:
    """The loss of each step, with a dashed line at the loss of `guessing`."""
    fig, ax = plt.subplots(figsize=(6, 2.8))
    ax.plot(np.arange(1, len(losses) + 1), losses, color=BLUE, linewidth=1)
    ax.axhline(guessing, color=GREY, linewidth=1, linestyle="--")
    ax.text(len(losses), guessing, "guessing", ha="right", va="bottom", fontsize=8)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    fig.tight_layout()
    return fig


def draw_predictions(dataset: Dataset, predictions: np.ndarray, count: int = 12) -> Figure:
    """The first `count` test images with the predicted class, and the true one where that is another."""
    columns = 6
    rows = -(-count // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(8, 1.7 * rows), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for image, label, prediction, ax in zip(dataset.test_images[:count], dataset.test_labels, predictions, axes.flat):
        predicted, true = dataset.classes[prediction], dataset.classes[label]
        ax.imshow(image)
        ax.set_title(
            predicted if prediction == label else f"{predicted}?\nit is: {true}",
            fontsize=8,
            color=GREEN if prediction == label else ORANGE,
        )
    fig.tight_layout()
    return fig
