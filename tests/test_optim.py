import numpy as np
import pytest

from resnet_scratch.layers.layer import Parameter
from resnet_scratch.optim import SGD


def steps(put, count, value=1.0, grad=1.0, **settings):
    """The value of one parameter (as a 1x1 matrix) after each step with a constant gradient and learning rate 0.1."""
    parameter = Parameter(put([[value]]))
    parameter.grad = put([[grad]])
    optimizer = SGD([parameter], **settings)
    values = []
    for _ in range(count):
        optimizer.step(0.1)
        values.append(float(parameter.value[0, 0]))
    return values


def test_plain_descent(put):
    assert steps(put, 3, momentum=0) == pytest.approx([0.9, 0.8, 0.7])


def test_momentum_by_hand(put):
    """v = 1, 1.5, 1.75."""
    assert steps(put, 3, momentum=0.5) == pytest.approx([0.9, 0.75, 0.575])


def test_nesterov_by_hand(put):
    """v = 1, 1.5; the step is 0.1 * (1 + 0.5 v)."""
    assert steps(put, 2, momentum=0.5, nesterov=True) == pytest.approx([0.85, 0.675])


def test_weight_decay_by_hand(put):
    """g = 1 + 0.5 * 1 = 1.5, then 1 + 0.5 * 0.85."""
    assert steps(put, 2, momentum=0, weight_decay=0.5) == pytest.approx([0.85, 0.85 - 0.1425])


def test_decay_can_leave_biases_and_norms_out(put):
    matrix, vector = Parameter(put(np.ones((2, 2)))), Parameter(put(np.ones(2)))
    matrix.grad, vector.grad = put(np.zeros((2, 2))), put(np.zeros(2))
    SGD([matrix, vector], weight_decay=0.5, decay_biases_and_norms=False).step(0.1)
    assert (matrix.value == 0.95).all() and (vector.value == 1).all()


def test_gradients_are_not_changed_and_values_are_changed_in_place(put):
    parameter = Parameter(put(np.ones((2, 2)), np.float32))
    value, parameter.grad = parameter.value, put(np.ones((2, 2)), np.float32)
    SGD([parameter], weight_decay=0.1, nesterov=True).step(np.float64(0.1))
    assert parameter.value is value and value.dtype == np.float32 and (parameter.grad == 1).all()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1}, "weight_decay must not be negative, got -1"),
        ({"momentum": 0, "nesterov": True}, "nesterov needs a momentum above 0"),
    ],
)
def test_errors_name_the_argument(settings, message):
    with pytest.raises(ValueError, match=message):
        SGD([Parameter(np.ones(1))], **settings)


def test_nothing_to_learn_and_nothing_to_learn_from():
    with pytest.raises(ValueError, match="parameters is empty"):
        SGD([])
    with pytest.raises(ValueError, match="call backward before step"):
        SGD([Parameter(np.ones(1))]).step(0.1)
