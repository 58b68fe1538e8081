"""The report on a search, from the files in its directory: a page, figures and logs.

    report.md      the best trials, the importance of the hyperparameters, failed trials
    figures/       see `tuning.figures`
    tensorboard/   one run per completed trial, for TensorBoard's HParams dashboard

Each is written atomically.
"""

import html
import math
import shutil
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuning import figures
from tuning.findings import (
    NUM_PERMUTATIONS,
    NUM_TREES,
    Hyperparameter,
    Search,
    Trial,
    format_value,
    read_search,
)
from zoo.runs.files import PARTIAL, atomic_write
from zoo.runs.markdown import markdown_table

MAX_SHOWN = 10
MAX_LINE_LENGTH = 300
CAPTIONS = {
    "objective": "Score of each trial, in the order in which they started",
    "effects": "Score against each hyperparameter",
    "importance": "Importance of each hyperparameter",
    "parallel": "Hyperparameters and score of each trial",
    "curves": "Learning curves",
    "cost": "Score against cost",
}


def write_report(directory: Path) -> list[Path]:
    """Write the report on a search: ``report.md``, ``figures/`` and ``tensorboard/``.

    Args:
        directory: directory of the search.

    Returns:
        Paths of the page and the figures.

    Raises:
        SearchError: if there is no search.
        RunError: if a file of it is damaged.
    """
    search = read_search(directory)
    paths = figures.draw(search)
    _write_tensorboard_logs(search)
    with atomic_write(directory / "report.md") as partial:
        partial.write_text("\n\n".join(_page(search, paths)) + "\n")
    return [directory / "report.md", *paths]


def _page(search: Search, figure_paths: Sequence[Path]) -> Iterator[str]:
    """Generate the paragraphs of the page."""
    yield f"# Search: {_escape(search.plan['model'])} on {_escape(search.plan['dataset']['name'])}"
    yield _overview(search)
    if search.completed:
        yield from _leaderboard(search)
    else:
        yield "No trial completed."
    if search.completed and search.hyperparameters:
        yield from _hyperparameter_section(search)
    if len(search.best.get("retrained", {})) > 1:
        yield from _retraining_section(search)
    if search.failed:
        yield "## Failed trials"
        rows = [
            (trial.name, trial.message, _format_values(trial.values)) for trial in search.failed
        ]
        yield _table(("trial", "reason", "values"), rows, text_columns=3)
    yield "## Figures"
    for path in figure_paths:
        yield f"![{CAPTIONS[path.stem]}]({path.relative_to(search.directory)})"
    if search.completed:
        yield "To compare the trials in TensorBoard, run `tensorboard --logdir tensorboard`."


def _overview(search: Search) -> str:
    plan = search.plan
    varied = ", ".join(hyperparameter.name for hyperparameter in search.hyperparameters)
    fixed = {row["name"]: row["value"] for row in plan["space"] if row["kind"] == "Fixed"}
    seconds = np.nansum([trial.seconds for trial in search.trials])
    goal = "maximizes" if search.sign > 0 else "minimizes"
    return (
        f"The search {goal} {search.objective} of {_escape(plan['model'])} on "
        f"{_escape(plan['dataset']['name'])} with the algorithm {_escape(plan['algorithm'])}"
        f"{' of Optuna' if plan['engine'] == 'optuna' else ''} (seed {plan['seed']}). "
        f"Trials: {len(search.completed)} completed, {len(search.failed)} failed, "
        f"{seconds:,.0f} s of training. Varied: {varied or 'nothing'}."
        + (f" Fixed: {_escape(_format_values(fixed))}." if fixed else "")
    )


def _leaderboard(search: Search) -> Iterator[str]:
    trials = search.ranked[:MAX_SHOWN]
    yield f"## Best {len(trials)} trials" if len(trials) > 1 else "## Best trial"
    default = _default_trial(search)
    costs = ("epochs", "parameters", "seconds")
    head = ("trial", search.objective, "standard deviation", *costs, "values")
    rows = [
        (
            f"{trial.name} (defaults)" if trial is default else trial.name,
            format_value(trial.score), format_value(trial.spread), format_value(trial.epochs),
            format_value(trial.parameters), format_value(trial.seconds),
            _format_values(trial.values),
        )
        for trial in trials
    ]  # fmt: skip
    yield _table(head, rows, text_columns=(0, 6))
    if default is not None:
        rank = search.ranked.index(default) + 1
        gap = abs(search.ranked[0].score - default.score)
        yield (
            f"Trial {default.name}, which has the defaults, ranks {rank} of {len(search.ranked)}: "
            f"its {search.objective} is {format_value(default.score)} after "
            f"{format_value(default.epochs)} epochs, {format_value(gap)} from that of the best "
            f"trial after {format_value(search.ranked[0].epochs)} epochs."
        )


