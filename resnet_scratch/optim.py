"""The update: stochastic gradient descent with momentum."""

from __future__ import annotations

from .compute.backend import Array, array_module
from .layers.layer import Parameter


class SGD:
    """Stochastic gradient descent, as in PyTorch. At each step, for each parameter w with gradient g:

        g = g + weight_decay * w
        v = momentum * v + g                     (v = g at the first step)
        w = w - learning_rate * v                (with Nesterov: w - learning_rate * (g + momentum * v))

    `decay_biases_and_norms=False` leaves parameters with a single axis, biases and batch norm's, out of the decay.

    Sources: Polyak 1964 (momentum); Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", equations 1 to 4, in the form in which the learning rate stands outside v. `velocities` is in the
    parameters' order; a checkpoint saves it.
    """

    def __init__(
        self,
        parameters: list[Parameter],
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        decay_biases_and_norms: bool = True,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {momentum}")
        if weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {weight_decay}")
        if nesterov and momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got 0")
        if not parameters:
            raise ValueError("parameters is empty: there is nothing to learn")
        self.parameters = parameters
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov
        self.decay_biases_and_norms = decay_biases_and_norms
        self.velocities: list[Array] = [array_module(p.value).zeros_like(p.value) for p in parameters]

    def step(self, learning_rate: float) -> None:
        """Change every parameter by its gradient. Raises ValueError when one has none: backward was not called."""
        for parameter, velocity in zip(self.parameters, self.velocities, strict=True):
            if parameter.grad is None:
                raise ValueError("a parameter has no gradient: call backward before step")
            gradient = parameter.grad
            if self.weight_decay and (self.decay_biases_and_norms or parameter.value.ndim > 1):
                gradient = gradient + self.weight_decay * parameter.value
            velocity *= self.momentum
            velocity += gradient
            direction = gradient + self.momentum * velocity if self.nesterov else velocity
            parameter.value -= learning_rate * direction
