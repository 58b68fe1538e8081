"""Tables of the README files about trained models and backends."""

from benchmarks import tables
from benchmarks.formatting import format_percent, group_rows
from zoo.runs.markdown import markdown_table


def pretrained() -> str:
    """Return the table of the models that come trained."""
    return markdown_table(
        ("model", "trained on", "metric", "before rounding", "rounded", "size [MB]"),
        (
            (
                f"`{row['model']}`",
                f"`{row['dataset']}`",
                row["metric"].removeprefix("test_"),
                f"{float(row['plain']):.5g}",
                f"{float(row['rounded']):.5g}",
                f"{int(row['bytes']) / 1e6:.2f}",
            )
            for row in sorted(tables.read_rows("pretrained"), key=lambda row: row["model"])
        ),
        text_columns=(0, 1, 2),
    )


def fine_tuning() -> str:
    """Return the table of fine-tuning on few labels."""
    groups = group_rows(tables.read_rows("fine_tuning"), "model", "way")
    return markdown_table(
        ("model", "way", "training rows", "seeds", "test accuracy [%]"),
        (
            (
                f"`{model}`",
                way,
                rows[0]["train"],
                str(len(rows)),
                format_percent(rows, "test_accuracy"),
            )
            for (model, way), rows in groups.items()
        ),
        text_columns=(0, 1),
    )


def backends() -> str:
    """Return the table of models trained on one backend and opened on the other."""
    groups = group_rows(tables.read_rows("backends"), "trained_on")
    return markdown_table(
        ("trained on", "models", "largest difference of predictions on the other backend"),
        (
            (
                backend,
                str(len(rows)),
                f"{max(float(row['max_difference']) for row in rows):.2g}",
            )
            for (backend,), rows in groups.items()
        ),
        text_columns=(0,),
    )


def devices() -> str:
    """Return the table of models trained on two devices, compared with one."""
    return markdown_table(
        ("backend", "model", "settings", "largest difference of weights"),
        (
            (
                row["backend"],
                f"`{row['model']}`",
                f"`{row['settings']}`",
                f"{float(row['max_difference']):.2g}",
            )
            for row in tables.read_rows("devices")
        ),
        text_columns=(0, 1, 2),
    )


def cluster() -> str:
    """Return the table of runs that were trained by several processes, and killed."""
    return markdown_table(
        (
            "model",
            "processes",
            "largest difference of weights from one process",
            "killed and resumed",
            "with the same bits",
            "other process ended within [s]",
            "processes left",
        ),
        (
            (
                f"`{row['model']}`",
                row["processes"],
                f"{float(row['max_difference']):.2g}",
                row["kills"],
                row["same_bits"],
                row["seconds_lived_on"],
                row["processes_left"],
            )
            for row in tables.read_rows("cluster")
        ),
        text_columns=(0,),
    )
