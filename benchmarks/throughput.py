"""How fast each architecture trains: the zoo, plain Keras and PyTorch, side by side.

    pip install torch==2.13.0
    python -m benchmarks.throughput [MODEL...] [--rounds 5]

All take training steps on the same batches, which the zoo's pipeline has prepared and which lie in
memory: the first ones of an epoch of the model's own data. Each has a process of its own, which is
run as the command is (a batch job where Linux can, `zoo.cli.process`); they take turns, and the median
of the rounds counts, after one round that compiles.

    zoo               as `zoo.train` does, by the recipe
    keras             stock layers, the recipe's optimizer and ``fit`` with its defaults, on arrays;
                      texts are all padded to the recipe's length
    keras_bucketed    the same, on batches of texts of like length
    torch             the usual eager loop of `benchmarks.in_pytorch`, on batches of like length
    torch_bfloat16    the same under autocast, where the recipe has mixed precision
    torch_compiled    the same under ``torch.compile``, where all batches are of one shape

Needs the extra ``benchmark``. Writes one row a model and contestant to
``benchmarks/results/throughput.csv``, and all of them to ``throughput.png``.
"""

import concurrent.futures
import contextlib
import inspect
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import click
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.layers import stock_layers
from benchmarks.quality import data_dir_option
from zoo.cli.process import as_batch_job
from zoo.data import get_dataset
from zoo.data.pipeline import Data
from zoo.training.benchmark import seconds_of
from zoo.training.config import load_run_data, resolve_config, seed_and_build

STEPS = {"resnet18": 6, "deep_cnn": 12, "bilstm": 6}
STEPS |= dict.fromkeys(("perceptron", "two_layer_perceptron", "softmax_regression"), 2048)
STEPS |= dict.fromkeys(("mlp", "text_mlp", "vae", "cvae"), 256)
STEPS |= {"linear_autoencoder": 88, "nonlinear_autoencoder": 88, "denoising_autoencoder": 44}
FEW = 24
NOT_TRAINED = ("truncated_svd",)
LABELS = {
    "keras": "plain Keras",
    "keras_bucketed": "plain Keras, texts of like length",
    "torch": "PyTorch",
    "torch_bfloat16": "PyTorch, bfloat16",
    "torch_compiled": "PyTorch, compiled",
}

Batch = tuple[Any, np.ndarray]


def batches_of(data: Data, steps: int) -> list[Batch]:
    """Takes the first batches of an epoch; small data sets are gone through again and again."""
    epoch = data.train_in_epoch(tf.Variable(0, dtype=tf.int64))
    full = epoch.filter(lambda _, target: tf.shape(target)[0] == data.batch_size)
    return list(full.repeat().take(steps).as_numpy_iterator())


def zoo_training(settings: dict[str, Any], batches: Sequence[Batch]) -> Callable[[], object]:
    """Prepares the zoo's way."""
    network = seed_and_build(settings)
    rows = _dataset(batches)
    return lambda: network.fit(rows, shuffle=False, verbose=0)


def plain_network(settings: dict[str, Any]) -> keras.Model:
    """Builds the same architecture of stock layers, as Keras compiles by default."""
    with stock_layers():
        return zoo.build(settings.model)


def keras_training(settings: dict[str, Any], batches: Sequence[Batch]) -> Callable[[], object]:
    """Prepares plain Keras on arrays."""
    network = plain_network(settings)
    inputs, targets = (_joined(parts) for parts in zip(*batches, strict=True))
    size = len(batches[0][1])
    return lambda: network.fit(inputs, targets, batch_size=size, verbose=0)


def bucketed_keras_training(
    settings: dict[str, Any], batches: Sequence[Batch]
) -> Callable[[], object]:
    """Prepares plain Keras on batches of texts of like length."""
    network = plain_network(settings)
    rows = _dataset(batches)
    return lambda: network.fit(rows, shuffle=False, verbose=0)


def torch_training(
    settings: dict[str, Any], batches: Sequence[Batch], **options: Any
) -> Callable[[], object]:
    """Prepares PyTorch; refuses a network with other parameters than the zoo's."""
    from benchmarks import in_pytorch

    spec = zoo.get_spec(settings.model)
    optimizer = inspect.signature(spec.load_builder()).parameters["optimizer"].default
    training = in_pytorch.training(settings.model, spec.task, optimizer, batches, **options)
    found = in_pytorch.count_params(training.network)
    if found != spec.parameters:
        raise SystemExit(f"{spec.name}: {found} parameters in PyTorch, {spec.parameters} here.")
    return training


CONTESTANTS: dict[str, Callable[..., Callable[[], object]]] = {
    "zoo": zoo_training,
    "keras": keras_training,
    "keras_bucketed": bucketed_keras_training,
    "torch": torch_training,
    "torch_bfloat16": lambda *given: torch_training(*given, precision="mixed_bfloat16"),
    "torch_compiled": lambda *given: torch_training(*given, compiled=True),
}


