"""Charts of reports: curves, bars, points and matrices, as Vega-Altair makes them.

Every chart is as wide as its place on the page, and shows the values below the pointer.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.plots.curves import Curves

HEIGHT = 280
CELL_HEIGHT = 30
BAR_HEIGHT = 22
LABEL_ANGLE = -45
MAX_HORIZONTAL_LENGTH = 25
WHITE_TEXT_ABOVE = 50
COLOR = "#2171b5"
DIGITS = ".5~g"


def curve_chart(curves: Curves, *, title: str = "", reference: float | None = None) -> Any:
    """Return a chart of curves by epoch.

    Args:
        curves: the curves.
        title: title of the chart.
        reference: value of a horizontal line.
    """
    import altair as alt

    rows = [
        {"epoch": epoch, "curve": name, "value": _plottable(value, curves.is_log)}
        for name, values in curves.values.items()
        for epoch, value in zip(curves.epochs, values, strict=True)
    ]
    scale = value_scale(curves.is_log)
    nearest = alt.selection_point(
        on="pointerover", clear="pointerout", nearest=True, fields=["epoch"], empty=False
    )
    data = alt.Data(values=rows)
    base = alt.Chart(data).encode(x=count_channel("epoch"))
    lines = base.mark_line(clip=True).encode(
        y=alt.Y("value:Q", title=curves.label, scale=scale),
        color=alt.Color("curve:N", title=None, sort=None),
    )
    hidden = alt.value(0 if len(curves.epochs) > 1 else 1)
    points = lines.mark_point(filled=True, size=60).encode(
        opacity=alt.when(nearest).then(alt.value(1)).otherwise(hidden)
    )
    rule = (
        base.transform_pivot("curve", value="value", groupby=["epoch"])
        .mark_rule(color="gray")
        .encode(
            opacity=alt.when(nearest).then(alt.value(0.5)).otherwise(alt.value(0)),
            tooltip=[
                alt.Tooltip("epoch:Q"),
                *(alt.Tooltip(f"{name}:Q", format=DIGITS) for name in curves.values),
            ],
        )
        .add_params(nearest)
    )
    layers = [lines, points, rule]
    if reference is not None:
        line = alt.Chart(data).transform_aggregate(count="count()")
        layers.append(
            line.mark_rule(strokeDash=[6, 4], color="gray").encode(y=alt.datum(reference))
        )
    return _sized(alt.layer(*layers, title=title), f"{title} {curves.label} by epoch".strip())


def count_channel(key: str) -> Any:
    """Return a horizontal channel of whole numbers.

    Args:
        key: key of the numbers, and title of the axis.
    """
    import altair as alt

    scale = alt.Scale(nice=False, zero=False)
    return alt.X(f"{key}:Q", scale=scale, axis=alt.Axis(format="d", tickMinStep=1))


def matrix_chart(rows: Sequence[Mapping[str, Any]], names: Sequence[str], description: str) -> Any:
    """Return a chart of the confusion matrix, whose cells link to their rows.

    Args:
        rows: nonempty cells, with ``true``, ``predicted``, ``rows``, ``percent`` and ``link``.
        names: names of the classes.
        description: alternative text.
    """
    import altair as alt

    classes = alt.Scale(domain=list(names))
    angle = LABEL_ANGLE if sum(map(len, names)) > MAX_HORIZONTAL_LENGTH else 0
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        x=alt.X("predicted:N", title="predicted class", scale=classes,
                axis=alt.Axis(labelAngle=angle)),
        y=alt.Y("true:N", title="true class", scale=classes),
        href="link:N",
        tooltip=[
            alt.Tooltip("true:N", title="true class"),
            alt.Tooltip("predicted:N", title="predicted class"),
            alt.Tooltip("rows:Q", format=","),
            alt.Tooltip("percent:Q", title="of the true class [%]", format=".2f"),
        ],
    )  # fmt: skip
    cells = base.mark_rect(color=COLOR).encode(
        fillOpacity=alt.FillOpacity(
            "percent:Q", scale=alt.Scale(domain=[0, 100], range=[0.08, 1]), legend=None
        )
    )
    is_dark = alt.datum.percent > WHITE_TEXT_ABOVE
    counts = base.mark_text().encode(
        text=alt.Text("rows:Q", format=","),
        color=alt.when(is_dark).then(alt.value("white")).otherwise(alt.value("currentColor")),
    )
    return _sized(alt.layer(cells, counts), description, CELL_HEIGHT * len(names))


def bar_chart(
    rows: Sequence[Mapping[str, Any]], *, name: str, value: str, title: str, log: bool = False
) -> Any:
    """Return a chart of horizontal bars.

    Args:
        rows: one per bar, in their order from the top; those with ``link`` link to an anchor.
        name: key of the bar's name, and title of the axis.
        value: key of the bar's length.
        title: title of the axis of lengths.
        log: whether lengths, which are at least 1, are on a logarithmic axis.
    """
    import altair as alt

    scale = alt.Scale(type="log", domainMin=1) if log else alt.Scale()
    start = {"x2": alt.datum(1)} if log else {}
    tooltip = [
        alt.Tooltip(f"{key}:N" if isinstance(cell, str) else f"{key}:Q", title=key)
        for key, cell in rows[0].items()
        if key != "link"
    ]
    link = {"href": "link:N"} if "link" in rows[0] else {}
    chart = (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar(color=COLOR)
        .encode(
            y=alt.Y(f"{name}:N", sort=None, title=name),
            x=alt.X(f"{value}:Q", title=title, scale=scale),
            tooltip=tooltip,
            **start,
            **link,
        )
    )
    return _sized(chart, title, BAR_HEIGHT * len(rows))


def point_chart(
    rows: Sequence[Mapping[str, Any]],
    *,
    x: Any,
    y: Any,
    color: str | None = None,
    tooltip: Sequence[Any],
    description: str,
    height: int = HEIGHT,
) -> Any:
    """Return a chart of points.

    Args:
        rows: one per point.
        x: horizontal channel of Altair.
        y: vertical channel of Altair.
        color: key of the category that colors the point; a click in the legend selects one.
        tooltip: channels that are shown on hover; that of ``image`` as an image.
        description: alternative text.
        height: height in pixels.
    """
    import altair as alt

    chart = (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_circle(size=40, opacity=0.7, aria=False)
        .encode(x=x, y=y, tooltip=list(tooltip))
    )
    if color:
        names = dict.fromkeys(row[color] for row in rows)
        scale = alt.Scale(scheme="tableau10" if len(names) <= 10 else "tableau20")
        chosen = alt.selection_point(fields=[color], bind="legend")
        chart = chart.encode(
            color=alt.Color(f"{color}:N", sort=None, scale=scale),
            opacity=alt.when(chosen).then(alt.value(0.7)).otherwise(alt.value(0.05)),
        ).add_params(chosen)
    return _sized(chart, description, height)


def zoomable(chart: Any) -> Any:
    """Return a chart that is zoomed by Shift and the wheel, and moved by dragging.

    Args:
        chart: chart with two quantitative axes.
    """
    import altair as alt

    view = alt.selection_interval(bind="scales", zoom="wheel![event.shiftKey]")
    return chart.add_params(view)


def trace_chart(
    rows: Sequence[Mapping[str, Any]],
    *,
    x: Any,
    y: Any,
    trace: str,
    tooltip: Sequence[Any],
    description: str,
) -> Any:
    """Return a chart of many lines, whose points show their values on hover.

    Args:
        rows: one per point.
        x: horizontal channel of Altair.
        y: vertical channel of Altair.
        trace: key of the line that the point is on.
        tooltip: channels that are shown on hover.
        description: alternative text.
    """
    import altair as alt

    base = alt.Chart(alt.Data(values=list(rows))).encode(x=x, y=y, detail=f"{trace}:N")
    lines = base.mark_line(color=COLOR, opacity=0.4)
    points = base.mark_circle(color=COLOR, size=40, opacity=0.7, aria=False)
    return _sized(alt.layer(lines, points.encode(tooltip=list(tooltip))), description)


def _sized(chart: Any, description: str, height: int = HEIGHT) -> Any:
    return chart.properties(width="container", height=height, description=description)


def value_scale(is_log: bool) -> Any:
    """Return the scale of an axis that need not include zero.

    Args:
        is_log: whether it is logarithmic.
    """
    import altair as alt

    return alt.Scale(type="log") if is_log else alt.Scale(zero=False)


def _plottable(value: float, is_log: bool) -> float | None:
    return value if math.isfinite(value) and (value > 0 or not is_log) else None
