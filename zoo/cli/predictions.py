"""Commands that predict with, export and plot a finished run."""

import os
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_sources
from zoo.cli.options import data_dir_option, json_option, run_argument
from zoo.cli.output import print_mapping, print_predictions_csv, print_result, print_table
from zoo.cli.runtime import load_finished_run, quiet_tensorflow
from zoo.pretrained.catalog import SEPARATOR
from zoo.runs import Run

PRINTED = ("input", "label", "probability", "mse", "psnr")
MEASURED = ("bytes", "load_seconds", "milliseconds", "rows_per_second")


@click.command("predict")
@click.argument("source", metavar="RUN|MODEL|ARTIFACT", shell_complete=complete_sources)
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--lines", type=click.File("rb"), help="File with one input per line; - for stdin.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one row of CSV per input.")
@json_option
def predict_command(
    source: str, inputs: tuple[str, ...], lines: Any, as_csv: bool, as_json: bool
) -> None:
    """Predict with a finished run, a trained model of the package, or an artifact.

    Inputs are texts, image files or folders of them, or rows of bits such as 110.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json cannot be combined.")
    raw = [*inputs, *(os.fsdecode(line.rstrip(b"\r\n")) for line in lines or ())]
    if not raw:
        raise click.UsageError("missing INPUT: pass inputs as arguments or in a file with --lines.")
    with quiet_tensorflow():
        from zoo.evaluation import prediction

        opened = prediction.open_run_or_artifact(source)
        if prediction.input_kind(opened) == "images":
            raw = [path for name in raw for path in _expand_folder(name)]
        predictions = prediction.predict(opened, raw)
    names = (os.fsencode(each).decode("utf-8", "replace") for each in raw)
    rows = [{"input": name, **row} for name, row in zip(names, predictions, strict=True)]
    if as_csv:
        print_predictions_csv(rows)
        return
    printed = [{key: row[key] for key in PRINTED if key in row} for row in rows]
    print_result({"predictions": rows}, as_json, lambda: print_table(printed))


@click.command("export")
@run_argument
@click.option(
    "--format", default="saved_model", show_default=True,
    help="saved_model, onnx, litert or litert_int8.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path), help="Artifact folder.  [default: exports/RUN]"
)
@click.option("--overwrite", is_flag=True, help="Replace an existing artifact.")
@click.option(
    "--space", type=click.Path(path_type=Path),
    help="Folder for a Hugging Face Space with the playground of the run, instead of an artifact.",
)  # fmt: skip
@data_dir_option
@json_option
def export_command(
    run: str,
    format: str,
    output: Path | None,
    overwrite: bool,
    space: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Export a finished run as an artifact that takes raw input, or as a Space."""
    if space is not None and (output is not None or overwrite):
        raise click.UsageError("--space cannot be combined with --output or --overwrite.")
    finished = load_finished_run(run)
    if space is not None:
        _export_space(finished, space, as_json)
        return
    output = output or Path("exports") / Path(run).resolve().name.replace(SEPARATOR, "-")
    with quiet_tensorflow():
        from zoo.artifacts import reader
        from zoo.artifacts.export import export
    export(finished, output, format=format, overwrite=overwrite, data_dir=data_dir)
    facts = reader.read_facts(output)
    document = {
        "run_dir": run,
        "format": format,
        "output": str(output),
        "max_difference": facts["max_difference"],
        "rows_compared": facts["rows"],
        **{key: facts[key] for key in MEASURED},
    }
    print_result(document, as_json, lambda: print_mapping(document))


def _export_space(run: Run, directory: Path, as_json: bool) -> None:
    with quiet_tensorflow():
        from zoo.playground.space import export_space

        export_space(run, directory)
    document = {"run_dir": str(run.directory), "space": str(directory)}
    print_result(document, as_json, lambda: click.echo(f"python {directory / 'app.py'}"))


@click.command("report")
@run_argument
@click.option(
    "--html", "as_html", is_flag=True,
    help="Also write one HTML file with the figures, test rows and model card.",
)  # fmt: skip
@json_option
def report_command(run: str, as_html: bool, as_json: bool) -> None:
    """Plot the figures of a finished run."""
    finished = load_finished_run(run)
    with quiet_tensorflow():
        from zoo import plots, reports
    if as_html:
        report, *figures = map(str, reports.write_report(finished))
        document = {"run_dir": run, "figures": figures, "report": report}
        print_result(document, as_json, lambda: click.echo(report))
        return
    paths = [str(path) for path in plots.draw(finished)]
    print_result({"run_dir": run, "figures": paths}, as_json, lambda: click.echo("\n".join(paths)))


def _expand_folder(name: str) -> list[str]:
    """Return the files of a folder, sorted; anything else is returned as the only input."""
    if not os.path.isdir(name):
        return [name]
    entries = [entry for entry in os.scandir(name) if not entry.name.startswith(".")]
    files = sorted(entry.path for entry in entries if entry.is_file())
    if not files:
        raise click.UsageError(f"folder {name} contains no files.")
    return files
