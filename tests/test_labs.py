"""The labs: solutions pass, mistakes are caught by their number, notebooks run."""

import json
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
import pytest

from zoo.errors import LabError
from zoo.labs import EXERCISES, check, exercises_of
from zoo.labs.grading import THRESHOLDS, grade, read_thresholds
from zoo.labs.running import check_notebook
from zoo.labs.sheets import (
    fill_in,
    get_lab,
    handout,
    list_labs,
    read_answers,
    read_notebook,
    start_lab,
)

ROOT = Path(__file__).parents[1] / "docs" / "labs"
MISTAKES_BY_LAB = (8, 11, 9, 11, 10, 8)  # how many the course made in each homework
WORDS_ON_A_PAGE = 1000
LABS = list_labs()


def solutions_of(lab):
    return {data["exercise"]: source
            for data, source in read_answers(ROOT / "solutions" / lab.source.name)}  # fmt: skip


def mistakes_of(lab):
    return read_answers(ROOT / "mistakes" / lab.source.name)


def namespace_of(lab):
    """What the notebook's cells of setup define, and all solutions."""
    cells = read_notebook(lab.source).cells
    namespace = {}
    for cell in cells:
        if "setup" in cell.metadata.get("tags", ()):
            exec(cell.source, namespace)
    for source in solutions_of(lab).values():
        exec(source, namespace)
    return namespace


NAMESPACES = {}


@pytest.fixture
def namespace(lab):
    if lab.number not in NAMESPACES:
        NAMESPACES[lab.number] = namespace_of(lab)
    return dict(NAMESPACES[lab.number])


by_lab = pytest.mark.parametrize("lab", LABS, ids=[lab.source.stem for lab in LABS])


def test_the_labs_are_numbered():
    assert [lab.number for lab in LABS] == list(range(1, len(LABS) + 1))
    assert {exercise.lab for exercise in EXERCISES.values()} >= {lab.number for lab in LABS}


@by_lab
def test_notebook_solutions_and_checks_have_the_same_exercises_in_the_same_order(lab):
    notebook = read_notebook(lab.source)
    names = [cell.metadata["exercise"] for cell in notebook.cells if "exercise" in cell.metadata]
    assert names == list(solutions_of(lab)) == [e.name for e in exercises_of(lab.number)]
    for name in names:
        assert f"### Exercise: `{name}`" in lab.source.read_text()
        assert any(cell.source.startswith(f'check("{name}", ') for cell in notebook.cells)


@by_lab
def test_solutions_pass(lab, namespace):
    for exercise in exercises_of(lab.number):
        if exercise.score is None:
            for seed in range(3):
                assert str(grade(exercise, namespace, seed)) == f"{exercise.name}: passed"


@by_lab
def test_every_mistake_of_the_course_is_planted_and_caught_by_its_number(lab, namespace):
    planted = mistakes_of(lab)
    numbers = {f"{lab.number}.{i}" for i in range(1, MISTAKES_BY_LAB[lab.number - 1] + 1)}
    assert {data["mistake"] for data, _ in planted} == numbers
    for data, source in planted:
        wrong = dict(namespace)
        exec(source, wrong)
        result = grade(EXERCISES[data["exercise"]], wrong)
        assert not result.passed, data
        assert result.mistake == data["mistake"], result


@by_lab
def test_an_unanswered_notebook_is_told_so(lab):
    untouched = {cell.metadata["exercise"]: cell.source for cell in read_notebook(lab.source).cells
                 if "exercise" in cell.metadata}  # fmt: skip
    for exercise in exercises_of(lab.number):
        if "NotImplementedError" in untouched[exercise.name]:
            wrong = {}
            exec(untouched[exercise.name], wrong)
            assert grade(exercise, wrong).message == "not answered yet"
        assert "not defined" in grade(exercise, {}).message


def test_answers_that_raise_or_print_do_no_harm(capsys):
    def softmax(logits):
        print("noise")
        raise ValueError("two\nlines")

    assert (
        str(grade(EXERCISES["softmax"], {"softmax": softmax})) == "softmax: raised ValueError: two"
    )
    assert capsys.readouterr().out == ""
    check("softmax", lambda logits: np.exp(logits) / np.exp(logits).sum())
    assert capsys.readouterr().out.endswith("(mistake 1.4)\n")
    with pytest.raises(LabError, match="Did you mean 'softmax'"):
        check("sofmax", softmax)
    with pytest.raises(LabError, match=r"softmax takes softmax; received 2\."):
        check("softmax", softmax, softmax)


def test_thresholds_belong_to_the_exercises_that_train():
    assert set(read_thresholds()) == {e.name for e in EXERCISES.values() if e.score}


