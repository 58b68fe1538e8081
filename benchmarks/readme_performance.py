"""Tables of the README files about speed, artifacts and hyperparameter searches."""

import json
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks import tables
from benchmarks.formatting import Row, format_integer
from benchmarks.throughput import LABELS, SUMMARY_LABELS, rates_on, speedups
from zoo.runs.markdown import markdown_table

SEARCHES = {
    "overhead": "`mlp`, 8 trials: the training runs alone, and the search [s]",
    "workers": "the same with 3 epochs: one process on one core, and two [s]",
    "growth": "200 trials of `softmax_regression`: peak memory up to the 20th, and overall [MiB]",
}
KINDS_OF_PROCESSOR = ((True, "with"), (False, "without"))


def throughput() -> str:
    """Return the summary of how many times as fast as others the zoo trains."""
    return "\n\n".join(
        f"On a processor {kind} bfloat16 instructions:\n\n{_summary(speedups(bfloat16))}"
        for bfloat16, kind in KINDS_OF_PROCESSOR
        if rates_on(bfloat16)
    )


def _summary(by_contestant: Mapping[str, Mapping[str, float]]) -> str:
    return markdown_table(
        ("compared with", "models", "speedup, geometric mean", "lowest", "highest"),
        (
            (
                SUMMARY_LABELS[name],
                str(len(by_model)),
                f"{statistics.geometric_mean(by_model.values()):.2f}",
                _format_speedup(by_model, min(by_model, key=by_model.__getitem__)),
                _format_speedup(by_model, max(by_model, key=by_model.__getitem__)),
            )
            for name, by_model in by_contestant.items()
        ),
        text_columns=(0, 3, 4),
    )


def _format_speedup(speedups: Mapping[str, float], model: str) -> str:
    return f"{speedups[model]:.2f} (`{model}`)"


def rates() -> str:
    """Return the tables of every contestant's rows per second, and of the zoo's speedup."""
    return "\n\n".join(
        f"On a processor {kind} bfloat16 instructions:\n\n{_rates(rates_on(bfloat16))}"
        for bfloat16, kind in KINDS_OF_PROCESSOR
        if rates_on(bfloat16)
    )


def _rates(rates: Mapping[str, Mapping[str, float]]) -> str:
    shown = [contestant for contestant in LABELS if contestant in rates]
    return markdown_table(
        ("model", "zoo", *(LABELS[contestant] for contestant in shown)),
        (
            (
                f"`{model}`",
                f"{rate:,.0f}",
                *(_format_rate(rate, rates[contestant].get(model)) for contestant in shown),
            )
            for model, rate in sorted(rates["zoo"].items())
        ),
    )


def _format_rate(zoo_rate: float, rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f} ({zoo_rate / rate:.2f})"


def pipeline() -> str:
    """Return the table of the input pipeline's rate and of that of training."""
    return markdown_table(
        ("model", "dataset", "batch size", "pipeline [rows/s]", "training [rows/s]", "ratio"),
        map(_pipeline_cells, tables.read_rows("pipeline")),
        text_columns=2,
    )


def _pipeline_cells(row: Row) -> tuple[str, ...]:
    pipeline, training = (float(row[f"{name}_rows_a_second"]) for name in ("pipeline", "training"))
    rates = f"{pipeline:,.0f}", f"{training:,.0f}", f"{pipeline / training:.0f}"
    return f"`{row['model']}`", row["dataset"], row["batch_size"], *rates


def layers() -> str:
    """Return the table of accelerated layers and stock ones."""
    return markdown_table(
        ("model", "layers", "rows/s", "compile time [s]"),
        (
            (
                f"`{row['model']}`",
                row["layer"],
                format_integer(row["rows_a_second"]),
                row["seconds_to_compile"],
            )
            for row in tables.read_rows("layers")
        ),
        text_columns=2,
    )


def formats() -> str:
    """Return the table of artifacts: a line for each model and format."""
    return markdown_table(
        (
            "model",
            "format",
            "size [MB]",
            "load time [s]",
            "latency, one row [ms]",
            "rows/s",
            "maximum difference",
            "validation result (the model's)",
        ),
        (
            (f"`{row['model']}`", f"`{row['format']}`", *_artifact_cells(row))
            for row in sorted(tables.read_rows("formats"), key=lambda row: row["model"])
        ),
        text_columns=2,
    )


def _artifact_cells(row: Row) -> tuple[str, ...]:
    if row["refused"]:
        reason = row["refused"].rpartition(": ")[2]
        return (f"refused: {reason}", "", "", "", "", "")
    judged = ""
    if row["judged rows"]:
        template = "{:.2%}" if row["judged metric"] == "accuracy" else "{:.5f}"
        value, before = (
            template.format(float(row[f"judged {key}"])) for key in ("value", "before")
        )
        judged = f"{value} ({before})"
    return (
        f"{float(row['bytes']) / 1e6:.2f}",
        f"{float(row['load_seconds']):.2f}",
        f"{float(row['milliseconds']):.2f}",
        f"{float(row['rows_per_second']):,.0f}",
        f"{float(row['max_difference']):.1e}",
        judged,
    )


