"""Graphs: boxes with their texts, an arrow for each edge, everything inside the axes."""

from matplotlib.figure import Figure

from resnet_scratch.figures.graphs import draw_graph


def test_boxes_and_arrows_are_drawn_inside_the_axes():
    ax = Figure().add_subplot()
    boxes = {"x": (0, 0), "branch": (1, 1), "add": (0, 2)}
    arrows = [("x", "branch", "w"), ("branch", "add", ""), ("x", "add", "shortcut")]
    draw_graph(ax, boxes, arrows, labels={"add": "+"}, bend={("x", "add"): 0.4})
    texts = [text.get_text() for text in ax.texts]
    assert {"x", "branch", "+", "w", "shortcut"} <= set(texts) and "add" not in texts
    assert len([text for text in ax.texts if getattr(text, "arrow_patch", None)]) == len(arrows)
    assert ax.get_xlim()[0] < 0 < 1 < ax.get_xlim()[1] and ax.get_ylim()[0] < 0 < 2 < ax.get_ylim()[1]
    along = dict(zip(texts, (text.get_position() for text in ax.texts)))
    assert along["shortcut"][0] > along["x"][0], "bent to the right of an arrow that points upwards"
