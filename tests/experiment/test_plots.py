from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from resnet_scratch.experiment import lettering, plots

CLASSES = ("cat", "dog", "owl")
HISTORY = [
    dict(epoch=1, train_loss=1.5, train_accuracy=0.4, test_loss=1.25, test_accuracy=0.5),
    dict(epoch=2, train_loss=1.0, train_accuracy=0.6, test_loss=1.125, test_accuracy=0.55),
]
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def lines(axes) -> list[list[float]]:
    return [list(line.get_ydata()) for line in axes.lines]


def texts(figure) -> set[str]:
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text)}


def is_drawn(figure, path) -> bool:
    figure.savefig(path)
    from matplotlib.image import imread

    return np.ptp(imread(path)[..., :3]) > 0.5  # not one colour


def test_confusion_matrix_by_hand():
    np.testing.assert_array_equal(plots.confusion_matrix(LABELS, PREDICTED, 3), [[2, 1, 0], [0, 1, 1], [0, 0, 1]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_a_confusion_matrix_of_small_or_unsigned_integers(dtype):
    labels = np.array([13, 13, 19], dtype)  # 13 times 20 classes is more than a uint8 holds
    counts = plots.confusion_matrix(labels, np.array([13, 4, 0]), 20)
    assert counts.sum() == 3 and counts[13, 13] == counts[13, 4] == counts[19, 0] == 1


def test_confusion_shows_per_cent_of_the_true_class(tmp_path):
    figure = plots.confusion(LABELS, PREDICTED, CLASSES)
    image = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(image, [[200 / 3, 100 / 3, 0], [0, 50, 50], [0, 0, 100]])
    assert {"67", "33", "50", "100", "cat", "owl"} <= texts(figure)
    assert any("66.7%" in text and "of 6 images" in text for text in texts(figure))
    assert is_drawn(figure, tmp_path / "p.png")


def test_a_class_that_never_occurs_is_no_error():
    assert plots.confusion(np.array([0, 1]), np.array([0, 0]), CLASSES).axes[0].images[0].get_array().max() == 100


def test_curves_show_the_log(tmp_path):
    figure = plots.curves(HISTORY)
    loss, accuracy = figure.axes
    assert lines(loss) == [[1.5, 1.0], [1.25, 1.125]]
    np.testing.assert_allclose(lines(accuracy), [[40, 60], [50, 55]])
    assert {"60.0 %", "55.0 %", "1.000", "1.125", "test"} <= texts(figure)
    assert is_drawn(figure, tmp_path / "p.png")
    assert is_drawn(plots.curves(HISTORY[:1]), tmp_path / "p.png")


def test_compare_shows_errors(tmp_path):
    figure = plots.compare({"plain44": HISTORY, "resnet44": HISTORY[:1]})
    training, test = figure.axes
    np.testing.assert_allclose(lines(training)[0], [60, 40])
    np.testing.assert_allclose(lines(test)[1], [50])
    assert {"40.0 %  plain44", "50.0 %  resnet44"} <= texts(figure)
    assert is_drawn(figure, tmp_path / "p.png")


def test_every_point_that_is_compared_lies_inside_the_axes():
    worse = [row | {"test_accuracy": 0.05} for row in HISTORY]  # an error of 95 %, far above those in training
    figure = plots.compare({"a": HISTORY, "b": worse}, "validation")
    for axes in figure.axes:
        bottom, top = axes.get_ylim()
        assert bottom == 0 and all(bottom <= y <= top for line in lines(axes) for y in line)
    assert "validation images" in texts(figure)


def test_a_run_whose_name_begins_with_an_underscore_is_in_the_legend():
    legend = plots.compare({"_a": HISTORY}).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["40.0 %  _a"]


def test_the_legend_of_many_runs_fits_and_tells_them_apart(tmp_path):
    figure = plots.compare({f"run {k}": HISTORY for k in range(28)})
    is_drawn(figure, tmp_path / "p.png")  # which lays it out
    for axes in figure.axes:
        legend, space = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert space.y0 <= legend.y0 and legend.y1 <= space.y1
        assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == 28


@pytest.mark.parametrize("draw", [lambda: plots.curves(HISTORY[:1]), lambda: plots.compare({"a": HISTORY[:1]})])
def test_the_axis_of_one_epoch_has_whole_numbers(draw):
    for axes in draw().axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_names_with_dollars_are_no_mathematics(tmp_path):
    names, images = ("$a_{$", "$5-$10", "\\$"), np.zeros((6, 4, 4, 3), np.uint8)
    for figure in (
        plots.compare({name: HISTORY for name in names}),
        plots.confusion(LABELS, PREDICTED, names),
        plots.predictions(images, LABELS, np.eye(3)[PREDICTED], names),
        plots.contact_sheet(images, LABELS, names),
    ):
        assert is_drawn(figure, tmp_path / "p.png")


def test_the_title_of_a_small_confusion_matrix_ends_before_the_colour_bar():
    figure = plots.confusion(np.zeros(1000, int), np.zeros(1000, int), CLASSES)
    figure.draw_without_rendering()
    matrix, bar = figure.axes
    assert matrix.title.get_window_extent().x1 < bar.get_window_extent().x0


def test_predictions_show_the_surest_mistakes_first(tmp_path):
    images = np.zeros((4, 5, 5, 3), np.uint8)
    images[:] = np.array([10, 20, 30, 40])[:, None, None, None]
    labels = np.array([0, 1, 2, 2])
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    figure = plots.predictions(images, labels, probabilities, CLASSES, columns=2)
    shown = [[int(axes.images[0].get_array().flat[0]) for axes in part.axes if axes.images] for part in figure.subfigs]
    assert shown == [[10, 40], [30, 20]]  # right; wrong, at 80 % before 60 %
    assert {"is cat", "is dog", "is owl", "80%", "70%"} <= texts(figure)
    assert is_drawn(figure, tmp_path / "p.png")


@pytest.mark.parametrize("predicted", [0, 1])
def test_all_right_or_all_wrong_is_drawn_too(tmp_path, predicted):
    images = np.full((2, 4, 4, 3), 7, np.uint8)
    figure = plots.predictions(images, np.zeros(2, int), np.eye(3)[[predicted] * 2], CLASSES)
    assert any(text.endswith(": none") for text in texts(figure))
    assert is_drawn(figure, tmp_path / "p.png")


def test_contact_sheet_has_a_row_per_class(tmp_path):
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    figure = plots.contact_sheet(images, LABELS, CLASSES, columns=2)
    shown = [int(axes.images[0].get_array().flat[0]) for axes in figure.axes if axes.images]
    assert shown == [0, 1, 3, 4, 5]
    assert set(CLASSES) <= texts(figure)
    assert is_drawn(figure, tmp_path / "p.png")


def test_an_empty_history_is_told():
    with pytest.raises(ValueError, match="history is empty"):
        plots.curves([])


def test_matplotlib_waits_until_something_is_drawn():
    code = "import sys, resnet_scratch.experiment.trainer, resnet_scratch.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def all_figures(names):
    """Those with names in them; of 3 of the `names`."""
    images = np.zeros((6, 4, 4, 3), np.uint8)
    yield plots.compare({name: HISTORY for name in names})
    yield plots.confusion(LABELS, PREDICTED, names)
    yield plots.predictions(images, LABELS, np.eye(3)[PREDICTED], names)
    yield plots.contact_sheet(images, LABELS, names)


def test_long_names_leave_room_for_the_figure(tmp_path):
    """They made the axes collapse, which is a warning of Matplotlib's, and so an error in a test."""
    names = [f"{k:03}.{'Common_Yellowthroat_' * 3}({sex})" for k, sex in enumerate(("male", "female", "young"))]
    for figure in all_figures(names):
        assert is_drawn(figure, tmp_path / "p.png")
        seen = " ".join(texts(figure))
        assert "Yellowthroat_Common_Yellowthroat" not in seen and "000.C" in seen and "emale)" in seen


def test_names_of_predictions_end_before_their_percentages():
    names, images = ["001.Black_footed_Albatross", "MOUNTAIN GORILLA MALE", "d"], np.zeros((6, 4, 4, 3), np.uint8)
    figure = plots.predictions(images, LABELS, np.full((6, 3), 1 / 3), names)
    figure.draw_without_rendering()
    bars = [axes for part in figure.subfigs for axes in part.axes if len(axes.texts) == 6]
    assert bars
    for axes in bars:
        for name, percentage in zip(axes.texts[::2], axes.texts[1::2]):
            assert name.get_window_extent().x1 < percentage.get_window_extent().x0


def test_another_font_has_the_characters_that_the_first_lacks_if_it_is_installed(monkeypatch, caplog):
    monkeypatch.setattr(lettering, "FONTS", ("DejaVu Sans", "Not Installed", "STIXGeneral"))
    for figure in all_figures(("cat", "\u2322", "dog")):  # which only the second has
        figure.draw_without_rendering()
        assert "\u2322" in " ".join(texts(figure))
    assert not caplog.records  # Matplotlib logs each font that it looks for in vain


def test_names_that_no_font_can_write_are_numbers_and_a_warning_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(lettering, "FONTS", ("DejaVu Sans",))
    figures = all_figures(("cat", "\u732b", "cat\u732b\x1b"))
    with pytest.warns(
        UserWarning, match=r"no font here has \u732b: figures show numbers, .* such as Noto Sans CJK"
    ) as told:
        figures = list(figures)
    assert len({str(warning.message) for warning in told}) == 1
    for figure in figures:
        assert is_drawn(figure, tmp_path / "p.png")  # without a warning of Matplotlib's
        seen = " ".join(texts(figure))
        assert "#1" in seen and "#2 cat\\x1b" in seen and "\u732b" not in seen