def _dataset(batches: Sequence[Batch]) -> tf.data.Dataset:
    rows = tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=tf.nest.map_structure(_signature, batches[0])
    )
    return rows.apply(tf.data.experimental.assert_cardinality(len(batches))).cache().prefetch(4)


def _signature(rows: np.ndarray) -> tf.TensorSpec:
    is_texts = rows.ndim == 2 and rows.dtype == np.int64
    return tf.TensorSpec((None, *((None,) if is_texts else rows.shape[1:])), rows.dtype)


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], tuple):
        return tuple(_joined(each) for each in zip(*parts, strict=True))
    return np.concatenate(parts)


def padded(batches: Sequence[Batch], length: int) -> list[Batch]:
    """Pads every text to one length."""
    return [
        (np.pad(texts, ((0, 0), (0, length - texts.shape[1]))), labels) for texts, labels in batches
    ]


_work: Callable[[], object]


def _prepare(contestant: str, settings: dict[str, Any], batches: Sequence[Batch]) -> None:
    global _work
    _work = CONTESTANTS[contestant](settings, batches)


def _seconds() -> float:
    return seconds_of(_work)


def race(
    settings: dict[str, Any], batches: dict[str, list[Batch]], rounds: int
) -> dict[str, float]:
    """Lets contestants take turns; gives the median seconds of each, the first round left out."""
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        pools = {
            name: stack.enter_context(
                concurrent.futures.ProcessPoolExecutor(
                    1, spawn, initializer=_prepare, initargs=(name, settings, its_batches)
                )
            )
            for name, its_batches in batches.items()
        }
        laps = [
            {name: pool.submit(_seconds).result() for name, pool in pools.items()}
            for _ in range(1 + rounds)
        ]
    return {name: statistics.median(lap[name] for lap in laps[1:]) for name in pools}


def measure(model: str, data_dir: str | None, rounds: int) -> list[dict[str, Any]]:
    """Gives one row a contestant."""
    spec = zoo.get_spec(model)
    settings = resolve_config(model, None, data_dir, 0, {})
    recipe = settings.recipe
    of_texts = get_dataset(spec.dataset).kind == "text"
    is_sequence = of_texts and recipe.text.encoding == "sequence"
    steps = STEPS.get(model, FEW)
    batches = batches_of(load_run_data(settings, data_dir), steps)
    names = ["zoo", "keras", "torch", "keras_bucketed" if is_sequence else "torch_compiled"]
    if recipe.precision == "mixed_bfloat16":
        names.append("torch_bfloat16")
    given = dict.fromkeys(names, batches)
    if is_sequence:
        given["keras"] = padded(batches, recipe.text.sequence_length)
    rows, machine = steps * recipe.batch_size, tables.machine()
    return [
        {
            "model": model,
            "contestant": name,
            "batch_size": recipe.batch_size,
            "steps": steps,
            "rows_a_second": float(f"{rows / seconds:.4g}"),
            **machine,
        }
        for name, seconds in race(settings, given, rounds).items()
    ]


def ratios() -> dict[str, dict[str, float]]:
    """Reads how many times as fast the zoo is: by contestant and then by model."""
    rates: dict[str, dict[str, float]] = {}
    for row in tables.read("throughput"):
        rates.setdefault(row["contestant"], {})[row["model"]] = float(row["rows_a_second"])
    ours = rates.pop("zoo", {})
    return {
        name: {model: ours[model] / rate for model, rate in found.items()}
        for name, found in rates.items()
    }


def draw() -> None:
    """Draws every ratio."""
    found = ratios()
    models = [model for model in zoo.list_models() if model in found["torch"]]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(models) + 1.2), layout="constrained")
    for name, marker in zip(LABELS, "os^dv", strict=True):
        its = {model: ratio for model, ratio in found[name].items() if model in models}
        places = [models.index(model) for model in its]
        axes.plot(list(its.values()), places, marker, label=LABELS[name], alpha=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(models)), models)
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel("rows a second of the zoo / rows a second of the other")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(tables.FOLDER / "throughput.png", dpi=120)


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@click.option("--rounds", default=5, show_default=True)
@data_dir_option
def main(models: tuple[str, ...], rounds: int, data_dir: str | None) -> None:
    """Measures the models, and draws all that have been."""
    as_batch_job()
    for model in models or zoo.list_models():
        if model in NOT_TRAINED:
            continue
        rows = measure(model, data_dir, rounds)
        tables.keep_all("throughput", rows, ("model",))
        for row in rows:
            click.echo(f"{model} {row['contestant']}: {row['rows_a_second']:,.0f} rows a second")
    draw()
    for name, its in ratios().items():
        mean = statistics.geometric_mean(its.values())
        slowest = min(its, key=its.__getitem__)
        click.echo(
            f"{LABELS[name]}: {mean:.2f} times as fast, the geometric mean of {len(its)}; "
            f"least {slowest}, {its[slowest]:.2f}"
        )


if __name__ == "__main__":
    main()
