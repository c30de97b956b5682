import numpy as np
import pytest

from resnet_scratch.data import resize

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("old", [(32, 32), (33, 20), (5, 8)])
@pytest.mark.parametrize("size", [1, 7, 16, 24, 32, 50])
def test_resized_images_are_pytorch_s_antialiased_bilinear_ones(old, size):
    images = np.random.default_rng(0).standard_normal((3, *old, 3))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images.transpose(0, 3, 1, 2)), (size, size), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(resize(images, size), expected.numpy().transpose(0, 2, 3, 1), atol=1e-12)
