"""The report on a search as one HTML file, with interactive charts."""

from pathlib import Path
from typing import Any

from tuning.figures import COSTS
from tuning.findings import Search, Trial, format_value, read_search
from tuning.report import CAPTIONS, write_report
from zoo.reports.charts import (
    DIGITS,
    bar_chart,
    count_channel,
    point_chart,
    trace_chart,
    value_scale,
)
from zoo.reports.page import Figure, require_packages, split_markdown, write_page


def write_html_report(directory: Path) -> Path:
    """Write ``report.html``, which contains ``report.md`` and its figures.

    Args:
        directory: directory of the search.

    Returns:
        Path of the HTML file.

    Raises:
        ReportError: if a package that it requires is not installed.
        SearchError: if there is no search.
        RunError: if a file of it is damaged.
    """
    require_packages()
    report = directory / "report.md"
    if not report.exists():
        write_report(directory)
    search = read_search(directory)
    figures = {
        f"figures/{name}.png": Figure(
            name, caption, directory / "figures" / f"{name}.png", _draw_charts(name, search)
        )
        for name, caption in CAPTIONS.items()
        if (directory / "figures" / f"{name}.png").exists()
    }
    document = split_markdown(report.read_text(), figures)
    path = directory / "report.html"
    return write_page(path, document.title, document.introduction, document.sections)


def _draw_charts(name: str, search: Search) -> list[Any]:
    """Return the charts that show the same as a figure; empty if it has none."""
    draw = {
        "objective": _objective,
        "effects": _effects,
        "importance": _importance,
        "curves": _curves,
        "cost": _cost,
    }
    return draw[name](search) if name in draw else []


def _objective(search: Search) -> list[Any]:
    return [_score_chart(search, count_channel("trial"))]


def _effects(search: Search) -> list[Any]:
    import altair as alt

    charts = []
    for hyperparameter in search.hyperparameters:
        kind = "N" if hyperparameter.choices else "Q"
        scale = alt.Scale(type="log") if hyperparameter.is_log else alt.Undefined
        field = f"{_key(hyperparameter.name)}:{kind}"
        charts.append(_score_chart(search, alt.X(field, title=hyperparameter.name, scale=scale)))
    return charts


def _importance(search: Search) -> list[Any]:
    importance: Any = search.importance
    bars = [
        {
            "hyperparameter": name,
            "decrease in R²": round(importance.means[name], 4),
            "standard deviation": round(importance.spreads[name], 4),
        }
        for name in sorted(importance.means, key=importance.means.__getitem__, reverse=True)
    ]
    title = "decrease in R² when the values are shuffled"
    return [bar_chart(bars, name="hyperparameter", value="decrease in R²", title=title)]


def _curves(search: Search) -> list[Any]:
    import altair as alt

    points = [
        {"trial": trial.name, "run": f"{trial.name} {number}", "epoch": epoch, "score": score}
        for trial in search.trials
        for number, curve in enumerate(trial.curves)
        for epoch, score in zip(*curve, strict=True)
    ]
    scale = value_scale(search.score_scale == "log")
    return [
        trace_chart(
            points,
            x=count_channel("epoch"),
            y=alt.Y("score:Q", title=search.score_label, scale=scale),
            trace="run",
            tooltip=["trial:N", "epoch:Q", alt.Tooltip("score:Q", format=DIGITS)],
            description="learning curves of all trials",
        )
    ]


def _cost(search: Search) -> list[Any]:
    import altair as alt

    scale = alt.Scale(zero=False)
    return [
        _score_chart(search, alt.X(f"{key}:Q", title=title, scale=scale))
        for key, title in COSTS.items()
    ]


def _score_chart(search: Search, x: Any) -> Any:
    """Return a chart of the scores of the completed trials, with all values on hover."""
    import altair as alt

    points = [
        _describe(trial, number)
        for number, trial in enumerate(search.trials)
        if trial in search.completed
    ]
    scale = value_scale(search.score_scale == "log")
    names = [hyperparameter.name for hyperparameter in search.hyperparameters]
    return point_chart(
        points,
        x=x,
        y=alt.Y("score:Q", title=search.score_label, scale=scale),
        tooltip=[
            alt.Tooltip("name:N", title="trial"),
            alt.Tooltip("score:Q", format=DIGITS),
            *(alt.Tooltip(f"{_key(name)}:N", title=name) for name in names),
            *(alt.Tooltip(f"{key}:Q", title=title, format=DIGITS) for key, title in COSTS.items()),
        ],
        description=f"{search.objective} of each trial",
    )


def _describe(trial: Trial, number: int) -> dict[str, Any]:
    values = {
        _key(name): format_value(value) if isinstance(value, str | bool) else value
        for name, value in trial.values.items()
    }
    costs = {key: _finite(getattr(trial, key)) for key in COSTS}
    return {"name": trial.name, "trial": number, "score": trial.score, **values, **costs}


def _key(name: str) -> str:
    """Return the key of a hyperparameter, which no other column has."""
    return f"value_{name}"


def _finite(value: float) -> float | None:
    return None if value != value else value
