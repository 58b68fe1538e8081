"""The house: its rooms, who may import whom, the size of its files, and its words."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("tuning/**/*.py")])
CODE = sorted([*SOURCES, *ROOT.glob("benchmarks/*.py"), *ROOT.glob("docs/**/*.py")])
GENERATED = ROOT / "docs" / "models" / "pages"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *ROOT.glob("zoo/**/*.md"),
    *(path for path in ROOT.glob("docs/**/*.md") if GENERATED not in path.parents),
]
MODULES_AT_THE_TOP = 12
MAX_MODULE_LINES = 450
MAX_FUNCTION_LINES = 45  # of its body, without signature and docstring


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_name(path): ast.parse(path.read_text()) for path in SOURCES}


def imported_modules(name):
    """The modules of ours that a module imports anywhere, in its functions too."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


GRAPH = {name: set(imported_modules(name)) - {name} for name in MODULES}


def reachable(start):
    seen, pending = set(), [start]
    while pending:
        for name in GRAPH[pending.pop()] - seen:
            seen.add(name)
            pending.append(name)
    return seen


def test_the_top_of_the_package_holds_what_every_reader_meets_first():
    modules = sorted(path.stem for path in (ROOT / "zoo").glob("*.py"))
    assert len(modules) <= MODULES_AT_THE_TOP, modules


@pytest.mark.parametrize("name", GRAPH)
def test_no_module_imports_itself_by_way_of_others(name):
    assert name not in reachable(name)


@pytest.mark.parametrize("name", [n for n in GRAPH if n.startswith(("zoo.models", "zoo.layers"))])
def test_models_and_layers_reach_no_tensorflow(name):
    for module in {name, *reachable(name)}:
        roots = {
            imported.partition(".")[0]
            for node in ast.walk(MODULES[module])
            if isinstance(node, ast.Import | ast.ImportFrom)
            for imported in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
            )
        }
        assert not roots & {"tensorflow", "tensorflow_datasets", "torch", "jax"}, module


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_read_in_one_go(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first, *rest = node.body
            is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = rest[0].lineno if rest and is_docstring else first.lineno
            assert node.end_lineno - start + 1 <= MAX_FUNCTION_LINES, node.name


def test_every_folder_is_in_the_distribution():
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(settings["tool"]["setuptools"]["packages"])
    assert listed == {module_name(p) for p in SOURCES if p.name == "__init__.py"}


# Words that this project once said, and what the field says instead.
IDENTIFIERS = {
    "alone": "exclusive_lock", "whole": "atomic_write", "readable": "wrap_read_errors",
    "settle": "resolve_config", "facts": "run_metadata", "initialise": "seed_and_build",
    "_said_how_to_go_on": "add_resume_hint", "_answers": "collect_predictions",
    "_watchers": "progress_callbacks", "is_over": "should_stop", "kept_epoch": "restored_epoch",
    "_ByHand": "CustomGradientRNN", "shut": "masked_preactivation", "FAR": "SATURATED",
    "known": "mask", "attended": "masked_attention", "NOBODY": "MASK_BIAS",
    "Words": "TextVectorizer", "judge": "evaluate_reconstruction", "signal_to_noise": "psnr",
    "is_drawn": "is_variational", "through": "batches", "completed": "fill_missing_splits",
    "refusing": "reraise_reader_errors", "told": "format_metric", "carry_out": "run_experiments",
    "standing": "comparison", "know": "preload_data", "bury": "record_worker_death",
    "pass_on": "reassign_trial", "_hire": "spawn_worker", "_dismiss": "terminate_worker",
    "_look": "validate_space", "_conclude": "finalize",
}  # fmt: skip
DEFINED_ELSEWHERE = {
    "facts",
    "known",
    "completed",
}  # usual English, refused as function names alone
PROSE = {
    "of like length": "length-bucketed batches", "told the class": "class-conditional",
    "image given label": "class-conditional", "pixels are coins": "Bernoulli likelihood",
    "what codes are worth": "latent-space diagnostics", "numbers of words": "token ids",
    "vectors of words": "word embeddings", "by counting": "PPMI-SVD embeddings",
    "no data set": "not a dataset", "data set": "dataset", "figures of merit": "metrics",
    "what was measured": "results", "out of reach": "cannot be downloaded",
    "made by hand": "custom gradients", "side by side": "split across cores",
    "trainings": "training runs", "clear of noise": "denoise", "clears images of noise": "denoise",
    "the share of": "the fraction of", "drawn at random": "sampled", "stands on": "is on",
    "stands in": "is in", "goes on": "resumes", "go on with": "resume",
    "artefact": "artifact", "greyscale": "grayscale", "colour": "color", "optimiser": "optimizer",
    "normalis": "normaliz", "regularis": "regulariz", "initialis": "initializ",
    "catalogue": "catalog", "behaviour": "behavior", "centre": "center", "licence": "license",
    "neighbour": "neighbor", "learnt": "learned", "labelled": "labeled",
}  # fmt: skip
STORED = {  # names in files of earlier versions, which are read on
    "zoo/course/results.py": {"centre", "greyscale"},
    "zoo/layers/image.py": {"greyscale"},
    "zoo/layers/svd.py": {"centre"},
    "zoo/runs/__init__.py": {"centre", "greyscale"},
}


def defined_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def prose(path):
    """What a file says to people: docstrings, comments and messages; a document, all of it."""
    if path.suffix == ".md":
        return path.read_text().lower()
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    kinds = (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1))
    said = " ".join(token.string for token in tokens if token.type in kinds)
    return re.sub(r"[\"'\s#]+", " ", said).lower()


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_fields(path):
    functions = {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}
    names = set(defined_names(path))
    old = {
        word for word in IDENTIFIERS if word in (functions if word in DEFINED_ELSEWHERE else names)
    }
    assert not old, {word: IDENTIFIERS[word] for word in old}


@pytest.mark.parametrize("path", [*CODE, *DOCUMENTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_the_fields(path):
    said = prose(path)
    allowed = STORED.get(str(path.relative_to(ROOT)), set())
    old = {word for word in PROSE if word in said} - allowed
    assert not old, {word: PROSE[word] for word in old}
