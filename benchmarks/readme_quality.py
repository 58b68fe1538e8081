"""Tables of the README files about models and the quality that they reach."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import zoo
from benchmarks import tables
from benchmarks.formatting import (
    Row,
    format_dataset,
    format_integer,
    format_mean,
    format_percent,
    format_seconds,
    group_rows,
)
from benchmarks.reconstruction import SYSTEMS as AUTOENCODERS
from zoo.course.definitions import METRICS
from zoo.course.results import Comparison, compare, format_metric, mean_of, read_results
from zoo.course.systems import SYSTEMS
from zoo.runs.markdown import markdown_table

CUTS = ("at random", "by film")
WORD_VECTORS = {"random": "random", "cooccurrence": "PPMI-SVD"}


def models() -> str:
    """Return the table of models."""
    specs = map(zoo.get_spec, zoo.list_models())
    return markdown_table(
        ("model", "description", "parameters", "dataset"),
        (
            (f"`{spec.name}`", spec.summary, f"{spec.parameters:,}", f"`{spec.dataset}`")
            for spec in specs
        ),
        text_columns=(0, 1, 3),
    )


def results() -> str:
    """Return the table of test results: a line for each model, dataset and overrides."""
    rows = tables.read_rows("quality")
    groups = group_rows(rows, "model", "dataset", "copy", "overrides")
    order = {name: index for index, name in enumerate(zoo.list_models())}
    table = markdown_table(
        (
            "model",
            "dataset",
            "parameters",
            "seeds",
            "test accuracy [%]",
            "perfect runs",
            "training time [s]",
            "command",
        ),
        (
            _result_cells(groups[key])
            for key in sorted(groups, key=lambda key: (order[key[0]], key[1:]))
        ),
        text_columns=(0, 1, 7),
    )
    machines = {f"{row['cores']} cores of {row['processor']}" for row in rows}
    return f"{table}\n\nMeasured on {'; '.join(sorted(machines))}."


def _result_cells(rows: Sequence[Row]) -> tuple[str, ...]:
    first = rows[0]
    perfect = sum(float(row["test_accuracy"]) == 1 for row in rows)
    settings = "".join(
        f" --set {key}={json.dumps(value)}" for key, value in json.loads(first["overrides"]).items()
    )
    dataset = first["dataset"].partition("/")[0]
    return (
        f"`{first['model']}`",
        format_dataset(first),
        format_integer(first["parameters"]),
        str(len(rows)),
        format_percent(rows, "test_accuracy"),
        f"{perfect} of {len(rows)}",
        format_seconds(rows),
        f"`zoo train {first['model']} --dataset {dataset}{settings}`",
    )


def homeworks() -> str:
    """Return the table of the systems of the course: its results and the zoo's."""
    results = read_results(tables.FOLDER / "homeworks")
    return markdown_table(
        (
            "system",
            "model",
            "dataset",
            "parameters",
            "parameters, course",
            "metric",
            "course",
            "ours",
            "seeds",
            "training time, course [s]",
            "time to course's result, ours [s]",
            "training time, ours [s]",
        ),
        (_homework_cells(compare(system, results)) for system in SYSTEMS.values()),
        text_columns=(0, 1, 2, 5),
    )


def _homework_cells(row: Comparison) -> tuple[str, ...]:
    system = row.system
    return (
        f"`{system.id}`",
        f"`{system.model}`",
        f"`{system.dataset}`",
        format_metric("parameters", mean_of(row.results, "parameters")),
        format_metric("parameters", system.parameters),
        METRICS[system.metric].summary,
        format_metric(system.metric, system.course, system.standard_error),
        format_metric(system.metric, row.ours, row.spread),
        str(len(row.results) or ""),
        format_metric("seconds", system.seconds),
        format_metric("seconds", row.seconds_to_course),
        format_metric("seconds", mean_of(row.results, "seconds")),
    )


