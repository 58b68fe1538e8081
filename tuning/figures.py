"""Pictures of a search, drawn from its files.

`draw` makes them all. Each of the other public functions draws one picture: it takes a matplotlib
figure to draw on, and a search as `tuning.findings.read_search` gives it.
"""

import itertools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.plots.canvas import DOTS_PER_INCH, INCHES, save

if TYPE_CHECKING:
    from tuning.findings import Search, Setting, Trial

PANELS_A_ROW = 4
PANEL_INCHES = (3.2, 2.9)
INCHES_AN_AXIS = 1.3
LABEL_WIDTH = 12
LONGEST_LABEL = 24
MOST_LETTERS = 40
THICK = 5
JITTER = 0.2
BEST, FAILED, PLAIN, QUIET = "darkorange", "firebrick", "steelblue", "gray"
EPOCH_COLORS = "viridis_r"
SCORE_COLORS = "viridis_r"
UNITS = {
    "accuracy": "share of rows that are right",
    "mse": "mean squared error",
    "psnr": "dB",
}
COSTS = {"parameters": "parameters [number]", "seconds": "training time [s]"}
STAR = {"marker": "*", "s": 260, "color": BEST, "edgecolors": "black", "zorder": 5}


def draw(search: "Search") -> list[Path]:
    """Draws every picture that there is something for, into ``figures/`` of a search.

    Args:
        search: the search.

    Returns:
        The PNG files.
    """
    from matplotlib.figure import Figure

    paths = []
    for panel, inches in _pictures(search):
        figure = Figure(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")
        panel(figure, search)
        paths.append(save(figure, search.directory / "figures" / f"{panel.__name__}.png"))
    return paths


def objective(figure: Any, search: "Search") -> None:
    """The score of each trial, in the order in which they began, and the best so far.

    Args:
        figure: to draw on.
        search: the search.
    """
    axes = figure.subplots()
    places = {trial.name: number for number, trial in enumerate(search.trials)}
    for label, color, trials in _groups(search):
        numbers = [places[trial.name] for trial in trials]
        axes.errorbar(
            numbers, _scores(trials), [trial.spread or np.nan for trial in trials],
            fmt="o", color=color, label=label, capsize=2, alpha=0.8,
        )  # fmt: skip
    if search.completed:
        numbers = [places[trial.name] for trial in search.completed]
        best = _extreme(search).accumulate(_scores(search.completed))
        axes.step(
            [*numbers, len(search.trials) - 1], [*best, best[-1]],
            where="post", color="black", linewidth=1, label="best so far",
        )  # fmt: skip
        first = search.ranked[0]
        axes.scatter([places[first.name]], [first.score], label=_named(first), **STAR)
    if search.failed:
        axes.plot(
            [places[trial.name] for trial in search.failed], [0.02] * len(search.failed), "x",
            color=FAILED, transform=axes.get_xaxis_transform(), label="failed",
        )  # fmt: skip
    axes.set(xlabel="trial", ylabel=_score_label(search), yscale=_scale(search))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"Score of each trial: {_counted(search)}")


