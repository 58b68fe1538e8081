"""Figures of a search, plotted from its files.

`draw` writes all of them. Each other public function plots one on a matplotlib figure, from a
search that `tuning.findings.read_search` returned.
"""

import itertools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.plots.canvas import DPI, FIGURE_SIZE, save_figure

if TYPE_CHECKING:
    from tuning.findings import Hyperparameter, Search, Trial

PANELS_PER_ROW = 4
PANEL_SIZE = (3.2, 2.9)
INCHES_PER_AXIS = 1.3
LABEL_WIDTH = 12
MAX_LABEL_LENGTH = 24
MAX_HORIZONTAL_LENGTH = 40
PROMINENT_TRIALS = 5
JITTER = 0.2
BEST_COLOR, FAILED_COLOR = "darkorange", "firebrick"
DEFAULT_COLOR, UNRELIABLE_COLOR = "steelblue", "gray"
EPOCHS_COLORMAP = "viridis_r"
SCORE_COLORMAP = "viridis_r"
COSTS = {"parameters": "number of parameters", "seconds": "training time [s]"}
BEST_MARKER = {"marker": "*", "s": 260, "color": BEST_COLOR, "edgecolors": "black", "zorder": 5}


def draw(search: "Search") -> list[Path]:
    """Write all figures that there are data for, to ``figures/`` in the directory of a search.

    Args:
        search: search to plot.

    Returns:
        Paths of the PNG files.
    """
    from matplotlib.figure import Figure

    paths = []
    for plot, size in _available_figures(search):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        plot(figure, search)
        paths.append(save_figure(figure, search.directory / "figures" / f"{plot.__name__}.png"))
    return paths


def objective(figure: Any, search: "Search") -> None:
    """Plot the score of each trial, in the order in which they started, and the best so far.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    axes = figure.subplots()
    places = {trial.name: number for number, trial in enumerate(search.trials)}
    for label, color, trials in _group_by_epochs(search):
        numbers = [places[trial.name] for trial in trials]
        axes.errorbar(
            numbers, _scores(trials), [trial.spread or np.nan for trial in trials],
            fmt="o", color=color, label=label, capsize=2, alpha=0.8,
        )  # fmt: skip
    if search.completed:
        numbers = [places[trial.name] for trial in search.completed]
        best = _extremum(search).accumulate(_scores(search.completed))
        axes.step(
            [*numbers, len(search.trials) - 1], [*best, best[-1]],
            where="post", color="black", linewidth=1, label="best so far",
        )  # fmt: skip
        first = search.ranked[0]
        axes.scatter([places[first.name]], [first.score], label=_best_label(first), **BEST_MARKER)
    if search.failed:
        axes.plot(
            [places[trial.name] for trial in search.failed], [0.02] * len(search.failed), "x",
            color=FAILED_COLOR, transform=axes.get_xaxis_transform(), label="failed",
        )  # fmt: skip
    axes.set(xlabel="trial", ylabel=search.score_label, yscale=search.score_scale)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"Score of each trial: {_count_trials(search)}")


def effects(figure: Any, search: "Search") -> None:
    """Plot the score against each hyperparameter, with the mean score of each of its levels.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    rows, columns = _grid_shape(search)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, hyperparameter in itertools.zip_longest(grid.flat, search.hyperparameters):
        if hyperparameter is None:
            axes.axis("off")
        else:
            _plot_effect(axes, search, hyperparameter)
    grid[0, 0].set_yscale(search.score_scale)
    figure.supylabel(search.score_label, fontsize="medium")
    _add_legend_below(figure, grid[0, 0])
    figure.suptitle("Score against each hyperparameter")


