import math

import numpy as np
import pytest

from resnet_scratch.initializers import fans, kaiming_normal, kaiming_std, kaiming_uniform


@pytest.mark.parametrize(
    "shape, expected", [((10, 5), (10, 5)), ((3, 3, 16, 32), (144, 288)), ((7, 1, 3, 64), (21, 448))]
)
def test_fans_count_the_kernels_places(shape, expected):
    assert fans(shape) == expected


def test_standard_deviations_by_hand():
    assert kaiming_std((3, 3, 2, 8)) == pytest.approx(1 / 3)  # sqrt(2 / 18)
    assert kaiming_std((3, 3, 2, 8), "fan_out") == pytest.approx(1 / 6)  # sqrt(2 / 72)
    assert kaiming_std((16, 5), gain=1) == pytest.approx(1 / 4)


@pytest.mark.parametrize("mode, std", [("fan_in", math.sqrt(2 / 288)), ("fan_out", math.sqrt(2 / 576))])
@pytest.mark.parametrize("draw", [kaiming_normal, kaiming_uniform])
def test_samples_have_the_promised_mean_spread_and_dtype(rng, draw, mode, std):
    weights = draw((3, 3, 32, 64), rng, mode)
    assert weights.shape == (3, 3, 32, 64) and weights.dtype == np.float32
    assert weights.std() == pytest.approx(std, rel=0.02) and abs(weights.mean()) < 0.03 * std
    beyond = (np.abs(weights) > math.sqrt(3) * std).mean()
    assert beyond == 0 if draw is kaiming_uniform else beyond == pytest.approx(math.erfc(math.sqrt(1.5)), abs=0.01)


def test_a_deep_row_of_relus_keeps_the_size_of_its_signal(rng):
    """What the initialisation is for: He et al. 2015, section 2.2. Without the factor 2, 20 layers would lose 2**20."""
    x = rng.standard_normal((200, 256))
    before = (x**2).mean()
    for _ in range(20):
        x = np.maximum(x @ kaiming_normal((256, 256), rng), 0)
    assert 0.3 < (x**2).mean() / before < 3


def test_the_same_generator_draws_the_same():
    first, second = (kaiming_normal((4, 5), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="mode must be 'fan_in' or 'fan_out', got 'fan'"):
        kaiming_std((2, 3), "fan")
    with pytest.raises(ValueError, match=r"at least two axes, \(..., in, out\), got \(3,\)"):
        fans((3,))
