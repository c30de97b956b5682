"""The students' copy contains no solution, every task says "your turn", and no student's work is overwritten."""

import ast
import builtins
import linecache
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.exercises import CHAPTERS, check, grade, kept, my_answers, progress, solutions, task
from resnet_scratch.exercises.handout import remove_solutions, write_exercises
from resnet_scratch.exercises.milestones import MILESTONES
from resnet_scratch.exercises.tasks import BEGIN, END, FOLDER, find_task, find_tasks, solution, stub

TUTORIALS = sorted((Path(__file__).parents[2] / "tutorials").glob("[0-9]*.py"))
CHAPTER = '''"""A chapter."""

import math

from ..layers import ReLU
from .. import optim


def double(x: int) -> int:
    """Task 1.1 (*, 5 minutes): twice as much

    TODO: return twice x. `half` and
        `math` may help.
    QUESTION: what is a number
        added to itself?
    POINTER: `+`.
    """
    start = x
    ### BEGIN SOLUTION
    return start + start
    ### END SOLUTION


class Half(ReLU):
    """Task 1.2 (***, 20 minutes): half as much

    As in a book.

    TODO: write `of`.
    QUESTION: divide by what?
    POINTER: by two.
    """

    def of(self, x):
        ### BEGIN SOLUTION
        return x / 2
        ### END SOLUTION

    def twice(self, x):
        """As it was."""
        ### BEGIN SOLUTION
        return helper() * x
        ### END SOLUTION


def helper():
    return 1
'''

HANDOUT = CHAPTER.replace("from ..", "from resnet_scratch.").replace("resnet_scratch. import", "resnet_scratch import")
for code, hint in (
    ("return start + start", "1.1, double. what is a number added to itself?"),
    ("return x / 2", "1.2, Half. divide by what?"),
    ("return helper() * x", "1.2, Half. divide by what?"),
):
    turn = f"raise NotImplementedError({f'your turn: task {hint}'!r})"
    HANDOUT = re.sub(rf"### BEGIN SOLUTION\n *{re.escape(code)}\n *### END SOLUTION", turn, HANDOUT)

STUB = '''import math


def double(x: int) -> int:
    """Task 1.1: twice as much"""
    start = x
    raise NotImplementedError("your turn: task 1.1")'''

CLASS_STUB = '''from resnet_scratch.layers import ReLU


class Half(ReLU):
    """Task 1.2: half as much"""

    def of(self, x):
        raise NotImplementedError("your turn: task 1.2")

    def twice(self, x):
        """As it was."""
        raise NotImplementedError("your turn: task 1.2")'''

SOLUTION = '''from resnet_scratch.layers import ReLU
from resnet_scratch.exercises.ch01_one import helper


class Half(ReLU):
    def of(self, x):
        return x / 2

    def twice(self, x):
        """As it was."""
        return helper() * x'''


def test_solutions_are_removed():
    assert remove_solutions(CHAPTER) == HANDOUT


def test_a_task_is_read_from_its_docstring():
    double, half = find_tasks(CHAPTER)
    assert (double.number, double.name, double.title, double.mark) == ("1.1", "double", "twice as much", "task1_1")
    assert (double.stars, double.minutes, half.stars, half.minutes) == (1, 5, 3, 20)
    assert double.todo == "return twice x. `half` and\n`math` may help."
    assert double.question == "what is a number\nadded to itself?" and double.pointer == "`+`."
    assert half.todo == "As in a book.\n\nwrite `of`."
    with pytest.raises(ValueError, match="double: a task needs .* QUESTION"):
        find_tasks(CHAPTER.replace("    POINTER: `+`.\n", ""))


def test_a_notebook_gets_a_stub_that_runs_and_an_answer_that_runs():
    double, half = find_tasks(CHAPTER)
    assert stub(CHAPTER, double, "ch01_one") == STUB
    assert stub(CHAPTER, half, "ch01_one") == CLASS_STUB
    assert solution(CHAPTER, half, "ch01_one") == SOLUTION


@pytest.mark.parametrize("number", solutions())
def test_every_stub_runs_by_itself_and_every_answer_is_right(number):
    module, found = find_task(number)
    source = (FOLDER / f"{module}.py").read_text()
    names = {}
    exec(stub(source, found, module), names)
    with pytest.raises(NotImplementedError, match=f"your turn: task {number}"):
        grade(number, names[found.name])
    names = {}
    exec(solution(source, found, module), names)
    grade(number, names[found.name])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (CHAPTER.replace(f"    return start + start\n    {END}", "    return start"), "inside another solution"),
        (CHAPTER.replace(f" * x\n        {END}\n", " * x\n"), "without ### END"),
        (CHAPTER.replace(f"    {BEGIN}\n    return start", "    return start"), "without ### BEGIN"),
        (CHAPTER.replace("    return 1", f"    {BEGIN}\n    return 1\n    {END}"), "outside a task"),
    ],
)
def test_misplaced_marks_are_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        remove_solutions(wrong)