def node() -> str:
    """Return the table of ONNX artifacts that ran in Node."""
    return markdown_table(
        ("model", "rows", "maximum difference"),
        (
            (f"`{row['model']}`", row["rows"], f"{float(row['max_difference']):.1e}")
            for row in sorted(tables.read_rows("node"), key=lambda row: row["model"])
        ),
    )


def tuned() -> str:
    """Return the table of short searches and the recipes of the zoo."""
    return markdown_table(
        (
            "search",
            "trials",
            "metric",
            "validation, recipe",
            "validation, search",
            "test, recipe",
            "test, search",
            "seeds",
            "best settings",
        ),
        map(_tuned_cells, tables.read_rows("tuned")),
        text_columns=(0, 2, 8),
    )


def _tuned_cells(row: Row) -> tuple[str, ...]:
    is_accuracy = row["figure"] == "accuracy"
    scale = 100 if is_accuracy else 1

    def format_result(name: str) -> str:
        mean, spread = row[name], row[f"{name}, spread"]
        text = f"{scale * float(mean):.2f}"
        return f"{text} ± {scale * float(spread):.2f}" if spread else text

    best = json.loads(row["best"])
    return (
        f"`zoo tune {row['model']} {row['search']}`",
        row["trials"],
        "accuracy [%]" if is_accuracy else row["figure"],
        *(
            format_result(f"{split} {when}")
            for split in ("val", "test")
            for when in ("before", "after")
        ),
        row["seeds"],
        ", ".join(f"{key}={_format_setting(value)}" for key, value in best.items()),
    )


def _format_setting(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def search() -> str:
    """Return the table of what searches cost."""
    rows = {row["measure"]: row for row in tables.read_rows("search")}
    return markdown_table(
        ("measured", "first", "second", "ratio", "note"),
        (
            (
                text,
                rows[name]["before"],
                rows[name]["after"],
                rows[name]["ratio"],
                _search_note(rows[name]),
            )
            for name, text in SEARCHES.items()
            if name in rows
        ),
        text_columns=(0, 4),
    )


def _search_note(row: Row) -> str:
    if row["measure"] == "growth":
        return f"{row['disk']} MiB on disk, weights of {row['weights']} trial"
    if row["measure"] == "workers":
        best = "the same best trial" if row["same best"] == "True" else "another best trial"
        scores = " and ".join(row["scores"].split())
        return f"{best}, scores {scores}; one process on both cores: {row['both cores']}"
    return ""


def grid() -> str:
    """Return the table of grid searches on the course's news dataset."""

    def format_accuracy(row: Row, name: str) -> str:
        return f"{100 * float(row[name]):.2f} ± {100 * float(row[f'{name}, spread']):.2f}"

    return markdown_table(
        (
            "space",
            "varied",
            "trials",
            "held-out folds [%]",
            "test, retrained [%]",
            "best",
            "training time [s]",
        ),
        (
            (
                row["space"],
                _format_settings(row["varied"]),
                row["trials"],
                format_accuracy(row, "score"),
                format_accuracy(row, "test"),
                _format_settings(row["best"]),
                f"{float(row['seconds']):.0f}",
            )
            for row in tables.read_rows("grid")
        ),
        text_columns=(0, 1, 5),
    )


def _format_settings(text: str) -> str:
    return ", ".join(f"{key} {value}" for key, value in json.loads(text).items())


def serving() -> str:
    """Return the table of load on ``zoo serve``."""
    rows = sorted(tables.read_rows("serving"), key=lambda row: (row["model"], int(row["rows"])))
    return markdown_table(
        (
            "model",
            "rows per request",
            "requests per second",
            "median [ms]",
            "99th percentile [ms]",
            "errors",
            "calls per second of a bare loop",
            "requests by calls",
        ),
        (
            (
                f"`{row['model']}`",
                row["rows"],
                f"{float(row['requests_per_second']):,.0f}",
                f"{float(row['median_milliseconds']):.1f}",
                f"{float(row['p99_milliseconds']):.1f}",
                row["errors"],
                f"{float(row['loop_calls_per_second']):,.0f}",
                f"{float(row['fraction_of_loop']):.2f}",
            )
            for row in rows
        ),
    )


def kills() -> str:
    """Return the table of searches that were killed."""
    keys = (
        "times",
        "ended as undisturbed",
        "ended trials trained again",
        "seconds lived on",
        "seconds beyond",
    )
    return markdown_table(
        (
            "killed",
            "times",
            "same scores as undisturbed",
            "finished trials trained again",
            "longest survival of a process [s]",
            "longest delay [s]",
        ),
        ((row["killed"], *(row[key] for key in keys)) for row in tables.read_rows("kills")),
    )