def effects(figure: Any, search: "Search") -> None:
    """The score against each setting, with the mean score of each of its levels.

    Args:
        figure: to draw on.
        search: the search.
    """
    rows = -(-len(search.settings) // PANELS_A_ROW)
    columns = min(len(search.settings), PANELS_A_ROW)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, setting in itertools.zip_longest(grid.flat, search.settings):
        if setting is None:
            axes.axis("off")
        else:
            _effect(axes, search, setting)
    grid[0, 0].set_yscale(_scale(search))
    figure.supylabel(_score_label(search), fontsize="medium")
    _legend_below(figure, grid[0, 0])
    figure.suptitle("Score against each setting")


def importance(figure: Any, search: "Search") -> None:
    """How much each setting matters to a random forest, as bars.

    Args:
        figure: to draw on.
        search: the search.
    """
    found: Any = search.importance
    names = sorted(found.means, key=found.means.__getitem__)
    axes = figure.subplots()
    axes.barh(
        names,
        [found.means[name] for name in names],
        xerr=[found.spreads[name] for name in names],
        color=QUIET if search.doubt else PLAIN,
        capsize=3,
    )
    axes.set(xlabel="fall of the forest's R² when the values are shuffled", ylabel="setting")
    axes.grid(alpha=0.3, axis="x")
    about = f"R² on unseen trials: {found.r2:.2f}, {len(search.compared)} trials"
    figure.suptitle(
        "\n".join(filter(None, [f"Importance of each setting ({about})", search.doubt]))
    )


def parallel(figure: Any, search: "Search") -> None:
    """Each trial as a line through its values to its score; the better, the thicker.

    Args:
        figure: to draw on.
        search: the search.
    """
    from matplotlib.collections import LineCollection

    worst_first = search.ranked[::-1]
    columns = [_heights(setting, worst_first) for setting in search.settings]
    scores = np.array(_scores(worst_first))
    heights = np.column_stack([*columns, _unit(_logged(scores, _scale(search) == "log"))])
    axes = figure.subplots()
    prominence = np.exp(-np.arange(len(worst_first))[::-1] / THICK)
    lines = LineCollection(
        [np.column_stack([np.arange(len(row)), row]) for row in heights],
        array=scores,
        cmap=SCORE_COLORS if search.sign > 0 else SCORE_COLORS.removesuffix("_r"),
        norm=_score_norm(search),
        linewidths=0.5 + 3 * prominence,
        alpha=0.3 + 0.7 * prominence,
    )
    axes.add_collection(lines)
    for place, setting in enumerate(search.settings):
        _parallel_ticks(axes, place, setting, worst_first)
    last = len(search.settings)
    for value in sorted({scores.min(), scores.max()}):
        height = heights[scores == value, -1][0]
        axes.text(last + 0.04, height, f"{value:.4g}", va="center", fontsize=8)
    axes.vlines(range(last + 1), 0, 1, color="black", linewidth=0.8)
    names = [*(setting.name for setting in search.settings), search.objective]
    axes.set_xticks(range(last + 1), names, rotation=20, ha="right", rotation_mode="anchor")
    axes.set(xlim=(-0.3, last + 0.5), ylim=(-0.05, 1.05), yticks=[], xlabel="setting")
    axes.spines[:].set_visible(False)
    axes.set_ylabel("value, from each axis' least to its greatest")
    bad_end = "min" if search.sign > 0 else "max"
    figure.colorbar(lines, ax=axes, label=_score_label(search), extend=bad_end)
    figure.suptitle("Settings and score of each trial: the best are thickest")


def curves(figure: Any, search: "Search") -> None:
    """The objective epoch by epoch in every training of every trial.

    Args:
        figure: to draw on.
        search: the search.
    """
    axes = figure.subplots()
    best = search.ranked[:1]
    groups = [*_groups(search), ("failed", FAILED, search.failed)]
    for label, color, trials in [*groups, *((_named(trial), BEST, [trial]) for trial in best)]:
        lines = [curve for trial in trials for curve in trial.curves]
        if lines:
            faint = {"alpha": max(0.15, 0.6 - len(lines) / 200), "linewidth": 1}
            style = {"color": color, **({"linewidth": 3} if trials == best else faint)}
            axes.plot([], [], **(style | {"alpha": 1}), label=label)
        for epochs, values in lines:
            axes.plot(epochs, values, marker="." if len(epochs) == 1 else "", **style)
    axes.set(xlabel="epoch", ylabel=_score_label(search), yscale=_scale(search))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle("Learning curves of all trials")


def cost(figure: Any, search: "Search") -> None:
    """The score against what it costs; what no other trial beats in both is joined by a line.

    Args:
        figure: to draw on.
        search: the search.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (key, name) in zip(panels, COSTS.items(), strict=True):
        for label, color, trials in _groups(search):
            costs = [getattr(trial, key) for trial in trials]
            axes.plot(costs, _scores(trials), "o", color=color, label=label, alpha=0.8)
        axes.margins(x=0.12)
        _front(axes, key, search)
        axes.set(xlabel=name)
        axes.grid(alpha=0.3)
    panels[0].set(ylabel=_score_label(search), yscale=_scale(search))
    _legend_below(figure, panels[0])
    figure.suptitle("What a score costs")


def pareto(costs: Sequence[float], merits: Sequence[float]) -> list[int]:
    """Finds what nothing else beats: nothing is as cheap and better, or cheaper and as good.

    Args:
        costs: to be small.
        merits: to be large.

    Returns:
        Indices, the cheapest first.

    Example:
        >>> pareto([3, 1, 2, 2], [5, 1, 4, 3])
        [1, 2, 0]
    """
    front: list[int] = []
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -merits[i])):
        is_equal = bool(front) and (costs[i], merits[i]) == (costs[front[-1]], merits[front[-1]])
        if is_equal or not front or merits[i] > merits[front[-1]]:
            front.append(i)
    return front


def _pictures(search: "Search") -> Iterator[tuple[Callable[..., None], tuple[float, float]]]:
    """Gives the pictures that there is something for, with their sizes in inches."""
    has_settings = bool(search.completed and search.settings)
    if search.trials:
        yield objective, INCHES
    if has_settings:
        width, height = PANEL_INCHES
        rows = -(-len(search.settings) // PANELS_A_ROW)
        columns = min(len(search.settings), PANELS_A_ROW)
        yield effects, (max(INCHES[0], width * columns), max(INCHES[1], height * rows + 1))
    if search.importance:
        yield importance, (INCHES[0], max(INCHES[1], 0.4 * len(search.settings) + 1))
    if has_settings:
        yield parallel, (max(INCHES[0], INCHES_AN_AXIS * len(search.settings) + 2), INCHES[1])
    if any(trial.curves for trial in search.trials):
        yield curves, INCHES
    if search.completed:
        yield cost, INCHES


def _groups(search: "Search") -> Iterator[tuple[str, Any, list["Trial"]]]:
    """Gives the completed trials of each number of epochs with a label and a color."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = colormaps[EPOCH_COLORS](np.linspace(0.1, 0.9, len(search.by_epochs)))
    for (epochs, trials), shade in zip(search.by_epochs.items(), shades, strict=True):
        if epochs is None:
            yield "completed", PLAIN, trials
        else:
            yield f"{epochs:.3g} epochs", to_hex(shade), trials


def _effect(axes: Any, search: "Search", setting: "Setting") -> None:
    jitter = np.random.default_rng(0)
    width = JITTER if setting.choices else 0
    for label, color, trials in _groups(search):
        x = _positions(setting, trials) + jitter.uniform(-width, width, len(trials))
        axes.plot(x, _scores(trials), "o", color=color, label=label, alpha=0.6, markersize=5)
    for number, (_, trials) in enumerate(search.levels(setting)):
        x, mean = _positions(setting, trials), np.mean(_scores(trials))
        axes.plot(
            [min(x) - width, max(x) + width], [mean, mean], "_-k", linewidth=2, markersize=6,
            markeredgewidth=2,
            label="" if number else f"means of {len(search.compared)} trials",
        )  # fmt: skip
    best = search.ranked[0]
    axes.scatter(_positions(setting, [best]), [best.score], label=_named(best), **STAR)
    axes.set_xlabel(setting.name)
    axes.grid(alpha=0.3)
    if setting.choices:
        names = [_short(choice) for choice in setting.choices]
        axes.set_xticks(range(len(names)), names, fontsize=8, rotation=_rotation(names))
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif setting.is_log:
        _set_log(axes)
    elif setting.is_integer:
        axes.xaxis.get_major_locator().set_params(integer=True)


def _set_log(axes: Any) -> None:
    from matplotlib.ticker import LogFormatter, LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(3, 1.5)))


