"""A student's notebook, run in a process of its own, and graded there.

Running a notebook executes its code, with all that the user who runs it may do.
"""

import ast
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import LabError
from zoo.labs import exercises_of, get_exercise
from zoo.labs.grading import Answer, Result, grade
from zoo.labs.sheets import lab_number, read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

SECONDS_PER_CELL = 60
NOT_WRITTEN = "NotImplementedError"


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a notebook.

    Attributes:
        lab: number of the lab.
        results: one for each exercise.
        errors: one line for each cell that raised an exception or took too long.
    """

    lab: int
    results: tuple[Result, ...]
    errors: tuple[str, ...]


def check_notebook(path: Path, seconds_per_cell: int = SECONDS_PER_CELL) -> Report:
    """Run a notebook of a lab in a fresh process, and grade its exercises.

    The notebook runs in its own folder, and its file is not changed. A cell that raises, or takes
    longer than allowed, does not keep the others from running.

    Args:
        path: the notebook.
        seconds_per_cell: time limit of each cell, and of each check.

    Raises:
        LabError: if the file is missing, is not a lab, or a cell is not Python.
    """
    notebook = read_notebook(path)
    lab = lab_number(notebook, path)
    _require_syntax(notebook, path)
    exercises = exercises_of(lab)
    checks = [
        f"from zoo.labs.running import print_result as _print; _print({exercise.name!r}, globals())"
        for exercise in exercises
    ]
    count = len(notebook.cells)
    _execute(notebook, checks, path.resolve().parent, seconds_per_cell)
    results = tuple(
        _result_in(cell, exercise.name, seconds_per_cell)
        for cell, exercise in zip(notebook.cells[count:], exercises, strict=True)
    )
    return Report(lab, results, tuple(_errors_in(notebook.cells[:count], seconds_per_cell)))


def print_result(name: str, namespace: Mapping[str, Answer]) -> None:
    """Print the result of an exercise as one line of JSON: called inside a notebook's process.

    Args:
        name: name of the exercise.
        namespace: what the notebook has defined.
    """
    print(json.dumps(dataclasses.asdict(grade(get_exercise(name), namespace))))


def _execute(
    notebook: "NotebookNode", more: list[str], folder: Path, seconds_per_cell: int
) -> None:
    """Run the cells of a notebook and some more, which are appended to it."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    notebook.cells += [nbformat.v4.new_code_cell(source) for source in more]
    with _private_jupyter() as environment:
        client = NotebookClient(
            notebook,
            timeout=seconds_per_cell,
            interrupt_on_timeout=True,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            client.execute(env=environment, stderr=subprocess.DEVNULL)
        except DeadKernelError as error:
            raise LabError("the notebook's process died while it ran.") from error


@contextmanager
def _private_jupyter() -> Iterator[dict[str, str]]:
    """Yield an environment in which Jupyter writes to a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        spec = Path(directory) / "kernels" / "python3"
        spec.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        document = {"argv": command, "display_name": "Python 3", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(document))
        private = {
            "JUPYTER_PATH": directory,
            "JUPYTER_RUNTIME_DIR": directory,
            "JUPYTER_CONFIG_DIR": directory,
            "IPYTHONDIR": directory,
        }
        before = {name: os.environ.get(name) for name in private}
        os.environ |= private
        try:
            yield {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _require_syntax(notebook: "NotebookNode", path: Path) -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            try:
                ast.parse(TransformerManager().transform_cell(cell.source))
            except SyntaxError as error:
                raise LabError(
                    f"{path}: cell {number}, line {error.lineno}: {error.msg}: "
                    f"{(error.text or '').strip()}"
                ) from error


def _outputs_of(cell: Any, kind: str) -> list[Any]:
    return [output for output in cell.get("outputs", []) if output.output_type == kind]


def _result_in(cell: Any, name: str, seconds_per_cell: int) -> Result:
    """Return the result that a check has printed; or that it took too long."""
    for output in _outputs_of(cell, "stream"):
        for line in output.text.splitlines():
            if line.startswith('{"exercise"'):
                return Result(**json.loads(line))
    return Result(name, False, f"took longer than {seconds_per_cell} seconds, or broke its check")


def _errors_in(cells: list[Any], seconds_per_cell: int) -> Iterator[str]:
    """Yield one line for each cell that failed, other than by an answer not yet written."""
    for number, cell in enumerate(cells, start=1):
        for output in _outputs_of(cell, "error"):
            if output.ename == "KeyboardInterrupt":
                yield f"cell {number} was stopped after {seconds_per_cell} seconds"
            elif output.ename != NOT_WRITTEN:
                first_line = (output.evalue.splitlines() or [""])[0]
                yield f"cell {number} raised {output.ename}: {first_line}"
