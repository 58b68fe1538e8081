"""The ``zoo`` command. What a verb needs is imported when it runs, so that a list costs nothing."""

import contextlib
import csv
import dataclasses
import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from zoo.cli.process import as_batch_job
from zoo.data import DATASETS
from zoo.errors import OutOfReachError, ZooError
from zoo.registry import get_spec, list_models

BAD_INPUT = 2
INTERRUPTED = 130
WIDTH = 120
DATASET_HELP = (
    "Of the zoo, of TFDS, a folder of images or a table of texts.  [default: the model's own]"
)

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="TFDS data directory.  [default: $TFDS_DATA_DIR or ~/tensorflow_datasets]",
)
run_argument = click.argument("run", type=click.Path(path_type=Path))


def main() -> NoReturn:
    """Runs the command: bad input is one line on standard error and exit code 2."""
    as_batch_job()
    try:
        with cli.make_context("zoo", sys.argv[1:]) as context:
            cli.invoke(context)
        code = 0
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        code = _fail(error.format_message())
    except (ZooError, OSError) as error:
        code = _fail(str(error))
    except KeyboardInterrupt as error:
        _fail(f"interrupted; {error}" if str(error) else "interrupted")
        code = INTERRUPTED
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keras-model-zoo")
def cli() -> None:
    """Classic deep-learning architectures: train, look at, and ship them."""


@cli.command("list")
@click.option("--task", help="Only the models of this task.")
@as_json
def list_command(task: str | None, as_json: bool) -> None:
    """List the models."""
    keys = ("name", "task", "dataset", "parameters", "summary")
    rows = [{key: getattr(get_spec(name), key) for key in keys} for name in list_models(task)]
    _print({"models": rows}, as_json, lambda: _table(rows))


@cli.command()
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """Show a model: arguments with their defaults, data, recipe, source."""
    spec = get_spec(name)
    with _quiet_tensorflow():
        from tuning.space import described, space_of

        builder = spec.load_builder()
    arguments = [
        {"name": key, "default": parameter.default}
        for key, parameter in inspect.signature(builder).parameters.items()
    ]
    document = {
        **{key: getattr(spec, key) for key in ("name", "task", "dataset", "parameters", "summary")},
        "builder": spec.builder,
        "arguments": {row["name"]: row["default"] for row in arguments},
        "recipe": spec.recipe.settings(),
        "space": described(space_of(name)),
        "pretrained": {key: dataclasses.asdict(how) for key, how in spec.pretrained.items()},
        "documentation": inspect.getdoc(builder),
    }

    def human() -> None:
        click.echo(f"{spec.name}: {document['documentation']}\n")
        _table([{**row, "default": str(row["default"])} for row in arguments])
        click.echo(f"\ntask {spec.task}, data set {spec.dataset}, {spec.parameters:,} parameters")
        click.echo(", ".join(f"{k} {v}" for k, v in spec.recipe.settings().items()))
        click.echo("\nA search varies:")
        _table([_brief_of(setting) for setting in document["space"]])
        for weights, how in spec.pretrained.items():
            settings = ", ".join(f"{k} {v}" for k, v in dataclasses.asdict(how).items())
            click.echo(f"with weights {weights}: {settings}")

    _print(document, as_json, human)


@cli.command()
@as_json
def datasets(as_json: bool) -> None:
    """List the data sets of the zoo; TFDS', folders of images and tables of texts will do, too."""
    rows = [
        {
            "name": spec.name,
            "kind": spec.kind,
            "input_shape": spec.input_shape,
            "classes": len(spec.class_names),
            "summary": spec.summary,
            "reference": spec.reference,
        }
        for spec in DATASETS.values()
    ]
    _print({"datasets": rows}, as_json, lambda: _table(rows))


