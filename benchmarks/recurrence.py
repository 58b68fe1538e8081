"""How much faster the zoo's LSTM trains than Keras'.

    python -m benchmarks.recurrence [--steps 40]

The models `lstm` and `bilstm` with either layer, by their recipe, on the first batches of an epoch
of reviews, in turn. Needs the extra ``benchmark``. Writes one row a model and layer to
``benchmarks/results/recurrence.csv``: rows a second of the training step alone, the best of three
passes in one process, after one that compiles.
"""

from unittest import mock

import click
import keras

import zoo
import zoo.models.recurrent
from benchmarks import tables
from benchmarks.execution import own_texts
from benchmarks.quality import data_dir_option
from zoo.execution import speed
from zoo.recurrence import LSTM

LAYERS = {"keras": keras.layers.LSTM, "zoo": LSTM}
KEYS = ("model", "layer")


@click.command(help=__doc__)
@data_dir_option
@click.option("--steps", default=40, show_default=True)
def main(data_dir: str | None, steps: int) -> None:
    """Measures both layers in both models."""
    for model in ("lstm", "bilstm"):
        batches = own_texts(model, steps, data_dir).cache()
        recipe = zoo.get_spec(model).recipe
        for name, layer in LAYERS.items():
            with mock.patch.object(zoo.models.recurrent, "LSTM", layer):
                network = zoo.build(model)
            network.jit_compile = recipe.jit_compile
            row = {
                "model": model,
                "layer": name,
                **speed(network, batches),
                **tables.machine(),
            }
            tables.keep("recurrence", row, KEYS)
            click.echo(f"{model} with the LSTM of {name}: {row['rows_a_second']} rows a second")


if __name__ == "__main__":
    main()
