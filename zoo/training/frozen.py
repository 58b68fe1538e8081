"""Linear probing: what frozen layers compute is computed once, and the last layer trains on it."""

import dataclasses

import keras

from zoo.data.pipeline import Data, Rows


def is_frozen_below_output(model: keras.Model) -> bool:
    """Return whether the last layer of a model is the only one with anything to train.

    Args:
        model: any model.
    """
    below = model.layers[:-1]
    return any(layer.weights for layer in below) and not any(
        layer.trainable_variables for layer in below
    )


def head_on_features(model: keras.Model, data: Data) -> tuple[keras.Model, Data]:
    """Compute the features of the frozen layers once, and split off the last layer.

    Args:
        model: compiled, and frozen below its last layer.
        data: what it is trained on, without augmentation.

    Returns:
        The last layer as a compiled model of its own, which shares its variables with `model`, and
        the data with features in place of inputs, for training and validation.
    """
    output = model.layers[-1]
    below = keras.Model(model.input, output.input, name="below_output")
    rows = {
        split: Rows(below.predict(data.in_order(split), verbose=0), data.rows[split].labels)
        for split in ("train", "validation")
    }
    features = keras.Input(output.input.shape[1:], name="features")
    head = keras.Model(features, output(features), name=f"{model.name}_head")
    head.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        metrics=model.get_compile_config()["metrics"],
        jit_compile=model.jit_compile,
        steps_per_execution=model.steps_per_execution,
    )
    return head, dataclasses.replace(data, rows=rows, preprocessor=keras.layers.Identity())
