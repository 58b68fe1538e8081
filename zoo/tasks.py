"""The tasks: for each its losses, its metrics and the quantity by which epochs are compared."""

import keras

from zoo.specs import Task

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
}


def compile_for(
    task: str,
    model: keras.Model,
    *,
    optimizer: str,
    learning_rate: float,
    loss: str | None = None,
) -> keras.Model:
    """Compiles a model for its task.

    Args:
        task: key of `TASKS`.
        model: the network.
        optimizer: Keras' name of the optimiser, for example ``"adam"``.
        learning_rate: its learning rate.
        loss: one of the task's losses; the first of them if None.

    Returns:
        The same model, compiled.
    """
    model.compile(
        optimizer=keras.optimizers.get(
            {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
        ),
        loss=loss or TASKS[task].losses[0],
        metrics=list(TASKS[task].metrics),
    )
    return model
