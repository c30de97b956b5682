"""Hand-ins get what they deserve, whatever one of them does; and the table fits a terminal."""

from __future__ import annotations

import csv

import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.exercises.grading import Mark, Student, grade_hand_ins, marks_table, messages, write_grades
from resnet_scratch.exercises.handout import write_exercises

RIGHT = {
    "relu_forward": "return np.maximum(0, x)",
    "relu_backward": "return np.where(x > 0, grad_y, 0)",
    "accuracy": "return sum(row.argmax() == label for row, label in zip(logits, labels)) / len(labels)",
}
ARGUMENTS = {"relu_forward": "x", "relu_backward": "grad_y, x", "accuracy": "logits, labels"}


def chapter_0(**answers: str) -> str:
    """A student's ch00_start.py: right, but for these."""
    bodies = {**RIGHT, **answers}
    functions = [f"def {name}({ARGUMENTS[name]}):\n    {body}\n" for name, body in bodies.items() if body]
    return "import os, time\nimport numpy as np\n" + "\n".join(functions)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """What eight students get for chapter 0, and the CSV file."""
    hand_ins = tmp_path_factory.mktemp("hand-ins")
    files = {
        "anna/ch00_start.py": chapter_0(),
        "anna/test_ch00_start.py": "def test_task0_1_relu_forward():\n    assert False, 'a test of her own'\n",
        "anna/resnet_scratch/exercises/ch00_start.py": "a copy of the library is no answer",
        "ben/mine/ch00_start.py": chapter_0(relu_forward="time.sleep(1000)", accuracy="return 1 / 0"),
        "chen/ch00_start.py": "def relu_forward(x:\n",
        "chen/notebooks/my-answers/task_0_2.py": chapter_0(),
        "dora/ch00_start.py": chapter_0(relu_forward="os._exit(3)", relu_backward="return grad_y", accuracy=""),
        "emil/old/ch00_start.py": chapter_0(),
        "emil/new/ch00_start.py": chapter_0(),
        "fay/ch00_start (1).py": chapter_0(),
        "hugo/notes.txt": "an essay",
        "gus/ch00_start.py": chapter_0(relu_forward="raise AssertionError", accuracy="")
        + "import threading\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n",
    }
    for name, text in files.items():
        path = hand_ins / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    students = grade_hand_ins(sorted(hand_ins.iterdir()), seconds=7)
    return students, hand_ins


def test_every_answer_gets_its_verdict_whatever_the_others_do(graded):
    students, _ = graded
    assert {student.name: [mark.verdict for mark in student.marks.values()] for student in students} == {
        "anna": ["right", "right", "right"],
        "ben": ["error", "right", "error"],
        "chen": ["error", "right", "error"],
        "dora": ["error", "wrong", "missing"],
        "emil": ["error", "error", "error"],
        "fay": ["missing", "missing", "missing"],
        "gus": ["wrong", "right", "missing"],
        "hugo": ["missing", "missing", "missing"],
    }
    assert [student.right for student in students] == [3, 1, 1, 0, 0, 0, 1, 0]
    assert all(list(student.marks) == ["0.1", "0.2", "0.3"] for student in students)


def test_the_messages_say_what_is_wrong_and_where(graded):
    students, hand_ins = graded
    of = {student.name: [mark.message for mark in student.marks.values()] for student in students}
    assert of["ben"][0] == "stopped after 7 seconds: there may be an endless loop"
    assert of["ben"][2] == f"{hand_ins / 'ben/mine/ch00_start.py'}, line 10:\nZeroDivisionError: division by zero"
    assert "SyntaxError" in of["chen"][0] and "ch00_start.py" in of["chen"][0]
    assert of["dora"][0] == "the answer ended its process with status 3"
    assert of["dora"][2].endswith("ch00_start.py does not define accuracy")
    two = ", ".join(str(hand_ins / "emil" / name / "ch00_start.py") for name in ("new", "old"))
    assert of["emil"] == [f"there is more than one file for it: {two}"] * 3
    assert of["anna"] == ["", "", ""] and of["gus"][0] == "an assertion without a message failed"
    assert of["fay"] == ["not graded: ch00_start (1).py; a file must be called ch00_start.py, or task_0_K.py", "", ""]
    assert of["hugo"] == ["the hand-in contains no answer to these tasks, only: notes.txt", "", ""]


