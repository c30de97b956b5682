"""Checks of the exercises of tutorial 11."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...layers.layer import Layer
from ...models import CONFIGS, build
from ...verify.definitions import numerical_gradient


def _small_model(rng: np.random.Generator) -> tuple[Layer, Callable[[], None]]:
    """A network whose batch norms have statistics as after training, and a check that these are unchanged."""
    model = build(replace(CONFIGS["resnet8"], widths=(2, 3, 4)), 4, rng=rng).astype(np.float64)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.value = 0.3 * rng.standard_normal(buffer.value.shape)
        elif name.endswith("running_var"):
            buffer.value = rng.uniform(0.5, 2, buffer.value.shape)
    before = [buffer.value.copy() for _, buffer in model.named_buffers()]

    def check_unchanged() -> None:
        changed = [n for (n, b), old in zip(model.named_buffers(), before) if (b.value != old).any()]
        assert not changed, f"{changed[0]} was changed: run forward in evaluation mode, training=False"

    return model, check_unchanged


def _log_probability(model: Layer, label: int) -> Callable[[np.ndarray], float]:
    def function(x: np.ndarray) -> float:
        logits = model(x[None])[0]
        return logits[label] - np.log(np.exp(logits).sum())

    return function


def task_11_1(answer: Callable) -> None:
    """`saliency_map`: against the slopes of the network itself, pixel by pixel."""
    rng = np.random.default_rng(4)
    model, check_unchanged = _small_model(rng)
    image, label = rng.standard_normal((8, 6, 3)), 2

    def like(other: np.ndarray) -> bool:
        return bool(np.allclose(got, other, rtol=1e-3, atol=1e-6))

    got = np.asarray(answer(model, image.copy(), label))
    assert got.shape == (8, 6), f"a map for an image (8, 6, 3) must be (8, 6), got {got.shape}"
    check_unchanged()
    slope = numerical_gradient(lambda x: model(x[None])[0, label], image, 1e-6)
    if like(np.abs(slope).max(-1)):
        return
    assert not like(np.abs(slope).sum(-1)), "you took the sum over the channels; the largest is wanted"
    assert not like(slope.max(-1)), "take the absolute value first: a pixel matters whichever way it moves the logit"
    assert not like(np.abs(numerical_gradient(_log_probability(model, label), image, 1e-6)).max(-1)), (
        "this is the gradient of the loss (or of the log-probability); the logit is wanted: start the backward pass "
        "with 1 for the class and 0 elsewhere"
    )
    everything = numerical_gradient(lambda x: model(x[None])[0].sum(), image, 1e-6)
    assert not like(np.abs(everything).max(-1)), (
        "this is the gradient of the sum of all logits; start with 1 for the class and 0 elsewhere"
    )
    row, column = np.unravel_index(np.abs(got - np.abs(slope).max(-1)).argmax(), got.shape)
    raise AssertionError(
        f"at row {row}, column {column} the logit's slopes for the three channels are "
        f"{np.round(slope[row, column], 5).tolist()}; your map says {got[row, column]:.5f}"
    )


def task_11_2(answer: Callable) -> None:
    """`class_activation_map`: by hand, and with nothing positive."""
    features = np.array([[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [[3.0, 1.0], [0.0, 0.0], [2.0, 3.0]]])  # (2, 3, 2)
    weights = np.array([2.0, -1.0])  # the sums: 2, -2, 1 / 5, 0, 1
    expected = np.array([[0.4, 0.0, 0.2], [1.0, 0.0, 0.2]])
    got = np.asarray(answer(features, weights))
    assert got.shape == (2, 3), f"features (2, 3, 2) make a map (2, 3), got {got.shape}"
    if not np.allclose(got, expected):
        assert got.min() >= 0, f"negative values must be set to zero, got {got.min():g} (they count against the class)"
        assert not np.allclose(got, 5 * expected), "the map is not scaled: its largest value must be 1"
        low = (np.array([[2, -2, 1], [5, 0, 1]]) + 2) / 7
        assert not np.allclose(got, low), "you stretched the minimum to 0; ReLU sets the negative values to 0 instead"
        raise AssertionError(
            f"features {features.tolist()} with weights [2, -1] make {expected.tolist()}, "
            f"got {np.round(got, 3).tolist()}"
        )
    with np.errstate(all="ignore"):
        got = np.asarray(answer(features, np.array([-1.0, -1.0])))
    assert np.isfinite(got).all(), f"if no value is positive, your map divides by zero: got {got.tolist()}"
    assert (got == 0).all(), f"if no value is positive, the map must be zero everywhere, got {got.tolist()}"


def task_11_3(answer: Callable) -> None:
    """`cost_of_covering`: with a score whose every pixel's share is known."""
    rng = np.random.default_rng(5)
    for shape, size, fill in (((4, 6, 3), 2, 0.0), ((6, 3, 3), 3, -1.5), ((2, 2, 3), 1, 0.5)):
        image, weight = rng.standard_normal(shape), rng.standard_normal(shape)

        def score(images: np.ndarray) -> np.ndarray:
            assert images.ndim == 4, f"score takes images (N, H, W, 3), got {images.shape}: image[None] is a batch"
            return (images * weight).sum((1, 2, 3))

        got = np.asarray(answer(score, image, size, fill))
        rows, columns = shape[0] // size, shape[1] // size
        case = f"an image {shape} in squares of {size}"
        assert got.shape == (rows, columns), f"{case}: the map must be {(rows, columns)}, got {got.shape}"
        # a linear score falls by the square's own share
        share = (image - fill) * weight
        expected = share.reshape(rows, size, columns, size, 3).sum((1, 3, 4))
        if np.allclose(got, expected):
            continue
        assert not np.allclose(got, -expected), f"{case}: the sign is the other way round: a fall must be positive"
        assert not np.allclose(got, expected.cumsum().reshape(rows, columns)), (
            f"{case}: the covered squares add up; cover each in a fresh copy of the image"
        )
        assert not np.allclose(got, score(image[None])[0] - expected), (
            f"{case}: these are the scores of the covered images; the fall, score(image) - score(covered), is wanted"
        )
        zero = (image * weight).reshape(rows, size, columns, size, 3).sum((1, 3, 4))
        assert not np.allclose(got, zero), f"{case}: the squares were set to 0, not to fill = {fill}"
        raise AssertionError(f"{case}: wanted {np.round(expected, 3).tolist()}, got {np.round(got, 3).tolist()}")


