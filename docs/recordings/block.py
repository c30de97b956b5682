"""A basic block of one channel, forward and backward, with and without planted mistakes, for the stepper."""

from contextlib import nullcontext

import numpy as np
from batchnorm import compare

from resnet_scratch.measure.recorder import Event, observe
from resnet_scratch.models.blocks import BasicBlock
from resnet_scratch.verify.mistakes import MISTAKES, planted

SIZE = 4
PLANTED = (
    "",
    "block-forgets-shortcut",
    "add-halves-gradient",
    "relu-passes-everything",
    "conv-kernel-not-flipped",
    "batchnorm-mean-constant",
)


def record() -> dict:
    """The arrays of the forward pass, by layer; for each mistake, those of the backward pass and its gradient check."""
    block, x, grad_y = _case()
    events: list[Event] = []
    with observe(block, events.append):
        block.forward(x, training=True)
    return {
        "x": _square(x),
        "grad_y": _square(grad_y),
        "forward": {event.name: _square(event.outputs[0]) for event in events},
        "parameters": {name: parameter.value.ravel().tolist() for name, parameter in block.named_parameters()},
        "mistakes": {name: MISTAKES[name].what if name else "none: the library's backward" for name in PLANTED},
        "backward": {name: _backward(name) for name in PLANTED},
    }


def _case() -> tuple[BasicBlock, np.ndarray, np.ndarray]:
    """A block, its input and an upstream gradient. One image of 4x4 pixels: enough for batch norm, and to be drawn."""
    rng = np.random.default_rng(5)
    block = BasicBlock(1, 1, 1, "A", rng).astype(np.float64)
    for name, parameter in block.named_parameters():
        if name.startswith("conv"):
            parameter.value[:] = rng.integers(-2, 3, parameter.value.shape)
    block.bn1.weight.value[:], block.bn1.bias.value[:] = 1.0, 0.5
    block.bn2.weight.value[:], block.bn2.bias.value[:] = 1.5, -0.25
    x = rng.integers(-2, 4, (1, SIZE, SIZE, 1)).astype(float)
    return block, x, rng.integers(-2, 3, x.shape).astype(float)


def _backward(mistake: str) -> dict:
    """The gradient that each layer's backward returns ("at_add": the second one of the addition); the gradient that
    reaches the fork over the shortcut; grad_x; the gradients of the parameters; the check."""
    block, x, grad_y = _case()
    events: list[Event] = []
    with planted(mistake) if mistake else nullcontext(), observe(block, events.append):
        grad_x = block.backward(grad_y.copy(), block.forward(x, training=True)[1])
    came_back = {event.name: event.outputs for event in events if event.direction == "backward"}
    branch = came_back["conv1"][0]
    shortcut = came_back["add"][1] * (0 if mistake == "block-forgets-shortcut" else 1)  # the identity changes nothing
    assert np.array_equal(branch + shortcut, grad_x), f"{mistake}: grad_x is not the sum of the two paths"
    gradients = {name: parameter.grad.ravel().tolist() for name, parameter in block.named_parameters()}
    with planted(mistake) if mistake else nullcontext():
        checked = compare(block, x, grad_y)
    return {
        "gradients": {name: _square(outputs[0]) for name, outputs in came_back.items()},
        "at_add": _square(came_back["add"][1]),
        "shortcut": _square(shortcut),
        "grad_x": _square(grad_x),
        "parameters": gradients,
        "check": checked,
    }


def _square(array: np.ndarray) -> list[list[float]]:
    return array.reshape(SIZE, SIZE).tolist()
