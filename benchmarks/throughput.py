"""Training speed of each architecture in the zoo, in plain Keras and in PyTorch.

    pip install torch==2.13.0
    python -m benchmarks.throughput [MODEL...] [--rounds 5]

All take training steps on the same batches, which the zoo's pipeline has prepared and which are in
memory: the first ones of an epoch of the model's own dataset. Each contestant has a process of its
own, which runs as the command line does (as a batch job on Linux: `zoo.process`); they take turns,
and the median of the rounds counts, after one round that compiles.

    zoo               as `zoo.train` does, by the recipe
    keras             stock Keras layers: `zoo.build`, the recipe's optimizer and ``fit`` with its
                      defaults, on arrays; texts are all padded to the recipe's length
    keras_bucketed    the same, on length-bucketed batches
    torch             the usual eager loop of `benchmarks.in_pytorch`, on length-bucketed batches
    torch_bfloat16    the same under autocast, where the recipe has mixed precision
    torch_compiled    the same under ``torch.compile``, where all batches have the same shape

Requires the extra ``benchmark``. Writes one row per model and contestant to
``benchmarks/results/throughput.csv``, and plots all of them to ``throughput.png``.
"""

import concurrent.futures
import contextlib
import inspect
import multiprocessing
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.data import get_dataset
from zoo.data.pipeline import Data
from zoo.process import enable_batch_scheduling
from zoo.training.benchmark import seconds_of
from zoo.training.config import RunConfig, load_run_data, resolve_config, seed_and_build

STEPS = {"resnet18": 6, "deep_cnn": 12, "bilstm": 6}
STEPS |= dict.fromkeys(("perceptron", "two_layer_perceptron", "softmax_regression"), 2048)
STEPS |= dict.fromkeys(("mlp", "text_mlp", "vae", "cvae"), 256)
STEPS |= {"linear_autoencoder": 88, "nonlinear_autoencoder": 88, "denoising_autoencoder": 44}
DEFAULT_STEPS = 24
NOT_TRAINED = ("truncated_svd",)
LABELS = {
    "keras": "plain Keras",
    "keras_bucketed": "plain Keras, length-bucketed",
    "torch": "PyTorch",
    "torch_bfloat16": "PyTorch, bfloat16",
    "torch_compiled": "PyTorch, compiled",
}

Batch = tuple[Any, np.ndarray]
Training = Callable[[], object]


def first_batches(data: Data, steps: int) -> list[Batch]:
    """Return the first full batches of an epoch; small datasets are repeated."""
    epoch = data.train_in_epoch(tf.Variable(0, dtype=tf.int64))
    full = epoch.filter(lambda _, target: tf.shape(target)[0] == data.batch_size)
    return list(full.repeat().take(steps).as_numpy_iterator())


def zoo_training(config: RunConfig, batches: Sequence[Batch]) -> Training:
    """Prepare training as `zoo.train` does it."""
    model = seed_and_build(config)
    dataset = _to_dataset(batches)
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def keras_training(config: RunConfig, batches: Sequence[Batch]) -> Training:
    """Prepare stock Keras layers on arrays, compiled as Keras does by default."""
    model = zoo.build(config.model)
    inputs, targets = (_concatenate(parts) for parts in zip(*batches, strict=True))
    batch_size = len(batches[0][1])
    return lambda: model.fit(inputs, targets, batch_size=batch_size, verbose=0)


def bucketed_keras_training(config: RunConfig, batches: Sequence[Batch]) -> Training:
    """Prepare stock Keras layers on length-bucketed batches."""
    model = zoo.build(config.model)
    dataset = _to_dataset(batches)
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def torch_training(config: RunConfig, batches: Sequence[Batch], **options: Any) -> Training:
    """Prepare PyTorch; refuse a network with another number of parameters than the zoo's."""
    from benchmarks.in_pytorch_training import count_params, prepare_training

    spec = zoo.get_spec(config.model)
    optimizer = inspect.signature(spec.load_builder()).parameters["optimizer"].default
    training = prepare_training(config.model, spec.task, optimizer, batches, **options)
    parameters = count_params(training.network)
    if parameters != spec.parameters:
        raise SystemExit(
            f"{spec.name} has {parameters} parameters in PyTorch and {spec.parameters} in the zoo."
        )
    return training


CONTESTANTS: dict[str, Callable[..., Training]] = {
    "zoo": zoo_training,
    "keras": keras_training,
    "keras_bucketed": bucketed_keras_training,
    "torch": torch_training,
    "torch_bfloat16": lambda *args: torch_training(*args, precision="mixed_bfloat16"),
    "torch_compiled": lambda *args: torch_training(*args, is_compiled=True),
}


def _to_dataset(batches: Sequence[Batch]) -> tf.data.Dataset:
    rows = tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=tf.nest.map_structure(_signature, batches[0])
    )
    return rows.apply(tf.data.experimental.assert_cardinality(len(batches))).cache().prefetch(4)


