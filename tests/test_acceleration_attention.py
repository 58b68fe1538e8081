"""The zoo's attention against Keras', and its gradient against differences."""

import inspect
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.acceleration import attention
from zoo.acceleration.attention import MultiHeadAttention, masked_attention
from zoo.acceleration.text import TransformerEncoderBlock

BATCH, WORDS, CHANNELS = 4, 7, 6
KEY_BIAS = "key/bias"  # adds the same to all logits of a query: its gradient is rounding alone

# An argument that the oldest supported Keras lacks.
TAKEN = inspect.signature(keras.layers.MultiHeadAttention.__init__).parameters
GATED = [{"use_gate": True}] if "use_gate" in TAKEN else []


def words():
    """Random vectors of words, and which of them are known: all, holes, padding, one alone."""
    generator = np.random.default_rng(0)
    known = np.ones((BATCH, WORDS), bool)
    known[1, 2:4], known[2, 4:], known[3, 1:] = False, False, False
    return generator.normal(size=(BATCH, WORDS, CHANNELS)).astype("float32"), known


def both(**arguments):
    """Keras' layer and the zoo's with the same random weights."""
    layers = [
        layer(num_heads=2, key_dim=3, value_dim=5, **arguments)
        for layer in (keras.layers.MultiHeadAttention, MultiHeadAttention)
    ]
    generator = np.random.default_rng(1)
    for layer in layers:
        layer.build((BATCH, WORDS, CHANNELS), (BATCH, WORDS, CHANNELS))
    drawn = [generator.normal(size=weight.shape) for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(drawn)
    return layers


def answer_and_gradients(layer, mask, training=True, jit_compile=False):
    """Outputs that known words ask for, and the gradients of the sum of their weighted squares."""
    inputs, known = words()
    counted = known[..., None] * np.arange(1, CHANNELS + 1, dtype="float32")

    @tf.function(jit_compile=jit_compile)
    def compute(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, inputs, attention_mask=mask, training=training)
            outputs = tf.cast(outputs, tf.float32) * counted
            total = tf.reduce_sum(outputs**2)
        learned = [w.value for w in layer.trainable_variables if not w.path.endswith(KEY_BIAS)]
        return [outputs, *tape.gradient(total, [inputs, *learned])]

    return [part.numpy() for part in compute(tf.constant(inputs))]


def assert_alike(layers, mask, rtol=1e-4, **options):
    theirs, ours = (answer_and_gradients(layer, mask, **options) for layer in layers)
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol, atol=rtol * np.abs(expected).max())


@pytest.mark.exhaustive
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("policy", "rtol"), [("float32", 1e-4), ("mixed_bfloat16", 4e-2)])
def test_answers_and_gradients_are_those_of_keras(policy, rtol, masked, jit_compile):
    mask = words()[1][:, None, :] if masked else None
    assert_alike(both(dtype=policy), mask, rtol, jit_compile=jit_compile)


@pytest.mark.parametrize("arguments", [*GATED, {"use_bias": False}])
def test_answers_with_a_gate_or_without_a_bias_are_those_of_keras(arguments):
    assert_alike(both(**arguments), words()[1][:, None, :])


def test_training_is_by_hand_and_all_else_is_left_to_keras(monkeypatch):
    inputs, known = words()
    mask, apart = known[:, None], np.ones((1, WORDS, WORDS), bool)
    asked = mock.Mock(wraps=masked_attention)
    monkeypatch.setattr(attention, "masked_attention", asked)
    _, layer = both()
    layer(inputs, inputs, training=True)
    layer(inputs, inputs, attention_mask=mask, training=True)
    TransformerEncoderBlock(2, 8)(inputs, mask=known, training=True)
    assert asked.call_count == 3
    layer(inputs, inputs, attention_mask=mask)
    layer(inputs, inputs, attention_mask=apart, training=True)
    layer(inputs, inputs, use_causal_mask=True, training=True)
    layer(inputs, inputs, return_attention_scores=True, training=True)
    both(dropout=0.1)[1](inputs, inputs, training=True)
    assert asked.call_count == 3


@pytest.mark.exhaustive
@pytest.mark.parametrize("arguments", [*GATED, {"flash_attention": False}, {}])
@pytest.mark.parametrize("training", [False, True])
def test_what_is_masked_for_each_query_apart_is_that_of_keras(arguments, training):
    apart = np.tril(np.ones((1, WORDS, WORDS), bool))
    assert_alike(both(**arguments), apart, training=training)


def test_weights_that_are_asked_for_are_those_of_keras():
    inputs, known = words()
    options = {"attention_mask": known[:, None], "return_attention_scores": True, "training": True}
    theirs, ours = (layer(inputs, inputs, **options)[1].numpy() for layer in both())
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not ours[~np.broadcast_to(known[:, None, None], ours.shape)].any()


def test_other_words_than_those_that_ask_are_looked_at():
    inputs, known = words()
    asking = inputs[:, :3] + 1
    options = {"attention_mask": known[:, None], "training": True}
    theirs, ours = (layer(asking, inputs, **options).numpy() for layer in both())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_differences():
    generator = np.random.default_rng(0)
    shapes = (2, 3, 4, 2), (2, 3, 5, 2), (2, 3, 5, 3)
    values = [tf.constant(generator.normal(size=shape)) for shape in shapes]
    known = tf.constant(generator.random((2, 3, 5)) < 0.6)
    theory, numeric = tf.test.compute_gradient(
        tf.function(lambda *parts: masked_attention(*parts, known)), values, delta=1e-5
    )
    for exact, differences in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(exact, differences, atol=1e-8)


def test_nobody_looks_at_padding_and_nothing_is_learnt_of_it():
    inputs, known = words()
    layer = both()[1]
    with tf.GradientTape() as tape:
        looked_at = tf.constant(inputs)
        tape.watch(looked_at)
        asking = tf.constant(inputs)
        outputs = layer(asking, looked_at, attention_mask=known[:, None], training=True)
    gradient = tape.gradient(outputs, looked_at).numpy()
    assert not gradient[~known].any()
    assert np.abs(gradient[known]).min() > 0


def test_where_nobody_is_known_the_answer_is_finite():
    query = tf.ones((1, 1, 2, 3))
    outputs = masked_attention(query, query, query, tf.zeros((1, 1, 2), tf.bool))
    assert np.isfinite(outputs.numpy()).all()
