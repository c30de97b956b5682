"""The tasks of a chapter, read from its source: what to do, two hints, and the answer."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from ..errors import UserError

FOLDER = files(__package__)  # in the browser the library is a zip file
CHAPTERS = {
    int(name[2:4]): name.removesuffix(".py")
    for name in sorted(file.name for file in FOLDER.iterdir())
    if re.fullmatch(r"ch\d\d_\w+\.py", name)
}
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HEAD = re.compile(r"Task (\d+\.\d+) \((\*{1,3}), (\d+) minutes\): (.*)")
SECTIONS = ("TODO:", "QUESTION:", "POINTER:")


@dataclass(frozen=True)
class Task:
    """One task of a chapter: a function or class of the chapter's module, to be completed by the student."""

    number: str  # such as "1.2"
    name: str  # of the function or class
    title: str
    stars: int  # how hard it is, 1 to 3
    minutes: int  # how long it takes, about
    todo: str  # what to do
    question: str  # the first hint
    pointer: str  # the second hint
    first_line: int
    last_line: int

    @property
    def mark(self) -> str:
        """The pytest mark of its test, such as "task1_2"."""
        return "task" + self.number.replace(".", "_")


@contextmanager
def naming(stem: str) -> Iterator[None]:
    """Within the `with` block, mistakes in a chapter's source become a UserError that names the file."""
    try:
        yield
    except SyntaxError as error:
        raise UserError(f"{stem}.py: line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise UserError(f"{stem}.py: {error}") from error


def read_chapter(chapter: int) -> str:
    """The source of a chapter's tasks, with their solutions. Raises UserError if the chapter has no tasks."""
    if chapter not in CHAPTERS:
        raise UserError(f"chapter must be one of {', '.join(map(str, CHAPTERS))}, got {chapter!r}")
    return (FOLDER / f"{CHAPTERS[chapter]}.py").read_text(encoding="utf-8")


def tasks_of(chapter: int) -> list[Task]:
    """The tasks of a chapter. Raises UserError if it has none, or one that is not complete."""
    source = read_chapter(chapter)
    with naming(CHAPTERS[chapter]):
        return find_tasks(source)


def find_tasks(source: str) -> list[Task]:
    """The tasks in a chapter's source, in order: the top-level functions and classes whose docstring is

        Task N.K (*, 5 minutes): title

        TODO: what to do
        QUESTION: a first hint
        POINTER: a second hint

    with one to three stars. Raises ValueError for a docstring that begins as a task's and is not complete.
    """
    found = []
    for node in ast.parse(source).body:
        text = ast.get_docstring(node) if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else None
        if text and text.startswith("Task "):
            head = HEAD.match(text)
            rest, sections = text, []
            for name in reversed(SECTIONS):
                rest, _, section = rest.rpartition(f"\n{name} ")
                sections.insert(0, _paragraphs(section))
            if head is None or not all(sections):
                needed = f"'Task N.K (*, 5 minutes): title', {', '.join(SECTIONS)}"
                raise ValueError(f"line {node.lineno}: {node.name}: a task needs {needed}")
            number, stars, minutes, title = head.groups()
            preface = _paragraphs(rest.partition("\n")[2])  # between the title and TODO
            todo = f"{preface}\n\n{sections[0]}" if preface else sections[0]
            found.append(
                Task(
                    number,
                    node.name,
                    title,
                    len(stars),
                    int(minutes),
                    todo,
                    *sections[1:],
                    node.lineno,
                    node.end_lineno,
                )
            )
    return found


def _paragraphs(section: str) -> str:
    """A section of a docstring without the indentation of its lines after the first."""
    first, _, rest = section.partition("\n")
    return f"{first}\n{textwrap.dedent(rest)}".strip()


def find_task(number: str) -> tuple[str, Task]:
    """The name of the module that holds the task with this number, and the task. Raises KeyError if there is none, and
    UserError if the module's tasks are not complete."""
    well_formed = isinstance(number, str) and re.fullmatch(r"\d+\.\d+", number)
    chapter = int(number.partition(".")[0]) if well_formed else -1
    for task in tasks_of(chapter) if chapter in CHAPTERS else []:
        if task.number == number:
            return CHAPTERS[chapter], task
    raise KeyError(number)


def solution(source: str, task: Task, module: str) -> str:
    """The answer: the task's code with its solution and the imports that it needs, without its docstring."""
    lines = [line for line in _without_docstring(source, task, replacement="") if line.strip() not in (BEGIN, END)]
    return _with_imports(lines, set(), source, task, module)


def stub(source: str, task: Task, module: str) -> str:
    """What a student completes in a notebook: imports, the signature, and an error in place of each solution.

    It imports the names that the chapter's module imports or defines and that the stub or its hints mention.
    """
    inside, lines = False, []
    for line in _without_docstring(source, task, replacement=f'"""Task {task.number}: {task.title}"""'):
        if line.strip() == BEGIN:
            lines.append(line.replace(BEGIN, f'raise NotImplementedError("your turn: task {task.number}")'))
        inside = line.strip() == BEGIN or inside and line.strip() != END
        if not inside and line.strip() != END:
            lines.append(line)
    return _with_imports(lines, _words(task.todo, task.question, task.pointer), source, task, module)


def _without_docstring(source: str, task: Task, replacement: str) -> list[str]:
    node = next(node for node in ast.parse(source).body if getattr(node, "name", "") == task.name)
    docstring = node.body[0]
    lines = source.splitlines()
    indent = " " * docstring.col_offset
    middle = [indent + replacement] if replacement else []
    after = lines[docstring.end_lineno : node.end_lineno]
    while not replacement and after and not after[0].strip():
        after.pop(0)
    return lines[node.lineno - 1 : docstring.lineno - 1] + middle + after


def _words(*texts: str) -> set[str]:
    return set(re.findall(r"\w+", " ".join(texts)))


def _with_imports(lines: list[str], mentioned: set[str], source: str, task: Task, module: str) -> str:
    """The lines, preceded by imports of those names of the chapter that they use or that are `mentioned`."""
    words = mentioned | _words(*lines)
    imports = []
    if re.search(rf"(: |-> ){task.name}\b", "\n".join(lines)):  # a class whose methods are annotated with the class
        imports.append("from __future__ import annotations\n")
    imports += _imports(source, words, module)
    return "\n".join([*imports, *(["", ""] if imports else []), *lines])


def _imports(source: str, words: set[str], module: str) -> list[str]:
    found, own = [], []
    tasks = {task.name for task in find_tasks(source)}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias for alias in node.names if (alias.asname or alias.name) in words]
            if names and getattr(node, "module", "") != "__future__":
                node.names = names
                found.append(absolute_imports(ast.unparse(node)))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in words - tasks:
            own.append(node.name)
        elif isinstance(node, ast.Assign):
            own += [target.id for target in node.targets if isinstance(target, ast.Name) and target.id in words]
    return found + ([f"from resnet_scratch.exercises.{module} import {', '.join(own)}"] if own else [])


def absolute_imports(line: str) -> str:
    """An import of the library, as it has to be written outside of it."""
    line = re.sub(r"^from \.\. import", "from resnet_scratch import", line)
    return re.sub(r"^from \.\.(?=\w)", "from resnet_scratch.", line)
