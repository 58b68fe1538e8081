"""What a search has found, from the files in its directory alone: a page, pictures, logs.

    report.md      the best trials, what mattered in them, what failed
    figures/       see `tuning.figures`
    tensorboard/   one run a completed trial, for TensorBoard's HParams page

Each is written whole or not at all.
"""

import html
import math
import shutil
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuning import figures
from tuning.findings import SHUFFLES, TREES, Search, Setting, Trial, brief, read_search
from zoo.runs.files import PARTIAL, atomic_write

SHOWN = 10
LONGEST_MESSAGE = 300
CAPTIONS = {
    "objective": "Score of each trial, in the order in which they began",
    "effects": "Score against each setting",
    "importance": "Importance of each setting",
    "parallel": "Settings and score of each trial",
    "curves": "Learning curves",
    "cost": "What a score costs",
}


def write_report(directory: Path) -> list[Path]:
    """Writes what a search has found: ``report.md``, ``figures/`` and ``tensorboard/``.

    Args:
        directory: of the search.

    Returns:
        The page and the pictures.

    Raises:
        SearchError: if there is no search.
        RunError: if a file of it is damaged.
    """
    search = read_search(directory)
    pictures = figures.draw(search)
    _write_logs(search)
    with atomic_write(directory / "report.md") as partial:
        partial.write_text("\n\n".join(_page(search, pictures)) + "\n")
    return [directory / "report.md", *pictures]


def _page(search: Search, pictures: Sequence[Path]) -> Iterator[str]:
    """Gives the page, paragraph by paragraph."""
    yield f"# Search: {_cell(search.plan['model'])} on {_cell(search.plan['dataset']['name'])}"
    yield _asked(search)
    if search.completed:
        yield from _leaders(search)
    else:
        yield "No trial completed."
    if search.completed and search.settings:
        yield from _what_mattered(search)
    if len(search.best.get("retrained", {})) > 1:
        yield from _retrained(search)
    if search.failed:
        yield "## Failed trials"
        rows = [(trial.name, trial.message, _told(trial.values)) for trial in search.failed]
        yield _table(("trial", "why", "values"), rows)
    yield "## Pictures"
    for path in pictures:
        yield f"![{CAPTIONS[path.stem]}]({path.relative_to(search.directory)})"
    if search.completed:
        yield "TensorBoard compares the trials, too: `tensorboard --logdir tensorboard`."


def _asked(search: Search) -> str:
    plan = search.plan
    varied = ", ".join(setting.name for setting in search.settings) or "nothing"
    fixed = {row["name"]: row["value"] for row in plan["space"] if row["kind"] == "Fixed"}
    seconds = np.nansum([trial.seconds for trial in search.trials])
    extreme = "largest" if search.sign > 0 else "smallest"
    return (
        f"Settings of {_cell(plan['model'])} on {_cell(plan['dataset']['name'])} with the "
        f"{extreme} {search.objective}, by the algorithm {_cell(plan['algorithm'])} (seed "
        f"{plan['seed']}). Trials: {len(search.completed)} completed, {len(search.failed)} failed, "
        f"{seconds:,.0f} s of training. Varied: {varied}."
        + (f" Fixed: {_cell(_told(fixed))}." if fixed else "")
    )


def _leaders(search: Search) -> Iterator[str]:
    shown = search.ranked[:SHOWN]
    yield f"## The best {len(shown)}" if len(shown) > 1 else "## The best"
    default = _default_of(search)
    head = ("trial", search.objective, "spread", "epochs", "parameters", "seconds", "values")
    yield _table(
        head,
        [
            (
                f"{trial.name} (defaults)" if trial is default else trial.name,
                brief(trial.score), brief(trial.spread), brief(trial.epochs),
                brief(trial.parameters), brief(trial.seconds), _told(trial.values),
            )
            for trial in shown
        ],
    )  # fmt: skip
    if default is not None:
        place = search.ranked.index(default) + 1
        gain = abs(search.ranked[0].score - default.score)
        yield (
            f"The defaults, trial {default.name}, are number {place} of {len(search.ranked)}: "
            f"{search.objective} {brief(default.score)}, {brief(gain)} from the best; epochs: "
            f"{brief(default.epochs)} against {brief(search.ranked[0].epochs)}."
        )


