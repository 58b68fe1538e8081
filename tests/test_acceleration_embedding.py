"""The zoo's embedding against Keras', and Adam's second moments against the closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.acceleration.embedding import Embedding

WORDS = np.array([[1, 1, 2], [4, 1, 0]])
VECTORS = np.arange(10, dtype="float32").reshape(5, 2)
FACTORS = np.arange(1, 13, dtype="float32").reshape(2, 3, 2)
BY_WORD = np.zeros((5, 2), "float32")
np.add.at(BY_WORD, WORDS, FACTORS)


def answer_and_gradient(layer, jit_compile):
    layer.build()
    layer.set_weights([VECTORS])

    @tf.function(jit_compile=jit_compile)
    def compute(words):
        with tf.GradientTape() as tape:
            found = layer(words)
            total = tf.reduce_sum(tf.cast(found, tf.float32) * FACTORS)
        return found, tape.gradient(total, layer.embeddings.value)

    return compute(tf.constant(WORDS))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_gradient_is_one_row_a_word(policy, jit_compile):
    found, gradient = answer_and_gradient(Embedding(5, 2, dtype=policy), jit_compile)
    np.testing.assert_array_equal(tf.cast(found, tf.float32), VECTORS[WORDS])
    assert found.dtype == keras.DTypePolicy(policy).compute_dtype
    assert isinstance(gradient, tf.Tensor)
    np.testing.assert_array_equal(gradient, BY_WORD)


def test_adam_squares_the_gradient_of_a_word():
    layer = Embedding(5, 2)
    gradient = answer_and_gradient(layer, False)[1]
    adam = keras.optimizers.Adam(beta_2=0.75)
    adam.build(layer.trainable_variables)
    adam.apply([gradient])
    np.testing.assert_allclose(adam._velocities[0], 0.25 * BY_WORD**2)


def test_mask_and_arguments_are_those_of_keras(tmp_path):
    layers = [layer(5, 2, mask_zero=True) for layer in (keras.layers.Embedding, Embedding)]
    theirs, ours = (layer.compute_mask(WORDS) for layer in layers)
    np.testing.assert_array_equal(ours, theirs)
    model = keras.Sequential([keras.Input((3,), dtype="int64"), layers[1]])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0]) is Embedding
    np.testing.assert_array_equal(loaded(WORDS), model(WORDS))
