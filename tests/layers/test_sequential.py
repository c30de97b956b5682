import weakref

from reference import assert_same
from resnet_scratch.layer import Layer
from resnet_scratch.layers import Linear, ReLU, Sequential


class Scale(Layer):
    """Multiplies; adds its calls to a log."""

    def __init__(self, factor, log):
        self.factor, self.log = factor, log

    def forward(self, x, training=False):
        self.log.append(("forward", self.factor, training))
        return self.factor * x, f"cache of {self.factor}"

    def backward(self, grad_y, cache):
        self.log.append(("backward", self.factor, cache))
        return self.factor * grad_y


def test_forward_in_order_backward_in_reverse_each_with_its_own_cache(put):
    log = []
    row = Sequential(Scale(2, log), Scale(3, log))
    y, cache = row.forward(put([[1, 5]]), training=True)
    assert_same(y, [[6, 30]])
    assert_same(row.backward(put([[1, 2]]), cache), [[6, 12]])
    assert log == [
        ("forward", 2, True), ("forward", 3, True), ("backward", 3, "cache of 3"), ("backward", 2, "cache of 2"),
    ]  # fmt: skip


def test_a_call_is_inference(put):
    log = []
    assert_same(Sequential(Scale(2, log), Scale(3, log))(put([[1]])), [[6]])
    assert [training for _, _, training in log] == [False, False]


def test_inference_drops_each_cache_before_the_next_layer_runs(put):
    alive, seen = weakref.WeakSet(), []

    class Cache:
        pass

    class Caching(Layer):
        def forward(self, x, training=False):
            seen.append(len(alive))
            cache = Cache()
            alive.add(cache)
            return x, cache

    row, x = Sequential(Caching(), Caching(), Caching()), put([[1]])
    row(x)
    assert seen == [0, 0, 0]
    row.forward(x)
    assert seen[3:] == [0, 1, 2]  # for backward they are kept


def test_without_layers_it_is_the_identity(put):
    x = put([[1, 2]])
    y, cache = Sequential().forward(x)
    assert y is x and Sequential().backward(x, cache) is x


def test_names_are_numbers_or_as_given(rng):
    inner = Sequential(Linear(2, 3, rng=rng), ReLU(), Linear(3, 2, bias=False, rng=rng))
    row = Sequential(first=inner, relu=ReLU(), fc=Linear(2, 2, rng=rng))
    assert [name for name, _ in row.named_parameters()] == [
        "first.0.weight", "first.0.bias", "first.2.weight", "fc.weight", "fc.bias",
    ]  # fmt: skip
    assert [name for name, _ in row.children()] == ["first", "relu", "fc"]