@pytest.mark.parametrize("spoil, message", [
    (lambda text: text.replace("    POINTER: ", "    HINT: ", 1), "line 8: relu_forward: a task needs"),
    (lambda text: text.replace(f"    {END}\n", "", 1), r"line \d+: ### BEGIN SOLUTION (without|is outside)"),
    (lambda text: text.replace("def relu_forward(", "def 1relu(", 1), "line 8: "),
])  # fmt: skip
def test_a_malformed_task_names_its_file(tmp_path, monkeypatch, spoil, message):
    """For those who write tasks of their own."""
    from resnet_scratch.exercises import tasks

    (tmp_path / "ch00_start.py").write_text(spoil((FOLDER / "ch00_start.py").read_text()))
    monkeypatch.setattr(tasks, "FOLDER", tmp_path)
    with pytest.raises(UserError, match=f"ch00_start.py: {message}"):
        write_exercises(tmp_path / "handed-out", [0])
    assert not (tmp_path / "handed-out").exists()
    if "BEGIN" not in message:
        with pytest.raises(UserError, match=f"ch00_start.py: {message}"):
            find_task("0.1")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_complete_tasks(chapter):
    source = (FOLDER / f"{CHAPTERS[chapter]}.py").read_text()
    tasks, handout = find_tasks(source), remove_solutions(source)
    assert 2 <= len(tasks) <= 5
    assert [t.number for t in tasks] == [f"{chapter}.{k}" for k in range(1, len(tasks) + 1)]
    assert all(t.minutes and t.todo and t.pointer for t in tasks)
    ast.parse(handout)
    assert BEGIN not in handout and END not in handout and "from ." not in handout
    for found in tasks:
        assert handout.count(f"your turn: task {found.number}, {found.name}.") >= 1


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "mine"
    written, kept = write_exercises(folder)
    assert not kept and len(written) == 2 * len(CHAPTERS) + 3
    return folder


def run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent.parent)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_every_task_fails_with_your_turn(handed_out):
    result = run(handed_out)
    count = sum(len(find_tasks((FOLDER / f"{stem}.py").read_text())) for stem in CHAPTERS.values())
    failed = count + len(MILESTONES)
    assert result.returncode == 1 and f"{failed} failed" in result.stdout and "passed" not in result.stdout
    reasons = [line for line in result.stdout.splitlines() if line.startswith("E   NotImplementedError: your turn")]
    assert len(reasons) == failed


def test_the_solutions_pass(tmp_path):
    chapter = min(CHAPTERS)
    write_exercises(tmp_path, [chapter])
    stem = CHAPTERS[chapter]
    solved = (FOLDER / f"{stem}.py").read_text().replace("from ..", "from resnet_scratch.")
    (tmp_path / f"{stem}.py").write_text(solved)
    one = run(tmp_path, "-m", f"task{chapter}_1")
    assert one.returncode == 0 and "1 passed" in one.stdout and "deselected" in one.stdout
    assert run(tmp_path).returncode == 0


def test_existing_files_are_not_changed(tmp_path):
    chapters = list(CHAPTERS)[:2]
    write_exercises(tmp_path, chapters[:1])
    mine = tmp_path / f"{CHAPTERS[chapters[0]]}.py"
    mine.write_text("# hours of work\n")
    written, kept = write_exercises(tmp_path, chapters)
    assert mine.read_text() == "# hours of work\n" and mine in kept
    assert tmp_path / f"{CHAPTERS[chapters[1]]}.py" in written


def test_a_later_hand_out_has_marks_for_tasks_that_are_new(tmp_path):
    write_exercises(tmp_path, [0])
    marks = tmp_path / "pytest.ini"
    marks.write_text("".join(line for line in marks.read_text().splitlines(True) if "task1_1" not in line))
    write_exercises(tmp_path, [1])
    result = run(tmp_path, "-m", "task1_1")
    assert "1 failed" in result.stdout and "your turn: task 1.1" in result.stdout


def test_unknown_chapters_and_tasks_are_errors(tmp_path):
    with pytest.raises(UserError, match="chapter must be one of .*, got 77"):
        write_exercises(tmp_path, [77])
    assert not any(tmp_path.iterdir())
    with pytest.raises(UserError, match="chapter must be one of .*, got 77"):
        progress(77)
    for number in ("77.1", f"{min(CHAPTERS)}.9", "one", 1.2, None):
        with pytest.raises(UserError, match=f"there is no task {number!r}; a task is a string, such as '1.2'; the"):
            check(number, print)


