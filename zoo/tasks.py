"""The tasks with their losses and metrics, and compilation of a model for its task."""

from typing import Any

import keras

from zoo.layers.losses import SmoothedCrossentropy
from zoo.layers.optimizers import CONV_KERNEL_RANK, Muon
from zoo.specs import Task

MOMENTUM = 0.9

TASKS = {
    "binary_classification": Task(
        summary="two classes; the model outputs the probability of the second",
        losses=("binary_crossentropy", "mean_squared_error"),
        metrics=("accuracy", "mse"),
        monitor="val_accuracy",
        direction="max",
    ),
    "multiclass_classification": Task(
        summary="several mutually exclusive classes; the model outputs their probabilities",
        losses=("sparse_categorical_crossentropy",),
        metrics=("accuracy",),
        monitor="val_accuracy",
        direction="max",
    ),
    "reconstruction": Task(
        summary="reconstruction of an image from its latent code, or from a noisy copy",
        losses=("mean_squared_error",),
        metrics=("mse",),
        monitor="val_mse",
        direction="min",
        target="image",
    ),
    "generation": Task(
        summary="images from sampled latent codes; the loss is the negative ELBO, in nats",
        losses=("BernoulliLoss", "GaussianLoss"),
        metrics=("reconstruction_loss",),
        monitor="val_loss",
        direction="min",
        target="image",
    ),
    "conditional_generation": Task(
        summary="class-conditional images from sampled latent codes; the same loss",
        losses=("BernoulliLoss", "GaussianLoss"),
        metrics=("reconstruction_loss",),
        monitor="val_loss",
        direction="min",
        target="class-conditional image",
    ),
}

LOSS_COMPONENTS = ("data_loss", "reconstruction_loss")
NO_WEIGHT_DECAY = ("bias", "beta", "gamma")


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
    """Compile a model with the loss, the metrics and the optimizer for a task.

    Args:
        task: key of `TASKS`.
        model: model to compile.
        optimizer: Keras name of the optimizer, for example ``"adam"``; or ``"nesterov"``: SGD with
            Nesterov momentum 0.9.
        learning_rate: learning rate of the optimizer.
        loss: one of the task's losses; the first if None.
        label_smoothing: fraction of each label that is spread evenly over all classes; for
            multiclass classification only.
        weight_decay: decoupled weight decay per step, relative to the learning rate; the
            optimizer's default if None. Biases and normalization parameters are not decayed.

    Returns:
        The same model, compiled. If a kernel has a regularizer, the metric ``data_loss`` is the
        loss without penalties; for tasks whose layers add losses, ``reconstruction_loss`` is the
        loss without those.
    """
    loss = (
        SmoothedCrossentropy(label_smoothing) if label_smoothing else loss or TASKS[task].losses[0]
    )
    names = [*TASKS[task].metrics, *(["data_loss"] if _is_penalized(model) else [])]
    metrics = [_loss_metric(loss, name) if name in LOSS_COMPONENTS else name for name in names]
    model.compile(
        optimizer=_make_optimizer(optimizer, learning_rate, weight_decay, model),
        loss=loss,
        metrics=metrics,
    )
    return model


def _is_penalized(model: keras.Model) -> bool:
    penalized = [weight for weight in model.trainable_variables if weight.regularizer]
    return any(float(weight.regularizer(weight)) for weight in penalized)


def _loss_metric(loss: str | keras.Loss, name: str) -> keras.Metric:
    """Return a metric that is the loss without the terms that layers and regularizers add."""
    loss_fn = keras.losses.get(loss)
    if isinstance(loss_fn, keras.Loss):
        loss_fn = type(loss_fn).from_config({**loss_fn.get_config(), "reduction": None})
    return keras.metrics.MeanMetricWrapper(loss_fn, name=name)


def _make_optimizer(
    name: str, learning_rate: float, weight_decay: float | None, model: keras.Model
) -> keras.optimizers.Optimizer:
    config: dict[str, Any] = {"learning_rate": learning_rate}
    if name == "nesterov":
        name = "sgd"
        config |= {"momentum": MOMENTUM, "nesterov": True}
    if weight_decay is not None:
        config["weight_decay"] = weight_decay
    if name != "muon":
        optimizer = keras.optimizers.get({"class_name": name, "config": config})
    elif _keras_muon_suffices(model):
        optimizer = keras.optimizers.Muon(**config)
    else:
        optimizer = Muon(**config)
    optimizer.exclude_from_weight_decay(var_names=list(NO_WEIGHT_DECAY))
    return optimizer


def _keras_muon_suffices(model: keras.Model) -> bool:
    """Return False for convolutions, and for Keras 3.12, whose Muon fails on TensorFlow."""
    has_conv_kernels = any(len(v.shape) == CONV_KERNEL_RANK for v in model.trainable_variables)
    version = tuple(map(int, keras.__version__.split(".")[:2]))
    return not has_conv_kernels and version >= (3, 13)


def unwrap_single(parts: list[Any]) -> Any:
    """Return the only element of a list, or the list itself if it has several.

    Keras models with one input take a tensor, those with several inputs a list.

    Args:
        parts: one or more tensors.
    """
    return parts[0] if len(parts) == 1 else parts


def class_probabilities(outputs: Any) -> Any:
    """Return the probabilities of all classes; a single sigmoid p becomes ``(1 - p, p)``.

    Args:
        outputs: outputs of a classifier, ``(batch, 1)`` or ``(batch, num_classes)``; an array or a
            tensor.

    Returns:
        ``(batch, num_classes)``; each row sums to 1.
    """
    if outputs.shape[1] == 1:
        return keras.ops.concatenate([1 - outputs, outputs], axis=1)
    return outputs
