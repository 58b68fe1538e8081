"""Every picture, drawn from the files of a run.

`draw` makes them all. Each of the other public functions draws one panel: it takes a matplotlib
figure or subfigure to draw on, a finished run, and perhaps the name of a layer.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import figures_of_images
from zoo.runs import ROWS_SHOWN, Run, whole, worst_mistakes
from zoo.specs import Recipe

INCHES = (10, 6)
DOTS_PER_INCH = 120
MOST_NUMBERED_CLASSES = 20
BOUNDARY_MARGIN = 0.3
COLOURS = "RdBu_r"
WORDS_SHOWN = 150
WORDS_ATTENDED = 24
TEXTS_SHOWN = 12
LETTERS_SHOWN = 150
MOST_FILTERS = 64
MOST_LAYERS = 6
CHANNELS_SHOWN = 10
ALTERED_SHOWN = 5
TIMES_ALTERED = 8


def draw(run: Run) -> list[Path]:
    """Draws every figure that fits a finished run, into its ``figures/``.

    Args:
        run: the run.

    Returns:
        The PNG files: one a figure, and ``sheet.png`` with the main ones together.

    Raises:
        RunError: if the run is unfinished or damaged.
    """
    from matplotlib.figure import Figure

    folder = run.directory / "figures"
    figures = _figures_for(run)
    written = []
    for name, panel in figures.items():
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        panel(figure, run)
        written.append(save(figure, folder / f"{name}.png"))
    shown = min(len(figures), 4)
    columns = 3 if shown == 3 else 2
    rows = shown // columns
    sheet = Figure(
        figsize=(columns * INCHES[0], rows * INCHES[1]),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    sheet.suptitle(_title(run), fontsize=20)
    parts = sheet.subfigures(rows, columns, squeeze=False).flat
    for part, panel in zip(parts, list(figures.values())[:4], strict=True):
        panel(part, run)
    return [*written, save(sheet, folder / "sheet.png")]


def learning_curves(figure: Any, run: Run) -> None:
    """Loss and accuracy of training and validation, epoch by epoch."""
    history = run.history
    for axes, quantity, unit in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("nats, penalties included", "%"), strict=True
    ):
        scale = 100 if unit == "%" else 1
        for prefix, label in (("", "training"), ("val_", "validation")):
            values = scale * np.array(history[prefix + quantity])
            axes.plot(history["epoch"], values, marker=_marker(history), label=label)
        axes.set(xlabel="epoch", ylabel=f"{quantity} [{unit}]")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend()
    if run.config["arguments"].get("loss") == "mean_squared_error":
        figure.axes[0].set_ylabel("loss [squared error]")
    figure.suptitle("Learning curves")


def confusion_matrix(figure: Any, run: Run) -> None:
    """How many test rows of each class were taken for which."""
    names = run.dataset.class_names
    answers = run.predictions
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (answers["labels"], answers["probabilities"].argmax(axis=1)), 1)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="share of the true class [%]")
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(names) <= MOST_NUMBERED_CLASSES:
        axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    correct = 100 * np.trace(counts) / counts.sum()
    figure.suptitle(f"Confusion matrix: {correct:.2f} % of {counts.sum():,} test rows are right")


def samples(figure: Any, run: Run) -> None:
    """The first test images, with the predicted class and its probability."""
    _sheet(figure, run, np.arange(min(ROWS_SHOWN, len(run.predictions["labels"]))))
    figure.suptitle("First test images: predicted class and its probability (red: wrong)")


def mistakes(figure: Any, run: Run) -> None:
    """The test images whose true class got the smallest probability."""
    answers = run.predictions
    labels, probabilities = answers["labels"], answers["probabilities"]
    wrong = (probabilities.argmax(axis=1) != labels).sum()
    _sheet(figure, run, worst_mistakes(labels, probabilities))
    figure.suptitle(f"Worst of {wrong} mistakes: predicted class and its probability, truth")


def misread_texts(figure: Any, run: Run) -> None:
    """The test texts whose true class got the smallest probability."""
    names, answers = run.dataset.class_names, run.predictions
    raw_of = dict(zip(answers["index"].tolist(), answers["raw"], strict=True))
    axes = figure.subplots()
    axes.axis("off")
    rows = worst_mistakes(answers["labels"], answers["probabilities"]).tolist()
    for place, row in enumerate(rows[:TEXTS_SHOWN]):
        probabilities = answers["probabilities"][row]
        guess, truth = names[probabilities.argmax()], names[answers["labels"][row]]
        text = " ".join(raw_of[row].decode("utf-8", "replace").split())[:LETTERS_SHOWN]
        height = 1 - (place + 0.5) / TEXTS_SHOWN
        axes.text(0, height, f"{guess}  {100 * probabilities.max():.0f} %, is {truth}",
                  color="firebrick", va="bottom", fontsize=9)  # fmt: skip
        axes.text(0, height, text.replace("$", r"\$"), va="top", fontsize=8, wrap=True)
    figure.suptitle("Worst mistakes: predicted class and its probability, truth, text")


def embedding(figure: Any, run: Run) -> None:
    """The vectors of the commonest words, in the plane in which all vectors vary most."""
    from zoo.embeddings import Embeddings

    embeddings = Embeddings.of(run)
    places = embeddings.plane()[:WORDS_SHOWN]
    axes = figure.subplots()
    axes.plot(*places.T, ".", color="steelblue", alpha=0.4)
    for word, place in zip(embeddings.words, places, strict=False):
        axes.annotate(word, place, fontsize=7)
    axes.set(xlabel="first principal direction", ylabel="second")
    figure.suptitle(f"Vectors of the {len(places)} commonest words, of length 1, projected")


def attention(figure: Any, run: Run) -> None:
    """How the words of the shortest test text kept attend to each other, head by head."""
    from zoo import inspection
    from zoo.data.text import decode

    raw = min(run.predictions["raw"], key=len)
    numbers = np.asarray(run.preprocessor(np.array([raw], object)))[0]
    numbers = numbers[numbers != 0][:WORDS_ATTENDED]
    words = decode(run.preprocessor, numbers).split(" ")
    maps = inspection.attention(run.model, numbers)
    heads = next(iter(maps.values())).shape[0]
    grid = figure.subplots(len(maps), heads, squeeze=False)
    for row, (name, scores) in zip(grid, maps.items(), strict=True):
        for head, axes in enumerate(row):
            image = axes.imshow(scores[head], cmap="viridis", vmin=0)
            axes.set_title(f"{name}, head {head + 1}", fontsize=9)
            axes.set_xticks(range(len(words)), words, rotation=90, fontsize=6)
            axes.set_yticks(range(len(words)), words if head == 0 else [], fontsize=6)
            figure.colorbar(image, ax=axes, shrink=0.6)
    grid[0, 0].set_ylabel("attending word")
    figure.suptitle("Attention: how much each word (row) takes from each other one (column)")


def weights(figure: Any, run: Run) -> None:
    """The weights from each pixel to each class of a linear model, as images."""
    names, shape = run.dataset.class_names, run.dataset.input_shape
    kernel = run.model.get_layer("output").get_weights()[0]
    images = kernel.T.reshape(-1, *shape).sum(axis=-1)
    shown = min(len(images), ROWS_SHOWN)
    limit = np.abs(images[:shown]).max()
    grid = figure.subplots(-(-shown // 5), min(5, shown), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    of_classes = names[-len(images) :]
    for axes, image, name in zip(grid.flat, images[:shown], of_classes, strict=False):
        drawn = axes.imshow(image, cmap=COLOURS, vmin=-limit, vmax=limit)
        axes.set_title(name)
    figure.colorbar(drawn, ax=grid, label="weight [log-odds per full intensity]", shrink=0.8)
    figure.suptitle("Weights of each class: red pixels speak for it, blue ones against")


def decision_surface(figure: Any, run: Run) -> None:
    """The output over the square of the first two inputs, a panel a value of the third."""
    thirds = (0, 1) if run.dataset.input_shape == (3,) else (None,)
    answers = run.predictions
    side = np.linspace(-BOUNDARY_MARGIN, 1 + BOUNDARY_MARGIN, 101)
    x0, x1 = np.meshgrid(side, side)
    panels = figure.subplots(1, len(thirds), squeeze=False)[0]
    for axes, third in zip(panels, thirds, strict=True):
        points = [x0, x1] if third is None else [x0, x1, np.full_like(x0, third)]
        inputs = np.stack(points, axis=-1).reshape(-1, len(points)).astype("float32")
        output = run.model.predict(inputs, batch_size=len(inputs), verbose=0)[:, -1]
        output = output.reshape(x0.shape)
        surface = axes.contourf(x0, x1, output, levels=np.linspace(0, 1, 11), cmap=COLOURS)
        if output.min() < 0.5 < output.max():
            axes.contour(x0, x1, output, levels=[0.5], colors="black", linewidths=2)
        for bits, label in zip(answers["raw"], answers["labels"], strict=True):
            if third is None or bits[2] == third:
                axes.plot(*bits[:2], "o", markersize=16, color="white", markeredgecolor="black")
                axes.text(*bits[:2], str(label), ha="center", va="center")
        axes.set(xlabel="x0", ylabel="x1", aspect="equal")
        axes.set_title("" if third is None else f"x2 = {third}")
    figure.colorbar(surface, ax=list(panels), label="output: probability of 1")
    figure.suptitle("Decision surface: circles hold the targets, the black line is at 0.5")


def filters(figure: Any, run: Run, layer: str = "") -> None:
    """The kernels of a convolution, the first one if none is named, channel by channel."""
    from zoo import inspection

    layer = layer or inspection.convolutions(run.model)[0]
    kernels = inspection.kernels(run.model, layer)
    channels, count = kernels.shape[2:]
    shown = kernels[..., :MOST_FILTERS]
    if channels == 3:
        in_colour, axes = figure.subplots(2, 1, height_ratios=(1, 3))
        in_colour.imshow(np.concatenate([_mosaic(shown[:, :, [c]]) for c in range(3)], axis=-1))
        in_colour.set_title("the three channels as one colour")
        in_colour.axis("off")
    else:
        axes = figure.subplots()
    axes.imshow(_mosaic(shown)[..., 0], cmap="gray", vmin=0, vmax=1)
    side = kernels.shape[0] + 1
    axes.set_yticks([side / 2] if channels == 1 else [])
    axes.set_xticks([])
    axes.set(xlabel="filter", ylabel="input channel")
    those = f"the first {shown.shape[3]} of {count}" if count > shown.shape[3] else f"all {count}"
    figure.suptitle(
        f"Kernels of {layer}: {those} filters, {channels} input channels, each filter black to "
        "white"
    )


def feature_maps(figure: Any, run: Run) -> None:
    """What each activation makes of the first test image."""
    from zoo import inspection

    raw = run.predictions["raw"][:1]
    maps = inspection.feature_maps(run.model, np.asarray(run.preprocessor(raw))[0])
    chosen = list(maps)[:: -(-len(maps) // MOST_LAYERS)]
    grid = figure.subplots(len(chosen), 1 + CHANNELS_SHOWN, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, name in zip(grid, chosen, strict=True):
        row[0].imshow(_displayed(raw[0]), cmap="gray")
        height, width, channels = maps[name].shape
        row[0].set_title(f"{name}\n{height}x{width}x{channels}", fontsize=8)
        reach = {"vmin": maps[name].min(), "vmax": maps[name].max()}
        for axes, channel in zip(row[1:], range(channels), strict=False):
            axes.imshow(maps[name][..., channel], cmap="viridis", **reach)
    figure.suptitle(
        f"Feature maps of one test image: the first {CHANNELS_SHOWN} channels a layer, on one "
        "scale each layer"
    )


def parameters(figure: Any, run: Run) -> None:
    """How many parameters each layer has, and the formula that says so."""
    from zoo import inspection

    rows = inspection.parameters(run.model)[::-1]
    axes = figure.subplots()
    bars = axes.barh([row.name for row in rows], [row.count for row in rows], color="steelblue")
    axes.bar_label(
        bars, [f" {row.formula} = {row.count:,}" for row in rows], fontsize=min(9, 220 / len(rows))
    )
    axes.tick_params(axis="y", labelsize=min(9, 220 / len(rows)))
    axes.set(xlabel="parameters", xscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * 30)
    total = sum(row.count for row in rows)
    figure.suptitle(f"Parameters of each layer, {total:,} in all, running statistics included")


def augmentations(figure: Any, run: Run) -> None:
    """Test images as they are, and altered; a cutout has the mean colour of those shown."""
    from zoo.data import reader_of

    options = Recipe.from_json(run.config["recipe"]).images
    raw = run.predictions["raw"][:ALTERED_SHOWN]
    layers = reader_of(run.dataset).augmentation(run.dataset, options, raw)
    grid = figure.subplots(len(raw), 1 + TIMES_ALTERED, squeeze=False)
    for time, column in enumerate(grid.T):
        images = raw
        for number, alter in enumerate(layers):
            images = alter(images, seed=(time, number)) if time else images
        for axes, image in zip(column, np.asarray(images), strict=True):
            axes.imshow(_displayed(image), cmap="gray")
            axes.axis("off")
        column[0].set_title(f"altered {time}" if time else "as it is", fontsize=9)
    figure.suptitle(f"Augmentation: {options.augmentation}")


def grad_cam(figure: Any, run: Run) -> None:
    """Which parts of test images speak for the class predicted: the first ones, and mistakes."""
    from zoo import inspection

    names, answers = run.dataset.class_names, run.predictions
    place = {row: i for i, row in enumerate(answers["index"].tolist())}
    worst = worst_mistakes(answers["labels"], answers["probabilities"]).tolist()
    rows = list(dict.fromkeys([*answers["index"].tolist()[:10], *worst]))[: ALTERED_SHOWN * 4]
    raw = answers["raw"][[place[row] for row in rows]]
    guesses = answers["probabilities"][rows].argmax(axis=1)
    maps = inspection.grad_cam(run.model, np.asarray(run.preprocessor(raw)), guesses)
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row, image, guess, speaks in zip(grid.flat, rows, raw, guesses, maps, strict=False):
        truth = answers["labels"][row]
        axes.imshow(_displayed(image), cmap="gray")
        edges = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        axes.imshow(
            speaks, cmap="inferno", vmin=0, vmax=1, alpha=0.5, extent=edges,
            interpolation="bilinear",
        )  # fmt: skip
        axes.set_title(
            names[guess] if guess == truth else f"{names[guess]}, is {names[truth]}",
            color="black" if guess == truth else "firebrick",
            fontsize=9,
        )
    figure.suptitle("Grad-CAM: what speaks for the predicted class is bright (red: wrong)")


def accuracy_against(
    figure: Any, quantity: str, series: Mapping[str, Mapping[str, tuple[float, float]]]
) -> None:
    """Draws test accuracy over a quantity, a colour a series, a point a network.

    Args:
        figure: to draw on.
        quantity: its name, and unit if it has one.
        series: for each label and network the quantity and the accuracy, in [0, 1].
    """
    from matplotlib.ticker import LogFormatter

    axes = figure.subplots()
    tops: dict[tuple[str, float], float] = {}
    for label, points in series.items():
        x, y = zip(*sorted(points.values()), strict=True)
        axes.plot(x, 100 * np.array(y), "o", label=label, alpha=0.8)
        for name, (value, accuracy) in points.items():
            tops[name, value] = max(accuracy, tops.get((name, value), 0))
    for (name, value), top in tops.items():
        axes.annotate(
            name, (value, 100 * top), (0, 8), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set(xscale="log", xlabel=quantity, ylabel="test accuracy [%]")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle(f"Accuracy against {quantity}")


def losses(figure: Any, series: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Draws the training and validation losses of several runs over each other.

    Args:
        figure: to draw on.
        series: for each label ``loss`` and ``val_loss``, epoch by epoch, in nats.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(
        panels, ("loss", "val_loss"), ("training", "validation"), strict=True
    ):
        for label, history in series.items():
            axes.plot(range(1, len(history[key]) + 1), history[key], label=label, alpha=0.8)
        axes.set(xlabel="epoch", title=title, yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss without penalties [nats]")
    panels[1].legend()
    figure.suptitle("Losses")


def save(figure: Any, path: Path) -> Path:
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: the figure.
        path: the file.

    Returns:
        The path.
    """
    path.parent.mkdir(exist_ok=True)
    with whole(path) as partial:
        figure.savefig(partial)
    return path


