"""The interactive charts of a run, by the name of the figure that shows the same."""

from collections.abc import Callable
from typing import Any

from zoo.plots import autoencoder, curves, truth_table
from zoo.plots.classification import MAX_LABELED_CLASSES
from zoo.plots.text import MAX_WORDS
from zoo.reports import charts
from zoo.reports.images import image_uri
from zoo.reports.rows import ClassifiedRows, matrix_rows
from zoo.runs import Run

MAX_POINTS = 1500
HOVER_SIDE = 28
SCATTER_HEIGHT = 520
MIN_ERROR = 1e-5


def draw_charts(name: str, run: Run) -> list[Any]:
    """Return the charts that show the same as a figure; empty if it has none.

    Args:
        name: name of the figure.
        run: finished run.
    """
    return CHARTS[name](run) if name in CHARTS else []


def note_of(name: str, run: Run) -> str:
    """Return a sentence on how to read the charts of a figure; empty if it needs none.

    Args:
        name: name of the figure.
        run: finished run.
    """
    if name != "latent_scatter":
        return ""
    total = len(run.predictions["codes"])
    shown = f"first {MAX_POINTS:,}" if total > MAX_POINTS else f"{total:,}"
    return (
        f"The chart shows the {shown} test images: the pointer shows what the decoder makes of a "
        "code, a click in the legend selects a class, and Shift with the wheel zooms."
    )


def _learning_curves(run: Run) -> list[Any]:
    return [charts.curve_chart(each) for each in curves.classifier_curves(run)]


def _loss_curves(run: Run) -> list[Any]:
    return [charts.curve_chart(each) for each in curves.autoencoder_curves(run)]


def _row_outputs(run: Run) -> list[Any]:
    return [charts.curve_chart(truth_table.output_curves(run), reference=0.5)]


def _confusion_matrix(run: Run) -> list[Any]:
    rows = ClassifiedRows(run)
    cells = matrix_rows(rows)
    if len(rows.names) <= MAX_LABELED_CLASSES:
        return [charts.matrix_chart(cells, rows.names, "confusion matrix")]
    bars = [
        {"confusion": f"{cell['true']} as {cell['predicted']}", "test rows": cell["rows"],
         "link": cell["link"]}
        for cell in cells
    ]  # fmt: skip
    return [charts.bar_chart(bars, name="confusion", value="test rows", title="test rows")]


def _latent_scatter(run: Run) -> list[Any]:
    import altair as alt

    kept, names = run.predictions, run.dataset.class_names
    first, second = autoencoder.most_informative(kept["divergences"], 2)
    codes, labels = kept["codes"][:MAX_POINTS], kept["labels"][:MAX_POINTS]
    images = autoencoder.decode(run, codes, labels)
    points = [
        {
            "row": row,
            "class": names[label],
            "x": round(float(code[first]), 4),
            "y": round(float(code[second]), 4),
            "image": image_uri(image, HOVER_SIDE),
        }
        for row, (code, label, image) in enumerate(zip(codes, labels, images, strict=True))
    ]
    points.sort(key=lambda point: names.index(point["class"]))
    x, y = f"mean of dimension {first}", f"mean of dimension {second}"
    chart = charts.point_chart(
        points,
        x=alt.X("x:Q", title=x),
        y=alt.Y("y:Q", title=y),
        color="class",
        tooltip=[
            alt.Tooltip("image:N"),
            alt.Tooltip("class:N"),
            alt.Tooltip("row:Q", title="test row"),
            alt.Tooltip("x:Q", title=x, format=".3f"),
            alt.Tooltip("y:Q", title=y, format=".3f"),
        ],
        description=f"latent codes of {len(points)} test images",
        height=SCATTER_HEIGHT,
    )
    return [charts.zoomable(chart)]


def _code_use(run: Run) -> list[Any]:
    divergences = run.predictions["divergences"]
    bars = [
        {"latent dimension": str(dimension), "nats": float(divergences[dimension])}
        for dimension in autoencoder.most_informative(divergences, len(divergences))
    ]
    title = "mean KL divergence [nats]"
    return [charts.bar_chart(bars, name="latent dimension", value="nats", title=title)]


def _rank_curve(run: Run) -> list[Any]:
    import altair as alt

    errors = run.predictions["pca_errors"]
    size, error = autoencoder.code_size_and_error(run)
    points = [
        {"model": autoencoder.PCA_LABEL, "size": rank, "error": float(errors[rank])}
        for rank in range(1, len(errors))
        if errors[rank] > MIN_ERROR
    ]
    points.append({"model": run.config["model"], "size": size, "error": error})
    log = alt.Scale(type="log")
    return [
        charts.point_chart(
            points,
            x=alt.X("size:Q", title="size of the latent code", scale=log),
            y=alt.Y("error:Q", title="test mean squared error", scale=log),
            color="model",
            tooltip=["model:N", "size:Q", alt.Tooltip("error:Q", format=charts.DIGITS)],
            description="test error by size of the latent code",
        )
    ]


def _embedding(run: Run) -> list[Any]:
    import altair as alt

    from zoo.evaluation.word_vectors import Embeddings

    embeddings = Embeddings.from_run(run)
    points = [
        {"word": word, "x": round(float(x), 4), "y": round(float(y), 4)}
        for word, (x, y) in zip(embeddings.words, embeddings.project()[:MAX_WORDS], strict=False)
    ]
    chart = charts.point_chart(
        points,
        x=alt.X("x:Q", title="first principal component"),
        y=alt.Y("y:Q", title="second principal component"),
        tooltip=["word:N"],
        description="word embeddings",
        height=SCATTER_HEIGHT,
    )
    return [charts.zoomable(chart)]


def _parameters(run: Run) -> list[Any]:
    from zoo.evaluation import inspection

    bars = [
        {"layer": row.name, "parameters": row.count, "formula": row.formula}
        for row in inspection.layer_parameters(run.model)
    ]
    chart = charts.bar_chart(bars, name="layer", value="parameters", title="parameters", log=True)
    return [chart]


CHARTS: dict[str, Callable[[Run], list[Any]]] = {
    "learning_curves": _learning_curves,
    "loss_curves": _loss_curves,
    "row_outputs": _row_outputs,
    "confusion_matrix": _confusion_matrix,
    "latent_scatter": _latent_scatter,
    "code_use": _code_use,
    "rank_curve": _rank_curve,
    "embedding": _embedding,
    "parameters": _parameters,
}
