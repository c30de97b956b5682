import numpy as np
import pytest

from resnet_scratch.layers import Linear
from resnet_scratch.layers.layer import Parameter
from resnet_scratch.optim import SGD, Adam, Optimizer


def steps(put, count, value=1.0, grads=(1.0,), kind=SGD, **settings):
    """The value of one parameter (as a 1x1 matrix) after each step, with learning rate 0.1 and each gradient in turn;
    the last one goes on."""
    parameter = Parameter(put([[value]]))
    optimizer = kind([parameter], **settings)
    values = []
    for k in range(count):
        parameter.grad = put([[grads[min(k, len(grads) - 1)]]])
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


def test_adam_by_hand(put):
    """Gradients 1 and -2. First step: m = 0.1, v = 0.25, both corrected to 1, so w falls by the learning rate.
    Second: m = 0.9 * 0.1 - 0.2 = -0.11, corrected by 1 - 0.81 = 0.19; v = 0.75 * 0.25 + 0.25 * 4 = 1.1875, corrected
    by 1 - 0.5625 = 0.4375; m_hat = -11 / 19, v_hat = 19 / 7."""
    values = steps(put, 2, grads=(1.0, -2.0), kind=Adam, beta1=0.9, beta2=0.75, eps=1e-12)
    assert values == pytest.approx([0.9, 0.9 + 0.1 * (11 / 19) / (19 / 7) ** 0.5])


def test_adams_eps_is_added_to_the_corrected_root_by_hand(put):
    """m_hat = 1 and sqrt(v_hat) = 1, so with eps = 1 the step is half of the learning rate."""
    assert steps(put, 1, kind=Adam, eps=1.0) == pytest.approx([0.95])


def test_adams_weight_decay_does_not_pass_through_the_moments(put):
    """w = 2 falls by 0.1 * 1 as without decay, and by 0.1 * 0.5 * 2; then from 1.8 by 0.1 * (1 + 0.5 * 1.8)."""
    assert steps(put, 2, value=2.0, kind=Adam, weight_decay=0.5, eps=1e-12) == pytest.approx([1.8, 1.61])


def test_adams_corrections_fade_by_hand(put):
    """A gradient that stays at 2: m_hat = 2 and v_hat = 4 at every step, which is therefore the learning rate."""
    assert steps(put, 4, grads=(2.0,), kind=Adam, eps=1e-12) == pytest.approx([0.9, 0.8, 0.7, 0.6])


def test_adams_eps_is_1e_8_unless_told_otherwise(put):
    """A gradient of 1e-8 is then halved."""
    assert steps(put, 1, grads=(1e-8,), kind=Adam) == pytest.approx([0.95])


@pytest.mark.parametrize("kind", [SGD, Adam, Optimizer])
def test_unless_told_otherwise_nothing_decays_and_with_a_decay_everything(kind):
    parameters = [Parameter(np.ones(2)), Parameter(np.ones((2, 2)))]
    assert [kind(parameters).decay(p.value) for p in parameters] == [0, 0]
    assert [kind(parameters, weight_decay=0.5).decay(p.value) for p in parameters] == [0.5, 0.5]


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_decay_can_leave_biases_and_norms_out(put, kind):
    matrix, vector = Parameter(put(np.ones((2, 2)))), Parameter(put(np.ones(2)))
    matrix.grad, vector.grad = put(np.zeros((2, 2))), put(np.zeros(2))
    kind([matrix, vector], weight_decay=0.5, decay_biases_and_norms=False).step(0.1)
    assert (matrix.value == 0.95).all() and (vector.value == 1).all()


