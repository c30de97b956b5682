"""Wrong answers that students give are told what is wrong with them; right ones in other styles are taken."""

import inspect
import warnings
from functools import wraps
from importlib import import_module

import numpy as np
import pytest

from resnet_scratch.exercises import CHAPTERS, check, grade, solutions
from resnet_scratch.layers.layer import Layer
from resnet_scratch.measure.summary import summarise

ANSWERS = [import_module(f"answers_{stem[:4]}") for stem in CHAPTERS.values()]
WRONG = [case for chapter in ANSWERS for case in chapter.WRONG]  # (task, answer, a word of the message)
TAKE_ARRAYS = (  # functions that do; the checks of 3.1 and 3.3 say more about a changed one than the test below wants
    "0.1 0.2 0.3 1.3 1.4 2.2 2.3 2.4 3.4 4.1 4.2 4.3 5.2 5.3 5.4 8.1 8.3 9.3 9.4 10.2 10.3 10.4 10.5 11.1 "
    "11.2 11.3 11.4 11.5 12.1 13.1 13.4 13.5 14.1 14.3"
).split()
RIGHT = [case for chapter in ANSWERS for case in chapter.RIGHT]  # (task, answer), in other styles than the library's


@pytest.mark.parametrize("task", [task for task, answer in solutions().items() if inspect.isfunction(answer)])
def test_a_forgotten_return_is_told(task):
    with pytest.raises(AssertionError, match="your function returned nothing: is its `return` missing?"):
        grade(task, lambda *arguments, **named: None)


@pytest.mark.parametrize("task", TAKE_ARRAYS)
def test_a_changed_argument_is_told(task):
    answer = solutions()[task]

    @wraps(answer)
    def changes_the_last_array(*arguments, **named):
        result = answer(*arguments, **named)
        for array in [a for a in (*arguments, *named.values()) if isinstance(a, np.ndarray)][-1:]:
            array.flat[0] = 0 if array.flat[0] else 1
        return result

    with pytest.raises(AssertionError, match="was changed in place"):
        grade(task, changes_the_last_array)


@pytest.mark.answers
@pytest.mark.parametrize("task, answer", RIGHT)
def test_right_answers_of_other_styles_are_taken(task, answer):
    grade(task, answer)


@pytest.mark.answers
@pytest.mark.parametrize("task, answer, message", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(task, answer, message):
    with pytest.raises(AssertionError, match=message):
        grade(task, answer)


def test_what_an_answer_itself_raises_stays_as_it_is():
    def later(images, size, budget):  # a generator's errors are raised in the check
        yield 1 / 0

    class Sigmoid(Layer):
        def forward(self, x, training=False):
            return 1 / 0

    for task, answer in (("0.1", lambda x: 1 / 0), ("13.2", later), ("5.1", Sigmoid)):
        with pytest.raises(ZeroDivisionError):
            grade(task, answer)
    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 was given"):
        grade("0.1", lambda: 1)


def test_what_a_check_cannot_use_is_shown_in_short():
    with pytest.raises(AssertionError) as told:
        grade("4.3", lambda *arguments: (None, np.ones((9, 9))))
    assert str(told.value).startswith("your answer returned (None, array([[1., ") and len(str(told.value)) < 260

    class ScaledAdd(Layer):
        def __init__(self, shape):
            pass

    with pytest.raises(AssertionError, match=r"the check cannot use your ScaledAdd: TypeError: .* missing 1 required"):
        grade("9.5", ScaledAdd)


def test_a_misspelled_method_is_named_and_is_not_still_to_do(capsys):
    class Sigmoid(Layer):
        def foward(self, x, training=False):
            return x, x

    with pytest.raises(AssertionError, match="Sigmoid has no method forward"):
        grade("5.1", Sigmoid)
    assert not check("5.1", Sigmoid) and "not right yet\nSigmoid has no method forward" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("task", ["5.1", "5.3"])
def test_what_numpy_deprecates_fails_no_answer(task, monkeypatch):
    """They turn overflow into an error. A warning of an old name, such as np.row_stack, must stay a warning."""
    exp = np.exp

    def exp_of_old_name(x):
        warnings.warn("this name is deprecated", DeprecationWarning, stacklevel=2)
        return exp(x)

    monkeypatch.setattr(np, "exp", exp_of_old_name)
    grade(task, solutions()[task])


@pytest.mark.parametrize("task", solutions())
def test_every_check_is_tried_with_three_right_and_three_wrong_answers(task):
    assert [number for number, _ in RIGHT].count(task) >= 3
    assert [number for number, *_ in WRONG].count(task) >= 3


def test_a_depthwise_convolution_is_counted_in_a_summary():
    layer = solutions()["2.5"](np.ones((3, 2, 3), np.float32), stride=2, padding=1)
    (row,) = summarise(layer, (7, 6))
    assert row.output_shape == (4, 4, 3)
    assert row.multiply_adds == 4 * 4 * 3 * (3 * 2)  # Howard et al. 2017, equation 4
