import numpy as np

from resnet_scratch.layers import ReLU


def test_by_hand(put):
    layer, x = ReLU(), put([[-2.0, 0, 3, -0.0, np.inf]])
    y, cache = layer.forward(x)
    assert y.tolist() == [[0, 0, 3, 0, np.inf]]
    assert cache is y  # which the next layer keeps anyway
    assert layer.backward(put(np.full(x.shape, 7)), cache).tolist() == [[0, 0, 7, 0, 7]]


def test_it_passes_on_what_is_not_a_number(put):
    """A loss that became nan must not be hidden."""
    assert np.isnan(float(ReLU()(put([[np.nan]]))[0, 0]))


def test_its_input_and_its_gradient_stay_as_they_were(put):
    x, grad_y = put([[-1, 2]]), put([[3, 4]])
    _, cache = ReLU().forward(x)
    ReLU().backward(grad_y, cache)
    assert x.tolist() == [[-1, 2]] and grad_y.tolist() == [[3, 4]]
