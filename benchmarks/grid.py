"""Grid search with five folds on the course's news dataset, in the course's space and a wider one.

    python -m benchmarks.grid [course wider]

Searches `ag_news_course`, with the validation rows among the folds, and retrains the best values
under three seeds, each of which reads the test split once. Requires the extra ``benchmark``. Writes
one row per space to ``benchmarks/results/grid.csv``; the directory of each search is kept in
``searches/``, where an interrupted one is resumed.
"""

import json
from pathlib import Path
from typing import Any

import click

import tuning
from benchmarks import tables
from benchmarks.quality import data_dir_option
from tuning.space import describe_space, search_space
from zoo.course.systems import SYSTEMS

MODEL, DATASET = "text_mlp", "ag_news_course"
TAUGHT = dict(SYSTEMS["hw2.grid_search"].taught)
FOLDS = 5
SPACES: dict[str, tuple[dict[str, list[Any]], dict[str, Any]]] = {
    "course": (
        {"learning_rate": list(TAUGHT["learning_rate"])},
        {key: value for key, value in TAUGHT.items() if key != "learning_rate"},
    ),
    "wider": (
        {
            "num_layers": [1, 2],
            "word_dropout": [0.4, 0.6, 0.8],
            "learning_rate": [1e-3, 3e-3],
        },
        {"units": 64, "activation": "relu", "epochs": 15},
    ),
}


def measure(space: str, data_dir: str | None) -> dict[str, Any]:
    """Search a space, and return the results of the best trial on the folds and on test."""
    varied, fixed = SPACES[space]
    directory = Path("searches") / f"grid-{space}"
    defaults = {
        setting["name"]: setting["default"] for setting in describe_space(search_space(MODEL))
    }
    others = {key: value for key, value in defaults.items() if key not in varied}
    result = tuning.search(
        MODEL,
        dataset=DATASET,
        data_dir=data_dir,
        algorithm="grid",
        folds=FOLDS,
        space=varied,
        retrain=3,
        directory=directory,
        resume=directory.exists(),
        **others | fixed,
    )
    best = max(result.trials, key=lambda trial: trial["score"])
    best_settings = {**result.best_values, **result.best_recipe}
    return {
        "space": space,
        "varied": json.dumps(varied),
        "fixed": json.dumps(fixed),
        "trials": len(result.trials),
        "folds": FOLDS,
        "score": best["score"],
        "score, spread": best["spread"],
        "test": result.metrics["test_accuracy"],
        "test, spread": result.metrics["test_accuracy_std"],
        "best": json.dumps({key: best_settings[key] for key in varied}),
        "seconds": round(sum(trial["seconds"] for trial in result.trials), 1),
    }


@click.command(help=__doc__)
@click.argument("spaces", nargs=-1, type=click.Choice(list(SPACES)))
@data_dir_option
def main(spaces: tuple[str, ...], data_dir: str | None) -> None:
    """Search each space."""
    for space in spaces or SPACES:
        row = {**measure(space, data_dir), **tables.environment()}
        tables.save_row("grid", row, ("space",))
        click.echo(f"{space}: folds {row['score']:.4f}, test {row['test']:.4f}")


if __name__ == "__main__":
    main()