def row_outputs(figure: Any, run: Run) -> None:
    """The output for each row of the truth table, epoch by epoch."""
    history, answers = run.history, run.predictions
    axes = figure.subplots()
    for bits, label in zip(answers["raw"], answers["labels"], strict=True):
        name = "".join(map(str, bits))
        style = "-" if label else "--"
        axes.plot(
            history["epoch"],
            history[f"output_{name}"],
            style,
            marker=_marker(history),
            label=f"{name} → {label}",
        )
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set(xlabel="epoch", ylabel="output: probability of 1", ylim=(-0.02, 1.02))
    axes.legend(title="row → target", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3)
    figure.suptitle("Output for each row over training" + _why_half(run))


def _marker(history: dict[str, list[float]]) -> str:
    return "." if len(history["epoch"]) < ROWS_SHOWN else ""


def _why_half(run: Run) -> str:
    without_bias = run.config["arguments"].get("use_bias") is False
    if run.config["model"] == "perceptron" and without_bias:
        return "\nAll-zero row: without a bias its weighted sum is 0, so the output stays 0.5"
    return ""


def _figures_for(run: Run) -> dict[str, Callable[[Any, Run], None]]:
    from zoo import inspection

    if "reconstructed" in run.predictions:
        return dict(figures_of_images.panels(run))
    if run.dataset.kind == "truth_tables":
        return _by_name(learning_curves, decision_surface, row_outputs)
    if run.dataset.kind == "text":
        figures = _by_name(learning_curves, confusion_matrix, misread_texts)
        if any(layer.name == "embedding" for layer in run.model.layers):
            figures |= _by_name(embedding)
        if run.config["model"] == "transformer":
            figures |= _by_name(attention)
        return figures
    figures = _by_name(learning_curves, confusion_matrix, samples, mistakes)
    if Recipe.from_json(run.config["recipe"]).images.augmentations:
        figures |= _by_name(augmentations)
    convolutions = inspection.convolutions(run.model)
    if convolutions:
        figures |= _by_name(feature_maps, grad_cam, parameters)
    elif len(inspection.parameters(run.model)) == 1:
        figures |= _by_name(weights)
    for layer in convolutions:
        figures[f"filters_{layer}"] = functools.partial(filters, layer=layer)
    return figures