@pytest.mark.parametrize("kind, settings", [(SGD, {"nesterov": True}), (Adam, {})])
def test_all_stays_float32_and_in_its_place_and_gradients_are_not_changed(put, xp, kind, settings):
    parameter = Parameter(put(np.ones((2, 2)), np.float32))
    value, parameter.grad = parameter.value, put(np.ones((2, 2)), np.float32)
    optimizer = kind([parameter], weight_decay=np.float64(0.1), **settings)
    held = dict(optimizer.states[0])
    counts = getattr(xp, "_counts", None)  # the stand-in counts, and notes the dtype of everything that is computed
    if counts:
        counts.reset()
    for _ in range(2):
        optimizer.step(np.float64(0.1))
    if counts:
        assert counts.dtypes == {"float32"} and counts.to_device == counts.to_host == counts.waits == 0
    assert parameter.value is value and value.dtype == np.float32 and (parameter.grad == 1).all()
    assert held and all(optimizer.states[0][name] is array for name, array in held.items())
    assert all(array.dtype == np.float32 for array in held.values())


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_model_that_moved_after_its_optimizer_was_made_is_told(gpu, kind):
    model = Linear(2, 2, rng=np.random.default_rng(0))
    optimizer = kind(model.parameters())
    model.to("cuda")
    y, cache = model.forward(gpu.asarray(np.ones((1, 2), np.float32)))
    model.backward(y, cache)
    with pytest.raises(ValueError, match=r"the model has moved .* make it after model.to\(device\)"):
        optimizer.step(0.1)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_model_whose_dtype_changed_after_its_optimizer_was_made_is_told(kind):
    """Otherwise each update of a float64 weight would be rounded to the float32 of the velocity."""
    model = Linear(2, 2, rng=np.random.default_rng(0))
    optimizer = kind(model.parameters())
    model.astype(np.float64)
    y, cache = model.forward(np.ones((1, 2)))
    model.backward(y, cache)
    with pytest.raises(ValueError, match=r"the model's dtype has changed .* make it after model.astype\(float64\)"):
        optimizer.step(0.1)


def test_an_optimizer_of_your_own_is_a_few_lines(put):
    class SignDescent(Optimizer):
        state_names = ("last",)

        def update(self, w, g, state, learning_rate):
            w -= learning_rate * (g / abs(g))
            state["last"][...] = g

    parameter = Parameter(put([[1.0, 1.0]]))
    parameter.grad = put([[3.0, -5.0]])
    optimizer = SignDescent([parameter])
    optimizer.step(0.25)
    assert parameter.value.tolist() == [[0.75, 1.25]] and optimizer.states[0]["last"].tolist() == [[3.0, -5.0]]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"beta1": 1.0}, "beta1 must be at least 0 and below 1, got 1.0"),
        ({"beta2": -0.1}, "beta2 must be at least 0 and below 1, got -0.1"),
        ({"eps": 0}, "eps must be above 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
    ],
)
def test_adams_errors_name_the_argument(settings, message):
    with pytest.raises(ValueError, match=message):
        Adam([Parameter(np.ones(1))], **settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
        ({"momentum": 0, "nesterov": True}, "^nesterov needs a momentum above 0, got 0$"),
    ],
)
def test_errors_name_the_argument(settings, message):
    with pytest.raises(ValueError, match=message):
        SGD([Parameter(np.ones(1))], **settings)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_nothing_to_learn_and_nothing_to_learn_from(kind):
    with pytest.raises(ValueError, match="^parameters is empty: there is nothing to learn$"):
        kind([])
    first, second = Parameter(np.ones(1)), Parameter(np.ones((2, 3)))
    first.grad = np.ones(1)
    optimizer = kind([first, second])
    with pytest.raises(ValueError, match=r"parameters\[1\], of shape \(2, 3\), .* of your own must set"):
        optimizer.step(0.1)
    assert first.value == 1 and not any(optimizer.scalars.values())  # nothing is changed by half


@pytest.mark.parametrize("gradient, got", [(np.ones(2), r"\(2,\)"), (0.5, r"0\.5")])
def test_a_gradient_of_another_shape_is_refused(gradient, got):
    parameter = Parameter(np.ones(1))
    parameter.grad = gradient
    with pytest.raises(ValueError, match=rf"parameters\[0\]'s gradient must be \(1,\) like its value, got {got}$"):
        SGD([parameter]).step(0.1)


def test_a_parameter_that_came_later_is_refused():
    parameters = [Parameter(np.ones(1)), Parameter(np.ones(1))]
    for parameter in parameters:
        parameter.grad = np.ones(1)
    optimizer = SGD(parameters[:1])
    optimizer.parameters = parameters
    with pytest.raises(ValueError, match="zip"):
        optimizer.step(0.1)


def test_an_optimizer_must_say_how_it_updates():
    parameter = Parameter(np.ones(1))
    parameter.grad = np.ones(1)
    with pytest.raises(NotImplementedError):
        Optimizer([parameter]).step(0.1)


def test_an_optimizer_shows_its_settings():
    parameters = [Parameter(np.ones(1)), Parameter(np.ones(1))]
    sgd, adam = repr(SGD(parameters, momentum=0.5, weight_decay=0.01)), repr(Adam(parameters))
    assert sgd.startswith("SGD(2 parameters, ") and {"momentum=0.5", "weight_decay=0.01"} <= set(sgd[4:-1].split(", "))
    assert {"beta1=0.9", "beta2=0.999", "eps=1e-08"} <= set(adam[5:-1].split(", "))
