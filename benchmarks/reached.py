"""What each model has reached in the committed results, whichever command measured it."""

import dataclasses
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import tables
from benchmarks.formatting import Row, format_dataset, format_percent, group_rows
from zoo.course.definitions import METRICS
from zoo.course.results import compare, format_metric, mean_of, read_results
from zoo.course.systems import SYSTEMS
from zoo.registry import get_spec
from zoo.runs.markdown import markdown_table

LOOKED_FOR = (
    "softmax_regression",
    "mlp",
    "simple_cnn",
    "deep_cnn",
    "fast_cnn",
    "resnet18",
    "fasttext",
    "lstm",
    "gru",
    "bilstm",
    "transformer",
    "denoising_autoencoder",
    "vae",
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a model has reached on a dataset.

    Attributes:
        dataset: the dataset, and how it differs from the original.
        settings: settings other than those of the recipe, as options of the command line.
        parameters: number of parameters of the model.
        metric: name of the metric.
        value: mean of the metric and its standard deviation over seeds.
        seeds: number of seeds.
        seconds: training time; the median over seeds, or their mean in the course.
        command: command that measured it.
    """

    dataset: str
    settings: str
    parameters: int
    metric: str
    value: str
    seeds: int
    seconds: str
    command: str


def results_of(model: str) -> list[Result]:
    """Return the results of a model, those with its own recipe first.

    Args:
        model: name of the model.
    """
    results = [
        *_classification(model, "quality", "python -m benchmarks.quality {model}"),
        *_classification(model, "sequences", "python -m benchmarks.sequences recipe"),
        *_reconstruction(model),
        *_generation(model),
        *_course(model),
    ]
    return sorted(results, key=lambda result: bool(result.settings))


def reached_table(model: str) -> str:
    """Return the table of the results of a model; empty if there are none.

    Args:
        model: name of the model.
    """
    rows = results_of(model)
    if not rows:
        return ""
    return markdown_table(
        ("dataset", "settings", "metric", "result", "seeds", "training time [s]", "command"),
        (
            (
                row.dataset,
                f"`{row.settings}`" if row.settings else "",
                row.metric,
                row.value,
                str(row.seeds),
                row.seconds,
                f"`{row.command}`",
            )
            for row in rows
        ),
        text_columns=(0, 1, 2, 6),
    )


def highlights() -> str:
    """Return the table of the models that people look for, with the first result of each."""
    return markdown_table(
        ("model", "description", "dataset", "parameters", "metric", "result", "training time [s]"),
        (
            (
                f"`{model}`",
                get_spec(model).summary,
                result.dataset,
                f"{result.parameters:,}",
                result.metric,
                result.value,
                result.seconds,
            )
            for model in LOOKED_FOR
            for result in results_of(model)[:1]
        ),
        text_columns=(0, 1, 2, 4),
    )


def _classification(model: str, name: str, command: str) -> Iterator[Result]:
    rows = [row for row in tables.read_rows(name) if row["model"] == model]
    rows = [row for row in rows if row.get("settings", "recipe") == "recipe"]
    rows = [{"copy": "", "overrides": "{}", **row} for row in rows]
    for (_, _, overrides), group in group_rows(rows, "dataset", "copy", "overrides").items():
        measured = command.format(model=model)
        yield _result(
            group,
            _options(json.loads(overrides)),
            "test accuracy [%]",
            format_percent(group, "test_accuracy"),
            measured,
        )


def _reconstruction(model: str) -> Iterator[Result]:
    rows = [row for row in tables.read_rows("reconstruction") if row["system"] == model]
    if rows:
        value = _format_mean(rows, "test_mse", 5)
        command = "python -m benchmarks.reconstruction"
        yield _result(rows, "", "test mean squared error", value, command)


def _generation(model: str) -> Iterator[Result]:
    rows = [row for row in tables.read_rows("generation") if row["model"] == model]
    for (system,), group in group_rows(rows, "system").items():
        settings = {key: json.loads(group[0][key]) for key in ("latent_dim", "beta", "epochs")}
        totals = [{"copy": "", **row, "elbo": _negative_elbo(row)} for row in group]
        yield _result(
            totals,
            "" if system == model else _options(settings),
            "test negative ELBO [nats/image]",
            _format_mean(totals, "elbo", 2),
            "python -m benchmarks.generation",
        )


def _negative_elbo(row: Row) -> str:
    return str(sum(float(row[part]) for part in ("test_reconstruction_loss", "test_kl_loss")))


def _course(model: str) -> Iterator[Result]:
    results = read_results(tables.FOLDER / "homeworks")
    for row in (compare(system, results) for system in SYSTEMS.values()):
        system = row.system
        if system.model == model and row.results:
            yield Result(
                f"`{system.dataset}`",
                _options(system.ours),
                int(mean_of(row.results, "parameters") or 0),
                METRICS[system.metric].summary,
                format_metric(system.metric, row.ours, row.spread),
                len(row.results),
                format_metric("seconds", mean_of(row.results, "seconds")),
                f"zoo course {system.id}",
            )


def _result(rows: Sequence[Row], settings: str, metric: str, value: str, command: str) -> Result:
    seconds = f"{statistics.median(float(row['seconds']) for row in rows):,.0f}"
    return Result(
        format_dataset(rows[0]),
        settings,
        int(rows[0]["parameters"]),
        metric,
        value,
        len(rows),
        seconds,
        command,
    )


def _options(settings: Mapping[str, object]) -> str:
    return " ".join(f"--set {key}={value}" for key, value in settings.items())


def _format_mean(rows: Sequence[Row], key: str, digits: int) -> str:
    values = [float(row[key]) for row in rows]
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"
