"""Training speed of models with accelerated layers and with stock Keras layers.

    python -m benchmarks.layers [MODEL...] [--steps 40] [--rounds 5]

For each model, `zoo.build` and `zoo.accelerate` of the same model train on the first batches of an
epoch of the model's own data, which are held in memory, in the precision of its recipe. The two
take turns in one process; the median of the rounds counts, after one round that compiles. Requires
the extra ``benchmark``. Writes one row per model and kind of layers to
``benchmarks/results/layers.csv``: rows per second of the training step alone, and the seconds by
which the first round takes longer than the median.
"""

import statistics

import click
import keras
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.process import enable_batch_scheduling
from zoo.training.benchmark import seconds_of
from zoo.training.building import build_model
from zoo.training.config import RunConfig, load_run_data, resolve_config

MODELS = (
    "simple_rnn",
    "gru",
    "lstm",
    "bilstm",
    "transformer",
    "simple_cnn",
    "deep_cnn",
    "fast_cnn",
    "resnet18",
    "deep_autoencoder",
)
KEYS = ("model", "layer")


def build_both(config: RunConfig) -> dict[str, keras.Model]:
    """Return a run's model with stock layers, ``"keras"``, and with accelerated ones, ``"zoo"``."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.recipe.precision)
    stock = build_model(config.model, config.arguments)
    models = {"keras": stock, "zoo": zoo.accelerate(stock)}
    for model in models.values():
        model.jit_compile = config.recipe.jit_compile
        model.steps_per_execution = config.recipe.steps_per_execution
    return models


def measure(
    models: dict[str, keras.Model], batches: tf.data.Dataset, rounds: int
) -> dict[str, dict[str, float]]:
    """Train the models in turn, and return the speed and the compile time of each."""
    rows = sum(len(target) for _, target in batches)
    laps: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(1 + rounds):
        for name, model in models.items():
            laps[name].append(seconds_of(lambda m=model: m.fit(batches, shuffle=False, verbose=0)))
    medians = {name: statistics.median(seconds[1:]) for name, seconds in laps.items()}
    return {
        name: {
            "rows_a_second": round(rows / median),
            "seconds_to_compile": round(laps[name][0] - median, 1),
        }
        for name, median in medians.items()
    }


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@data_dir_option
@click.option("--steps", default=40, show_default=True, help="Number of batches.")
@click.option("--rounds", default=5, show_default=True, help="Number of rounds that count.")
def main(models: tuple[str, ...], data_dir: str | None, steps: int, rounds: int) -> None:
    """Measure each model with both kinds of layers."""
    enable_batch_scheduling()
    for name in models or MODELS:
        config = resolve_config(name, None, data_dir)
        pair = build_both(config)
        if pair["zoo"] is pair["keras"]:
            raise click.UsageError(f"{name} has no layers that zoo.accelerate replaces.")
        epoch = load_run_data(config, data_dir).train_in_epoch(tf.Variable(0, dtype=tf.int64))
        speeds = measure(pair, epoch.take(steps).cache(), rounds)
        environment = tables.environment()
        rows = [{"model": name, "layer": layer, **speeds[layer], **environment} for layer in pair]
        tables.save_rows("layers", rows, KEYS)
        ratio = speeds["zoo"]["rows_a_second"] / speeds["keras"]["rows_a_second"]
        for layer, speed in speeds.items():
            click.echo(f"{name} with layers of {layer}: {speed['rows_a_second']:,} rows per second")
        click.echo(f"{name}: accelerated layers are {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
