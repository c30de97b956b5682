import math

import pytest

from resnet_scratch.schedules import constant, cosine, multi_step, one_cycle, warmup


def rates(schedule, *steps):
    return pytest.approx([schedule(step) for step in steps], rel=1e-12, abs=1e-15)


def test_constant():
    assert [0.1, 0.1] == rates(constant(0.1), 0, 10**6)


def test_the_papers_steps():
    schedule = multi_step(0.1, [32_000, 48_000])
    assert [0.1, 0.1, 0.01, 0.01, 0.001, 0.001] == rates(schedule, 0, 31_999, 32_000, 47_999, 48_000, 64_000)


def test_multi_step_by_another_factor():
    assert [2, 1, 0.5] == rates(multi_step(2, [1, 2], factor=0.5), 0, 1, 2)


def test_cosine_by_hand():
    schedule = cosine(1.0, 12, final=0.2)
    assert [1, 0.2 + 0.4 * (1 + math.sqrt(3) / 2), 0.8, 0.6, 0.4, 0.2, 0.2] == rates(schedule, 0, 2, 4, 6, 8, 12, 99)


def test_one_cycle_of_the_short_recipe():
    """Peak 0.2 at 30 % of 1001 steps, from 0.02, down to 0.0002 at the last; linear both ways."""
    schedule = one_cycle(0.2, 1001, 0.3, 0.1, 0.001)
    assert schedule(0) == pytest.approx(0.02) and schedule(1000) == pytest.approx(0.0002)
    assert max(range(1001), key=schedule) in (300, 301) and schedule(300) == pytest.approx(0.2, rel=1e-3)
    for steps in (range(299), range(302, 998)):
        slopes = [schedule(step + 1) - schedule(step) for step in steps]
        assert slopes == pytest.approx([slopes[0]] * len(slopes)) and abs(slopes[0]) > 1e-4


def test_one_cycle_stays_at_the_end_after_the_last_step():
    schedule = one_cycle(1, 10)
    assert [0.001] * 3 == rates(schedule, 9, 10, 1000)
    assert 0 < one_cycle(1, 1)(0) <= 1 and 0 < one_cycle(1, 2)(1) <= 1


def test_warm_up_at_a_constant_rate():
    """The paper's for ResNet-110: 400 steps at 0.01, then as if nothing had been."""
    schedule = warmup(multi_step(0.1, [32_000]), 400, 0.01)
    assert [0.01, 0.01, 0.1, 0.01] == rates(schedule, 0, 399, 400, 32_000)


def test_linear_warm_up_ends():
    schedule = warmup(constant(0.4), 4)
    assert [0.1, 0.2, 0.3, 0.4, 0.4, 0.4] == rates(schedule, 0, 1, 2, 3, 4, 1000)
    assert [0.4] == rates(warmup(constant(0.4), 0), 0)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"milestones must rise, got \[5, 3\]"):
        multi_step(0.1, [5, 3])
    with pytest.raises(ValueError, match="total_steps must be at least 1, got 0"):
        cosine(0.1, 0)
    with pytest.raises(ValueError, match="total_steps must be at least 1, got 0"):
        one_cycle(0.1, 0)
    with pytest.raises(ValueError, match="warmup_fraction must be between 0 and 1, got 1.5"):
        one_cycle(0.1, 10, 1.5)
