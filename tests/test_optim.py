import numpy as np
import pytest

from reference import assert_same
from resnet_scratch.layer import Parameter
from resnet_scratch.optim import SGD


def make(put, value, grad, dtype=np.float64):
    parameter = Parameter(put(value, dtype))
    parameter.grad = put(grad, dtype)
    return parameter


@pytest.mark.parametrize(
    "arguments, expected",  # w after each of three steps of rate 0.1 from w = 1 with g = 0.5, by hand
    [
        (dict(momentum=0), [0.95, 0.9, 0.85]),
        (dict(momentum=0, weight_decay=0.1), [0.94, 0.8806, 0.821794]),
        (dict(momentum=0.9), [0.95, 0.855, 0.7195]),  # v = 0.5, 0.95, 1.355
        (dict(momentum=0.9, nesterov=True), [0.905, 0.7695, 0.59755]),  # g + 0.9 v = 0.95, 1.355, 1.7195
        (dict(momentum=0.5, weight_decay=0.1), [0.94, 0.8506, 0.747394]),  # v = 0.6, 0.3 + 0.594, 0.447 + 0.58506
    ],
)
def test_three_steps_by_hand(put, arguments, expected):
    parameter = make(put, [1.0], [0.5])
    optimizer = SGD([parameter], **arguments)
    for value in expected:
        optimizer.step(0.1)
        assert_same(parameter.value, [value])


def test_decay_can_leave_out_what_has_a_single_axis(put):
    weight, bias = make(put, [[2.0]], [[0.0]]), make(put, [2.0], [0.0])
    SGD([weight, bias], weight_decay=0.5, decay_biases_and_norms=False).step(0.1)
    assert_same(weight.value, [[1.9]])
    assert_same(bias.value, [2.0])
    SGD([weight, bias], weight_decay=0.5).step(0.1)
    assert_same(bias.value, [1.9])


def test_the_learning_rate_stands_outside_the_velocity(put):
    """As in PyTorch: a changed rate acts on all of the velocity at once."""
    parameter = make(put, [0.0], [1.0])
    optimizer = SGD([parameter], momentum=0.5)
    optimizer.step(1.0)
    optimizer.step(0.01)
    assert_same(parameter.value, [-1 - 0.01 * 1.5])


def test_velocities_are_in_the_order_of_parameters_and_can_be_set(put):
    first, second = make(put, [0.0], [1.0]), make(put, [[0.0, 0.0]], [[2.0, 3.0]])
    optimizer = SGD([first, second])
    assert [v.tolist() for v in optimizer.velocities] == [[0], [[0, 0]]]
    optimizer.step(0.1)
    assert [v.tolist() for v in optimizer.velocities] == [[1], [[2, 3]]]
    optimizer.velocities[0][:] = 10
    optimizer.step(0.1)
    assert_same(first.value, [-0.1 - 0.1 * (9 + 1)])


@pytest.mark.parametrize("nesterov", [True, False])
def test_arrays_stay_the_same_objects_in_float32_and_gradients_as_they_were(put, nesterov):
    parameter = make(put, [1.0, 2.0], [3.0, 4.0], np.float32)
    value, grad = parameter.value, parameter.grad
    optimizer = SGD([parameter], weight_decay=0.1, nesterov=nesterov)
    optimizer.step(0.1)
    assert parameter.value is value and parameter.grad is grad and grad.tolist() == [3, 4]
    assert value.dtype == optimizer.velocities[0].dtype == np.float32


def test_mistakes_are_named():
    parameter = Parameter(np.ones(1))
    for arguments, message in [
        (dict(momentum=1.0), "momentum must be at least 0 and below 1, got 1.0"),
        (dict(momentum=-0.1), "momentum must be .* got -0.1"),
        (dict(weight_decay=-1), "weight_decay must not be negative, got -1"),
        (dict(momentum=0, nesterov=True), "nesterov needs a momentum above 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            SGD([parameter], **arguments)
    with pytest.raises(ValueError, match="parameters is empty"):
        SGD([])
    with pytest.raises(ValueError, match="call backward before step"):
        SGD([parameter]).step(0.1)
