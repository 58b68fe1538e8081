"""Models trained by hand: a run directory for what `keras.Model.fit` has trained."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError
from zoo.registry import get_spec
from zoo.runs import Run, create_run
from zoo.runs.files import exclusive_lock
from zoo.tasks import TASKS
from zoo.training.building import build_model
from zoo.training.callbacks import Checkpoint
from zoo.training.config import resolve_config, run_metadata
from zoo.training.finish import evaluate_split, finish


def save_run(
    model: keras.Model,
    run_dir: str | Path,
    *,
    data: Data,
    history: keras.callbacks.History | Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
    **overrides: Any,
) -> Run:
    """Save a model that was trained by hand as a run, and evaluate it on the test split.

    The run is like one of `zoo.train`: it can be evaluated, plotted, exported and predicted with.

    Args:
        model: a trained, compiled model of the zoo.
        run_dir: directory to create.
        data: the data that it was trained on, from `zoo.load_data`.
        history: what `fit` returned, or its ``history``; if None, the run has one epoch, measured
            now.
        seed: seed of the training, for the record.
        **overrides: arguments that the model was built with, where they are not the defaults.

    Returns:
        The finished run.

    Raises:
        UnknownModelError: if the model's name is not that of a model of the zoo.
        ArgumentValueError: if these arguments do not build a model with the same weights, or the
            history is not of training and validation.
        RunError: if the directory exists and is not empty.

    Example:
        >>> import zoo
        >>> data = zoo.load_data("or", batch_size=4)
        >>> model = zoo.build("perceptron", input_shape=(2,), learning_rate=0.5)
        >>> history = model.fit(
        ...     data.train, epochs=30, validation_data=data.validation, verbose=0, shuffle=False
        ... )
        >>> run = zoo.save_run(
        ...     model, tmp / "run", data=data, history=history, learning_rate=0.5
        ... )
        >>> run.metrics["epochs"]
        30
    """
    task = TASKS[get_spec(model.name).task]
    rows = _rows_of(model, data, getattr(history, "history", history))
    if task.monitor not in rows[0]:
        raise ArgumentValueError(
            f"history has no {task.monitor}: call fit with validation_data, or pass no history."
        )
    preprocessing = dataclasses.asdict(data.options) if data.options else {}
    trained = {"batch_size": data.batch_size, "epochs": len(rows), "precision": "float32"}
    settings = {**preprocessing, **trained, **overrides}
    config = resolve_config(model.name, data.spec, seed=seed, overrides=settings)
    config = dataclasses.replace(
        config, recipe=config.recipe.replace(jit_compile=model.jit_compile)
    )
    _require_same_weights(model, config.model, config.arguments)
    run = create_run(Path(run_dir), config.to_json() | run_metadata(data, model))
    with exclusive_lock(run.directory):
        checkpoint = Checkpoint(run, task.monitor, task.direction, patience=0)
        checkpoint.set_model(model)
        checkpoint.rows = rows
        finish(run, model, data, checkpoint)
    return run


def _rows_of(
    model: keras.Model, data: Data, history: Mapping[str, Sequence[float]] | None
) -> list[dict[str, float]]:
    if not history:
        validation = evaluate_split(model, data, "validation")
        metrics = {
            **evaluate_split(model, data, "train"),
            **{f"val_{key}": value for key, value in validation.items()},
        }
        history = {key: [value] for key, value in metrics.items()}
    columns = {key: list(map(float, values)) for key, values in history.items()}
    return [
        {"epoch": number, **dict(zip(columns, values, strict=True)), "seconds": 0.0}
        for number, values in enumerate(zip(*columns.values(), strict=True), 1)
    ]


def _require_same_weights(model: keras.Model, name: str, arguments: Mapping[str, Any]) -> None:
    expected = [tuple(weight.shape) for weight in build_model(name, arguments).weights]
    if [tuple(weight.shape) for weight in model.weights] != expected:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ArgumentValueError(
            f"{name} built with {given} has other weights than this model: pass the arguments that "
            "it was built with, such as units=64."
        )