@pytest.mark.parametrize("missing", ["function", "file"])
def test_a_task_without_a_check_says_what_to_write(monkeypatch, missing):
    if missing == "function":
        monkeypatch.delattr("resnet_scratch.exercises.checks.ch00_start.task_0_1")
    else:
        monkeypatch.setattr("resnet_scratch.exercises.find_spec", lambda name: None)
    wanted = r"task 0.1 has no check: resnet_scratch/exercises/checks/ch00_start.py needs a function task_0_1\(answer\)"
    with pytest.raises(UserError, match=wanted):
        grade("0.1", print)


def test_notebooks_can_be_made_without_answers(monkeypatch):
    pytest.importorskip("jupytext")
    monkeypatch.syspath_prepend(FOLDER.parent.parent / "tutorials")
    from make_notebooks import HERE, notebook

    full, without = notebook(HERE / "00_start.py"), notebook(HERE / "00_start.py", answers=False)
    assert "The answer" in full and "np.maximum(x, 0)" in full
    assert "The answer" not in without and "np.maximum(x, 0)" not in without
    assert without.count("Hint: a pointer") == full.count("Hint: a pointer") == 3


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """As if the answers were cells of a notebook that runs in this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept, "_in_notebook", lambda: True)

    def cell(source):
        names = {"__name__": "__main__"}
        name = f"<cell {len(linecache.cache)}>"
        linecache.cache[name] = len(source), None, source.splitlines(True), name
        exec(compile(source, name, "exec"), names)
        return names

    return cell


def test_check_says_right_not_right_or_still_to_do(capsys, notebook):
    module, first = find_task("0.1")
    source = (FOLDER / f"{module}.py").read_text()
    answer = notebook(stub(source, first, module))[first.name]
    assert not check("0.1", answer) and capsys.readouterr().out == "task 0.1: still to do\n"
    assert not check("0.1", lambda x: x) and capsys.readouterr().out.startswith("task 0.1: not right yet\n")
    assert my_answers() == {}
    answer = notebook(solution(source, first, module))[first.name]
    assert check("0.1", answer) and capsys.readouterr().out == "task 0.1: right\n"
    progress(0)
    assert capsys.readouterr().out.startswith("right: 0.1\nstill to do: 0.2")
    for copy in ("task_0_1-Copy1", "task_0_1 (1)", "task_9_99", "task_99_1"):  # Jupyter's and a drive's; of no task
        (kept.folder() / f"{copy}.py").write_text("not an answer")
    assert list(my_answers()) == ["0.1"]
    grade("0.1", my_answers()["0.1"])


def test_answers_are_kept_in_the_folder_that_the_environment_names(notebook, tmp_path, monkeypatch):
    """As on Colab, where every notebook runs on a machine of its own: this one's folder is not the next one's."""
    module, first = find_task("0.1")
    answer = notebook(solution((FOLDER / f"{module}.py").read_text(), first, module))[first.name]
    monkeypatch.setenv("RESNET_SCRATCH_ANSWERS", str(tmp_path / "drive" / "answers"))
    with pytest.raises(UserError, match="RESNET_SCRATCH_ANSWERS must name a folder whose parent exists, got .*drive"):
        check("0.1", answer)  # the drive is not mounted
    (tmp_path / "drive").touch()
    monkeypatch.setenv("RESNET_SCRATCH_ANSWERS", str(tmp_path / "drive"))
    with pytest.raises(UserError, match="RESNET_SCRATCH_ANSWERS must name a folder, got the file .*drive"):
        check("0.1", answer)
    (tmp_path / "drive").unlink()
    monkeypatch.setenv("RESNET_SCRATCH_ANSWERS", str(tmp_path / "drive" / "answers"))
    (tmp_path / "drive").mkdir()
    assert check("0.1", answer) and (tmp_path / "drive" / "answers" / "task_0_1.py").exists()
    (tmp_path / "next").mkdir()
    monkeypatch.chdir(tmp_path / "next")
    assert list(my_answers()) == ["0.1"]
    monkeypatch.delenv("RESNET_SCRATCH_ANSWERS")
    assert my_answers() == {}


def test_an_answer_that_needs_other_cells_is_not_kept(capsys, notebook):
    names = notebook("def relu_forward(x):\n    return maximum(x, 0)")
    names["maximum"] = np.maximum
    assert check("0.1", names["relu_forward"])
    shown = capsys.readouterr().out
    assert "not kept for the milestones: name 'maximum' is not defined." in shown and my_answers() == {}
    assert "copy into it what it uses from other cells" in " ".join(shown.split())


@pytest.fixture
def only_in_notebooks(monkeypatch):
    """IPython puts these two names among the builtin functions."""
    for name in ("display", "get_ipython"):
        monkeypatch.setattr(builtins, name, lambda *arguments: str, raising=False)


RELU = "import numpy as np\n\ndef relu_forward(x):\n    return np.maximum(x, 0)\n"


def test_what_only_a_notebook_has_is_left_out_of_the_kept_file(capsys, notebook, only_in_notebooks):
    """As IPython rewrites %timeit and !ls; and a check in the cell itself, under any name."""
    cell = f"get_ipython()('matplotlib')\n{RELU}\ndisplay(\n    1\n)\ny = relu_forward(np.ones(1))\n"
    for last in ("check('0.1', relu_forward)", "exercises.check('0.1', relu_forward)", "get_ipython()('timeit')"):
        names = notebook(cell)
        linecache.cache[names["relu_forward"].__code__.co_filename][2].append(last + "\n")  # it must not be run here
        assert check("0.1", names["relu_forward"]) and capsys.readouterr().out == "task 0.1: right\n"
        kept_source = (kept.folder() / "task_0_1.py").read_text()
        assert "display" not in kept_source and "get_ipython" not in kept_source and "check" not in kept_source
        assert RELU in kept_source and "y = relu_forward" in kept_source
        (kept.folder() / "task_0_1.py").unlink()


def test_an_answer_that_needs_the_notebook_is_not_kept(capsys, notebook, only_in_notebooks):
    for body in ("display(x)", "get_ipython()(x)"):
        names = notebook(RELU.replace("    return", f"    {body}\n    return"))
        assert check("0.1", names["relu_forward"])
        assert f"name '{body[:7]}" in capsys.readouterr().out and my_answers() == {}
    names = notebook(RELU + "x = 1; display(x)")
    assert check("0.1", names["relu_forward"]) and "name 'display' is not defined" in capsys.readouterr().out


@pytest.mark.parametrize("source, why", [
    ("class Relu:\n    def __call__(self, x):\n        return x * (x > 0)\nrelu_forward = Relu()", "it is a Relu"),
    ("import functools\ndef f(n, x):\n    return x * (x > n)\nrelu_forward = functools.partial(f, 0)", "it is a part"),
    ("from resnet_scratch.exercises.ch00_start import relu_forward", "it is from resnet_scratch.exercises.ch00"),
    ("from resnet_scratch.exercises.ch05_relu_pooling_linear_loss import Sigmoid as S\nclass Sigmoid(S):\n    pass",
     "its cell is not found: a class needs a method of its own"),
])  # fmt: skip
def test_a_right_answer_that_is_not_kept_is_told_why(capsys, notebook, source, why):
    names = notebook(source)
    number, answer = ("5.1", names["Sigmoid"]) if "Sigmoid" in names else ("0.1", names["relu_forward"])
    assert check(number, answer)
    shown = capsys.readouterr().out
    assert shown.startswith(f"task {number}: right\nnot kept for the milestones: {why}") and my_answers() == {}


def test_a_cell_that_is_timed_is_not_kept(capsys, notebook):
    """%%time runs the cell as a text that nobody keeps."""
    names = {"__name__": "__main__"}
    exec(compile(RELU, "<timed exec>", "exec"), names)
    assert check("0.1", names["relu_forward"])
    assert (
        "its cell is not found: a class needs a method of its own, and a cell must not begin with %%time"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("spoilt, why", [
    (RELU.replace("(x):", "(x:"), "SyntaxError: "),
    (RELU.replace("relu_forward", "relu"), "it does not define relu_forward"),
    ("import nowhere\n" + RELU, "ModuleNotFoundError: No module named 'nowhere'"),
])  # fmt: skip
def test_a_kept_file_that_does_not_run_is_named(notebook, spoilt, why):
    assert check("0.1", notebook(RELU)["relu_forward"])
    (kept.folder() / "task_0_1.py").write_text(spoilt)
    with pytest.raises(UserError, match=f"my-answers.task_0_1.py cannot be used: {why}"):
        my_answers()


def test_a_task_is_shown_without_its_solution(capsys):
    task("0.1")
    shown = capsys.readouterr().out
    assert shown.startswith("Task 0.1 *") and "SOLUTION" not in shown and "relu_forward" in shown


def bound(tree):
    """(name, line) of all that the code of a notebook binds outside functions and classes."""
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, SCOPES) for n in ast.walk(f) if n is not f}
    for node in ast.walk(tree):
        if id(node) not in inside and isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif id(node) not in inside and isinstance(node, ast.alias):
            yield node.asname or node.name, node.lineno
        elif id(node) not in inside and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


SCOPES = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_no_cell_after_a_task_takes_the_name_of_its_answer(tutorial):
    """Else the check would judge the tutorial's own code when a student runs it once more."""
    text = tutorial.read_text(encoding="utf-8")
    tasks = re.finditer(r'^task\("(.*)"\)$', text, re.MULTILINE)
    lines = {match[1]: text[: match.start()].count("\n") + 1 for match in tasks}
    names = {find_task(number)[1].name: line for number, line in lines.items()}
    assert not [(name, line) for name, line in bound(ast.parse(text)) if line > names.get(name, line)]