def _signature(rows: np.ndarray) -> tf.TensorSpec:
    is_text = rows.ndim == 2 and rows.dtype == np.int64
    return tf.TensorSpec((None, *((None,) if is_text else rows.shape[1:])), rows.dtype)


def _concatenate(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], tuple):
        return tuple(_concatenate(each) for each in zip(*parts, strict=True))
    return np.concatenate(parts)


def pad_batches(batches: Sequence[Batch], length: int) -> list[Batch]:
    """Pad every text to one length."""
    return [
        (np.pad(texts, ((0, 0), (0, length - texts.shape[1]))), labels) for texts, labels in batches
    ]


_training: Training


def _prepare(contestant: str, config: RunConfig, batches: Sequence[Batch]) -> None:
    global _training
    _training = CONTESTANTS[contestant](config, batches)


def _measure_seconds() -> float:
    return seconds_of(_training)


def race(
    config: RunConfig, batches: Mapping[str, Sequence[Batch]], rounds: int
) -> dict[str, float]:
    """Let contestants take turns, and return the median seconds of each without the first round."""
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        pools = {
            name: stack.enter_context(
                concurrent.futures.ProcessPoolExecutor(
                    1, spawn, initializer=_prepare, initargs=(name, config, own_batches)
                )
            )
            for name, own_batches in batches.items()
        }
        laps = [
            {name: pool.submit(_measure_seconds).result() for name, pool in pools.items()}
            for _ in range(1 + rounds)
        ]
    return {name: statistics.median(lap[name] for lap in laps[1:]) for name in pools}


def measure(model: str, data_dir: str | None, rounds: int) -> list[dict[str, Any]]:
    """Return one row per contestant."""
    spec = zoo.get_spec(model)
    config = resolve_config(model, None, data_dir)
    recipe = config.recipe
    is_sequence = get_dataset(spec.dataset).kind == "text" and recipe.text.encoding == "sequence"
    steps = STEPS.get(model, DEFAULT_STEPS)
    batches = first_batches(load_run_data(config, data_dir), steps)
    names = ["zoo", "keras", "torch", "keras_bucketed" if is_sequence else "torch_compiled"]
    if recipe.precision == "mixed_bfloat16":
        names.append("torch_bfloat16")
    by_contestant = dict.fromkeys(names, batches)
    if is_sequence:
        by_contestant["keras"] = pad_batches(batches, recipe.text.sequence_length)
    rows, environment = steps * recipe.batch_size, tables.environment()
    return [
        {
            "model": model,
            "contestant": name,
            "batch_size": recipe.batch_size,
            "steps": steps,
            "rows_a_second": float(f"{rows / seconds:.4g}"),
            **environment,
        }
        for name, seconds in race(config, by_contestant, rounds).items()
    ]


def speedups() -> dict[str, dict[str, float]]:
    """Return how many times as fast the zoo is, by contestant and model, from the results file."""
    rates: dict[str, dict[str, float]] = {}
    for row in tables.read_rows("throughput"):
        rates.setdefault(row["contestant"], {})[row["model"]] = float(row["rows_a_second"])
    zoo_rates = rates.pop("zoo", {})
    return {
        name: {model: zoo_rates[model] / rate for model, rate in by_model.items()}
        for name, by_model in rates.items()
    }


def plot() -> None:
    """Plot every speedup."""
    by_contestant = speedups()
    models = [model for model in zoo.list_models() if model in by_contestant["torch"]]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(models) + 1.2), layout="constrained")
    for name, marker in zip(LABELS, "os^dv", strict=True):
        shown = {model: ratio for model, ratio in by_contestant[name].items() if model in models}
        heights = [models.index(model) for model in shown]
        axes.plot(list(shown.values()), heights, marker, label=LABELS[name], alpha=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(models)), models)
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel("rows per second of the zoo / rows per second of the other")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(tables.FOLDER / "throughput.png", dpi=120)


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@click.option("--rounds", default=5, show_default=True)
@data_dir_option
def main(models: tuple[str, ...], rounds: int, data_dir: str | None) -> None:
    """Measure the models, and plot all results so far."""
    enable_batch_scheduling()
    for model in models or zoo.list_models():
        if model in NOT_TRAINED:
            continue
        rows = measure(model, data_dir, rounds)
        tables.save_rows("throughput", rows, ("model",))
        for row in rows:
            click.echo(f"{model} {row['contestant']}: {row['rows_a_second']:,.0f} rows/s")
    plot()
    for name, by_model in speedups().items():
        mean = statistics.geometric_mean(by_model.values())
        slowest = min(by_model, key=by_model.__getitem__)
        click.echo(
            f"{LABELS[name]}: {mean:.2f} times as fast, the geometric mean of {len(by_model)}; "
            f"lowest {by_model[slowest]:.2f} ({slowest})"
        )


if __name__ == "__main__":
    main()
