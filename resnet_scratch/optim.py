"""Optimizers: how the parameters are changed by their gradients."""

from __future__ import annotations

from collections.abc import Iterable

from .checks import brief, check_flag, check_floats, check_instance, check_number
from .compute.backend import Array, array_module
from .errors import UserError
from .layers.layer import Layer, Parameter

State = dict[str, Array]  # what an optimizer remembers of one parameter: named arrays of the parameter's shape


class Optimizer:
    """Changes every parameter by its gradient, one step at a time. A subclass writes `update`, for one parameter, and
    names in `state_names` the arrays that it keeps for each.

    `states` holds these arrays, a dict per parameter, in the parameters' order; they begin as zeros and are changed in
    place. `scalars` holds named numbers that all parameters share. A checkpoint saves both; a number must be a float or
    a 64-bit int.

    Weight decay shrinks every weight a little at each step; `decay_biases_and_norms=False` exempts the parameters with
    a single axis, which are the biases and batch norm's. Raises ValueError for a negative weight decay, when there are
    no parameters, and when one occurs twice; TypeError for what is not a parameter.
    """

    state_names: tuple[str, ...] = ()

    def __init__(
        self, parameters: Iterable[Parameter], weight_decay: float = 0.0, decay_biases_and_norms: bool = True
    ) -> None:
        check_number("weight_decay", weight_decay, at_least=0)
        check_flag("decay_biases_and_norms", decay_biases_and_norms)
        self.parameters = _as_list(parameters)
        self.weight_decay, self.decay_biases_and_norms = float(weight_decay), decay_biases_and_norms
        self.states: list[State] = [
            {name: array_module(p.value).zeros_like(p.value) for name in self.state_names} for p in self.parameters
        ]
        self.scalars: dict[str, int | float] = {}

    def step(self, learning_rate: float) -> None:
        """Update every parameter. Raises ValueError when one has no gradient, because backward was not called, or a
        gradient of another shape, and when its device or dtype was changed after the optimizer was made."""
        check_number("learning_rate", learning_rate, at_least=0)
        for k, (parameter, state) in enumerate(zip(self.parameters, self.states, strict=True)):
            if any(array_module(array) is not array_module(parameter.value) for array in state.values()):
                raise ValueError("the model has moved since this optimizer was made: make it after model.to(device)")
            if any(array.dtype != parameter.value.dtype for array in state.values()):
                raise ValueError("the model's dtype has changed since this optimizer was made: make it after "
                                 f"model.astype({parameter.value.dtype})")  # fmt: skip
            if parameter.grad is None:
                raise ValueError(f"parameters[{k}], of shape {parameter.value.shape}, has no gradient: call backward "
                                 "before step; a backward of your own must set the grad of each parameter")  # fmt: skip
            shape = getattr(parameter.grad, "shape", None)
            if shape != parameter.value.shape:
                raise ValueError(f"parameters[{k}]'s gradient must be {parameter.value.shape} like its value, "
                                 f"got {brief(parameter.grad) if shape is None else shape}")  # fmt: skip
        learning_rate = float(learning_rate)  # a NumPy float64 would turn float32 arrays into float64
        for parameter, state in zip(self.parameters, self.states, strict=True):
            self.update(parameter.value, parameter.grad, state, learning_rate)

    def update(self, w: Array, g: Array, state: State, learning_rate: float) -> None:
        """Change the parameter w and its state, in place, by the gradient g; all have the shape of w."""
        raise NotImplementedError

    def decay(self, w: Array) -> float:
        """The weight decay of the parameter w."""
        return self.weight_decay if self.decay_biases_and_norms or w.ndim > 1 else 0.0

    def __repr__(self) -> str:
        """How many parameters it has, and its settings."""
        settings = (f"{name}={value}" for name, value in vars(self).items() if isinstance(value, (bool, int, float)))
        return f"{type(self).__name__}({', '.join((f'{len(self.parameters)} parameters', *settings))})"


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in PyTorch. For each parameter w with gradient g and velocity v:

        g = g + weight_decay * w
        v = momentum * v + g                     (v begins as 0)
        w = w - learning_rate * v                (with Nesterov: w - learning_rate * (g + momentum * v))

    Sources: Polyak 1964 (momentum); Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", equations 1 to 4, in the form in which the learning rate is outside v.
    Raises ValueError for a momentum outside 0 <= momentum < 1, and for Nesterov without momentum.
    """

    state_names = ("velocity",)

    def __init__(
        self,
        parameters: Iterable[Parameter],
        *,  # or the learning rate, which comes second in PyTorch, would be taken for the momentum
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        decay_biases_and_norms: bool = True,
    ) -> None:
        check_number("momentum", momentum, at_least=0, below=1)
        check_flag("nesterov", nesterov)
        if nesterov and momentum == 0:
            raise UserError("nesterov needs a momentum above 0, got 0")
        super().__init__(parameters, weight_decay, decay_biases_and_norms)
        self.momentum, self.nesterov = float(momentum), nesterov

    def update(self, w: Array, g: Array, state: State, learning_rate: float) -> None:
        v, decay = state["velocity"], self.decay(w)
        if decay:
            g = g + decay * w
        v *= self.momentum
        v += g
        w -= learning_rate * (g + self.momentum * v if self.nesterov else v)


class Adam(Optimizer):
    """Adam with decoupled weight decay, which is AdamW; without weight decay it is Adam. At step t = 1, 2, ..., for
    each parameter w with gradient g:

        m = beta1 * m + (1 - beta1) * g          running mean of the gradient (m begins as 0)
        v = beta2 * v + (1 - beta2) * g^2        running mean of its square (v begins as 0)
        m_hat = m / (1 - beta1^t)                corrected for having begun as 0
        v_hat = v / (1 - beta2^t)
        w = w - learning_rate * (m_hat / (sqrt(v_hat) + eps) + weight_decay * w)

    The decay does not pass through m and v, so it is not divided by sqrt(v_hat). Every weight moves by about the
    learning rate, however large its gradient: 0.001 is usual, where SGD takes 0.1.

    Sources: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1; Loshchilov and Hutter 2019,
    "Decoupled Weight Decay Regularization", algorithm 2, with the learning rate as factor of both terms, as in PyTorch.
    Raises ValueError for a beta outside 0 <= beta < 1, and for an eps that is not above 0.
    """

    state_names = ("first_moment", "second_moment")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        *,  # as SGD's
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decay_biases_and_norms: bool = True,
    ) -> None:
        check_number("beta1", beta1, at_least=0, below=1)
        check_number("beta2", beta2, at_least=0, below=1)
        check_number("eps", eps, above=0)
        super().__init__(parameters, weight_decay, decay_biases_and_norms)
        self.beta1, self.beta2, self.eps = float(beta1), float(beta2), float(eps)
        self.scalars["steps"] = 0  # taken so far: t - 1

    def step(self, learning_rate: float) -> None:
        super().step(learning_rate)
        self.scalars["steps"] += 1

    def update(self, w: Array, g: Array, state: State, learning_rate: float) -> None:
        m, v, t = state["first_moment"], state["second_moment"], self.scalars["steps"] + 1
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g * g
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        w -= learning_rate * (m_hat / (array_module(w).sqrt(v_hat) + self.eps) + self.decay(w) * w)


def _as_list(parameters: Iterable[Parameter]) -> list[Parameter]:
    """The parameters as a list. Raises an error unless they are parameters, at least one, and each of them once."""
    if isinstance(parameters, Layer) or not hasattr(parameters, "__iter__"):
        raise TypeError(f"parameters must be a list, as from model.parameters(), got {brief(parameters)}")
    parameters = list(parameters)
    if not parameters:
        raise UserError("parameters is empty: there is nothing to learn")
    for k, parameter in enumerate(parameters):
        check_instance(f"parameters[{k}]", parameter, Parameter, "model.parameters() is the list")
        check_floats(f"parameters[{k}]", parameter.value)
    if len(set(parameters)) < len(parameters):
        raise UserError("parameters must hold each parameter once, or its step would be taken twice")
    return parameters
