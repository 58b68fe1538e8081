"""The fused batch normalization against Keras' own: answers, statistics, gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.acceleration.normalization import BatchNormalization

IMAGES = np.random.default_rng(0).normal(3, 2, (6, 5, 4, 3)).astype(np.float32)


def step(layer, inputs, compiled):
    """Trains nothing: gives outputs, gradients and running statistics after one step."""
    layer.build(inputs.shape)
    layer.gamma.assign([0.5, 1.0, 2.0])
    layer.beta.assign([0.0, -1.0, 1.0])

    @tf.function(jit_compile=compiled)
    def forward_and_back(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
        return outputs, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    found = forward_and_back(tf.constant(inputs))
    return [np.asarray(tf.cast(x, tf.float32)) for x in (
        *found, layer.moving_mean.value, layer.moving_variance.value
    )]  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("policy", "rtol"), [("float32", 2e-4), ("mixed_bfloat16", 3e-2)])
def test_a_training_step_is_that_of_keras(policy, rtol, compiled):
    arguments = {"momentum": 0.7, "epsilon": 1e-2, "dtype": policy}
    ours = step(BatchNormalization(**arguments), IMAGES, compiled)
    theirs = step(keras.layers.BatchNormalization(**arguments), IMAGES, compiled)
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol, atol=rtol * np.abs(expected).max())


def test_the_running_variance_is_the_biased_one():
    layer = BatchNormalization(momentum=0.0)
    layer(IMAGES, training=True)
    flat = IMAGES.reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, flat.var(0, ddof=0), rtol=1e-5)


def test_outside_training_and_frozen_it_uses_the_running_statistics():
    layer = BatchNormalization(epsilon=0.0)
    layer.build(IMAGES.shape)
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 4.0, 4.0])
    expected = (IMAGES - [1.0, 2.0, 3.0]) / 2
    np.testing.assert_allclose(layer(IMAGES, training=False), expected, rtol=1e-5, atol=1e-6)
    layer.trainable = False
    np.testing.assert_allclose(layer(IMAGES, training=True), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [((30, 3), {}), ((6, 5, 3), {}), ((6, 3, 5, 4), {"axis": 1}), ((6, 5, 4, 3), {"scale": False})],
)
def test_what_the_kernel_cannot_do_is_left_to_keras(shape, arguments):
    inputs = np.random.default_rng(1).normal(1, 3, shape).astype(np.float32)
    ours, theirs = BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
    np.testing.assert_array_equal(ours(inputs, training=True), theirs(inputs, training=True))
    np.testing.assert_array_equal(ours.moving_variance, theirs.moving_variance)


def test_weights_of_keras_fit_and_a_file_keeps_the_layer(tmp_path):
    def network(layer):
        return keras.Sequential([keras.Input((5, 4, 3)), layer(name="normalization")])

    theirs, ours = network(keras.layers.BatchNormalization), network(BatchNormalization)
    theirs.layers[0](IMAGES, training=True)
    theirs.save_weights(tmp_path / "of_keras.weights.h5")
    ours.load_weights(tmp_path / "of_keras.weights.h5")
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    assert type(again.layers[0]) is BatchNormalization
    np.testing.assert_array_equal(
        again.predict(IMAGES, verbose=0), theirs.predict(IMAGES, verbose=0)
    )
