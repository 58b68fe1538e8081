"""Figures of text classifiers."""

from typing import Any

import numpy as np

from zoo.runs import Run, worst_mistakes

WORDS_SHOWN = 150
WORDS_ATTENDED = 24
TEXTS_SHOWN = 12
LETTERS_SHOWN = 150


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
    from zoo.evaluation.word_vectors import Embeddings

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
    from zoo.data.text import decode
    from zoo.evaluation import inspection

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
