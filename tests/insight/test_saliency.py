"""Saliency against central differences, Grad-CAM against a network computed by hand."""

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.insight.saliency import grad_cam, occlusion_map, saliency
from resnet_scratch.layers import Conv2d, GlobalAvgPool2d, Linear, Sequential
from resnet_scratch.models import build


def test_saliency_is_how_much_a_pixel_moves_the_logit(device):
    rng = np.random.default_rng(0)
    model = build("resnet8", 3, rng=rng).astype(np.float64)
    images = rng.standard_normal((2, 8, 8, 3))
    classes = np.array([2, 0])
    heat = to_numpy(saliency(model.to(device), to_device(images, device), to_device(classes, device)))
    model.to("cpu")
    assert heat.shape == (2, 8, 8)
    h = 1e-6
    for n, i, j in [(0, 3, 4), (1, 0, 7), (1, 5, 5)]:
        slopes = []
        for c in range(3):
            up, down = images.copy(), images.copy()
            up[n, i, j, c] += h
            down[n, i, j, c] -= h
            slopes.append((model(up) - model(down))[n, classes[n]] / (2 * h))
        assert heat[n, i, j] == pytest.approx(np.abs(slopes).max(), rel=1e-5)


def test_without_classes_the_predicted_ones_are_meant(device):
    rng = np.random.default_rng(0)
    model = build("resnet8", 3, rng=rng).to(device)
    images = to_device(rng.standard_normal((4, 8, 8, 3), np.float32), device)
    assert (saliency(model, images) == saliency(model, images, to_numpy(model(images)).argmax(1))).all()


def two_detectors():
    """Channel 0 copies red, channel 1 copies green; class 0 wants red and no green, class 1 green."""
    rng = np.random.default_rng(0)
    model = Sequential(layer1=Conv2d(3, 2, 1, bias=False, rng=rng), avgpool=GlobalAvgPool2d(), fc=Linear(2, 2, rng=rng))
    model.astype(np.float64)
    model.layer1.weight.value = np.array([[[[1.0, 0], [0, 1], [0, 0]]]])
    model.fc.weight.value = np.array([[2.0, 0], [-1, 1]])  # (in, out)
    return model


def test_grad_cam_computed_by_hand(device):
    """d logit_0 / dA is 2/9 at channel 0 and -1/9 at channel 1, everywhere in 3x3: the map is relu(2 red - green) / 9,
    which is 2, 4 and 0 (from -3) at the three pixels set; scaled: 0.5, 1 and 0."""
    images = np.zeros((1, 3, 3, 3))
    images[0, 0, 0, 0] = 1
    images[0, 1, 2, 0] = 2
    images[0, 2, 1, 1] = 3
    expected = np.zeros((1, 3, 3))
    expected[0, 0, 0], expected[0, 1, 2] = 0.5, 1
    model, images = two_detectors().to(device), to_device(images, device)
    assert to_numpy(grad_cam(model, images, "layer1", np.array([0]))) == pytest.approx(expected)
    green = np.zeros((1, 3, 3))
    green[0, 2, 1] = 1
    assert to_numpy(grad_cam(model, images, "layer1", to_device(np.array([1]), device))) == pytest.approx(green)


def test_it_is_interpolated_to_the_image(device):
    """Average pooling by 2 of a 4x4 image gives [[1, 0], [0, 0]]; between the centres, at 0.5 and 2.5, it falls
    linearly: 1, 3/4, 1/4, 0 along each axis."""
    from resnet_scratch.layers import AvgPool2d

    model = two_detectors()
    pooled = Sequential(layer1=Sequential(conv=model.layer1, pool=AvgPool2d(2)), avgpool=model.avgpool, fc=model.fc)
    images = np.zeros((1, 4, 4, 3))
    images[0, :2, :2, 0] = 1
    fall = np.array([1, 0.75, 0.25, 0])
    heat = grad_cam(pooled.to(device), to_device(images, device), "layer1", np.array([0]))
    assert to_numpy(heat)[0] == pytest.approx(np.outer(fall, fall))


def test_nothing_speaks_for_it():
    assert not grad_cam(two_detectors(), np.zeros((1, 3, 3, 3)), "layer1", np.array([0])).any()


def test_mistakes_are_named():
    model, images = two_detectors(), np.zeros((1, 3, 3, 3))
    with pytest.raises(ValueError, match="layer must be one of layer1, avgpool, fc, got 'layer9'"):
        grad_cam(model, images, "layer9")
    with pytest.raises(ValueError, match="that of 'avgpool' is"):
        grad_cam(model, images, "avgpool")
    with pytest.raises(ValueError, match="classes must be 1 integers from 0 to 1"):
        saliency(model, images, np.array([2]))


def test_covering_a_square_costs_its_share_of_a_linear_score():
    image, weight = np.random.default_rng(0).standard_normal((2, 5, 7, 3))
    before = image.copy()
    cost = occlusion_map(lambda images: (images * weight).sum((1, 2, 3)), image, 2, fill=0.5)
    assert cost.shape == (2, 3) and (image == before).all()
    for row, column in np.ndindex(2, 3):
        square = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert cost[row, column] == pytest.approx(((image[square] - 0.5) * weight[square]).sum())
