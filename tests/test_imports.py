"""The import law: who may import what, and what costs nothing."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("tuning/**/*.py")])
STDLIB_ONLY = {
    "errors", "specs", "registry", "models/__init__", "data/__init__", "data/catalog",
    "course/__init__", "course/errors", "course/systems", "course/exercises", "course/results",
}  # fmt: skip
KERAS_ONLY = {
    "arguments", "tasks", "layers", "losses", "latent", "linear", "weights", "models/",
}  # fmt: skip
BASES = {
    "course/datasets",
    "data/digits",
    "tuning/hypermodel",
    "tuning/optuna_search",
    "tuning/oracles",
    "tuning/trials",
    "tuning/estimators",
}  # their classes derive from the deferred package's
DEFERRED = {
    "tensorflow_datasets", "keras_tuner", "matplotlib", "sklearn", "pyarrow", "huggingface_hub",
    "safetensors", "tensorboard", "grpc", "optuna", "altair", "vl_convert", "jinja2", "markdown_it",
}  # fmt: skip


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import_time(tree):
    """The statements that run when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_import_law(path):
    tree = ast.parse(path.read_text())
    name = str(path.relative_to(ROOT).with_suffix(""))
    everything = list(imports(tree))
    roots = {name.partition(".")[0] for name in everything}
    early = {
        name.partition(".")[0]
        for name in imports(ast.Module(list(at_import_time(tree)), type_ignores=[]))
    }
    room = name.removeprefix("zoo/")
    assert not [module for module in everything if "keras.src" in module or "tf.keras" in module]
    if name.startswith("zoo/") and not room.startswith("cli/"):
        assert "tuning" not in roots
    if room in STDLIB_ONLY:
        assert early <= {"zoo", *sys.stdlib_module_names}
    elif room.startswith(tuple(KERAS_ONLY)):
        assert "tensorflow" not in roots
    if room not in BASES:
        assert not DEFERRED & early


@pytest.mark.exhaustive
@pytest.mark.parametrize("order", ["import zoo, keras", "import keras, zoo"])
def test_our_layers_are_known_to_keras_whichever_import_comes_first(order, bare_python):
    known = "keras.saving.get_registered_object('zoo>AntialiasedResizing')"
    bare_python(f"{order}\nassert {known} is not None\n")


def test_listing_imports_nothing_heavy(bare_python):
    bare_python(
        "import sys, zoo\n"
        "from zoo.cli import cli\n"
        "zoo.list_models(); zoo.get_spec('mlp'); zoo.ZooError\n"
        "cli.main(['list'], standalone_mode=False)\n"
        "cli.main(['datasets', '--json'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'sklearn', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )


@pytest.mark.exhaustive
def test_public_verbs_resolve_lazily_and_are_all_there(bare_python):
    bare_python(
        "import zoo\n"
        "assert all(getattr(zoo, name) is not None for name in zoo.__all__)\n"
        "assert zoo.models.mlp is zoo.get_spec('mlp').load_builder()\n"
        "assert 'mlp' in dir(zoo.models)\n"
        "for owner in (zoo, zoo.models):\n"
        "    try:\n"
        "        owner.nothing\n"
        "    except AttributeError:\n"
        "        continue\n"
        "    raise SystemExit('no AttributeError')\n"
    )


def test_python_minus_m_is_the_command():
    answer = subprocess.run(
        [sys.executable, "-m", "zoo", "--version"], capture_output=True, text=True, check=True
    )
    assert importlib.metadata.version("keras-model-zoo") in answer.stdout
