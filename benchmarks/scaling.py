"""What a training step costs as its work grows: rows, length of texts, parameters.

    python -m benchmarks.scaling

By the recipes, on random rows, as ``zoo benchmark`` measures. Needs the extra ``benchmark``. Writes
one row a model and amount to ``benchmarks/results/scaling.csv``. What trials and workers cost,
`benchmarks.search` measures.
"""

import click

from benchmarks import tables
from zoo.training.benchmark import executed, random_rows, speed
from zoo.training.config import resolve_config

KEYS = ("model", "setting", "amount")
STEPS = 8
GROWN = (
    ("mlp", "batch_size", (32, 128, 512, 2048)),
    ("simple_cnn", "batch_size", (64, 256, 1024)),
    ("mlp", "units", (128, 512, 2048)),
    ("lstm", "sequence_length", (125, 250, 500, 1000)),
    ("transformer", "sequence_length", (125, 250, 500, 1000)),
    ("fasttext", "vocab_size", (10_000, 100_000, 1_000_000)),
)


@click.command(help=__doc__)
def main() -> None:
    """Measures every amount."""
    for model, setting, amounts in GROWN:
        for amount in amounts:
            settings = resolve_config(model, overrides={setting: amount})
            recipe = settings.recipe
            network = executed(settings, {})
            steps = max(STEPS, recipe.steps_per_execution)
            rows = random_rows(network, settings, steps * recipe.batch_size)
            rate = speed(network, rows.batch(recipe.batch_size).cache())["rows_a_second"]
            row = {
                "model": model,
                "setting": setting,
                "amount": amount,
                "parameters": network.count_params(),
                "rows_a_second": rate,
                "milliseconds_a_step": round(1000 * recipe.batch_size / rate, 2),
            }
            tables.keep("scaling", {**row, **tables.machine()}, KEYS)
            click.echo(f"{model}, {setting} {amount}: {row['milliseconds_a_step']} ms a step")


if __name__ == "__main__":
    main()