def transfer() -> str:
    """Return the table of transfer learning."""
    groups = group_rows(tables.read_rows("transfer"), "way", "copy")
    return markdown_table(
        ("training", "dataset", "labels", "test accuracy [%]", "training time [s]", "seeds"),
        (
            (
                way,
                format_dataset(rows[0]),
                f"{int(rows[0]['train']) + int(rows[0]['validation']):,}",
                format_percent(rows, "test_accuracy"),
                format_seconds(rows),
                str(len(rows)),
            )
            for (way, _), rows in groups.items()
            if way != "pretraining"
        ),
        text_columns=2,
    )


def ablation() -> str:
    """Return the table of the ablation study of a recipe, on the validation split."""
    groups = group_rows(tables.read_rows("ablation"), "model", "copy", "epochs", "change")
    return markdown_table(
        (
            "model",
            "dataset",
            "epochs",
            "change to the recipe",
            "validation accuracy [%]",
            "training time [s]",
            "seeds",
        ),
        (
            (
                f"`{model}`",
                format_dataset(rows[0]),
                epochs,
                _format_assignments(json.loads(change)) or "none",
                format_percent(rows, "val_accuracy"),
                format_seconds(rows),
                str(len(rows)),
            )
            for (model, _, epochs, change), rows in groups.items()
        ),
        text_columns=(0, 1, 3),
    )