@cli.command()
@click.argument("name")
@click.option("--dataset", help=DATASET_HELP)
@data_dir_option
@click.option("--epochs", type=click.IntRange(min=1), help="[default: the recipe's]")
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: the recipe's]")
@click.option("--learning-rate", type=float, help="[default: the model's]")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any argument or recipe field."
)
@click.option(
    "--set-file",
    type=click.Path(path_type=Path),
    help="JSON object of such settings, as `zoo tune` writes one; --set goes before it.",
)
@click.option("--seed", type=click.IntRange(min=0), help="[default: 0]")
@click.option("--run-dir", type=click.Path(path_type=Path), help="[default: runs/...]")
@click.option("--resume", is_flag=True, help="Go on with the run in --run-dir.")
@click.option("--tensorboard", is_flag=True, help="Log for TensorBoard, too.")
@as_json
def train(
    name: str,
    learning_rate: float | None,
    settings: tuple[str, ...],
    set_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model by its recipe; leave a run directory."""
    get_spec(name)
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    overrides = dict(map(setting, settings))
    if set_file:
        overrides = {
            **{key: value for key, value in _settings_in(set_file).items() if not options.get(key)},
            **overrides,
        }
    for key in overrides:
        if options.get(key) is not None:
            raise click.UsageError(f"--set {key}: it is given by its own option, too.")
        if key in {"name", "progress", *options} - {"epochs", "batch_size"}:
            raise click.UsageError(f"--set {key}: it is no setting of the model or its recipe.")
    with _quiet_tensorflow():
        from zoo import training
    run = training.train(name, **options | overrides)
    document = _summary(run)
    _print(document, as_json, lambda: _facts(document))


@cli.command()
@run_argument
@click.option("--split", default="test", type=click.Choice(["train", "validation", "test"]))
@data_dir_option
@as_json
def evaluate(run: Path, split: str, data_dir: Path | None, as_json: bool) -> None:
    """Measure a finished run's model on a split."""
    opened = _open(run)
    with _quiet_tensorflow():
        from zoo import training
    metrics = training.evaluate(opened, split, data_dir=data_dir)
    prefix = {"validation": "val"}.get(split, split)
    document = {
        "run_dir": str(run),
        "split": split,
        "metrics": {f"{prefix}_{key}": value for key, value in metrics.items()},
    }
    _print(document, as_json, lambda: _facts(document))


@cli.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="RUN_OR_ARTIFACT")
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--lines", type=click.File("rb"), help="File of one input a line; - is stdin.")
@click.option("--csv", "as_csv", is_flag=True, help="One row of CSV an input on stdout.")
@as_json
def predict(source: Path, inputs: tuple[str, ...], lines: Any, as_csv: bool, as_json: bool) -> None:
    """Answer texts, image files or folders of them, or rows of bits such as 110."""
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one.")
    given = [*inputs, *(os.fsdecode(line.rstrip(b"\r\n")) for line in lines or ())]
    if not given:
        raise click.UsageError("give an INPUT, or --lines FILE of at least one.")
    with _quiet_tensorflow():
        from zoo.evaluation import prediction

        opened = prediction.open_source(source)
        if prediction.kind_of(opened) == "images":
            given = [path for name in given for path in _images_in(name)]
        answers = prediction.predict(opened, given)
    shown_as = (os.fsencode(raw).decode("utf-8", "replace") for raw in given)
    rows = [{"input": raw, **answer} for raw, answer in zip(shown_as, answers, strict=True)]
    if as_csv:
        _csv(rows)
        return
    brief = ("input", "label", "probability", "mse", "psnr")
    shown = [{key: row[key] for key in brief if key in row} for row in rows]
    _print({"predictions": rows}, as_json, lambda: _table(shown))