def _hyperparameter_section(search: Search) -> Iterator[str]:
    yield "## Importance of hyperparameters"
    yield _describe_compared(search)
    importance = search.importance
    if importance:
        yield (
            f"Importance is permutation importance: the decrease in R² of a random forest of "
            f"{NUM_TREES} trees, fitted to {len(search.compared)} scores, when the values of one "
            f"hyperparameter are shuffled; mean ± standard deviation of {NUM_PERMUTATIONS} "
            f"shuffles. The out-of-bag R² of the forest is {importance.r2:.2f}."
        )
    if search.importance_warning:
        yield f"**{search.importance_warning}**"
    yield (
        "Effect is the difference between the best and the worst mean score over the levels of a "
        "hyperparameter, whatever the values of the others. Levels are the values of a categorical "
        "hyperparameter and the terciles of a numeric one."
    )
    varied = sorted(
        search.hyperparameters, key=lambda h: -importance.means[h.name] if importance else 0
    )
    head = ("hyperparameter", "importance", "effect", "best level: mean", "worst level: mean")
    rows = [_importance_row(search, hyperparameter) for hyperparameter in varied]
    yield _table(head, rows, text_columns=(0, 3, 4))


def _importance_row(search: Search, hyperparameter: Hyperparameter) -> tuple[str, ...]:
    name, cell = hyperparameter.name, ""
    if search.importance:
        mean, spread = search.importance.means[name], search.importance.spreads[name]
        cell = f"{mean:.3f} ± {spread:.3f}"
    effect = search.effect(hyperparameter)
    if effect is None:
        return name, cell, "", "", ""
    if effect.best is effect.worst:
        return name, cell, "", f"only {effect.best[0]}", ""
    best, worst = (f"{level}: {format_value(mean)}" for level, mean in (effect.best, effect.worst))
    size = abs(effect.best[1] - effect.worst[1])
    return name, cell, format_value(size), best, worst


def _describe_compared(search: Search) -> str:
    if len(search.by_epochs) < 2:
        return f"Based on all {len(search.compared)} completed trials."
    epochs, longest = list(search.by_epochs.items())[-1]
    if search.compared is longest:
        return (
            f"Based on the {len(longest)} trials with {format_value(epochs)} epochs; those with "
            f"fewer epochs are not comparable."
        )
    return (
        f"Based on all {len(search.compared)} completed trials, since only {len(longest)} have "
        f"{format_value(epochs)} epochs. Those with fewer epochs are at a disadvantage: interpret "
        f"with care."
    )


def _retraining_section(search: Search) -> Iterator[str]:
    best, metrics = search.best, dict(search.best["retrained"])
    seeds = metrics.pop("seeds")
    yield "## Retrained with the best hyperparameters"
    values = _escape(_format_values(best["values"]))
    yield f"Trial {_escape(best['trial'])} (seeds: {seeds}): {values}."
    rows = [(f"{search.objective} of the trial", format_value(best["score"]), "")]
    rows += [
        (name, format_value(mean), format_value(spread)) for name, (mean, spread) in metrics.items()
    ]
    yield _table(("metric", "mean", "standard deviation"), rows, text_columns=1)
    if search.objective in metrics:
        mean, spread = metrics[search.objective]
        gap = mean - best["score"]
        in_spreads = f" ({abs(gap) / spread:.1f} standard deviations)" if spread else ""
        yield (
            f"After retraining, {search.objective} is {format_value(abs(gap))} "
            f"{'above' if gap > 0 else 'below'} the trial's score{in_spreads}. The score of the "
            f"best trial is optimistically biased, since the trial was selected by it."
        )


def _write_tensorboard_logs(search: Search) -> None:
    """Write TensorBoard's logs, and replace those of an earlier report."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    target = search.directory / "tensorboard"
    with tempfile.TemporaryDirectory(dir=search.directory, prefix=PARTIAL) as folder:
        logs = Path(folder) / "logs"
        logs.mkdir()
        for trial in search.completed:
            values = {key: value for key, value in trial.values.items() if value is not None}
            writer = tf.summary.create_file_writer(str(logs / trial.name))
            with writer.as_default(step=int(trial.epochs)):
                api.hparams(values, trial_id=trial.name)
                tf.summary.scalar(search.objective, trial.score)
            writer.close()
        shutil.rmtree(target, ignore_errors=True)
        logs.rename(target)


def _is_default(hyperparameter: Hyperparameter, value: Any) -> bool:
    if hyperparameter.choices or value is None:
        return value == hyperparameter.default
    return math.isclose(value, hyperparameter.default)


def _default_trial(search: Search) -> Trial | None:
    """Return the first trial if it completed with the defaults, and None otherwise."""
    first = search.completed[0]
    is_default = all(_is_default(h, first.values[h.name]) for h in search.hyperparameters)
    return first if is_default and first is search.trials[0] else None


def _format_values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={format_value(value)}" for key, value in values.items())


def _shorten(text: Any) -> str:
    return textwrap.shorten(str(text), MAX_LINE_LENGTH, placeholder=" …")


def _escape(text: Any) -> str:
    return html.escape(_shorten(text), quote=False)


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int | Iterable[int]
) -> str:
    shortened = [[_shorten(cell) for cell in row] for row in rows]
    return markdown_table(head, shortened, text_columns=text_columns)
