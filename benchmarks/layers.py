"""How much faster networks train with the zoo's own layers than with Keras' of the same names.

    python -m benchmarks.layers [MODEL...] [--steps 40]

Recurrent networks have the layers of `zoo.acceleration.recurrent`, convolutional ones the batch normalization
of `zoo.acceleration.normalization`, the Transformer the attention of `zoo.acceleration.attention`, and all that read words
the embedding of `zoo.acceleration.embedding`. Each by its recipe, with either layer, in turn, on the first batches
of an epoch of its own data. Needs the extra ``benchmark``. Writes one row a model and layer to
``benchmarks/results/layers.csv``: rows a second of the training step alone.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import click
import keras
import tensorflow as tf

from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.training.benchmark import speed
from zoo.training.config import load_run_data, resolve_config, seed_and_build

MODELS = (
    "simple_rnn",
    "gru",
    "lstm",
    "bilstm",
    "transformer",
    "simple_cnn",
    "deep_cnn",
    "resnet18",
)
KEYS = ("model", "layer")
STOCK = {
    "zoo.models.recurrent.SimpleRNN": keras.layers.SimpleRNN,
    "zoo.models.recurrent.GRU": keras.layers.GRU,
    "zoo.models.recurrent.LSTM": keras.layers.LSTM,
    "zoo.models.recurrent.Embedding": keras.layers.Embedding,
    "zoo.models.text.Embedding": keras.layers.Embedding,
    "zoo.layers.Embedding": keras.layers.Embedding,
    "zoo.layers.MultiHeadAttention": keras.layers.MultiHeadAttention,
    "zoo.models.conv.BatchNormalization": keras.layers.BatchNormalization,
    "zoo.models.resnet.BatchNormalization": keras.layers.BatchNormalization,
    "zoo.models.autoencoders.BatchNormalization": keras.layers.BatchNormalization,
}


@contextlib.contextmanager
def stock_layers() -> Iterator[None]:
    """Lets builders take Keras' layers where the zoo has its own."""
    with contextlib.ExitStack() as stack:
        for place, layer in STOCK.items():
            stack.enter_context(mock.patch(place, layer))
        yield


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@data_dir_option
@click.option("--steps", default=40, show_default=True)
def main(models: tuple[str, ...], data_dir: str | None, steps: int) -> None:
    """Measures both layers in each model."""
    for model in models or MODELS:
        settings = resolve_config(model, None, data_dir)
        epoch = load_run_data(settings, data_dir).train_in_epoch(tf.Variable(0, dtype=tf.int64))
        batches = epoch.take(steps).cache()
        for name, layers in (("keras", stock_layers), ("zoo", contextlib.nullcontext)):
            with layers():
                network = seed_and_build(settings)
            row = {"model": model, "layer": name, **speed(network, batches), **tables.machine()}
            tables.keep("layers", row, KEYS)
            click.echo(f"{model} with layers of {name}: {row['rows_a_second']} rows a second")


if __name__ == "__main__":
    main()