def _front(axes: Any, key: str, search: "Search") -> None:
    """Joins the trials that no other beats, with their numbers on the side where none lies."""
    known = [trial for trial in search.completed if not np.isnan(getattr(trial, key))]
    costs = [getattr(trial, key) for trial in known]
    front = pareto(costs, [search.sign * score for score in _scores(known)])
    axes.step(
        [costs[i] for i in front], [known[i].score for i in front], "s-", where="post",
        color="black", linewidth=1, markerfacecolor="none", markersize=8,
        label="no other is cheaper and better",
    )  # fmt: skip
    for i in front:
        axes.annotate(
            known[i].name, (costs[i], known[i].score), (-7, 4 * search.sign),
            textcoords="offset points", ha="right", va="center", fontsize=7,
        )  # fmt: skip
    if costs and max(costs) > 10 * min(costs) > 0:
        axes.set_xscale("log")


def _legend_below(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _rotation(names: list[str]) -> int:
    widest = max(len(line) for name in names for line in name.splitlines())
    return 90 if widest * len(names) > MOST_LETTERS else 0


def _heights(setting: "Setting", trials: list["Trial"]) -> np.ndarray:
    """Gives where on an axis from 0 to 1 the values lie; choices are spread a little."""
    positions = _positions(setting, trials)
    if not setting.choices:
        return _unit(_logged(positions, setting.is_log))
    spread = np.random.default_rng(0).uniform(-JITTER, JITTER, len(trials)) / 4
    return (positions + 0.5) / len(setting.choices) + spread / len(setting.choices)


def _parallel_ticks(axes: Any, place: int, setting: "Setting", trials: list["Trial"]) -> None:
    heights, positions = _heights(setting, trials), _positions(setting, trials)
    if setting.choices:
        count = len(setting.choices)
        marks = {(i + 0.5) / count: _short(choice) for i, choice in enumerate(setting.choices)}
    else:
        ends = {np.nanargmin(positions), np.nanargmax(positions)}
        marks = {heights[i]: f"{positions[i]:.4g}" for i in ends}
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for height, text in marks.items():
        axes.text(place + 0.04, height, text, va="center", fontsize=8, bbox=ground)


def _positions(setting: "Setting", trials: Sequence["Trial"]) -> np.ndarray:
    return np.array([setting.position(trial.values[setting.name]) for trial in trials])


def _scores(trials: Sequence["Trial"]) -> list[float]:
    return [trial.score for trial in trials]


def _logged(values: np.ndarray, is_log: bool) -> np.ndarray:
    return np.log(values) if is_log else values


def _unit(values: np.ndarray) -> np.ndarray:
    """Stretches values over 0 to 1; equal ones lie in the middle."""
    least, span = np.nanmin(values), np.ptp(values[~np.isnan(values)])
    return (values - least) / span if span else np.where(np.isnan(values), np.nan, 0.5)


def _extreme(search: "Search") -> np.ufunc:
    return np.maximum if search.sign > 0 else np.minimum


def _scale(search: "Search") -> str:
    """Says how scores are drawn: those of several orders of magnitude on a log scale."""
    scores = _scores(search.completed) or [0]
    return "log" if max(scores) > 100 * min(scores) > 0 else "linear"


def _score_norm(search: "Search") -> Any:
    """Spreads the colors over all scores but the tenth at the bad end."""
    from matplotlib.colors import LogNorm, Normalize

    scores = _scores(search.completed)
    bad = np.quantile(scores, 0.1 if search.sign > 0 else 0.9)
    best = search.ranked[0].score
    kind = LogNorm if _scale(search) == "log" else Normalize
    return kind(vmin=min(bad, best), vmax=max(bad, best))


def _score_label(search: "Search") -> str:
    unit = UNITS.get(search.objective.rpartition("_")[2], "in its own unit")
    return f"{search.objective} [{unit}]"


def _named(trial: "Trial") -> str:
    return f"best: trial {trial.name}"


def _counted(search: "Search") -> str:
    return f"{len(search.completed)} completed, {len(search.failed)} failed"


def _short(choice: Any) -> str:
    text = str(choice).replace("$", r"\$")
    text = text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
    return textwrap.fill(text, LABEL_WIDTH)
