"""Convolution: windows of an image and of a line of pixels, im2col, and what a kernel makes of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..layers.windows import output_size
from .numbers import draw_frame, draw_numbers
from .style import BLUE, GREY, ORANGE

MARKS = ((BLUE, "-"), (ORANGE, "--"))  # of a first and a second window: told apart by colour and by line


def draw_gliding(image: np.ndarray, kernel: np.ndarray, y: np.ndarray) -> Figure:
    """Draw the kernel, the image (H, W) once for each number of the result `y`, with a frame around the window that
    the number was computed from, and the result."""
    fig, axes = plt.subplots(1, y.size + 2, figsize=(2 * (y.size + 2), 2.4), layout="constrained")
    draw_numbers(axes[0], kernel, "kernel")
    for ax, (i, j) in zip(axes[1:-1], np.ndindex(y.shape)):
        draw_numbers(ax, image, f"window ({i}, {j}): sum {y[i, j]:g}")
        draw_frame(ax, (i, j, *kernel.shape), BLUE)
    draw_numbers(axes[-1], y, "result")
    return fig


def draw_im2col(
    image: np.ndarray, columns: np.ndarray, kernel: np.ndarray, y: np.ndarray, marked: Sequence[tuple[int, int]]
) -> Figure:
    """Draw a convolution as a matrix product: the image (H, W), its columns (a window in each row), the kernel as one
    column, and the result `y` (OH, OW). Up to two `marked` windows are framed wherever they occur."""
    if len(marked) > len(MARKS):
        raise ValueError(f"marked must be at most {len(MARKS)} windows, got {len(marked)}")
    (OH, OW), (KH, KW) = y.shape, kernel.shape
    widths = [image.shape[1], columns.shape[1], 1.2, OW]
    fig, axes = plt.subplots(1, 4, figsize=(11, 3.6), width_ratios=widths, layout="constrained")
    draw_numbers(axes[0], image, "image")
    draw_numbers(axes[1], columns, "columns: a window in each row")
    draw_numbers(axes[2], kernel.reshape(-1, 1), "kernel")
    draw_numbers(axes[3], y, "result")
    axes[1].set_yticks(range(OH * OW), [f"({i}, {j})" for i, j in np.ndindex(OH, OW)], fontsize=8, minor=True)
    axes[1].tick_params(which="minor", length=0)
    for (i, j), mark in zip(marked, MARKS):
        draw_frame(axes[0], (i, j, KH, KW), *mark)
        draw_frame(axes[1], (i * OW + j, 0, 1, KH * KW), *mark)
        draw_frame(axes[3], (i, j, 1, 1), *mark)
    return fig


def draw_windows(ax: Axes, size: int, kernel: int, stride: int, padding: int) -> None:
    """Draw a line of `size` pixels with `padding` zeros at both ends, and a bar below it for each window."""
    for pixel in range(-padding, size + padding):
        inside = 0 <= pixel < size
        ax.add_patch(Rectangle((pixel, 0), 1, 1, facecolor="#cce3f0" if inside else "white", edgecolor=GREY))
        label, ink = (pixel, "black") if inside else (0, GREY)
        ax.text(pixel + 0.5, 0.5, label, ha="center", va="center", color=ink)
    for window in range(output_size((size, 1), (kernel, 1), (stride, 1), (padding, 0))[0]):
        begin, down = window * stride - padding, -0.45 - 0.4 * window
        ax.plot([begin + 0.08, begin + kernel - 0.08], [down, down], color=ORANGE, linewidth=4, solid_capstyle="butt")
    ax.set(xlim=(-1.3, 6.3), ylim=(-2.4, 1.2))
    ax.set_title(f"size {size}, kernel {kernel},\nstride {stride}, padding {padding}", fontsize=9)
    ax.set_axis_off()


def draw_channels(channels: Mapping[str, np.ndarray]) -> Figure:
    """Draw one-channel images (H, W) side by side. With negative numbers, red is positive, blue negative,
    and white at zero; the others are grey."""
    fig, axes = plt.subplots(1, len(channels), figsize=(2.2 * len(channels), 2.6), squeeze=False, layout="constrained")
    for ax, (name, channel) in zip(axes.flat, channels.items()):
        signed, limit = channel.min() < -0.01, np.abs(channel).max()
        ax.imshow(channel, cmap="RdBu_r" if signed else "gray", vmin=-limit if signed else 0, vmax=limit)
        ax.set_title(name, fontsize=10)
        ax.set_axis_off()
    return fig


def draw_reuse(outputs: list[int], milliseconds: list[float], speeds: list[float]) -> Figure:
    """Draw the time and the speed (10^9 multiply-adds/s) of one matrix product against its number of kernels."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for ax, values, label, colour in [
        (axes[0], milliseconds, "milliseconds", ORANGE),
        (axes[1], speeds, r"$10^9$ multiply-adds/s", BLUE),
    ]:
        ax.plot(outputs, values, "o-", color=colour)
        ax.set_xscale("log", base=2)
        ax.set_xticks(outputs, outputs)
        ax.set_ylim(bottom=0)
        ax.set(xlabel="kernels O", ylabel=label)
        ax.grid(alpha=0.3)
    return fig