@cli.command()
@run_argument
@click.option(
    "--format", default="saved_model", show_default=True,
    help="saved_model, onnx, litert or litert_int8.",
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="[default: exports/RUN]")
@click.option("--overwrite", is_flag=True, help="Replace an artifact that is there.")
@data_dir_option
@as_json
def export(
    run: Path,
    format: str,
    output: Path | None,
    overwrite: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write a finished run's model as an artifact that takes raw input."""
    opened = _open(run)
    output = output or Path("exports") / run.resolve().name
    with _quiet_tensorflow():
        from zoo.artifacts import reader
        from zoo.artifacts.export import export as export_run
    export_run(opened, output, format=format, overwrite=overwrite, data_dir=data_dir)
    known = reader.read_facts(output)
    document = {
        "run_dir": str(run),
        "format": format,
        "output": str(output),
        "max_difference": known["max_difference"],
        "rows_compared": known["rows"],
        **{key: known[key] for key in ("bytes", "load_seconds", "milliseconds", "rows_per_second")},
    }
    _print(document, as_json, lambda: _facts(document))


@cli.command()
@run_argument
@as_json
def report(run: Path, as_json: bool) -> None:
    """Draw a finished run's figures."""
    opened = _open(run)
    with _quiet_tensorflow():
        from zoo import plots
    paths = [str(path) for path in plots.draw(opened)]
    document = {"run_dir": str(run), "figures": paths}
    _print(document, as_json, lambda: click.echo("\n".join(paths)))


@cli.command()
@click.argument("name")
@click.option("--dataset", help=DATASET_HELP)
@data_dir_option
@click.option(
    "--algorithm", default="random", show_default=True, help="random, grid, bayesian or hyperband."
)
@click.option("--trials", "max_trials", type=int, help="That begin at most.  [default: 20, or all]")
@click.option("--minutes", "max_minutes", type=float, help="After which no trial begins.")
@click.option("--workers", default=1, show_default=True, help="Processes; 0: this one alone.")
@click.option("--folds", default=1, show_default=True, help="Of a cross-validation.")
@click.option("--executions", default=1, show_default=True, help="Trainings a trial and fold.")
@click.option("--objective", help="Quantity of the history.  [default: the task's]")
@click.option("--direction", help="max or min.  [default: by the objective's name]")
@click.option(
    "--space", type=click.Path(path_type=Path), help="TOML or JSON: what else varies, and how."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting that does not vary."
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Of a full training.  [default: the recipe's]"
)
@click.option("--max-parameters", default=0, help="Of a model that is trained.  [default: any]")
@click.option("--keep", default=1, show_default=True, help="Trials whose weights stay on disk.")
@click.option("--retrain", default=3, show_default=True, help="Seeds for the best values.")
@click.option("--seed", default=0, show_default=True, help="Of the values drawn and all trainings.")
@click.option("--directory", type=click.Path(path_type=Path), help="[default: searches/...]")
@click.option("--resume", is_flag=True, help="Go on with the search in --directory.")
@click.option("--keep-going", is_flag=True, help="Go on after a trial that breaks.")
@click.option("--role", type=click.Choice(["chief", "worker"]), help="With other machines.")
@click.option("--address", help="HOST:PORT of the chief.")
@click.option("--worker-name", help="Of a worker among others.  [default: host and process]")
@as_json
def tune(
    name: str,
    settings: tuple[str, ...],
    epochs: int | None,
    role: str | None,
    address: str | None,
    worker_name: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for better settings of a model; train the best anew."""
    get_spec(name)
    if bool(role) != bool(address):
        raise click.UsageError("--role and --address: the one needs the other.")
    fixed = dict(map(setting, settings))
    for key in fixed.keys() & options.keys():
        raise click.UsageError(f"--set {key}: it is no setting of the model or its recipe.")
    if epochs is not None:
        fixed["epochs"] = epochs
    with _quiet_tensorflow():
        import tuning
        from tuning import workers
    if role == "worker" and address:
        if options["directory"] is None:
            raise click.UsageError("--role worker: it needs the chief's --directory.")
        workers.run_as_worker(options["directory"], address, worker_name or workers.own_name())
        return
    result = tuning.search(name, address=address, **options, **fixed)
    document = {
        "trials": result.trials,
        "best_values": result.best_values,
        "best_recipe": result.best_recipe,
        "directory": str(result.directory),
        "metrics": result.metrics,
    }
    brief = {key: value for key, value in document.items() if key != "trials"}
    brief["report"] = str(result.directory / "report.md")
    _print(document, as_json, lambda: _facts(brief))


@cli.command()
@click.argument("systems", nargs=-1, metavar="[SYSTEM...]")
@click.option("--all", "everything", is_flag=True, help="Train all systems, and what is asked.")
@click.option("--as-taught", is_flag=True, help="In the course's settings, its mistakes mended.")
@click.option("--seeds", type=click.IntRange(min=1), help="Trainings of each system.  [default: 1]")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("course"),
    show_default=True,
    help="What is finished there is not trained again.",
)
@data_dir_option
@as_json
def course(
    systems: tuple[str, ...],
    everything: bool,
    as_taught: bool,
    seeds: int | None,
    directory: Path,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show the course's systems, their figures and ours; train those named, and write a report."""
    from zoo.course.results import compare, read_results, summarized
    from zoo.course.systems import SYSTEMS, get_system

    if systems and everything:
        raise click.UsageError("--all trains every system: do not name one beside it.")
    chosen = [get_system(name) for name in dict.fromkeys(systems)] or list(SYSTEMS.values())
    document: dict[str, Any] = {"directory": str(directory)}
    if systems or everything:
        with _quiet_tensorflow():
            from zoo.course.experiments import run_experiments, training_runs_of
            from zoo.course.report import write_report
        trainings = training_runs_of(chosen, "taught" if as_taught else "ours")
        try:
            run_experiments(trainings, directory, seeds=seeds or 1, data_dir=data_dir)
        except OutOfReachError:
            write_report(directory)
            raise
        document["report"] = str(write_report(directory)[0])
    elif as_taught or seeds:
        raise click.UsageError("--as-taught and --seeds: name the systems, or give --all.")
    results = read_results(directory)
    standings = [compare(system, results) for system in chosen]
    document["systems"] = [row.as_json() for row in standings]
    _print(document, as_json, lambda: _table([summarized(row) for row in standings]))


@cli.command()
@click.argument("name")
@click.option("--dataset", help="What rows look like.  [default: the model's own]")
@data_dir_option
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: the recipe's]")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any argument or recipe field."
)
@click.option("--steps", default=16, show_default=True, help="Batches to repeat.")
@as_json
def benchmark(
    name: str,
    dataset: str | None,
    data_dir: Path | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    steps: int,
    as_json: bool,
) -> None:
    """Measure how fast a model trains here: as its recipe says, and in other ways."""
    spec = get_spec(name)
    overrides = dict(map(setting, settings))
    for key in overrides.keys() & {"name", "dataset", "data_dir", "steps"}:
        raise click.UsageError(f"--set {key}: it is no setting of the model or its recipe.")
    if batch_size is not None:
        overrides["batch_size"] = batch_size
    with _quiet_tensorflow():
        from zoo.training.benchmark import benchmark as measure
    ways: list[dict[str, Any]] = []
    for way in measure(name, dataset=dataset, data_dir=data_dir, steps=steps, **overrides):
        ways.append({"of": "another way" if ways else "the recipe", **way})
        click.echo("  ".join(f"{key} {_readable(value)}" for key, value in way.items()), err=True)
    document = {
        "model": name,
        "batch_size": overrides.get("batch_size", spec.recipe.batch_size),
        "ways": ways,
        "fastest": max(ways, key=lambda way: way["rows_a_second"]),
    }
    _print(document, as_json, lambda: _table(ways))


@cli.command()
@data_dir_option
@click.option("--run-dir", type=click.Path(path_type=Path), help="[default: runs/...]")
@as_json
def quickstart(data_dir: Path | None, run_dir: Path | None, as_json: bool) -> None:
    """Train on handwritten digits, draw, export and ask the artifact: the zoo in a minute."""
    with _quiet_tensorflow():
        from zoo import plots, training
        from zoo.artifacts.export import export as export_run
        from zoo.data.tfds_store import default_data_dir
        from zoo.evaluation import prediction
    run = training.train("mlp", dataset="digits", data_dir=data_dir, run_dir=run_dir)
    sheet = plots.draw(run)[-1]
    artifact = export_run(run, run.directory / "saved_model")
    image, truth = run.predictions["raw"][0], run.predictions["labels"][0]
    answer = prediction.predict(artifact, image[None])
    document = {
        **_summary(run),
        "data": str((data_dir or default_data_dir()) / "digits"),
        "figures": str(sheet),
        "saved_model": str(artifact),
        "prediction": {
            "truth": run.dataset.class_names[truth],
            "label": answer[0]["label"],
            "probability": answer[0]["probability"],
        },
    }
    _print(document, as_json, lambda: _facts(document))


def _open(directory: Path) -> Any:
    from zoo.runs import load_run

    run = load_run(directory)
    run.file("metrics.json")
    return run


def _summary(run: Any) -> dict[str, Any]:
    metrics = run.metrics
    return {
        "run_dir": str(run.directory),
        "model": run.config["model"],
        "dataset": run.dataset.name,
        "parameters": run.config["parameters"],
        "epochs": metrics["epochs"],
        "seconds": metrics["seconds"],
        "metrics": {k: v for k, v in metrics.items() if k.startswith(("val_", "test_"))},
    }


def setting(text: str) -> tuple[str, Any]:
    """Reads ``KEY=VALUE``; the value is JSON, and anything else a string.

    Args:
        text: for example ``"units=64"`` or ``"activation=tanh"``.

    Returns:
        Key and value.

    Raises:
        click.UsageError: if there is no key or no ``=``.
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.UsageError(f"--set {text!r}: must be KEY=VALUE, such as units=64.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _images_in(name: str) -> list[str]:
    """Gives the files of a folder; anything else is an input itself."""
    if not os.path.isdir(name):
        return [name]
    entries = [entry for entry in os.scandir(name) if not entry.name.startswith(".")]
    files = sorted(entry.path for entry in entries if entry.is_file())
    if not files:
        raise click.UsageError(f"there is no file in the folder {name}.")
    return files


def _csv(rows: list[dict[str, Any]]) -> None:
    """Prints a row an input: lists as JSON, and a column for the probability of each class."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, row in enumerate(rows):
        per_class = {f"p({name})": p for name, p in row.pop("probabilities", {}).items()}
        if not number:
            writer.writerow([*row, *per_class])
        values = (json.dumps(value) if isinstance(value, list) else value for value in row.values())
        writer.writerow([*values, *per_class.values()])


def _settings_in(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except ValueError as error:
        raise click.UsageError(f"--set-file {path}: {error}.") from error
    if not isinstance(settings, dict):
        raise click.UsageError(f"--set-file {path}: must be an object of settings.")
    return settings


def _print(document: dict[str, Any], as_json: bool, human: Callable[[], Any]) -> None:
    if as_json:
        click.echo(json.dumps(document))
    else:
        human()


def _brief_of(setting: dict[str, Any]) -> dict[str, str]:
    values = setting.get("values") or [True, False]
    span = f"{setting['min']:g} to {setting['max']:g}" if "min" in setting else ""
    step = f" by {setting['step']:g}" if "step" in setting else f", {setting.get('sampling')}"
    how = span + step if span else ", ".join(map(str, values))
    return {"name": setting["name"], "from": how, "default": str(setting["default"])}


def _facts(document: dict[str, Any], indent: str = "") -> None:
    width = max(map(len, document))
    for key, value in document.items():
        if isinstance(value, dict):
            click.echo(f"{indent}{key}")
            _facts(value, indent + "  ")
        else:
            click.echo(f"{indent}{key:<{width}}  {_readable(value)}")


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key, value in rows[0].items():
        table.add_column(key, justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*map(_readable, row.values()))
    Console(width=None if sys.stdout.isatty() else WIDTH, markup=False).print(table)


def _readable(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_number else str(value)


def _fail(message: str) -> int:
    click.echo(f"zoo: {' '.join(message.split())}", err=True)
    return BAD_INPUT


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keeps what TensorFlow's C++ code prints while it is imported, unless the import fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            import absl.logging
            import tensorflow  # noqa: F401

            absl.logging.set_verbosity(absl.logging.ERROR)
            yield
        except ImportError:
            noise.seek(0)
            os.write(terminal, noise.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