def importance(figure: Any, search: "Search") -> None:
    """Plot the permutation importance of each hyperparameter as bars.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    importances: Any = search.importance
    names = sorted(importances.means, key=importances.means.__getitem__)
    axes = figure.subplots()
    axes.barh(
        names,
        [importances.means[name] for name in names],
        xerr=[importances.spreads[name] for name in names],
        color=UNRELIABLE_COLOR if search.importance_warning else DEFAULT_COLOR,
        capsize=3,
    )
    axes.set(xlabel="decrease in R² when the values are shuffled", ylabel="hyperparameter")
    axes.grid(alpha=0.3, axis="x")
    about = f"out-of-bag R²: {importances.r2:.2f}, {len(search.compared)} trials"
    title = f"Importance of each hyperparameter ({about})"
    figure.suptitle("\n".join(filter(None, [title, search.importance_warning])))


def parallel(figure: Any, search: "Search") -> None:
    """Plot the trials in parallel coordinates; lines of better trials are thicker.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    from matplotlib.collections import LineCollection

    worst_first = search.ranked[::-1]
    columns = [
        _axis_heights(hyperparameter, worst_first) for hyperparameter in search.hyperparameters
    ]
    scores = np.array(_scores(worst_first))
    heights = np.column_stack(
        [*columns, _normalize(_apply_scale(scores, search.score_scale == "log"))]
    )
    axes = figure.subplots()
    prominence = np.exp(-np.arange(len(worst_first))[::-1] / PROMINENT_TRIALS)
    lines = LineCollection(
        [np.column_stack([np.arange(len(row)), row]) for row in heights],
        array=scores,
        cmap=SCORE_COLORMAP if search.sign > 0 else SCORE_COLORMAP.removesuffix("_r"),
        norm=_score_norm(search),
        linewidths=0.5 + 3 * prominence,
        alpha=0.3 + 0.7 * prominence,
    )
    axes.add_collection(lines)
    for place, hyperparameter in enumerate(search.hyperparameters):
        _label_axis(axes, place, hyperparameter, worst_first)
    last = len(search.hyperparameters)
    for value in sorted({scores.min(), scores.max()}):
        height = heights[scores == value, -1][0]
        axes.text(last + 0.04, height, f"{value:.4g}", va="center", fontsize=8)
    axes.vlines(range(last + 1), 0, 1, color="black", linewidth=0.8)
    names = [*(hyperparameter.name for hyperparameter in search.hyperparameters), search.objective]
    axes.set_xticks(range(last + 1), names, rotation=20, ha="right", rotation_mode="anchor")
    axes.set(xlim=(-0.3, last + 0.5), ylim=(-0.05, 1.05), yticks=[], xlabel="hyperparameter")
    axes.spines[:].set_visible(False)
    axes.set_ylabel("value, scaled to the range of each axis")
    worst_end = "min" if search.sign > 0 else "max"
    figure.colorbar(lines, ax=axes, label=search.score_label, extend=worst_end)
    figure.suptitle("Hyperparameters and score of each trial (thicker lines: better trials)")


def curves(figure: Any, search: "Search") -> None:
    """Plot the objective after each epoch of every training run.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    axes = figure.subplots()
    best = search.ranked[:1]
    groups = [*_group_by_epochs(search), ("failed", FAILED_COLOR, search.failed)]
    for label, color, trials in [
        *groups,
        *((_best_label(trial), BEST_COLOR, [trial]) for trial in best),
    ]:
        lines = [curve for trial in trials for curve in trial.curves]
        if lines:
            faint = {"alpha": max(0.15, 0.6 - len(lines) / 200), "linewidth": 1}
            style = {"color": color, **({"linewidth": 3} if trials == best else faint)}
            axes.plot([], [], **(style | {"alpha": 1}), label=label)
        for epochs, values in lines:
            axes.plot(epochs, values, marker="." if len(epochs) == 1 else "", **style)
    axes.set(xlabel="epoch", ylabel=search.score_label, yscale=search.score_scale)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle("Learning curves of all trials")


def cost(figure: Any, search: "Search") -> None:
    """Plot the score against size and training time, with the Pareto fronts.

    Args:
        figure: figure to plot on.
        search: search to plot.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (key, name) in zip(panels, COSTS.items(), strict=True):
        for label, color, trials in _group_by_epochs(search):
            costs = [getattr(trial, key) for trial in trials]
            axes.plot(costs, _scores(trials), "o", color=color, label=label, alpha=0.8)
        axes.margins(x=0.12)
        _plot_pareto_front(axes, key, search)
        axes.set(xlabel=name)
        axes.grid(alpha=0.3)
    panels[0].set(ylabel=search.score_label, yscale=search.score_scale)
    _add_legend_below(figure, panels[0])
    figure.suptitle("Score against cost")


