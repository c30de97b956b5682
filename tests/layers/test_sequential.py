import weakref

import numpy as np
import pytest

from resnet_scratch.layers import Sequential
from resnet_scratch.layers.layer import Layer


class Times(Layer):
    """y = factor * x; writes down what it was asked to do."""

    def __init__(self, factor, diary):
        self.factor, self.diary = factor, diary

    def forward(self, x, training=False):
        self.diary.append(("forward", self.factor, training))
        return self.factor * x, ("cache of", self.factor)

    def backward(self, grad_y, cache):
        self.diary.append(("backward", *cache))
        return self.factor * grad_y


def test_there_in_order_and_back_in_reverse_each_with_its_own_cache(put):
    diary = []
    layer = Sequential(Times(2, diary), Times(5, diary))
    one = put([1])
    y, cache = layer.forward(one, training=True)
    assert y.tolist() == layer.backward(one, cache).tolist() == [10]
    assert diary == [
        ("forward", 2, True),
        ("forward", 5, True),
        ("backward", "cache of", 5),
        ("backward", "cache of", 2),
    ]
    assert layer.backward(one, cache).tolist() == [10]  # the cache is still whole


def test_without_layers_it_is_the_identity():
    x = np.ones(2)
    y, cache = Sequential().forward(x)
    assert y is x and Sequential().backward(x, cache) is x and Sequential()(x) is x
    assert Sequential().backward_to_parameters(x, cache) is None
    assert len(Sequential()) == 0 and list(Sequential()) == []


def test_its_layers_are_found_by_number_in_a_row_and_by_name():
    first, second = Times(2, []), Times(5, [])
    row = Sequential(first, scale=second)
    assert row[0] is first and row[1] is row[-1] is row.scale is second
    assert len(row) == 2 and list(row) == [first, second] and [*reversed(row)] == [second, first]
    with pytest.raises(IndexError):
        row[2]


def test_a_slice_would_have_other_names_and_is_refused():
    with pytest.raises(TypeError, match="slice"):
        Sequential(Sequential(), Sequential())[:1]


def test_on_the_way_back_to_the_parameters_the_first_layer_leaves_its_input_out():
    class First(Times):
        def backward_to_parameters(self, grad_y, cache):
            self.diary.append(("to parameters", *cache, grad_y.tolist()))

    diary = []
    layer = Sequential(First(2, diary), Times(5, diary), Times(7, diary))
    _, caches = layer.forward(np.ones(1))
    diary.clear()
    assert layer.backward_to_parameters(np.ones(1), caches) is None
    assert diary == [("backward", "cache of", 7), ("backward", "cache of", 5), ("to parameters", "cache of", 2, [35])]


@pytest.mark.parametrize("caches", [1, 3])
def test_there_must_be_a_cache_for_each_layer(caches):
    layer = Sequential(Times(2, []), Times(5, []))
    for way in (layer.backward, layer.backward_to_parameters):
        with pytest.raises(ValueError, match="zip"):
            way(np.ones(1), [("cache of", 2)] * caches)


def test_inference_drops_each_cache_before_the_next_layer_runs():
    alive = []

    class Keep(Layer):
        def forward(self, x, training=False):
            assert not any(reference() is not None for reference in alive)
            cache = np.zeros(3).view()
            alive.append(weakref.ref(cache))
            return x + 1, cache

    assert Sequential(Keep(), Keep(), Keep())(np.zeros(1)) == 3 and len(alive) == 3
