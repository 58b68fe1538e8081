"""Sphinx extension: a page for every model of the registry, written before the build.

Each page has the drawing of a model that was built for it, its equations (``equations/NAME.md``),
what it reached in the committed results, the report of the run that comes with the package, its
docstring, its recipe and its search space.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import architecture
from matplotlib.figure import Figure
from sphinx.application import Sphinx

import zoo
from benchmarks.reached import reached_table
from tuning.space import describe_space, search_space
from zoo.data import DATASETS
from zoo.plots.autoencoder import loss_curves
from zoo.plots.canvas import save_figure
from zoo.plots.classification import learning_curves
from zoo.pretrained.catalog import Record, list_pretrained
from zoo.runs.markdown import markdown_table
from zoo.specs import OPTIONS
from zoo.tasks import TASKS

PAGES = Path("models", "pages")
CURVES_SIZE, CURVES_DPI = (9, 4), 100


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what happens before the build.

    Args:
        app: the build.
    """
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write the pages and pictures of all models into ``models/pages``.

    Args:
        app: the build.
    """
    source = Path(app.srcdir)
    (source / PAGES).mkdir(exist_ok=True)
    records = {record.model: record for record in list_pretrained()}
    for name in zoo.list_models():
        parts = _parts(name, source, records.get(name))
        _write(source / PAGES / f"{name}.md", "\n\n".join(parts) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file unless it has the same content, so that Sphinx reads it again only if needed."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _parts(name: str, source: Path, record: Record | None) -> Iterator[str]:
    yield from _introduction(name)
    yield from _drawings(name, source / PAGES)
    if (source / "equations" / f"{name}.md").exists():
        yield f"## Equations\n\n```{{include}} ../../equations/{name}.md\n```"
    results = reached_table(name)
    if results:
        yield f"## Results\n\nMeasured by the commands on the right.\n\n{results}"
    if record:
        yield from _trained(record, source / PAGES)
    builder = zoo.get_spec(name).load_builder()
    qualified = f"{inspect.getmodule(builder).__name__}.{name}"
    yield f"## Arguments\n\n```{{eval-rst}}\n.. autofunction:: {qualified}\n```"
    yield f"## Recipe\n\n{_recipe_table(name)}"
    yield f"## Search space\n\nWhat `zoo tune {name}` varies.\n\n{_space_table(name)}"


def _introduction(name: str) -> Iterator[str]:
    spec = zoo.get_spec(name)
    yield f"# {name}"
    yield (
        f"{spec.summary}, with {spec.parameters:,} parameters, trained on `{spec.dataset}` by "
        f"default. The task is {TASKS[spec.task].summary}."
    )
    yield (
        f'```python\nimport zoo\n\nmodel = zoo.build("{name}")  # compiled, without a download\n'
        f'run = zoo.train("{name}")  # its dataset, its recipe, its test results\n```'
    )
    yield f"On the command line: `zoo show {name}` and `zoo train {name}`."


def _drawings(name: str, folder: Path) -> Iterator[str]:
    model = zoo.build(name)
    yield "## Architecture"
    for part in (model, *architecture.submodels(model)):
        file = f"{name}.svg" if part is model else f"{name}-{part.name}.svg"
        _write(folder / file, architecture.draw(part))
        if part is not model:
            yield f"The `{part.name}`:"
        yield f"![Layers of {part.name}, with shapes and numbers of parameters]({file})"


def _trained(record: Record, folder: Path) -> Iterator[str]:
    name, metric = record.model, record.metric.removeprefix("test_")
    run = zoo.load(name)
    figure = Figure(figsize=CURVES_SIZE, dpi=CURVES_DPI, layout="constrained")
    draw = loss_curves if "reconstructed" in run.predictions else learning_curves
    draw(figure, run)
    picture = save_figure(figure, folder / f"{name}.png")
    yield "## The trained model of the package"
    yield (
        f'`zoo.load("{name}")` is a run on `{record.trained_on}`, made by `{record.command}`, with '
        f"a test {metric} of {record.rounded[record.metric]:.5g}. `zoo report {name}` draws these "
        "curves and the rest of its figures."
    )
    yield f"![Learning curves of the trained {name}]({picture.name})"


def _recipe_table(name: str) -> str:
    spec = zoo.get_spec(name)
    kind = DATASETS[spec.dataset].kind
    of_others = {
        field.name
        for other in OPTIONS.keys() - {kind}
        for field in dataclasses.fields(OPTIONS[other])
    }
    rows = (
        (f"`{key}`", f"`{value}`")
        for key, value in spec.recipe.settings().items()
        if key not in of_others
    )
    return markdown_table(("setting", "value"), rows, text_columns=2)


def _space_table(name: str) -> str:
    rows = (
        (f"`{row['name']}`", _format_range(row), f"`{row['default']}`")
        for row in describe_space(search_space(name))
    )
    return markdown_table(("hyperparameter", "values", "default"), rows, text_columns=3)


def _format_range(row: dict) -> str:
    if "min" not in row:
        return ", ".join(f"`{value}`" for value in row.get("values") or (True, False))
    step = f" by {row['step']:g}" if "step" in row else f", {row.get('sampling')}"
    return f"{row['min']:g} to {row['max']:g}{step}"
