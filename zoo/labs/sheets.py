"""The notebooks of the labs, which are kept as MyST Markdown, and the handouts made of them."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import LabError
from zoo.runs.files import atomic_write

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent / "notebooks"
SUFFIXES = (".ipynb", ".md", ".py")
TITLE = re.compile(r"^# Lab (\d+): (.+)$", re.MULTILINE)
HEADING = re.compile(r"^(##|###) (.+)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Lab:
    """A lab.

    Attributes:
        number: its number, from 1.
        title: its title.
        source: its notebook as MyST Markdown.
    """

    number: int
    title: str
    source: Path


def list_labs() -> list[Lab]:
    """Return the labs in their order."""
    return [_lab_at(path) for path in sorted(NOTEBOOKS.glob("*.md"))]


def get_lab(number: int) -> Lab:
    """Return a lab.

    Args:
        number: its number.

    Raises:
        LabError: if there is none.
    """
    labs = list_labs()
    if not 1 <= number <= len(labs):
        raise LabError(f"unknown lab: {number}. Expected 1 to {len(labs)}.")
    return labs[number - 1]


def start_lab(number: int, directory: Path) -> list[Path]:
    """Write a lab's notebook and handout.

    Args:
        number: number of the lab.
        directory: where to; created if missing.

    Returns:
        The two files.

    Raises:
        LabError: if there is no such lab, or a file is there already.
    """
    lab = get_lab(number)
    notebook = directory / f"{lab.source.stem}.ipynb"
    page = directory / f"{lab.source.stem}_handout.md"
    for path in (notebook, page):
        if path.exists():
            raise LabError(f"{path} exists already; it may hold your answers.")
    import_jupytext()
    import nbformat

    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(notebook) as partial:
        nbformat.write(read_notebook(lab.source), partial)
    with atomic_write(page) as partial:
        partial.write_text(handout(lab), encoding="utf-8")
    return [notebook, page]


def read_notebook(path: Path) -> "NotebookNode":
    """Read a notebook.

    Args:
        path: an ``.ipynb``, or MyST Markdown or a Python script as Jupytext writes them.

    Raises:
        LabError: if it is missing, has another suffix, or cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise LabError(f"{path}: expected a notebook: {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise LabError(f"{path} does not exist.")
    jupytext = import_jupytext()
    try:
        return jupytext.read(path)
    except Exception as error:
        raise LabError(f"{path} cannot be read as a notebook: {error}") from error


def lab_number(notebook: "NotebookNode", path: Path) -> int:
    """Return which lab a notebook is, by its title.

    Args:
        notebook: the notebook.
        path: its file, for the error message.

    Raises:
        LabError: if it has no title of a lab.
    """
    for cell in notebook.cells:
        title = TITLE.search(cell.source) if cell.cell_type == "markdown" else None
        if title:
            return get_lab(int(title[1])).number
    raise LabError(f"{path} is not a lab: no cell has a title such as '# Lab 1: ...'.")


def read_answers(path: Path, **metadata: str) -> list[tuple[dict[str, str], str]]:
    """Return the cells of a file of answers, with their metadata.

    Args:
        path: MyST Markdown whose code cells say which ``exercise`` they answer.
        **metadata: which values their metadata must have.
    """
    return [
        (dict(cell.metadata), cell.source)
        for cell in read_notebook(path).cells
        if cell.cell_type == "code" and metadata.items() <= dict(cell.metadata).items()
    ]


def fill_in(notebook: "NotebookNode", answers: Mapping[str, str]) -> None:
    """Replace the cells to be written by answers, in place.

    Args:
        notebook: notebook of a lab.
        answers: source by the name of the exercise.
    """
    for cell in notebook.cells:
        name = cell.metadata.get("exercise")
        if name in answers:
            cell.source = answers[name]


def handout(lab: Lab) -> str:
    """Return a lab's text in one page of Markdown.

    It has the title, the first paragraph, what to remember, what went wrong in practice, and the
    exercises by section.

    Args:
        lab: the lab.
    """
    text = lab.source.read_text(encoding="utf-8")
    prose = re.sub(r"^```\{code-cell\}.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    body = prose.split("---\n", 2)[2].strip()
    opening = "\n\n".join(body.split("\n\n")[:2])
    parts = [opening]
    pieces = HEADING.split(body)[1:]
    for _, heading, section in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        quotes = re.findall(r"^> .*(?:\n> .*)*", section, re.MULTILINE)
        is_last = heading == "What to take home"
        if heading.startswith("Exercise: "):
            parts.append(f"- [ ] {heading.removeprefix('Exercise: ')}")
        elif not is_last:
            parts.append(f"**{heading}**")
        parts += quotes
        if is_last:
            parts.append(f"**{heading}**\n\n{section.strip()}")
    return "\n\n".join(parts) + "\n"


def import_jupytext():  # type: ignore[no-untyped-def]
    """Return the module `jupytext`.

    Raises:
        LabError: if it is not installed.
    """
    try:
        import jupytext
        import nbclient  # noqa: F401
    except ImportError as error:
        raise LabError(
            f"{error.name} is not installed: pip install 'keras-model-zoo[labs]'."
        ) from error
    return jupytext


def _lab_at(path: Path) -> Lab:
    title = TITLE.search(path.read_text(encoding="utf-8"))
    assert title, f"{path} has no title"
    return Lab(int(title[1]), title[2], path)