def _format_assignments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}={value}`" for key, value in settings.items())


def news() -> str:
    """Return the table of the course's news classifier."""
    rows = tables.read_rows("news")
    cells = (
        str(len(rows)),
        f"{100 * SYSTEMS['hw2.mlp'].course:.2f}",
        format_percent(rows, "accuracy_of_1000"),
        format_percent(rows, "test_accuracy"),
        format_seconds(rows),
    )
    return markdown_table(
        (
            "seeds",
            "course, 1,000 rows [%]",
            "ours, 1,000 rows [%]",
            "ours, remaining test rows [%]",
            "training time [s]",
        ),
        (cells,),
        text_columns=0,
    )


def regularization() -> str:
    """Return the table of regularizers on a network that overfits."""
    groups = group_rows(tables.read_rows("regularization"), "way", "strength")
    return markdown_table(
        (
            "regularizer",
            "strength",
            "final training accuracy [%]",
            "final validation loss",
            "lowest validation loss",
            "validation accuracy [%]",
            "test accuracy [%]",
            "norm of the kernels",
            "weights below 0.001 [%]",
            "epochs",
            "seeds",
        ),
        (
            (
                way,
                f"{float(strength):g}" if float(strength) else "",
                format_percent(rows, "last_accuracy"),
                format_mean(rows, "last_val_loss"),
                format_mean(rows, "least_val_loss"),
                format_percent(rows, "val_accuracy"),
                format_percent(rows, "test_accuracy"),
                format_mean(rows, "kernel_norm", 1),
                format_percent(rows, "kernel_sparsity"),
                format_mean(rows, "epochs", 0),
                str(len(rows)),
            )
            for (way, strength), rows in groups.items()
        ),
    )


def sequences() -> str:
    """Return the table of the sequence models."""
    groups = group_rows(tables.read_rows("sequences"), "settings", "model")
    return markdown_table(
        (
            "settings",
            "model",
            "parameters",
            "test accuracy [%]",
            "time per epoch [s]",
            "epochs",
            "peak memory [MiB]",
            "tokens that are not padding [%]",
            "seeds",
        ),
        (
            (
                settings,
                f"`{model}`",
                format_integer(rows[0]["parameters"]),
                format_percent(rows, "test_accuracy"),
                format_mean(rows, "seconds_an_epoch", 1),
                format_mean(rows, "epochs", 0),
                format_mean(rows, "peak_memory_mib", 0),
                f"{100 * float(rows[0]['padding_efficiency']):.0f}",
                str(len(rows)),
            )
            for (settings, model), rows in groups.items()
        ),
        text_columns=2,
    )


def films() -> str:
    """Return the table of settings under both kinds of folds."""
    groups = group_rows(tables.read_rows("films"), "model", "settings")
    return markdown_table(
        (
            "model",
            "settings",
            "accuracy, random folds [%]",
            "accuracy, folds by film [%]",
            "loss, random folds",
            "loss, folds by film",
        ),
        map(_film_cells, groups.values()),
        text_columns=2,
    )


def _film_cells(rows: Sequence[Row]) -> tuple[str, ...]:
    folds = [[row for row in rows if row["cut"] == cut] for cut in CUTS]
    return (
        f"`{rows[0]['model']}`",
        _format_assignments(json.loads(rows[0]["settings"])),
        *(format_percent(of_cut, "val_accuracy") for of_cut in folds),
        *(format_mean(of_cut, "val_loss") for of_cut in folds),
    )


def analogies() -> str:
    """Return the table of the accuracy on word analogies."""
    groups = group_rows(tables.read_rows("analogies"), "model", "word_vectors", "size")
    return markdown_table(
        (
            "trained model",
            "initial embeddings",
            "dimensions",
            "test accuracy [%]",
            "questions",
            "top 1 [%]",
            "top 5 [%]",
            "top 10 [%]",
        ),
        map(_analogy_cells, groups.values()),
        text_columns=2,
    )


def _analogy_cells(rows: Sequence[Row]) -> tuple[str, ...]:
    by_k = {row["k"]: row for row in rows}
    first = by_k["1"]
    return (
        f"`{first['model']}`" if first["model"] else "none",
        WORD_VECTORS[first["word_vectors"]],
        first["size"],
        format_percent([first], "test_accuracy") if first["model"] else "",
        first["asked"],
        *(f"{100 * float(by_k[k]['accuracy']):.1f}" for k in ("1", "5", "10")),
    )


def reconstruction() -> str:
    """Return the table of the autoencoders and their linear bounds."""
    groups = group_rows(tables.read_rows("reconstruction"), "system", "copy")
    order = list(AUTOENCODERS)
    return markdown_table(
        (
            "model",
            "dataset",
            "parameters",
            "MSE, course",
            "MSE, ours",
            "PCA of the same code size",
            "noisy image",
            "linear denoiser",
            "PSNR [dB]",
            "SSIM",
            "training time, course [s]",
            "time to course's MSE, ours [s]",
            "training time, ours [s]",
            "seeds",
        ),
        (
            _reconstruction_cells(rows)
            for _, rows in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
        ),
        text_columns=2,
    )


def _reconstruction_cells(rows: Sequence[Row]) -> tuple[str, ...]:
    first = rows[0]
    bounds = ("test_pca_mse", "test_noisy_mse", "test_wiener_mse")
    return (
        f"`{first['system']}`",
        format_dataset(first),
        format_integer(first["parameters"]),
        first["course_mse"],
        format_mean(rows, "test_mse", 5),
        *(format_mean(rows, key, 5) if first[key] else "" for key in bounds),
        format_mean(rows, "test_psnr", 2),
        format_mean(rows, "test_ssim"),
        first["course_seconds"],
        format_mean(rows, "seconds_to_course", 0) if first["seconds_to_course"] else "",
        format_seconds(rows),
        str(len(rows)),
    )


def generation() -> str:
    """Return the table of the variational autoencoders."""
    groups = group_rows(tables.read_rows("generation"), "system")
    return markdown_table(
        (
            "model",
            "latent dimensions",
            "beta",
            "parameters",
            "negative ELBO",
            "reconstruction loss",
            "KL divergence",
            "negative log-likelihood, 100 samples",
            "active dimensions",
            "epochs",
            "training time [s]",
            "seeds",
        ),
        map(_generation_cells, groups.values()),
    )


def _generation_cells(rows: Sequence[Row]) -> tuple[str, ...]:
    parts = ("test_reconstruction_loss", "test_kl_loss")
    elbo = [{"elbo": str(sum(float(row[part]) for part in parts))} for row in rows]
    first = rows[0]
    return (
        f"`{first['model']}`",
        first["latent_dim"],
        f"{float(first['beta']):g}",
        format_integer(first["parameters"]),
        format_mean(elbo, "elbo", 2),
        *(format_mean(rows, part, 2) for part in parts),
        format_mean(rows, "weighed_nll", 2),
        format_mean(rows, "test_active_units", 0),
        first["epochs"],
        format_seconds(rows),
        str(len(rows)),
    )