def task_11_4(answer: Callable) -> None:
    """`fooling_image`: against the sign of the loss's slope, number by number."""
    rng = np.random.default_rng(7)
    model, check_unchanged = _small_model(rng)
    image, label, epsilon = rng.standard_normal((8, 6, 3)), 1, 0.25
    got = np.asarray(answer(model, image, label, epsilon))
    assert got.shape == image.shape, f"the shape must stay {image.shape}, got {got.shape}"
    check_unchanged()
    slope = -numerical_gradient(_log_probability(model, label), image, 1e-6)  # of the loss
    logit = numerical_gradient(lambda x: model(x[None])[0, label], image, 1e-6)
    mistakes = {
        "": np.sign(slope),
        "the loss falls: you moved against the gradient, as in training; move along it": -np.sign(slope),
        "this raises the logit of the label; the loss must grow": np.sign(logit),
        "this lowers the logit of the label, but the loss also depends on the other logits": -np.sign(logit),
        "you moved by epsilon times the gradient; every number must move by epsilon, so take the sign": slope,
        "the gradient was scaled; every number must move by exactly epsilon: take the sign": slope / abs(slope).max(),
    }
    assert not np.allclose(got, epsilon * np.sign(slope)), "this is only the perturbation; add it to the image"
    for message, movement in mistakes.items():
        if np.allclose(got, image + epsilon * movement, rtol=1e-4, atol=1e-6):
            assert not message, message
            return
    at = np.unravel_index(np.abs(got - image - epsilon * np.sign(slope)).argmax(), image.shape)
    raise AssertionError(
        f"at (row, column, channel) = {tuple(map(int, at))} the slope of the loss is {slope[at]:.4g}, so the number "
        f"must become {image[at]:.4f} {'+' if slope[at] > 0 else '-'} {epsilon}, got {got[at]:.4f}"
    )


def task_11_5(answer: Callable) -> None:
    """`class_image`: two steps with slopes of the network itself."""
    rng = np.random.default_rng(8)
    model, check_unchanged = _small_model(rng)
    start, label, rate, decay = rng.standard_normal((5, 4, 3)), 3, 0.7, 0.2
    got = np.asarray(answer(model, label, start, 2, rate, decay))
    assert got.shape == start.shape, f"the shape must stay {start.shape}, got {got.shape}"
    check_unchanged()

    def climb(function: Callable, factor: float = 2.0, sign: float = 1.0, steps: int = 2) -> np.ndarray:
        image = start
        for _ in range(steps):
            image = image + sign * rate * (numerical_gradient(function, image, 1e-6) - factor * decay * image)
        return image

    def logit(x: np.ndarray) -> float:
        return model(x[None])[0, label]

    mistakes: dict[str, Callable] = {
        "": lambda: climb(logit),
        "you go down; to make a function larger, add its gradient": lambda: climb(logit, sign=-1),
        "decay is not used": lambda: climb(logit, 0),
        "the derivative of decay * image**2 is 2 * decay * image": lambda: climb(logit, 1),
        "the decay must pull the image towards 0: subtract it": lambda: climb(logit, -2),
        "the logit is wanted, not the log-probability (the loss)": lambda: climb(_log_probability(model, label)),
        "there was only one step": lambda: climb(logit, steps=1),
    }
    for message, image in mistakes.items():
        if np.allclose(got, image(), rtol=1e-3, atol=1e-5):
            assert not message, message
            return
    raise AssertionError(
        "after 2 steps the image is wrong; is the gradient computed anew in each step, for the new image?"
    )