def _by_name(*panels: Callable[[Any, Run], None]) -> dict[str, Callable[[Any, Run], None]]:
    return {panel.__name__: panel for panel in panels}


def _mosaic(kernels: np.ndarray) -> np.ndarray:
    """Lays kernels out: a row an input channel, a column a filter, white between them."""
    framed = np.pad(kernels, [(0, 1), (0, 1), (0, 0), (0, 0)], constant_values=1)
    height, width, channels, count = framed.shape
    return framed.transpose(2, 0, 3, 1).reshape(channels * height, count * width, 1)


def _displayed(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else image


def _sheet(figure: Any, run: Run, rows: np.ndarray) -> None:
    names, answers = run.dataset.class_names, run.predictions
    raw_of = dict(zip(answers["index"].tolist(), answers["raw"], strict=True))
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row in zip(grid.flat, rows.tolist(), strict=False):
        image = raw_of[row]
        axes.imshow(_displayed(image), cmap="gray")
        probabilities, truth = answers["probabilities"][row], answers["labels"][row]
        guess = probabilities.argmax()
        wrong = guess != truth
        caption = f"{names[guess]}  {100 * probabilities[guess]:.0f} %"
        axes.set_title(
            f"{caption}, is {names[truth]}" if wrong else caption,
            color="firebrick" if wrong else "black",
            fontsize=9,
        )


def _title(run: Run) -> str:
    if "reconstructed" in run.predictions:
        return figures_of_images.title(run)
    rows = "rows" if run.dataset.kind == "truth_tables" else "test rows"
    right = f"{100 * run.metrics['test_accuracy']:.2f} % of the {rows} are right"
    return f"{run.config['model']} on {run.dataset.name}: {right}"
