"""Cost of a training step as its work grows: batch size, length of texts, parameters.

    python -m benchmarks.scaling

Measures models with their recipes on random rows, as ``zoo benchmark`` does. Requires the extra
``benchmark``. Writes one row per model and value to ``benchmarks/results/scaling.csv``. The cost of
trials and workers is measured by `benchmarks.search`.
"""

import click

from benchmarks import tables
from zoo.training.benchmark import build_in_mode, measure_speed, random_rows
from zoo.training.config import resolve_config

KEYS = ("model", "setting", "amount")
STEPS = 8
SWEEPS = (
    ("mlp", "batch_size", (32, 128, 512, 2048)),
    ("simple_cnn", "batch_size", (64, 256, 1024)),
    ("mlp", "units", (128, 512, 2048)),
    ("lstm", "sequence_length", (125, 250, 500, 1000)),
    ("transformer", "sequence_length", (125, 250, 500, 1000)),
    ("fasttext", "vocab_size", (10_000, 100_000, 1_000_000)),
)


def measure(name: str, argument: str, value: int) -> dict[str, str | int | float]:
    """Measure a model with one argument overridden."""
    config = resolve_config(name, overrides={argument: value})
    recipe = config.recipe
    model = build_in_mode(config, {})
    steps = max(STEPS, recipe.steps_per_execution)
    rows = random_rows(model, config, steps * recipe.batch_size)
    rate = measure_speed(model, rows.batch(recipe.batch_size).cache())["rows_a_second"]
    return {
        "model": name,
        "setting": argument,
        "amount": value,
        "parameters": model.count_params(),
        "rows_a_second": rate,
        "milliseconds_a_step": round(1000 * recipe.batch_size / rate, 2),
    }


@click.command(help=__doc__)
def main() -> None:
    """Measure every value."""
    for model, argument, values in SWEEPS:
        for value in values:
            row = measure(model, argument, value)
            tables.save_row("scaling", {**row, **tables.environment()}, KEYS)
            click.echo(f"{model}, {argument}={value}: {row['milliseconds_a_step']} ms per step")


if __name__ == "__main__":
    main()
