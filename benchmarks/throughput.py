"""Training speed of each architecture in the zoo, in plain Keras and in PyTorch.

    pip install torch==2.13.0
    python -m benchmarks.throughput [MODEL...] [--rounds 5]

All take training steps on the same batches, which the zoo's pipeline has prepared and which are in
memory: the first ones of an epoch of the model's own dataset. Each contestant has a process of its
own, which runs as the command line does (as a batch job on Linux: `zoo.process`); they take turns,
and the median of the rounds counts, after one round that compiles.

    zoo               as `zoo.train` does, in the execution mode that it chooses on this machine
    keras             stock Keras layers: `zoo.build`, the recipe's optimizer and ``fit`` with its
                      defaults, on arrays; texts are all padded to the recipe's length
    keras_bucketed    the same, on length-bucketed batches
    torch             the usual eager loop of `benchmarks.in_pytorch`, on length-bucketed batches
    torch_bfloat16    the same under autocast, where the recipe has mixed precision
    torch_compiled    the same under ``torch.compile``, where all batches have the same shape

Requires the extra ``benchmark``. Writes one row per model, contestant and kind of processor (with
bfloat16 instructions or without) to ``benchmarks/results/throughput.csv``, and plots those of this
kind to ``throughput.png`` or ``throughput_without_bfloat16.png``.
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
from zoo.training.building import seed_and_build
from zoo.training.config import RunConfig, load_run_data, resolve_config
from zoo.training.execution import FIELDS, choose_execution
from zoo.training.processor import multiplies_bfloat16

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
SUMMARY_LABELS = LABELS | {"torch_best": "PyTorch, the fastest of these"}

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
    data = load_run_data(config, data_dir)
    config = choose_execution(config, seed_and_build(config), data)
    recipe = config.recipe
    is_sequence = get_dataset(spec.dataset).kind == "text" and recipe.text.encoding == "sequence"
    steps = STEPS.get(model, DEFAULT_STEPS)
    batches = first_batches(data, steps)
    names = ["zoo", "keras", "torch", "keras_bucketed" if is_sequence else "torch_compiled"]
    if multiplies_bfloat16() and spec.recipe.precision == "mixed_bfloat16":
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
            **({field: getattr(recipe, field) for field in FIELDS} if name == "zoo" else {}),
            **environment,
        }
        for name, seconds in race(config, by_contestant, rounds).items()
    ]


def rates_on(bfloat16: bool) -> dict[str, dict[str, float]]:
    """Return rows per second by contestant and model on a kind of processor.

    Args:
        bfloat16: whether the processor has bfloat16 instructions.
    """
    rates: dict[str, dict[str, float]] = {}
    for row in tables.read_rows("throughput"):
        if row["bfloat16"] == str(bfloat16):
            rates.setdefault(row["contestant"], {})[row["model"]] = float(row["rows_a_second"])
    return rates


def speedups(bfloat16: bool) -> dict[str, dict[str, float]]:
    """Return how many times as fast the zoo is, by contestant and model.

    The contestant ``torch_best`` is PyTorch in the mode that is the fastest for the model.

    Args:
        bfloat16: whether the processor has bfloat16 instructions.
    """
    rates = rates_on(bfloat16)
    zoo_rates = rates.pop("zoo", {})
    in_torch = [by_model for name, by_model in rates.items() if name.startswith("torch")]
    models = {model for by_model in in_torch for model in by_model}
    rates["torch_best"] = {
        model: max(by_model.get(model, 0) for by_model in in_torch) for model in sorted(models)
    }
    return {
        name: {model: zoo_rates[model] / rate for model, rate in by_model.items()}
        for name, by_model in rates.items()
    }


def plot(bfloat16: bool) -> None:
    """Plot every speedup on a kind of processor."""
    by_contestant = speedups(bfloat16)
    models = [model for model in zoo.list_models() if model in by_contestant["torch"]]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(models) + 1.2), layout="constrained")
    for name, marker in zip(LABELS, "os^dv", strict=True):
        if name not in by_contestant:
            continue
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
    suffix = "" if bfloat16 else "_without_bfloat16"
    figure.savefig(tables.FOLDER / f"throughput{suffix}.png", dpi=120)


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
        tables.save_rows("throughput", rows, ("model", "bfloat16"))
        for row in rows:
            click.echo(f"{model} {row['contestant']}: {row['rows_a_second']:,.0f} rows/s")
    plot(multiplies_bfloat16())
    for name, by_model in speedups(multiplies_bfloat16()).items():
        mean = statistics.geometric_mean(by_model.values())
        slowest = min(by_model, key=by_model.__getitem__)
        click.echo(
            f"{SUMMARY_LABELS[name]}: {mean:.2f} times as fast, the geometric mean of "
            f"{len(by_model)}; lowest {by_model[slowest]:.2f} ({slowest})"
        )


if __name__ == "__main__":
    main()