@by_lab
def test_a_handout_is_a_page_of_the_labs_own_text(lab):
    page, text = handout(lab), lab.source.read_text()
    assert page.startswith(f"# Lab {lab.number}: {lab.title}")
    assert len(page.split()) <= WORDS_ON_A_PAGE
    for exercise in exercises_of(lab.number):
        assert f"- [ ] `{exercise.name}`" in page
    quoted = [line for line in page.splitlines() if line.startswith("> ")]
    assert quoted
    assert all(line in text for line in quoted)


def test_start_writes_a_notebook_and_a_handout_once(answer, command, tmp_path):
    files = answer("lab", "start", 1, tmp_path / "mine")["files"]
    assert [Path(file).name for file in files] == ["1_perceptron.ipynb", "1_perceptron_handout.md"]
    notebook = nbformat.read(files[0], as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# Lab 1: ")
    code, _, error = command("lab", "start", 1, tmp_path / "mine")
    assert code == 2
    assert "exists already" in error
    code, _, error = command("lab", "start", 9, tmp_path)
    assert code == 2
    assert "unknown lab: 9" in error


def test_list(answer):
    rows = answer("lab", "list")["labs"]
    assert [row["lab"] for row in rows] == [lab.number for lab in LABS]
    assert all(row["exercises"] >= 8 for row in rows)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.ipynb", None, "does not exist"),
        ("notes.txt", "# Lab 1: x", "expected a notebook"),
        ("broken.ipynb", "{", "cannot be read as a notebook"),
        ("other.md", "# A recipe\n", "is not a lab"),
        ("far.md", "# Lab 12: x\n", "unknown lab: 12"),
        ("syntax.md", "# Lab 1: x\n\n```{code-cell}\ndef f(:\n```\n", "cell 2, line 1: invalid"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    code, out, error = command("lab", "check", tmp_path / name)
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.exhaustive
def test_check_runs_a_notebook_in_its_own_process_and_folder(command, tmp_path):
    cells = (
        "import pathlib; pathlib.Path('here').touch()",
        "def truth_table():\n    raise NotImplementedError",
        "shapes = {'W1': (3, 4), 'b1': (4,), 'W2': (4, 1), 'b2': (1,)}",
        "import time; time.sleep(60)",
        "1 / 0",
        "%matplotlib inline\ndef softmax(logits):\n    while True: pass",
    )
    path = tmp_path / "mine.ipynb"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("# Lab 1: mine")]
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, path)
    before = path.read_bytes()
    code, out, _ = command("lab", "check", path, "--seconds", 5, "--json")
    report = json.loads(out)
    assert code == 1
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"here", "mine.ipynb"}
    assert report["errors"] == [
        "cell 5 was stopped after 5 seconds", "cell 6 raised ZeroDivisionError: division by zero",
    ]  # fmt: skip
    results = {result["exercise"]: result["message"] for result in report["results"]}
    assert results["shapes"] == "passed"
    assert results["truth_table"] == "not answered yet"
    assert "longer than 5 seconds" in results["softmax"]
    assert "not defined" in results["scale"]


@pytest.mark.exhaustive
def test_a_notebook_that_ends_its_process_is_one_line(command, tmp_path):
    path = tmp_path / "mine.md"
    path.write_text("# Lab 1: x\n\n```{code-cell}\nimport os; os._exit(1)\n```\n")
    code, out, error = command("lab", "check", path)
    assert (code, out) == (2, "")
    assert error == "zoo: the notebook's process died while it ran.\n"


def test_thresholds_follow_from_the_scores(monkeypatch, tmp_path):
    from benchmarks import labs

    monkeypatch.setattr(labs, "THRESHOLDS", tmp_path / "thresholds.csv")
    labs.write_thresholds()
    assert (tmp_path / "thresholds.csv").read_text() == THRESHOLDS.read_text()


def test_no_correct_solution_has_failed_with_any_seed():
    from benchmarks import labs

    rows = labs.ALARMS.read_text().splitlines()[1:]
    graded = Counter(row.split(",")[0] for row in rows)
    assert set(graded) <= set(EXERCISES)
    assert set(graded.values()) == {len(labs.ALARM_SEEDS)}
    assert all(row.endswith(",True") for row in rows)


@pytest.mark.exhaustive
@by_lab
def test_a_lab_with_its_solutions_runs_and_passes(lab, tmp_path):
    notebook = read_notebook(lab.source)
    fill_in(notebook, solutions_of(lab))
    path = tmp_path / "solved.ipynb"
    nbformat.write(notebook, path)
    report = check_notebook(path, seconds_per_cell=300)
    assert report.errors == ()
    assert [str(r) for r in report.results] == [
        f"{exercise.name}: passed" for exercise in exercises_of(lab.number)
    ]


def test_a_lab_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(LabError, match="unknown lab: 0"):
        get_lab(0)
    with pytest.raises(LabError, match="unknown lab: 7"):
        start_lab(7, tmp_path)
