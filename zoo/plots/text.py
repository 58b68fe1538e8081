"""Panels of text classifiers.

They draw on a matplotlib figure or subfigure, from a finished run.
"""

from typing import Any

import numpy as np

from zoo.runs import Run, worst_mistakes

MAX_WORDS = 150
MAX_ATTENTION_WORDS = 24
MAX_TEXTS = 12
MAX_CHARACTERS = 150


def misread_texts(figure: Any, run: Run) -> None:
    """Show the misclassified test texts with the lowest probability of the true class."""
    names, predictions = run.dataset.class_names, run.predictions
    raw_of = dict(zip(predictions["index"].tolist(), predictions["raw"], strict=True))
    axes = figure.subplots()
    axes.axis("off")
    rows = worst_mistakes(predictions["labels"], predictions["probabilities"]).tolist()
    for position, row in enumerate(rows[:MAX_TEXTS]):
        probabilities = predictions["probabilities"][row]
        predicted, label = names[probabilities.argmax()], names[predictions["labels"][row]]
        text = " ".join(raw_of[row].decode("utf-8", "replace").split())[:MAX_CHARACTERS]
        height = 1 - (position + 0.5) / MAX_TEXTS
        axes.text(0, height, f"{predicted}  {100 * probabilities.max():.0f} %, is {label}",
                  color="firebrick", va="bottom", fontsize=9)  # fmt: skip
        axes.text(0, height, text.replace("$", r"\$"), va="top", fontsize=8, wrap=True)
    figure.suptitle("Worst mistakes: predicted class and its probability, true class, text")


def embedding(figure: Any, run: Run) -> None:
    """Plot the embeddings of the most frequent words on their first two principal components."""
    from zoo.evaluation.word_vectors import Embeddings

    embeddings = Embeddings.from_run(run)
    points = embeddings.project()[:MAX_WORDS]
    axes = figure.subplots()
    axes.plot(*points.T, ".", color="steelblue", alpha=0.4)
    for word, point in zip(embeddings.words, points, strict=False):
        axes.annotate(word, point, fontsize=7)
    axes.set(xlabel="first principal component", ylabel="second principal component")
    figure.suptitle(f"Normalized embeddings of the {len(points)} most frequent words")


def attention(figure: Any, run: Run) -> None:
    """Plot the attention scores of the shortest stored test text, by layer and head."""
    from zoo.data.preprocessing import apply_preprocessor
    from zoo.data.text import decode
    from zoo.evaluation import inspection

    raw = min(run.predictions["raw"], key=len)
    token_ids = apply_preprocessor(run.preprocessor, np.array([raw], object))[0]
    token_ids = token_ids[token_ids != 0][:MAX_ATTENTION_WORDS]
    words = decode(run.preprocessor, token_ids).split(" ")
    maps = inspection.attention_scores(run.model, token_ids)
    heads = next(iter(maps.values())).shape[0]
    grid = figure.subplots(len(maps), heads, squeeze=False)
    for row, (name, scores) in zip(grid, maps.items(), strict=True):
        for head, axes in enumerate(row):
            image = axes.imshow(scores[head], cmap="viridis", vmin=0)
            axes.set_title(f"{name}, head {head + 1}", fontsize=9)
            axes.set_xticks(range(len(words)), words, rotation=90, fontsize=6)
            axes.set_yticks(range(len(words)), words if head == 0 else [], fontsize=6)
            figure.colorbar(image, ax=axes, shrink=0.6)
    grid[0, 0].set_ylabel("query")
    figure.suptitle("Attention scores: queries in rows, keys in columns")
