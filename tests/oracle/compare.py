"""What the comparisons share: layouts, and how near is near enough."""

import numpy as np
import torch

from resnet_scratch.layers import BatchNorm2d


def to_torch(array, requires_grad=False):
    """NHWC -> NCHW; anything else as it is."""
    array = array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
    return torch.tensor(np.ascontiguousarray(array), requires_grad=requires_grad)


def from_torch(tensor):
    array = tensor.detach().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def weight_to_torch(array):
    """(KH, KW, C, O) -> (O, C, KH, KW) and (in, out) -> (out, in)."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return torch.tensor(np.ascontiguousarray(array.transpose(axes)))


def weight_from_torch(tensor):
    return tensor.detach().numpy().transpose({4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[tensor.ndim])


def assert_near(ours, theirs, tolerance, what):
    """The largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.float32, what
    difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    assert difference <= tolerance * largest, f"{what} differs by {difference / largest:.1e}"


def copy_weights(layer, module):
    """Ours into theirs, by name; every name of theirs must be there, but for their counters."""
    state = {name: weight_to_torch(buffer.value) for name, buffer in layer.named_buffers()}
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)


def away_from_kinks(model, seed=0):
    """Draw the batch norms' shifts to be 3 or -3, so that the ReLUs behind them are open or shut for most numbers.

    In a network as it is initialised some of a million numbers lie so near to zero that float32 rounding decides
    whether a ReLU lets them through; then two right implementations have visibly different gradients.
    """
    rng = np.random.default_rng(seed)
    for _, layer in model.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.weight.value = rng.uniform(0.4, 0.8, layer.channels).astype(np.float32)
            layer.bias.value = rng.choice(np.float32([-3, 3, 3]), layer.channels)
    return model


def assert_layers_agree(layer, module, x, training=True, outputs=1e-5, gradients=1e-4):
    """Forward and backward of both from the same weights: output, every gradient, and the buffers afterwards."""
    copy_weights(layer, module)
    module.train(training)
    y, cache = layer.forward(x, training)
    grad_y = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    grad_x = layer.backward(grad_y, cache)
    torch_x = to_torch(x, requires_grad=True)
    torch_y = module(torch_x)
    torch_y.backward(to_torch(grad_y))
    assert_near(y, from_torch(torch_y), outputs, "output")
    assert_near(grad_x, from_torch(torch_x.grad), gradients, "gradient with respect to the input")
    theirs = dict(module.named_parameters())
    for name, parameter in layer.named_parameters():
        assert_near(parameter.grad, weight_from_torch(theirs[name].grad), gradients, f"gradient at {name}")
    theirs = dict(module.named_buffers())
    for name, buffer in layer.named_buffers():
        if name in theirs:
            assert_near(buffer.value, theirs[name].numpy(), outputs, name)
