import numpy as np

from resnet_scratch.layers import ReLU


def test_by_hand():
    layer = ReLU()
    x = np.array([[-2.0, 0, 3, -0.0, np.inf]])
    y, cache = layer.forward(x)
    assert y.tolist() == [[0, 0, 3, 0, np.inf]]
    assert layer.backward(np.full(x.shape, 7.0), cache).tolist() == [[0, 0, 7, 0, 7]]


def test_it_passes_on_what_is_not_a_number():
    """A loss that became nan must not be hidden."""
    assert np.isnan(ReLU()(np.array([[np.nan]])))


def test_its_input_and_its_gradient_stay_as_they_were():
    x, grad_y = np.array([[-1.0, 2]]), np.array([[3.0, 4]])
    _, cache = ReLU().forward(x)
    ReLU().backward(grad_y, cache)
    assert x.tolist() == [[-1, 2]] and grad_y.tolist() == [[3, 4]]
