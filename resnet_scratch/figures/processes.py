"""Drawings of tutorial 15: who sends what to whom, sums that go around a ring, and times by the number of processes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, with_styles

LINES = ((BLUE, "o-"), (ORANGE, "s--"), (GREEN, "^-."), (PURPLE, "D:"))
SHADES = ("#ffffff", "#d6e8f4", "#9ccae6", "#56b4e9")  # of a sum: the more parts it has, the darker


def draw_ring(rounds: Sequence[Sequence[Sequence[Collection[int]]]]) -> Figure:
    """The pieces of an all-reduce around a ring, before the first round and after each.

    `rounds[t][r][c]` says which processes' parts are in the sum that process r has of piece c. Sums of all parts are
    marked by a thick frame.
    """
    k = len(rounds[0])
    fig, axes = plt.subplots(1, len(rounds), figsize=(1.45 * len(rounds), 1.9), layout="constrained")
    for t, (ax, processes) in enumerate(zip(axes, rounds, strict=True)):
        for r, pieces in enumerate(processes):
            for c, parts in enumerate(pieces):
                whole = len(parts) == k
                shade = SHADES[(len(parts) - 1) * (len(SHADES) - 1) // max(k - 1, 1)]
                ax.add_patch(plt.Rectangle((c, r), 1, 1, facecolor=shade, edgecolor=GREY, linewidth=0.5))
                if whole:
                    ax.add_patch(plt.Rectangle((c + 0.07, r + 0.07), 0.86, 0.86, fill=False, edgecolor=BLACK, lw=1.5))
                text = "all" if whole else "".join(map(str, sorted(parts)))
                ax.text(c + 0.5, r + 0.5, text, ha="center", va="center", fontsize=7)
        ax.set(xlim=(0, k), ylim=(k, 0), aspect="equal")
        ax.set_title(f"round {t}" if t else "at first", fontsize=9)
        ax.set_xticks([c + 0.5 for c in range(k)], [str(c) for c in range(k)], fontsize=7)
        ax.set_yticks([r + 0.5 for r in range(k)], [str(r) for r in range(k)] if t == 0 else [""] * k, fontsize=7)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_xlabel("piece", fontsize=8)
    axes[0].set_ylabel("process", fontsize=8)
    return fig


def draw_messages(ax: Axes, sent: Sequence[tuple[int, int, int]], size: int, latency: float, title: str) -> float:
    """The messages of an all-reduce, with time going down, in units of the time that it takes to send `size` numbers.

    `sent` lists (sender, receiver, how many numbers). The n-th message of each process belongs to round n, which takes
    `latency` + numbers / size. Returns when the last round ends.
    """
    number: Counter[int] = Counter()
    rounds: dict[int, list[tuple[int, int, int]]] = {}
    for message in sent:
        rounds.setdefault(number[message[0]], []).append(message)
        number[message[0]] += 1
    now = 0.0
    for messages in rounds.values():
        end = now + latency + max(numbers for *_, numbers in messages) / size
        for sender, receiver, _ in messages:
            colour = ORANGE if receiver < sender else BLUE
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
            ax.annotate("", (receiver, end), (sender, now), arrowprops=arrow)
        ax.axhline(end, color=GREY, lw=0.4)
        now = end
    processes = max(sender for sender, *_ in sent) + 1
    for r in range(processes):
        ax.plot([r, r], [0, now], color=GREY, lw=0.8, zorder=0)
    ax.set(xlabel="process", xlim=(-0.4, processes - 0.6))
    ax.set_xticks(range(processes))
    ax.tick_params(labelsize=7)
    ax.set_title(title, fontsize=9)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return now


def all_reduce_times(k: int, sizes: Sequence[float], latency: float, bandwidth: float) -> dict[str, dict[float, float]]:
    """Seconds that k processes take to add up arrays of so many bytes, {way: {size: seconds}}, in the three ways of the
    tutorial. A message of n bytes takes latency + n / bandwidth."""
    ways = {  # rounds, and the messages' part of the array
        "through process 0": (2 * (k - 1), 1),
        "ring": (2 * (k - 1), 1 / k),
        "doubling": (math.log2(k), 1),
    }
    return {
        way: {size: rounds * (latency + part * size / bandwidth) for size in sizes}
        for way, (rounds, part) in ways.items()
    }


def draw_scaling(
    ax: Axes, curves: Mapping[str, Mapping[float, float]], x: str, y: str, ideal: Mapping[float, float] | None = None
) -> None:
    """Up to four curves {x: y} on logarithmic axes.

    `ideal` is a thin line to compare them with. The ticks of both axes are then at every other one of its points.
    """
    if ideal:
        ax.plot(list(ideal), list(ideal.values()), color=BLACK, lw=0.8, label="ideal")
    for (label, values), (colour, line) in with_styles("curves", curves.items(), LINES):
        ax.plot(list(values), list(values.values()), line, color=colour, ms=4, label=label)
    ax.set(xscale="log", yscale="log")
    if ideal:
        ticks = list(ideal)[::2]
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.minorticks_off()
    ax.set(xlabel=x, ylabel=y)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
