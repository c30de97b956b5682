"""Graphs: boxes with their texts, an arrow for each edge, everything inside the axes."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
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
    (shortcut,) = [text for text in ax.texts if text.get_text() == "shortcut"]
    assert shortcut.xy[0] > 0, "bent to the right of an arrow that points upwards"
    assert shortcut.get_position()[0] > 0 and shortcut.get_ha() == "left", "and the text is outside of the bend"


def test_arrows_end_outside_their_boxes():
    figure = Figure()
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    draw_graph(ax, {"a": (0, 0), "a box with much text": (3, 0)}, [("a", "a box with much text", "")])
    figure.canvas.draw()
    boxes = [text.get_bbox_patch().get_window_extent() for text in ax.texts if text.get_text()]
    (arrow,) = [text.arrow_patch for text in ax.texts if not text.get_text()]
    corners = arrow.get_window_extent()
    assert boxes[0].x1 <= corners.x0 < corners.x1 <= boxes[1].x0
