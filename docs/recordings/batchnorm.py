"""Batch norm of six numbers, forward and backward, with and without planted mistakes, for the stepper."""

from contextlib import nullcontext

import numpy as np

from resnet_scratch.gradcheck import STEPS
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.layers.layer import Layer
from resnet_scratch.verify.definitions import numerical_gradient
from resnet_scratch.verify.mistakes import MISTAKES, planted

# three images of one row of two pixels, one channel; the mean is 3 and the variance 4
X = np.array([4.0, 0.0, 6.0, 3.0, 1.0, 4.0]).reshape(3, 1, 2, 1)
WEIGHT, BIAS = 2.0, 1.0
UPSTREAM = {
    "mixed": ("a mixture of numbers", [1.0, -1.0, 2.0, 0.0, 3.0, 1.0]),
    "centred": ("the mixture minus its mean", [0.0, -2.0, 1.0, -1.0, 2.0, 0.0]),
    "ones": ("all ones", [1.0] * 6),
}
# the factors of each mistake for the two means in grad_x, (through the mean, through the variance): asserted below
FACTORS = {
    "": (1.0, 1.0),
    "batchnorm-mean-constant": (0.0, 1.0),
    "batchnorm-variance-constant": (1.0, 0.0),
    "batchnorm-means-unbiased": (6 / 5, 6 / 5),
    "batchnorm-evaluation-backward": (0.0, 0.0),
}
TOLERANCE = 1e-6  # gradcheck's


def record() -> dict:
    """The forward pass; and for each upstream gradient and mistake, the backward pass with its gradient check."""
    norm = _layer()
    y, cache = norm.forward(X, training=True)
    _, mean, inverse_std, _ = cache
    centred = X - mean
    return {
        "x": X.ravel().tolist(),
        "mean": float(mean[0]),
        "centred": centred.ravel().tolist(),
        "var": float(inverse_std[0] ** -2 - norm.eps),
        "inverse_std": float(inverse_std[0]),
        "x_hat": (centred * inverse_std).ravel().tolist(),
        "y": y.ravel().tolist(),
        "weight": WEIGHT,
        "bias": BIAS,
        "running_mean": float(norm.running_mean.value[0]),
        "running_var": float(norm.running_var.value[0]),
        "mistakes": {name: MISTAKES[name].what if name else "none: the library's backward" for name in FACTORS},
        "upstream": {key: text for key, (text, _) in UPSTREAM.items()},
        "backward": {key: {name: _backward(key, name) for name in FACTORS} for key in UPSTREAM},
    }


def _layer() -> BatchNorm2d:
    norm = BatchNorm2d(1).astype(np.float64)
    norm.weight.value[:], norm.bias.value[:] = WEIGHT, BIAS
    return norm


def _backward(upstream: str, mistake: str) -> dict:
    """One backward pass, and the three terms that its grad_x is the sum of."""
    norm, grad_y = _layer(), np.array(UPSTREAM[upstream][1]).reshape(X.shape)
    _, (_, mean, inverse_std, _) = norm.forward(X, training=True)
    x_hat, scale = (X - mean) * inverse_std, WEIGHT * inverse_std
    through_mean, through_variance = FACTORS[mistake]
    terms = [
        scale * grad_y,
        -scale * through_mean * np.full_like(X, grad_y.mean()),
        -scale * through_variance * x_hat * (grad_y * x_hat).mean(),
    ]
    with planted(mistake) if mistake else nullcontext():
        grad_x = norm.backward(grad_y, norm.forward(X, training=True)[1])
        checked = compare(norm, X, grad_y)
    assert np.allclose(sum(terms), grad_x, rtol=0, atol=1e-12), f"{mistake} is not the sum of these terms"
    return {
        "grad_y": grad_y.ravel().tolist(),
        "grad_bias": float(norm.bias.grad[0]),
        "grad_weight": float(norm.weight.grad[0]),
        "terms": [term.ravel().tolist() for term in terms],
        "grad_x": grad_x.ravel().tolist(),
        "check": checked,
    }


def compare(layer: Layer, x: np.ndarray, grad_y: np.ndarray) -> list[dict]:
    """What `gradcheck` does, for a gradient of our own at the output, with every number kept.

    A list of {"name": of the tensor, "shape", "backward", "numerical", "error", "verdict"}; the last four have an entry
    for each element: the two gradients, their relative error, and "agrees", "differs", or "zero" where both are zero up
    to rounding, so that nothing was compared.
    """
    x = x.copy()
    y, cache = layer.forward(x, training=True)
    tensors = [("x", x, layer.backward(grad_y.copy(), cache))]
    tensors += [(name, parameter.value, parameter.grad) for name, parameter in layer.named_parameters()]
    noise = np.finfo(np.float64).eps * max(1.0, float(np.abs(y * grad_y).sum())) / STEPS[-1]

    def loss(_: np.ndarray) -> float:  # of the tensor that is being changed, in place
        return float((layer.forward(x, training=True)[0] * grad_y).sum())

    checked = []
    for name, array, gradient in [(name, array, gradient.copy()) for name, array, gradient in tensors]:
        numerical = numerical_gradient(loss, array)
        size = np.maximum(np.maximum(np.abs(gradient), np.abs(numerical)), np.sqrt(np.mean(gradient**2)))
        error = np.abs(gradient - numerical) / np.maximum(size, noise)
        verdict = np.where(size < noise, "zero", np.where(error <= TOLERANCE, "agrees", "differs"))
        entry = {"backward": gradient, "numerical": numerical, "error": error, "verdict": verdict}
        checked.append({"name": name, "shape": array.shape, **{k: v.ravel().tolist() for k, v in entry.items()}})
    return checked
