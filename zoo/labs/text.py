"""Lab 2, text and regularization: its exercises."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

TRAIN_ROWS = 400
CONTROLLED = ("hidden", "learning_rate", "epochs")
ROLES = {
    "fit the weights": "training",
    "build the vocabulary": "training",
    "choose the learning rate": "validation",
    "choose the epoch to keep": "validation",
    "choose between two models": "validation",
    "state how good the chosen model is": "test",
}


@exercise(2, "encode")
def _encode(encode: Answer, rng: np.random.Generator) -> None:
    """Encode texts as multi-hot vectors, reading each text once."""
    words = [f"w{i}" for i in range(12)]
    vocabulary = {word: i for i, word in enumerate(words[:8])}
    rows = [list(rng.choice(words, size=5)) for _ in range(20)] + [["w9", "w10"], []]
    calls = []

    def tokenize(text: str) -> list[str]:
        calls.append(text)
        return text.split()

    encoded = encode([" ".join(row) for row in rows], tokenize, vocabulary)
    expected = np.array([[float(word in row) for word in vocabulary] for row in rows])
    expect(
        not is_close(encoded, np.maximum(expected, _unknown_in_first(rows, vocabulary)))
        or is_close(encoded, expected),
        "a word that is not in the vocabulary switches on a feature that belongs to another word",
        mistake="2.10",
    )
    expect(is_close(encoded, expected), "a row does not say which words of the vocabulary it has")
    expect(
        len(calls) == len(rows),
        f"{len(rows)} texts were split {len(calls)} times: once each is enough",
        mistake="2.9",
    )


def _unknown_in_first(rows: list[list[str]], vocabulary: Mapping[str, int]) -> np.ndarray:
    marks = np.zeros((len(rows), len(vocabulary)))
    marks[:, 0] = [any(word not in vocabulary for word in row) for row in rows]
    return marks


@exercise(2, "epoch_loss")
def _epoch_loss(epoch_loss: Answer, rng: np.random.Generator) -> None:
    """Average the losses of batches, the last of which is smaller, to that of the rows."""
    rows = rng.exponential(size=75)
    batches = [rows[start : start + 32] for start in range(0, 75, 32)]
    losses, sizes = [b.mean() for b in batches], [len(b) for b in batches]
    value = epoch_loss(losses, sizes)
    expect(
        not is_close(value, np.mean(losses)),
        "a batch of 11 rows counts as much as one of 32",
        mistake="2.10",
    )
    expect(is_close(value, rows.mean()), "this is not the mean loss of the rows")


@exercise(2, "l2_penalty")
def _l2_penalty(l2_penalty: Answer, rng: np.random.Generator) -> None:
    """Add up the squares of the kernels, without the biases."""
    strength = float(rng.uniform(0.1, 1))
    kernels = {f"layer{i}/kernel": rng.normal(size=(4, 3)) for i in range(2)}
    biases = {f"layer{i}/bias": rng.normal(size=3) for i in range(2)}
    expected = strength * sum((kernel**2).sum() for kernel in kernels.values())
    expect(
        is_close(l2_penalty(kernels | biases, strength), l2_penalty(kernels, strength)),
        "the penalty changes with the biases, which do not overfit",
        mistake="2.5",
    )
    doubled = l2_penalty({name: 2 * kernel for name, kernel in kernels.items()}, strength)
    value = l2_penalty(kernels, strength)
    expect(
        not is_close(doubled, 2 * value),
        "weights twice as large cost twice as much: so all weights, large or small, are pulled "
        "with the same total force. Which power makes it a weight decay?",
        mistake="2.5",
    )
    expect(
        is_close(value, expected), "expected strength times the sum of all squared kernel values"
    )


@exercise(2, "soft_threshold")
def _soft_threshold(soft_threshold: Answer, rng: np.random.Generator) -> None:
    """Take the step of the L1 penalty that makes small weights exactly zero."""
    weights = np.concatenate([rng.normal(size=50), [0.0, 0.05, -0.05]])
    value = np.asarray(soft_threshold(weights.copy(), 0.1), float)
    small = abs(weights) <= 0.1
    expect(value.shape == weights.shape, "the shape changed")
    expect(
        (value[small] == 0).all(),
        "a weight smaller than the step jumps over zero instead of stopping there: such a penalty "
        "gives small weights, and not one that is zero",
        mistake="2.6",
    )
    expected = np.where(small, 0, weights - 0.1 * np.sign(weights))
    expect(is_close(value, expected), "a large weight must come nearer to zero by the step")


@exercise(2, "early_stopping")
def _early_stopping(early_stopping: Answer, rng: np.random.Generator) -> None:
    """Stop when validation has not improved for some epochs, and go back to the best."""
    falling = [1 / (epoch + 1) for epoch in range(30)]
    ended, restored = early_stopping(falling, [loss + 0.3 for loss in falling], 5)
    expect(
        ended == 29,
        "validation loss improves in every epoch here, and you stop: training loss is lower, but "
        "that gap is no reason",
        mistake="2.2",
    )
    for _ in range(20):
        validation = np.abs(rng.normal(size=30).cumsum()) + 1
        train = np.linspace(1, 0.1, 30)
        expected = _stop_and_restore(validation, patience=4)
        ended, restored = early_stopping(list(train), list(validation), 4)
        expect(
            restored == expected[1],
            f"restored epoch {restored}, but epoch {expected[1]} had the lowest validation loss "
            "until then",
            mistake="2.2",
        )
        expect(ended == expected[0], f"ended after epoch {ended}, expected {expected[0]}")


def _stop_and_restore(losses: np.ndarray, patience: int) -> tuple[int, int]:
    for epoch in range(len(losses)):
        best = int(np.argmin(losses[: epoch + 1]))
        if epoch - best >= patience:
            return epoch, best
    return len(losses) - 1, int(np.argmin(losses))


@exercise(2, "planned_epochs", "settings")
def _planned_epochs(planned_epochs: Answer, settings: Answer, rng: np.random.Generator) -> None:
    """Follow a setting that is changed after the function was defined."""
    before = dict(settings)
    try:
        for epochs in (50, int(rng.integers(60, 90))):
            settings["epochs"] = epochs
            expect(
                planned_epochs() == epochs,
                f"settings['epochs'] is {epochs} now, and the function still says "
                f"{planned_epochs()}: when is a default value computed?",
                mistake="2.3",
            )
        expect(planned_epochs(3) == 3, "an explicit number of epochs must win")
    finally:
        settings.update(before)


@exercise(2, "plan")
def _plan(plan: Answer, rng: np.random.Generator) -> None:
    """Compare regularizers with a control, from which each differs in one thing."""
    expect(isinstance(plan, list) and plan, "expected a list of dicts")
    penalties = [row["penalty"] for row in plan]
    expect(
        "none" in penalties,
        "nothing in the plan is unregularized: what will you compare with?",
        mistake="2.4",
    )
    expect({"l1", "l2", "early stopping"} <= set(penalties), "a regularizer of the plan is missing")
    for name in CONTROLLED:
        values = {str(row[name]) for row in plan}
        expect(
            len(values) == 1,
            f"{name} differs between the rows ({', '.join(sorted(values))}): what made the "
            "difference, then?",
            mistake="2.4",
        )


@exercise(2, "grid")
def _grid(grid: Answer, rng: np.random.Generator) -> None:
    """List every combination of several settings."""
    options: dict[str, list[float]] = {
        "learning_rate": [float(rate) for rate in rng.uniform(size=3)],
        "l2": [0.0, 1e-4],
        "units": [16, 64],
    }
    cells = [dict(cell) for cell in grid(options)]
    expected = [
        {"learning_rate": rate, "l2": strength, "units": units}
        for rate in options["learning_rate"]
        for strength in options["l2"]
        for units in options["units"]
    ]
    varied = [name for name in options if len({cell.get(name) for cell in cells}) > 1]
    expect(
        len(varied) == len(options),
        f"the grid varies {', '.join(varied) or 'nothing'} and leaves the rest alone",
        mistake="2.8",
    )
    expect(
        sorted(map(str, _sorted_items(cells))) == sorted(map(str, _sorted_items(expected))),
        f"expected each of {len(expected)} combinations once, received {len(cells)}",
    )


def _sorted_items(cells: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    return [sorted(cell.items()) for cell in cells]


@exercise(2, "select")
def _select(select: Answer, rng: np.random.Generator) -> None:
    """Choose by validation, and read the test split once."""
    candidates = [f"model {i}" for i in range(6)]
    figures = {
        split: dict(zip(candidates, rng.permutation(6) / 10, strict=True))
        for split in ("train", "validation", "test")
    }
    figures["test"] = {name: (value + 0.25) % 0.6 for name, value in
                       figures["validation"].items()}  # fmt: skip
    reads: list[tuple[str, str]] = []

    def score(model: str, split: str) -> float:
        reads.append((split, model))
        return figures[split][model]

    chosen, reported = select(candidates, lambda candidate: candidate, score)
    tested = [model for split, model in reads if split == "test"]
    best = max(candidates, key=lambda name: figures["validation"][name])
    expect(
        len(tested) <= 1,
        f"the test split was read {len(tested)} times: what selects is no test any more",
        mistake="2.11",
    )
    expect(chosen == best, f"{chosen} was chosen, which is not the best on validation")
    expect(
        tested == [best] and is_close(reported, figures["test"][best]),
        "the figure reported is not that of the chosen model on the test split",
        mistake="2.1",
    )


@exercise(2, "within_noise")
def _within_noise(within_noise: Answer, rng: np.random.Generator) -> None:
    """Name all models that are not distinguishable from the best."""
    for rows in (1000, 10_000):
        accuracies = {f"model {i}": float(a) for i, a in enumerate(rng.uniform(0.8, 0.86, size=8))}
        best = max(accuracies.values())
        expected = {
            name
            for name, accuracy in accuracies.items()
            if best - accuracy <= 2 * np.sqrt(_variance(best, rows) + _variance(accuracy, rows))
        }
        received = set(within_noise(accuracies, rows))
        expect(
            len(received) > 1 or len(expected) == 1,
            f"{len(expected)} of the models are within two standard errors of the best, on {rows} "
            "rows: a ranking of them is a ranking of luck",
            mistake="2.7",
        )
        expect(received == expected, f"expected {len(expected)} models, received {len(received)}")


def _variance(accuracy: float, rows: int) -> float:
    return accuracy * (1 - accuracy) / rows


@exercise(2, "roles")
def _roles(roles: Answer, rng: np.random.Generator) -> None:
    """Say which split answers which question."""
    for question, split in ROLES.items():
        expect(roles.get(question) in set(ROLES.values()), f"'{question}' has no split")
        expect(
            roles[question] == split,
            f"'{question}' is not for the {roles[question]} split",
            mistake="2.11" if "test" in (split, roles[question]) else "",
        )


@measured(2, "fit_reviews", "the accuracy on reviews that were not shown", higher=True)
def _fit_reviews(fit_reviews: Answer, seed: int) -> float:
    """Train on 400 synthetic reviews of one clause, and score on all others."""
    texts, labels = short_reviews()
    order = np.random.default_rng(seed).permutation(len(texts))
    shown, rest = order[:TRAIN_ROWS], order[TRAIN_ROWS:]
    predict = fit_reviews([texts[i] for i in shown], labels[shown], seed)
    classes = np.asarray(predict([texts[i] for i in rest]))
    expect(classes.shape == rest.shape, f"expected {len(rest)} labels, received {classes.shape}")
    return float((classes == labels[rest]).mean())


def short_reviews() -> tuple[list[str], np.ndarray]:
    """Return the synthetic reviews of one clause, each once, and their labels.

    Example:
        >>> from zoo.labs.text import short_reviews
        >>> texts, labels = short_reviews()
        >>> len(texts), len(set(texts)), labels.shape
        (1216, 1216, (1216,))
    """
    from zoo.data.toy_reviews import generate

    labels: dict[str, int] = {}
    for split in ("train", "test"):
        for text, label in zip(*generate(split), strict=True):
            if b"although" not in text:
                labels[text.decode()] = int(label)
    return list(labels), np.array(list(labels.values()))
