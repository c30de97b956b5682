"""Curves by block carry the values that they were given, in colours and dashes that differ; maps share one scale."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.figures import residual


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_signals_are_drawn_with_their_prediction():
    left, right = residual.draw_signals(
        {"a": [0, 1, 2], "b": [0, 3, 6]}, {"a": [1, 1, 1], "b": [1, 2, 3]}, [0, 1, 2]
    ).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[0, 1, 2], [0, 3, 6], [0, 1, 2]]
    assert [list(line.get_ydata()) for line in right.lines] == [[1, 1, 1], [1, 2, 3]]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b", "predicted"]
    assert len({line.get_color() for line in right.lines}) == len({line.get_linestyle() for line in right.lines}) == 2


def test_gradients_have_a_logarithmic_size_and_a_band_of_chance():
    kinds = dict.fromkeys("abcd", [10.0, 1.0])
    sizes, cosines = residual.draw_gradients(kinds, dict.fromkeys("abcd", [0.5, 1.0]), chance=0.02).axes
    assert sizes.get_yscale() == "log" and len(sizes.lines) == 4
    assert len({(line.get_color(), line.get_linestyle()) for line in sizes.lines}) == 4
    assert len({line.get_linestyle() for line in cosines.lines}) == 4
    (band,) = cosines.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((-0.02, 0.02))


def test_maps_share_a_scale_that_is_even_around_zero():
    maps = {"x": np.array([[0.0, 2.0]]), "F(x)": np.array([[-5.0, 1.0]])}
    axes = residual.draw_maps(np.zeros((1, 2, 3), np.uint8), maps).axes
    assert [ax.get_title() for ax in axes[:3]] == ["image", "x", "F(x)"]
    assert [ax.images[0].get_clim() for ax in axes[1:3]] == [(-5, 5)] * 2


def test_frames_share_a_scale_from_zero():
    axes = residual.draw_frames({"a": np.eye(2), "b": np.zeros((2, 2))}).axes
    assert [ax.images[0].get_clim() for ax in axes[:2]] == [(0, 1.5)] * 2
    assert (axes[0].images[0].get_array() == np.eye(2)).all()
