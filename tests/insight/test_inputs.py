"""Steps in the space of images, against central differences and a network computed by hand."""

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.insight.inputs import class_images, fgsm
from resnet_scratch.layers import GlobalAvgPool2d, Linear, Sequential
from resnet_scratch.models import build


def test_fgsm_goes_up_the_loss_by_epsilon_everywhere(device):
    rng = np.random.default_rng(0)
    model = build("resnet8", 3, rng=rng).astype(np.float64)
    images, labels, epsilon = rng.standard_normal((2, 8, 8, 3)), np.array([2, 0]), np.array([0.1, 0.2, 0.3])
    moved = fgsm(model.to(device), to_device(images, device), to_device(labels, device), epsilon)
    step = to_numpy(moved) - images
    model.to("cpu")
    np.testing.assert_allclose(abs(step), np.broadcast_to(epsilon, step.shape))

    def losses(x):
        logits = model(x)
        return np.logaddexp.reduce(logits, axis=1) - logits[[0, 1], labels]

    h = 1e-6
    for i, j, c in [(3, 4, 0), (0, 7, 1), (5, 5, 2)]:
        up, down = images.copy(), images.copy()
        up[:, i, j, c] += h
        down[:, i, j, c] -= h
        assert (np.sign(losses(up) - losses(down)) == np.sign(step[:, i, j, c])).all()


def mean_times(weight):
    """Logit k is the sum over the channels of weight[c, k] times the mean of channel c."""
    model = Sequential(pool=GlobalAvgPool2d(), fc=Linear(*np.shape(weight), rng=np.random.default_rng(0)))
    model = model.astype(np.float64)
    model.fc.weight.value[:] = weight
    model.fc.bias.value[:] = 0
    return model


@pytest.mark.parametrize("epsilon", [0.25, np.float32([0.25, 0.5])])
def test_epsilon_may_lie_on_the_host_or_with_the_images(device, epsilon):
    """The loss of class 0 grows with channel 1, which is evidence for class 1, and falls with channel 0."""
    model = mean_times([[1.0, 0], [0, 1]]).to(device)
    images, labels = to_device(np.zeros((1, 1, 1, 2)), device), to_device(np.array([0]), device)
    expected = (np.array([-1, 1]) * epsilon).tolist()
    assert fgsm(model, images, labels, epsilon)[0, 0, 0].tolist() == expected
    there = to_device(np.float64(epsilon) * np.ones(2), device)
    assert fgsm(model, images, labels, there)[0, 0, 0].tolist() == expected


def test_ascent_on_a_linear_network_by_hand(device):
    model = mean_times([[4.0, -8], [0, 12]]).to(device)  # over 2x2 pixels, d logit / d pixel is a quarter of the weight
    start, classes = to_device(np.ones((2, 2, 2, 2)), device), to_device(np.array([0, 1]), device)
    got = to_numpy(class_images(model, start, classes, steps=1, learning_rate=0.5, decay=0.1))
    # 1 + 0.5 * (weight / 4 - 0.2)
    np.testing.assert_allclose(got[0], np.broadcast_to([1.4, 0.9], (2, 2, 2)))
    np.testing.assert_allclose(got[1], np.broadcast_to([-0.1, 2.4], (2, 2, 2)))
    assert (start == 1).all()
    end = to_numpy(class_images(model, start, np.array([0, 1]), steps=200, learning_rate=0.5, decay=0.1))
    np.testing.assert_allclose(end[1, 0, 0], [-10, 15])  # where weight / 4 = 2 * decay * pixel
    with pytest.raises(ValueError, match="classes"):
        class_images(model, start, np.array([0, 2]), steps=1)


def test_ascent_in_float32_stays_there():
    start = np.ones((1, 2, 2, 2), np.float32)
    model = mean_times([[4.0, -8], [0, 12]]).astype(np.float32)
    images = class_images(model, start, np.array([0]), steps=2, learning_rate=np.float64(0.5), decay=np.float64(0.1))
    assert images.dtype == np.float32