def _what_mattered(search: Search) -> Iterator[str]:
    yield "## What mattered"
    yield _which_compared(search)
    found = search.importance
    if found:
        yield (
            f"Importance: how far R² of a random forest of {TREES} trees, fitted to "
            f"{len(search.compared)} scores, falls when the values of one setting are shuffled: "
            f"mean of {SHUFFLES} shuffles ± standard deviation. R² on trials that a tree has not "
            f"seen is {found.r2:.2f}."
        )
    if search.doubt:
        yield f"**{search.doubt}**"
    yield (
        "Effect: the best minus the worst mean score over the levels of a setting, whatever else "
        "varied. Levels are the values of a choice, and the lower, middle and upper third of the "
        "trials by a number."
    )
    names = sorted(search.settings, key=lambda s: -found.means[s.name] if found else 0)
    head = ("setting", "importance", "effect", "best level: mean", "worst level: mean")
    yield _table(head, [_mattered(search, setting) for setting in names])


def _mattered(search: Search, setting: Setting) -> tuple[str, ...]:
    found, effect = search.importance, search.effect(setting)
    told = f"{found.means[setting.name]:.3f} ± {found.spreads[setting.name]:.3f}" if found else ""
    if effect is None:
        return setting.name, told, "", "", ""
    if effect.best is effect.worst:
        return setting.name, told, "", f"only {effect.best[0]}", ""
    best, worst = (f"{name}: {brief(mean)}" for name, mean in (effect.best, effect.worst))
    size = abs(effect.best[1] - effect.worst[1])
    return setting.name, told, brief(size), best, worst


def _which_compared(search: Search) -> str:
    if len(search.by_epochs) < 2:
        return f"From all {len(search.compared)} completed trials."
    most, longest = list(search.by_epochs.items())[-1]
    if search.compared is longest:
        return (
            f"From the {len(longest)} trials of {brief(most)} epochs; those of fewer epochs "
            f"would compete unfairly."
        )
    return (
        f"From all {len(search.compared)} completed trials, since only {len(longest)} had "
        f"{brief(most)} epochs. Those of fewer epochs compete unfairly: read with care."
    )


def _retrained(search: Search) -> Iterator[str]:
    known, found = search.best, dict(search.best["retrained"])
    seeds = found.pop("seeds")
    yield "## The best values, trained anew"
    yield f"Trial {_cell(known['trial'])} (seeds: {seeds}): {_cell(_told(known['values']))}."
    rows = [(f"{search.objective} of the trial", brief(known["score"]), "")]
    rows += [(name, brief(mean), brief(spread)) for name, (mean, spread) in found.items()]
    yield _table(("figure", "mean", "standard deviation"), rows)
    if search.objective in found:
        mean, spread = found[search.objective]
        gap = mean - known["score"]
        of_spread = f", {abs(gap) / spread:.1f} standard deviations" if spread else ""
        yield (
            f"Trained anew, {search.objective} is {brief(abs(gap))} "
            f"{'above' if gap > 0 else 'below'} the trial's{of_spread}. The trial was chosen for "
            f"its score, which therefore flatters it."
        )


def _write_logs(search: Search) -> None:
    """Puts TensorBoard's logs in place of those of an earlier report."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    place = search.directory / "tensorboard"
    with tempfile.TemporaryDirectory(dir=search.directory, prefix=PARTIAL) as folder:
        new = Path(folder) / "logs"
        new.mkdir()
        for trial in search.completed:
            known = {key: value for key, value in trial.values.items() if value is not None}
            writer = tf.summary.create_file_writer(str(new / trial.name))
            with writer.as_default(step=int(trial.epochs)):
                api.hparams(known, trial_id=trial.name)
                tf.summary.scalar(search.objective, trial.score)
            writer.close()
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)


def _is_default(setting: Setting, value: Any) -> bool:
    if setting.choices or value is None:
        return value == setting.default
    return math.isclose(value, setting.default)


def _default_of(search: Search) -> Trial | None:
    """Gives the completed trial 0000 if it has the defaults."""
    first = search.completed[0]
    is_default = all(_is_default(s, first.values[s.name]) for s in search.settings)
    return first if is_default and first is search.trials[0] else None


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={brief(value)}" for key, value in values.items())


def _cell(text: Any) -> str:
    """Makes of any text one line that Markdown takes as it is."""
    line = textwrap.shorten(str(text), LONGEST_MESSAGE, placeholder=" …")
    return html.escape(line, quote=False).replace("|", "&#124;")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
