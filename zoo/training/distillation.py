"""Knowledge distillation: a classifier learns from the probabilities of a trained one."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from zoo.data.pipeline import Data
from zoo.data.preprocessing import apply_preprocessor
from zoo.errors import ArgumentValueError
from zoo.runs import Run, load_run
from zoo.specs import DatasetSpec, Recipe
from zoo.tasks import class_probabilities

NO_TEACHER = "none"
ROWS_AT_A_TIME = 2_048
STUDENT_TASK = "multiclass_classification"


def checked_teacher(recipe: Recipe, task: str, dataset: DatasetSpec) -> str:
    """Return the teacher that a recipe names, as an absolute path if it is a path.

    Args:
        recipe: the recipe of the student.
        task: task of the student.
        dataset: what the student is trained on.

    Raises:
        ArgumentValueError: if the student is no multiclass classifier, the teacher has other
            classes, or classes are weighted.
        RunError: if the teacher is not a finished run.
    """
    if recipe.teacher == NO_TEACHER:
        return NO_TEACHER
    if task != STUDENT_TASK:
        raise ArgumentValueError(
            f"teacher={recipe.teacher!r}: only a classifier with an output for each class learns "
            "from a teacher."
        )
    if recipe.class_weight != "none":
        raise ArgumentValueError(
            f"class_weight={recipe.class_weight!r}: must be none with a teacher."
        )
    teacher = load_run(recipe.teacher)
    teacher.file("metrics.json")  # raises if the run is unfinished
    if teacher.dataset.class_names != dataset.class_names:
        raise ArgumentValueError(
            f"teacher={recipe.teacher!r}: {dataset.name} has other classes than "
            f"{teacher.dataset.name}, which it was trained on."
        )
    path = Path(recipe.teacher)
    return str(path.resolve()) if (path / "config.json").exists() else recipe.teacher


def with_soft_labels(data: Data, recipe: Recipe) -> Data:
    """Return data whose labels are what a student learns from, if the recipe names a teacher.

    Args:
        data: what the student is trained on, with raw rows, which the teacher reads, too.
        recipe: the recipe of the student.

    Returns:
        The data with probabilities of the classes as the labels of training rows, and one-hot
        labels for validation; the same data without a teacher.

    Raises:
        RunError: if the teacher is gone.
    """
    if recipe.teacher == NO_TEACHER:
        return data
    return dataclasses.replace(
        data, soft_labels=soft_labels(load_run(recipe.teacher), data, recipe)
    )


@contextlib.contextmanager
def learning_soft_labels(model: keras.Model, data: Data) -> Iterator[None]:
    """Let a classifier learn from probabilities of the classes, and from labels after that.

    Args:
        model: compiled.
        data: what it is trained on; without soft labels, nothing changes.
    """
    if not data.soft_labels:
        yield
        return
    loss, metrics = model.loss, model.get_compile_config()["metrics"]
    smoothing = getattr(loss, "smoothing", 0.0)
    _recompile(model, keras.losses.CategoricalCrossentropy(label_smoothing=smoothing), ["accuracy"])
    try:
        yield
    finally:
        _recompile(model, loss, metrics)


def soft_labels(teacher: Run, data: Data, recipe: Recipe) -> dict[str, np.ndarray]:
    """Return the targets of a student, ``(rows, classes)``, for training and validation.

    Args:
        teacher: a finished run.
        data: what the student is trained on.
        recipe: the student's recipe.
    """
    one_hot = np.eye(len(data.spec.class_names), dtype=np.float32)
    labels = {split: one_hot[data.rows[split].labels] for split in ("train", "validation")}
    softened = soften(probabilities(teacher, data), recipe.teacher_temperature)
    share = recipe.teacher_weight
    return labels | {"train": share * softened + (1 - share) * labels["train"]}


def probabilities(teacher: Run, data: Data) -> np.ndarray:
    """Return a teacher's probabilities of the classes of the training rows.

    Args:
        teacher: a finished run.
        data: the data.
    """
    inputs = data.rows["train"].inputs
    parts = []
    for start in range(0, len(inputs), ROWS_AT_A_TIME):
        chosen = inputs[np.arange(start, min(start + ROWS_AT_A_TIME, len(inputs)))]
        prepared = apply_preprocessor(teacher.preprocessor, chosen)
        parts.append(class_probabilities(teacher.model.predict(prepared, verbose=0)))
    return np.concatenate(parts).astype(np.float32)


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities that result if logits are divided by a temperature.

    Args:
        probabilities: ``(rows, classes)``.
        temperature: more than 0; above 1, probabilities become more alike.

    Example:
        >>> import numpy as np
        >>> from zoo.training.distillation import soften
        >>> soften(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _recompile(model: keras.Model, loss: keras.Loss | str, metrics: list[str]) -> None:
    model.compile(
        optimizer=model.optimizer,
        loss=loss,
        metrics=metrics,
        jit_compile=model.jit_compile,
        steps_per_execution=model.steps_per_execution,
    )
