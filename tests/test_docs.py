"""Docstrings: a summary, every argument, a source with a link, and examples that run."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import zoo
from tuning import estimators, findings, oracles, plan, report, searching, space, trials, workers
from tuning import figures as search_figures
from zoo import (
    arguments,
    artefacts,
    callbacks,
    cards,
    data,
    endpoints,
    execution,
    figures,
    figures_of_images,
    formats,
    inspection,
    latent,
    layers,
    linear,
    losses,
    normalization,
    reader,
    reconstruction,
    registry,
    runs,
    serving,
    specs,
    tasks,
    training,
    weights,
)
from zoo.course import exercises
from zoo.course import report as course_report
from zoo.course import results as course_results
from zoo.course import systems as course_systems
from zoo.course import training as course_training
from zoo.data import (
    augmentation,
    corruption,
    course_rows,
    images,
    pipeline,
    tfds_store,
    truth_tables,
)

MODULES = (
    arguments, artefacts, augmentation, callbacks, cards, corruption, course_report, course_results,
    course_rows, course_systems, course_training, data, endpoints, execution, exercises,
    figures, figures_of_images, formats, images, inspection, latent, layers, linear, losses,
    normalization, pipeline, reader, reconstruction, registry, runs, serving, specs, tasks,
    tfds_store, training, truth_tables, weights,
    estimators, findings, oracles, plan, report, search_figures, searching, space, trials, workers,
)  # fmt: skip
PICTURES = (figures, figures_of_images, search_figures)
FAMILIES = sorted({zoo.get_spec(n).builder.partition(":")[0] for n in zoo.list_models()})
FUNCTIONS = {
    f"{module.__name__}.{name}": function
    for module in MODULES
    for name, function in vars(module).items()
    if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_"
} | {f"models.{name}": zoo.get_spec(name).load_builder() for name in zoo.list_models()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_each_argument_is(name):
    text = inspect.getdoc(FUNCTIONS[name])
    assert text.splitlines()[0].endswith((".", ":"))
    of_pictures = inspect.getmodule(FUNCTIONS[name]) in PICTURES
    if of_pictures and "Args:" not in text:
        assert next(iter(inspect.signature(FUNCTIONS[name]).parameters)) == "figure"
        return  # the module's docstring says what all panels take
    told = set(re.findall(r"^    \**(\w+):", text.partition("Args:")[2], re.MULTILINE))
    assert set(inspect.signature(FUNCTIONS[name]).parameters) <= told


@pytest.mark.parametrize("name", zoo.list_models())
def test_a_model_names_its_source_and_what_it_raises(name):
    text = inspect.getdoc(zoo.get_spec(name).load_builder())
    for part in ("Args:", "Returns:", "Raises:", "Example:", "Reference:"):
        assert part in text
    assert re.search(r"\(\d{4}\).*https://", text.partition("Reference:")[2], re.DOTALL)
    assert "(batch" in text


@pytest.mark.parametrize(
    "name", [*(m.__name__ for m in MODULES), "zoo", "tuning", "tuning.hypermodel", *FAMILIES]
)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failures, attempted = doctest.testmod(module, extraglobs={"tmp": tmp_path})
    assert failures == 0
    assert bool(attempted) is (">>>" in inspect.getsource(module))


def test_the_readmes_tables_are_generated_from_catalogue_and_results():
    from benchmarks import readme

    for path, its_tables in readme.TABLES.items():
        text = path.read_text()
        assert readme.generated(text, path) == text
        for table in its_tables:
            assert table() in text


def test_the_readme_speaks_of_every_model_and_data_set():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    for name in (*zoo.list_models(), *data.DATASETS):
        assert f"`{name}`" in text
