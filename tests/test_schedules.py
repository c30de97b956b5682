import pytest

from resnet_scratch.schedules import constant, cosine, multi_step, one_cycle, warmup


def test_constant_is_the_same_at_every_step():
    assert [constant(0.3)(step) for step in (0, 1000)] == [0.3, 0.3]


def test_multi_step_divides_by_ten_at_the_papers_milestones():
    schedule = multi_step(0.1, [32_000, 48_000])
    for step, expected in [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (63_999, 0.001)]:
        assert schedule(step) == pytest.approx(expected)


def test_cosine_at_its_start_middle_and_end():
    schedule = cosine(0.4, 120)
    assert [schedule(step) for step in (0, 40, 60, 120, 200)] == pytest.approx([0.4, 0.3, 0.2, 0, 0])  # cos 60 = 1/2


def test_one_cycle_rises_and_falls_linearly():
    """1000 steps: from 0.02 to the peak of 0.2 at step 300, then down to 0.0002 at the last step."""
    schedule = one_cycle(0.2, 1000)
    assert schedule(0) == pytest.approx(0.02)
    assert schedule(150) == pytest.approx(0.11)
    assert schedule(300) == pytest.approx(0.2)
    assert schedule(999) == schedule(5000) == pytest.approx(0.0002)
    down = [schedule(step) for step in range(300, 1000)]
    slopes = {round(a - b, 9) for a, b in zip(down, down[1:])}
    assert slopes == {round((0.2 - 0.0002) / 699, 9)}


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_of_few_steps_stays_between_zero_and_the_peak(total):
    assert all(0 < one_cycle(0.2, total)(step) <= 0.2 for step in range(total + 1))


def test_warmup_at_a_constant_learning_rate_ends():
    schedule = warmup(multi_step(0.1, [32_000]), 400, 0.01)
    assert [schedule(step) for step in (0, 399, 400, 32_000)] == pytest.approx([0.01, 0.01, 0.1, 0.01])


def test_warmup_that_increases_linearly():
    schedule = warmup(constant(0.8), 4)
    assert [schedule(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert warmup(constant(0.8), 0)(0) == 0.8


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"milestones must increase, got \[5, 3\]"):
        multi_step(0.1, [5, 3])
    with pytest.raises(ValueError, match="total_steps must be a whole number of at least 1, got 0"):
        cosine(0.1, 0)
    with pytest.raises(ValueError, match="warmup_fraction must be above 0 and below 1, got 1"):
        one_cycle(0.1, 10, 1)
