"""The end of a run: the trained model is evaluated, and everything about it is written to files."""

import datetime
from typing import Any

import keras
import numpy as np

from zoo.acceleration import accelerate, is_accelerated
from zoo.data.pipeline import Data
from zoo.evaluation.latent import kl_per_dimension
from zoo.evaluation.reconstruction import evaluate_reconstruction
from zoo.layers.variational import KLDivergenceAddLoss, Sampling
from zoo.pretrained.fine_tuning import freeze_layers
from zoo.runs import PRETRAINED_ARGUMENTS, ROWS_SHOWN, Run, worst_mistakes
from zoo.runs.card import write_card
from zoo.runs.files import atomic_write, write_csv, write_json
from zoo.tasks import class_probabilities
from zoo.training.building import average_weights, build_model
from zoo.training.callbacks import Checkpoint

TOP_K = 5


def finish(run: Run, model: keras.Model, data: Data, checkpoint: Checkpoint) -> None:
    """Evaluate a trained model, read the test split once, and write the files of a finished run.

    Args:
        run: the run.
        model: its model, as trained.
        data: what it was trained on.
        checkpoint: what `fit` returned.
    """
    checkpoint.restore_best()
    saved = _as_built(run, model)
    if run.recipe.precision != "float32":
        model = accelerate(saved)
    validation, test = (evaluate_split(model, data, split) for split in ("validation", "test"))
    predictions, figures = (
        _evaluate_classifier(model, data)
        if data.target == "label"
        else evaluate_reconstruction(model, data)
    )
    with atomic_write(run.directory / "predictions.npz") as partial:
        np.savez_compressed(partial, **predictions)
    for name, layer in (("model.keras", saved), ("preprocessor.keras", data.preprocessor)):
        with atomic_write(run.directory / name) as partial:
            layer.save(partial)
    write_csv(run.directory / "history.csv", checkpoint.rows)
    metrics = {
        **{f"val_{key}": value for key, value in validation.items()},
        **{f"test_{key}": value for key, value in test.items()},
        **figures,
        "epochs": len(checkpoint.rows),
        "best_epoch": checkpoint.best_epoch,
        "seconds": checkpoint.rows[-1]["seconds"],
        "read_test_split_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_card(run, metrics)
    write_json(run.directory / "metrics.json", metrics)
    checkpoint.path.unlink(missing_ok=True)


def evaluate_split(model: keras.Model, data: Data, split: str) -> dict[str, float]:
    """Evaluate a model on a split; one that samples draws the same samples each time.

    On JAX, where Keras has no metrics in layers, ``kl_loss`` is computed apart.

    Args:
        model: compiled.
        data: the data.
        split: ``"train"``, whose rows are not augmented, ``"validation"`` or ``"test"``.
    """
    batches = data.in_order("train") if split == "train" else getattr(data, split)
    for layer in model.layers:
        if isinstance(layer, Sampling):
            layer.restart()
    metrics = model.evaluate(batches, verbose=0, return_dict=True)
    layers = (layer for layer in model.layers if isinstance(layer, KLDivergenceAddLoss))
    if any(layer.kl_loss is None for layer in layers):
        metrics["kl_loss"] = float(kl_per_dimension(model, batches).sum(axis=1).mean())
    return metrics


def _as_built(run: Run, trained: keras.Model) -> keras.Model:
    """Return the model as its builder makes it, in float32, with the state of the trained one."""
    if run.recipe.precision == "float32" and not is_accelerated(trained):
        return trained
    arguments = {k: v for k, v in run.config["arguments"].items() if k not in PRETRAINED_ARGUMENTS}
    model = build_model(run.config["model"], arguments)
    freeze_layers(model, run.config["start"]["freeze"])
    average_weights(model, run.recipe.ema_momentum)
    model.jit_compile = trained.jit_compile
    model.steps_per_execution = trained.steps_per_execution
    model.optimizer.build(model.trainable_variables)
    for variable, value in zip(_state(model), _state(trained), strict=True):
        variable.assign(value)
    return model


def _state(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _evaluate_classifier(model: keras.Model, data: Data) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what ``predictions.npz`` holds, and metrics of the test split."""
    rows = data.rows["test"]
    probabilities = np.asarray(class_probabilities(model.predict(data.test, verbose=0)))
    worst = worst_mistakes(rows.labels, probabilities)
    index = np.unique(np.concatenate([np.arange(min(ROWS_SHOWN, len(rows))), worst]))
    predictions = {
        "labels": rows.labels,
        "probabilities": probabilities,
        "index": index,
        "raw": _without_objects(rows.inputs[index]),
    }
    metrics = classification_metrics(rows.labels, probabilities)
    return predictions, {f"test_{key}": value for key, value in metrics.items()}


def classification_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute metrics that accuracy hides where classes are rare or many.

    Args:
        labels: true classes, ``(rows,)``.
        probabilities: predicted probabilities, ``(rows, classes)``.

    Returns:
        The mean recall of the classes that occur, ``balanced_accuracy``; the mean F1 score of all
        classes, ``macro_f1``; and with more than five classes ``top_5_accuracy``.

    Example:
        >>> import numpy as np
        >>> from zoo.training.finish import classification_metrics
        >>> classification_metrics(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1]] * 4))
        {'balanced_accuracy': 0.5, 'macro_f1': 0.42857142857142855}
    """
    from sklearn import metrics

    predicted, classes = probabilities.argmax(axis=1), np.arange(probabilities.shape[1])
    recall = metrics.recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    f1 = metrics.f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)
    computed = {"balanced_accuracy": float(recall), "macro_f1": float(f1)}
    if len(classes) > TOP_K:
        top_k = metrics.top_k_accuracy_score(labels, probabilities, k=TOP_K, labels=classes)
        computed[f"top_{TOP_K}_accuracy"] = float(top_k)
    return computed


def _without_objects(rows: np.ndarray) -> np.ndarray:
    """Return texts as bytes of fixed width, so that reading them back unpickles nothing."""
    return rows.astype(np.bytes_) if rows.dtype == object else rows
