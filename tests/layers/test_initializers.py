import numpy as np
import pytest

from resnet_scratch.layers.initializers import fans, kaiming_normal, kaiming_std, kaiming_uniform


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    "shape, expected", [((3, 3, 16, 32), (144, 288)), ((1, 7, 2, 5), (14, 35)), ((64, 10), (64, 10))]
)
def test_fans(shape, expected):
    assert fans(shape) == expected


@pytest.mark.parametrize("draw", [kaiming_normal, kaiming_uniform])
@pytest.mark.parametrize("mode, std", [("fan_in", np.sqrt(2 / 900)), ("fan_out", np.sqrt(2 / 450))])
def test_the_spread_is_he_et_als(draw, mode, std):
    """45,000 weights: the sample's standard deviation is within 2 % of the distribution's."""
    weights = draw((3, 3, 100, 50), rng(), mode)
    assert weights.dtype == np.float32
    assert weights.std() == pytest.approx(std, rel=0.02) and abs(weights.mean()) < 0.02 * std


def test_the_standard_deviation_by_hand():
    """2 * 3 positions of 4 inputs and 5 outputs. Unless told otherwise it is ReLU's, by the inputs."""
    assert kaiming_std((2, 3, 4, 5)) == pytest.approx((2 / 24) ** 0.5)
    assert kaiming_std((2, 3, 4, 5), "fan_out", 3) == pytest.approx(3 / 30**0.5)


@pytest.mark.parametrize("draw", [kaiming_normal, kaiming_uniform])
def test_unless_told_otherwise_the_spread_is_relus_by_the_inputs(draw):
    np.testing.assert_allclose(draw((4, 9), rng()), draw((4, 9), rng(), "fan_in", 2**0.5), rtol=1e-6)
    np.testing.assert_allclose(draw((4, 9), rng(), gain=3), 3 * draw((4, 9), rng(), gain=1), rtol=1e-6)
    np.testing.assert_allclose(draw((4, 9), rng(), "fan_out"), draw((4, 9), rng()) * 2 / 3, rtol=1e-6)


def test_uniform_weights_fill_their_interval():
    weights = kaiming_uniform((100, 500), rng(), gain=1)
    bound = np.sqrt(3 / 100)
    assert 0.999 * bound < weights.max() <= bound and -bound <= weights.min() < -0.999 * bound


def test_the_generator_decides():
    np.testing.assert_array_equal(kaiming_normal((4, 4), rng()), kaiming_normal((4, 4), rng()))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="mode must be 'fan_in' or 'fan_out', got 'fan'"):
        kaiming_normal((3, 3), rng(), "fan")
    with pytest.raises(ValueError, match=r"each at least 1, got \(3,\)"):
        fans((3,))
    with pytest.raises(ValueError, match=r"each at least 1, got \(3, 3, 0, 4\)"):
        fans((3, 3, 0, 4))
