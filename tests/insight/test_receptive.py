"""Receptive fields against which pixels really change a number."""

import numpy as np
import pytest

from resnet_scratch.insight.receptive import receptive_fields
from resnet_scratch.layers import AvgPool2d, Conv2d, MaxPool2d, Sequential
from resnet_scratch.models import build


def test_the_published_one_of_resnet_18():
    """Araujo et al. 2019, table 1, and common tables: ResNet-18's last stage sees 435 pixels, 32 apart."""
    fields = {field.name: field for field in receptive_fields(build("resnet18", rng=np.random.default_rng(0)))}
    assert (fields["conv1"].size, fields["conv1"].jump) == (7, 2)
    assert (fields["maxpool"].size, fields["maxpool"].jump) == (11, 4)
    assert (fields["layer4.1.conv2"].size, fields["layer4.1.conv2"].jump) == (435, 32)
    assert not [name for name in fields if "downsample" in name]


@pytest.mark.parametrize(
    "layers",
    [
        [(Conv2d, 3, 1), (Conv2d, 3, 2), (Conv2d, 5, 1)],
        [(Conv2d, 3, 2), (AvgPool2d, 2, 2), (Conv2d, 3, 1)],
        [(AvgPool2d, 3, 2), (Conv2d, 1, 2), (Conv2d, 3, 1)],
    ],
)
def test_just_the_pixels_in_the_field_matter(layers):
    rng = np.random.default_rng(0)
    row = [kind(1, 1, k, s, 0, rng=rng) if kind is Conv2d else kind(k, s) for kind, k, s in layers]
    model = Sequential(*row).astype(np.float64)
    for layer in row:
        if isinstance(layer, Conv2d):
            layer.weight.value = np.ones_like(layer.weight.value)  # so that no contributions cancel
    field = receptive_fields(model)[-1]
    y, cache = model.forward(np.zeros((1, 41, 41, 1)))

    def seen(position):
        grad_y = np.zeros_like(y)
        grad_y[0, position, 0] = 1
        rows = np.flatnonzero(model.backward(grad_y, cache)[0].any((1, 2)))
        return rows.min(), rows.max()

    (top, bottom), (next_top, _) = seen(1), seen(2)
    assert bottom - top + 1 == field.size and next_top - top == field.jump


def test_max_pooling_counts():
    assert receptive_fields(Sequential(MaxPool2d(3, 2)))[0].size == 3
