"""Docstrings: a summary, every argument, a source with a link, and examples that run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import tuning
import zoo
from tuning import figures as search_figures
from tuning import spaces
from zoo.plots import autoencoder, classification, cnn, truth_table
from zoo.plots import text as text_plots

MODULES = tuple(
    importlib.import_module(found.name)
    for package in (zoo, tuning)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith("__main__")
)
ALIKE = {  # modules whose own docstring says what all their functions take first
    **dict.fromkeys(
        (classification, cnn, text_plots, truth_table, autoencoder, search_figures), "figure"
    ),
    spaces: "hp",
}
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
    first = ALIKE.get(inspect.getmodule(FUNCTIONS[name]))
    if first and "Args:" not in text:
        assert next(iter(inspect.signature(FUNCTIONS[name]).parameters)) == first
        return
    told = set(re.findall(r"^    \**(\w+):", text.partition("Args:")[2], re.MULTILINE))
    assert set(inspect.signature(FUNCTIONS[name]).parameters) <= told


@pytest.mark.parametrize("name", zoo.list_models())
def test_a_model_names_its_source_and_what_it_raises(name):
    text = inspect.getdoc(zoo.get_spec(name).load_builder())
    for part in ("Args:", "Returns:", "Raises:", "Example:", "Reference:"):
        assert part in text
    assert re.search(r"\(\d{4}\).*https://", text.partition("Reference:")[2], re.DOTALL)
    assert "(batch" in text


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["zoo", "tuning", *(module.__name__ for module in MODULES)])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failures, attempted = doctest.testmod(module, extraglobs={"tmp": tmp_path})
    assert failures == 0
    assert bool(attempted) is (">>>" in inspect.getsource(module))


def test_the_readmes_tables_are_generated_from_catalog_and_results():
    from benchmarks import readme

    for path, its_tables in readme.TABLES.items():
        text = path.read_text()
        assert readme.generated(text, path) == text
        for table in its_tables:
            assert table() in text


def test_a_readme_that_lost_a_mark_is_not_rewritten():
    from benchmarks import readme

    path, (first, *_) = next(iter(readme.TABLES.items()))
    for mark in (readme.BEGIN, readme.END):
        text = path.read_text().replace(mark.format(first.__name__), "")
        with pytest.raises(ValueError, match=f"has no .*{first.__name__}"):
            readme.generated(text, path)
