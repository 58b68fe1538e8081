"""The tasks: for each its losses, its metrics and the quantity by which epochs are compared."""

from typing import Any

import keras

from zoo.layers.losses import SmoothedCrossentropy
from zoo.layers.optimizers import CONV_KERNEL_RANK, Muon
from zoo.specs import Task

MOMENTUM = 0.9

TASKS = {
    "binary_classification": Task(
        summary="one of two classes; the model gives the probability of the second",
        losses=("binary_crossentropy", "mean_squared_error"),
        metrics=("accuracy", "mse"),
        monitor="val_accuracy",
        direction="max",
    ),
    "multiclass_classification": Task(
        summary="one of several classes; the model gives a probability for each",
        losses=("sparse_categorical_crossentropy",),
        metrics=("accuracy",),
        monitor="val_accuracy",
        direction="max",
    ),
    "reconstruction": Task(
        summary="an image from its code of few numbers, or from a noisy copy of it",
        losses=("mean_squared_error",),
        metrics=("mse",),
        monitor="val_mse",
        direction="min",
        target="image",
    ),
    "generation": Task(
        summary="an image from a code that is drawn at random; the loss is a bound, in nats",
        losses=("BernoulliLoss", "GaussianLoss"),
        metrics=("reconstruction_loss",),
        monitor="val_loss",
        direction="min",
        target="image",
    ),
    "conditional_generation": Task(
        summary="an image of a class asked for, from a code that is drawn at random",
        losses=("BernoulliLoss", "GaussianLoss"),
        metrics=("reconstruction_loss",),
        monitor="val_loss",
        direction="min",
        target="image given label",
    ),
}


PARTS_OF_LOSS = ("data_loss", "reconstruction_loss")
UNDECAYED = ("bias", "beta", "gamma")


def compile_for(
    task: str,
    model: keras.Model,
    *,
    optimizer: str,
    learning_rate: float,
    loss: str | keras.Loss | None = None,
    label_smoothing: float = 0.0,
    weight_decay: float | None = None,
) -> keras.Model:
    """Compiles a model for its task.

    Args:
        task: key of `TASKS`.
        model: the network.
        optimizer: Keras' name of the optimizer, for example ``"adam"``; or ``"nesterov"``, which
            is ``"sgd"`` with Nesterov's momentum of 0.9.
        learning_rate: its learning rate.
        loss: one of the task's losses; the first of them if None.
        label_smoothing: share of each label spread over all classes; several classes only.
        weight_decay: share of each kernel, times the learning rate, taken off at every step;
            the optimizer's own if None. Biases and the gains of normalizations are spared.

    Returns:
        The same model, compiled. If its weights are penalized, the metric ``data_loss`` is the
        loss without the penalty; that of a model whose layers add losses of their own is
        ``reconstruction_loss``.
    """
    loss = (
        SmoothedCrossentropy(label_smoothing) if label_smoothing else loss or TASKS[task].losses[0]
    )
    names = [*TASKS[task].metrics, *(["data_loss"] if _is_penalized(model) else [])]
    metrics = [_only(loss, name) if name in PARTS_OF_LOSS else name for name in names]
    model.compile(
        optimizer=_optimizer(optimizer, learning_rate, weight_decay, model),
        loss=loss,
        metrics=metrics,
    )
    return model


def _is_penalized(model: keras.Model) -> bool:
    penalized = [weight for weight in model.trainable_variables if weight.regularizer]
    return any(float(weight.regularizer(weight)) for weight in penalized)


def _only(loss: str | keras.Loss, name: str) -> keras.Metric:
    """Makes a metric of the loss alone, with nothing that layers add to it: the mean over rows."""
    of_rows = keras.losses.get(loss)
    if isinstance(of_rows, keras.Loss):
        of_rows = type(of_rows).from_config({**of_rows.get_config(), "reduction": None})
    return keras.metrics.MeanMetricWrapper(of_rows, name=name)


def _optimizer(
    name: str, learning_rate: float, weight_decay: float | None, model: keras.Model
) -> keras.optimizers.Optimizer:
    config: dict[str, Any] = {"learning_rate": learning_rate}
    if name == "nesterov":
        name = "sgd"
        config |= {"momentum": MOMENTUM, "nesterov": True}
    if weight_decay is not None:
        config["weight_decay"] = weight_decay
    has_conv_kernels = any(len(v.shape) == CONV_KERNEL_RANK for v in model.trainable_variables)
    optimizer = (
        Muon(**config)
        if name == "muon" and has_conv_kernels
        else keras.optimizers.get({"class_name": name, "config": config})
    )
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def unwrap_single(parts: list[Any]) -> Any:
    """Gives the only part itself, as Keras has models of one input; or all of them.

    Args:
        parts: one or more.
    """
    return parts[0] if len(parts) == 1 else parts


def probabilities_of(outputs: Any) -> Any:
    """Gives one column a class: a single sigmoid p becomes ``(1 - p, p)``.

    Args:
        outputs: ``(batch, 1)`` of sigmoids, or ``(batch, classes)`` of probabilities; an array
            or a tensor.

    Returns:
        ``(batch, classes)``; every row sums to 1.
    """
    if outputs.shape[1] == 1:
        return keras.ops.concatenate([1 - outputs, outputs], axis=1)
    return outputs