def pareto(costs: Sequence[float], merits: Sequence[float]) -> list[int]:
    """Return the Pareto front: points that no other point dominates in cost and merit.

    Args:
        costs: values to minimize.
        merits: values to maximize.

    Returns:
        Indices of the points on the front, in the order of their costs.

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


def _available_figures(
    search: "Search",
) -> Iterator[tuple[Callable[..., None], tuple[float, float]]]:
    """Yield the figures that there are data for, with their sizes in inches."""
    count = len(search.hyperparameters)
    has_hyperparameters = bool(search.completed and search.hyperparameters)
    if search.trials:
        yield objective, FIGURE_SIZE
    if has_hyperparameters:
        rows, columns = _grid_shape(search)
        width, height = PANEL_SIZE[0] * columns, PANEL_SIZE[1] * rows + 1
        yield effects, (max(FIGURE_SIZE[0], width), max(FIGURE_SIZE[1], height))
    if search.importance:
        yield importance, (FIGURE_SIZE[0], max(FIGURE_SIZE[1], 0.4 * count + 1))
    if has_hyperparameters:
        yield parallel, (max(FIGURE_SIZE[0], INCHES_PER_AXIS * count + 2), FIGURE_SIZE[1])
    if any(trial.curves for trial in search.trials):
        yield curves, FIGURE_SIZE
    if search.completed:
        yield cost, FIGURE_SIZE


def _grid_shape(search: "Search") -> tuple[int, int]:
    count = len(search.hyperparameters)
    return -(-count // PANELS_PER_ROW), min(count, PANELS_PER_ROW)


def _group_by_epochs(search: "Search") -> Iterator[tuple[str, Any, list["Trial"]]]:
    """Yield label, color and completed trials for each number of epochs."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = colormaps[EPOCHS_COLORMAP](np.linspace(0.1, 0.9, len(search.by_epochs)))
    for (epochs, trials), shade in zip(search.by_epochs.items(), shades, strict=True):
        if epochs is None:
            yield "completed", DEFAULT_COLOR, trials
        else:
            yield f"{epochs:.3g} epochs", to_hex(shade), trials


def _plot_effect(axes: Any, search: "Search", hyperparameter: "Hyperparameter") -> None:
    jitter = np.random.default_rng(0)
    width = JITTER if hyperparameter.choices else 0
    for label, color, trials in _group_by_epochs(search):
        x = _encode_values(hyperparameter, trials) + jitter.uniform(-width, width, len(trials))
        axes.plot(x, _scores(trials), "o", color=color, label=label, alpha=0.6, markersize=5)
    for number, (_, trials) in enumerate(search.levels(hyperparameter)):
        x, mean = _encode_values(hyperparameter, trials), np.mean(_scores(trials))
        axes.plot(
            [min(x) - width, max(x) + width], [mean, mean], "_-k", linewidth=2, markersize=6,
            markeredgewidth=2,
            label="" if number else f"means of {len(search.compared)} trials",
        )  # fmt: skip
    best = search.ranked[0]
    axes.scatter(
        _encode_values(hyperparameter, [best]), [best.score], label=_best_label(best), **BEST_MARKER
    )
    axes.set_xlabel(hyperparameter.name)
    axes.grid(alpha=0.3)
    if hyperparameter.choices:
        names = [_choice_label(choice) for choice in hyperparameter.choices]
        axes.set_xticks(range(len(names)), names, fontsize=8, rotation=_label_rotation(names))
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif hyperparameter.is_log:
        _set_log_scale(axes)
    elif hyperparameter.is_integer:
        axes.xaxis.get_major_locator().set_params(integer=True)


def _set_log_scale(axes: Any) -> None:
    from matplotlib.ticker import LogFormatter, LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(3, 1.5)))