def test_the_grades_and_messages_are_written_into_files(graded, tmp_path):
    students, _ = graded
    beside = write_grades(tmp_path / "grades.csv", students)
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["student", "right", "task 0.1", "task 0.2", "task 0.3"]
    assert rows[4] == ["dora", "0", "error", "wrong", "missing"] and len(rows) == 9
    assert beside == tmp_path / "grades-messages.txt" and beside.read_text() == messages(students)
    assert "dora, task 0.1: error\nthe answer ended its process with status 3\n\n" in messages(students)


def test_a_folder_may_have_any_name(tmp_path):
    """Of ZIP files from Windows too, whose names are not in UTF-8."""
    write_grades(tmp_path / "grades.csv", [Student("m\udcfcller", {"0.1": Mark("wrong", "no")})])
    assert "m\\udcfcller,0,wrong" in (tmp_path / "grades.csv").read_text("utf-8-sig")


def test_tasks_still_to_do_are_told_from_missing_ones(tmp_path):
    write_exercises(tmp_path / "gil", [12])
    (student,) = grade_hand_ins([tmp_path / "gil"], [0, 12])
    verdicts = {number: mark.verdict for number, mark in student.marks.items()}
    assert {verdict for number, verdict in verdicts.items() if number.startswith("12.")} == {"to do"}
    assert {verdict for number, verdict in verdicts.items() if number.startswith("0.")} == {"missing"}


def test_a_file_that_was_renamed_by_its_download_is_named(tmp_path):
    for name in (
        "0/ch00_start.py",
        "hal/ch00_start (1).py",
        "hal/ch12_gpu.py",
        "hal/ch00_start-Copy1.py",
        "hal/chart.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(chapter_0())
    _, hal = grade_hand_ins([tmp_path / "0", tmp_path / "hal"], [0])
    wanted = "not graded: ch00_start (1).py, ch00_start-Copy1.py; a file must be called ch00_start.py, or task_0_K.py"
    assert [mark.message for mark in hal.marks.values()] == [wanted, "", ""]
    assert {mark.verdict for mark in hal.marks.values()} == {"missing"}
    (tmp_path / "hal" / "task_0_1.py").write_text(chapter_0())
    (tmp_path / "hal" / "task_0_3 (1).py").write_text(chapter_0())
    wanted = wanted.replace("Copy1.py", "Copy1.py, task_0_3 (1).py")
    (hal,) = grade_hand_ins([tmp_path / "hal"], [0])
    assert [mark.message for mark in hal.marks.values()] == ["", wanted, ""]


def test_nothing_to_grade_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no answers in .*: expected files such as ch00_start.py, or task_1_2.py"):
        grade_hand_ins([tmp_path])
    with pytest.raises(UserError, match="chapter must be one of .*, got 77"):
        grade_hand_ins([tmp_path], [77])


def test_the_table_of_a_whole_course_fits_a_terminal():
    marks = {f"{chapter}.{k}": Mark("right") for chapter in range(16) for k in range(1, 6)}
    marks["10.2"] = Mark("wrong")
    table = marks_table([Student("Anna_Müller_1234567_assignsubmission_file", marks), Student("\x1b[2Jben", marks)])
    lines = table.splitlines()
    assert max(map(len, lines)) <= 80 and "\x1b" not in table
    assert lines[0].split() == ["student", "right", "0", "1", "2", "3", "4", "5"]
    assert lines[5].split() == ["Anna_Müller_1234567_assi", "79", "+++++", "+++++", "+++++", "+++++", "+-+++", "+++++"]
