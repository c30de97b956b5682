"""The milestones: networks made of answers, which learn as the library's do."""

import numpy as np
import pytest

from resnet_scratch.exercises import milestones, solutions
from resnet_scratch.exercises.milestones import MILESTONES, milestone


@pytest.fixture
def short(monkeypatch):
    for name, value in {"BATCH_SIZE": 4, "TRAIN_IMAGES": 30, "TEST_IMAGES": 30}.items():
        monkeypatch.setattr(milestones, name, value)


@pytest.mark.parametrize("chapter", MILESTONES)
def test_the_solutions_learn_as_the_library_does(chapter, capsys, short):
    milestone(chapter, solutions(), steps=10)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(MILESTONES[chapter].title) and lines[-1].startswith("test accuracy")
    first = [float(number) for number in lines[3].split()[1:]]
    assert first[0] == pytest.approx(first[1], rel=1e-3)


def test_missing_answers_are_named(capsys):
    milestone(2, {"1.4": None})
    assert "still to do are the tasks 2.2, 2.3." in capsys.readouterr().out


@pytest.mark.parametrize("number", MILESTONES[8].needs)
def test_every_answer_is_used(number, short):
    def broken(*arguments, **named):
        raise ZeroDivisionError(number)

    answer = type("Broken", (solutions()[number],), {"backward": broken}) if number == "6.5" else broken
    with pytest.raises(ZeroDivisionError):
        milestone(8, {**solutions(), number: answer}, steps=10)


def test_an_answer_that_learns_otherwise_is_told(short):
    def no_gradient(probabilities, labels):
        return np.zeros_like(probabilities)

    with pytest.raises(AssertionError, match="step 2: your loss is .* check again"):
        milestone(8, {**solutions(), "5.4": no_gradient}, steps=10)