def _plot_pareto_front(axes: Any, key: str, search: "Search") -> None:
    """Plot the Pareto front with the ids of its trials, on the side without other points."""
    trials = [trial for trial in search.completed if not np.isnan(getattr(trial, key))]
    costs = [getattr(trial, key) for trial in trials]
    front = pareto(costs, [search.sign * score for score in _scores(trials)])
    axes.step(
        [costs[i] for i in front], [trials[i].score for i in front], "s-", where="post",
        color="black", linewidth=1, markerfacecolor="none", markersize=8,
        label="Pareto front",
    )  # fmt: skip
    for i in front:
        axes.annotate(
            trials[i].name, (costs[i], trials[i].score), (-7, 4 * search.sign),
            textcoords="offset points", ha="right", va="center", fontsize=7,
        )  # fmt: skip
    if costs and max(costs) > 10 * min(costs) > 0:
        axes.set_xscale("log")


def _add_legend_below(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _label_rotation(names: list[str]) -> int:
    width = max(len(line) for name in names for line in name.splitlines())
    return 90 if width * len(names) > MAX_HORIZONTAL_LENGTH else 0


def _axis_heights(hyperparameter: "Hyperparameter", trials: list["Trial"]) -> np.ndarray:
    """Return the values' heights on an axis from 0 to 1; those of choices are jittered."""
    positions = _encode_values(hyperparameter, trials)
    if not hyperparameter.choices:
        return _normalize(_apply_scale(positions, hyperparameter.is_log))
    spread = np.random.default_rng(0).uniform(-JITTER, JITTER, len(trials)) / 4
    return (positions + 0.5) / len(hyperparameter.choices) + spread / len(hyperparameter.choices)


def _label_axis(
    axes: Any, place: int, hyperparameter: "Hyperparameter", trials: list["Trial"]
) -> None:
    heights = _axis_heights(hyperparameter, trials)
    positions = _encode_values(hyperparameter, trials)
    if hyperparameter.choices:
        count = len(hyperparameter.choices)
        marks = {
            (i + 0.5) / count: _choice_label(choice)
            for i, choice in enumerate(hyperparameter.choices)
        }
    else:
        ends = {np.nanargmin(positions), np.nanargmax(positions)}
        marks = {heights[i]: f"{positions[i]:.4g}" for i in ends}
    background = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for height, text in marks.items():
        axes.text(place + 0.04, height, text, va="center", fontsize=8, bbox=background)


def _encode_values(hyperparameter: "Hyperparameter", trials: Sequence["Trial"]) -> np.ndarray:
    return np.array([hyperparameter.encode(trial.values[hyperparameter.name]) for trial in trials])


def _scores(trials: Sequence["Trial"]) -> list[float]:
    return [trial.score for trial in trials]


def _apply_scale(values: np.ndarray, is_log: bool) -> np.ndarray:
    return np.log(values) if is_log else values


def _normalize(values: np.ndarray) -> np.ndarray:
    """Scale values to [0, 1]; equal values are mapped to 0.5."""
    minimum, span = np.nanmin(values), np.ptp(values[~np.isnan(values)])
    return (values - minimum) / span if span else np.where(np.isnan(values), np.nan, 0.5)


def _extremum(search: "Search") -> np.ufunc:
    return np.maximum if search.sign > 0 else np.minimum


def _score_norm(search: "Search") -> Any:
    """Return a color scale of the scores, which is clipped at the worst decile."""
    from matplotlib.colors import LogNorm, Normalize

    scores = _scores(search.completed)
    worst = np.quantile(scores, 0.1 if search.sign > 0 else 0.9)
    best = search.ranked[0].score
    kind = LogNorm if search.score_scale == "log" else Normalize
    return kind(vmin=min(worst, best), vmax=max(worst, best))


def _best_label(trial: "Trial") -> str:
    return f"best: trial {trial.name}"


def _count_trials(search: "Search") -> str:
    return f"{len(search.completed)} completed, {len(search.failed)} failed"


def _choice_label(choice: Any) -> str:
    text = str(choice).replace("$", r"\$")
    text = text if len(text) <= MAX_LABEL_LENGTH else f"{text[: MAX_LABEL_LENGTH - 1]}…"
    return textwrap.fill(text, LABEL_WIDTH)
