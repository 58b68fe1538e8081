"""Metrics and learning curves of a training run, as the course is compared by them."""

from collections.abc import Mapping, Sequence

import numpy as np

from zoo.course.definitions import WAYS, Experiment
from zoo.course.systems import SYSTEMS
from zoo.evaluation.word_vectors import Embeddings, read_analogies
from zoo.runs import Run

_VALIDATION_ACCURACY = ("validation accuracy", ("val_accuracy",))
CURVES = {
    "test_accuracy": _VALIDATION_ACCURACY,
    "best_val_accuracy": _VALIDATION_ACCURACY,
    "cv_accuracy": _VALIDATION_ACCURACY,
    "train_accuracy": ("training accuracy", ("accuracy",)),
    "test_mse": ("validation mean squared error", ("val_mse",)),
    "train_nats": ("training negative ELBO [nats/image]", ("reconstruction_loss", "kl_loss")),
}
ANALOGIES = (
    (("man", "woman", "king"), "queen", ("soldier", "prophet")),
    (("germany", "berlin", "italy"), "rome", ("spain", "france")),
)
NEIGHBORS = 10


def collect_metrics(run: Run) -> dict[str, float]:
    """Collect the metrics of a training run.

    Args:
        run: finished run.

    Returns:
        The ``val_*`` and ``test_*`` metrics; the ``train_*`` metrics of the epoch whose weights
        are kept, and the ``output_*`` for the rows of a truth table; and those metrics of
        `zoo.course.definitions.METRICS` that apply to the run.
    """
    history, stored = run.history, run.metrics
    kept = stored["best_epoch"] if run.config["recipe"]["patience"] else stored["epochs"]
    metrics = {k: float(v) for k, v in stored.items() if k.startswith(("val_", "test_"))}
    for name, values in history.items():
        if name.startswith("output_"):
            metrics[name] = values[kept - 1]
        elif not name.startswith(("val_", "epoch", "seconds")):
            metrics[f"train_{name}"] = values[kept - 1]
    if "val_accuracy" in history:
        metrics["best_val_accuracy"] = max(history["val_accuracy"])
    if "kl_loss" in history:
        metrics["train_nats"] = learning_curve(history, "train_nats")[kept - 1]
    if run.config["dataset"]["name"] == "imdb_reviews":
        metrics |= _evaluate_analogies(Embeddings.from_run(run))
    return metrics


def _evaluate_analogies(embeddings: Embeddings) -> dict[str, float]:
    """Evaluate the course's analogies and those of the zoo; empty if the vocabulary is small."""
    needed = {
        word
        for question, answer, distractors in ANALOGIES
        for word in (*question, answer, *distractors)
    }
    if not needed <= set(embeddings.words):
        return {}
    solved = sum(
        _is_solved(embeddings, question, answer, distractors)
        for question, answer, distractors in ANALOGIES
    )
    counts = embeddings.evaluate(read_analogies(), k=NEIGHBORS)
    return {"analogies": float(solved), "analogies_of_list": counts.accuracy}


def _is_solved(
    embeddings: Embeddings, question: tuple[str, str, str], answer: str, distractors: Sequence[str]
) -> bool:
    """Return whether the answer's offset is more similar to the question's than any other's."""
    a, b, c = map(embeddings.vector, question)
    scores = [
        _cosine_similarity(b - a, embeddings.vector(word) - c) for word in (answer, *distractors)
    ]
    return scores[0] > max(scores[1:])


def _cosine_similarity(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def learning_curve(history: Mapping[str, Sequence[float]], metric: str) -> list[float]:
    """Return the learning curve that corresponds most closely to a metric.

    Args:
        history: history of a run.
        metric: key of `zoo.course.definitions.METRICS`.

    Returns:
        One value per epoch; empty if the history has no such curve.
    """
    _, names = CURVES.get(metric, ("", ()))
    if not names or not set(names) <= history.keys():
        return []
    return [sum(parts) for parts in zip(*(history[name] for name in names), strict=True)]


def seconds_to_course(
    experiment: Experiment, run: Run, earlier_seconds: float = 0.0
) -> float | None:
    """Return the training time after which the learning curve reached the course's result.

    Args:
        experiment: experiment that the run belongs to.
        run: finished run.
        earlier_seconds: time spent before the run, on selecting settings.

    Returns:
        The seconds; None if the result was never reached, or the experiment is not a system's.
    """
    for system in SYSTEMS.values():
        names = {system.experiment(way).name for way in WAYS}
        if not system.trained_as and experiment.name in names:
            values = learning_curve(run.history, system.metric)
            for seconds, value in zip(run.history["seconds"], values, strict=True):
                if value == system.course or system.is_beaten_by(value):
                    return round(earlier_seconds + seconds, 1)
    return None
