"""The zoo's recurrent layers against Keras', and their gradients against differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.acceleration.recurrent import GRU, LSTM, SimpleRNN, run_recurrence

pytestmark = pytest.mark.compiled_recurrences
UNITS, FEATURES = 4, 5
LAYERS = {
    "simple": (keras.layers.SimpleRNN, SimpleRNN),
    "gru": (keras.layers.GRU, GRU),
    "lstm": (keras.layers.LSTM, LSTM),
}


def words(time=7):
    """Random vectors of words, and which of them are known: holes and padding at both ends."""
    generator = np.random.default_rng(0)
    known = generator.random((6, time)) < 0.7
    known[0, :3], known[1, -3:], known[2] = False, False, False
    return generator.normal(size=(6, time, FEATURES)).astype("float32"), known


def both(name, **arguments):
    """Keras' layer and the zoo's with the same random weights."""
    layers = [layer(UNITS, **arguments) for layer in LAYERS[name]]
    generator = np.random.default_rng(1)
    for layer in layers:
        layer.build((6, None, FEATURES))
    drawn = [generator.normal(size=weight.shape) for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(drawn)
    return layers


def answer_and_gradients(layer, jit_compile, mask, training=False):
    """Outputs and last states, and the gradients of their weighted sum."""
    inputs, known = words()
    states = [np.full((6, UNITS), value, "float32") for value in (0.3, -0.7)]
    states = states[: 2 if isinstance(layer, keras.layers.LSTM) else 1]

    @tf.function(jit_compile=jit_compile)
    def compute(inputs, *states):
        with tf.GradientTape() as tape:
            tape.watch([inputs, states])
            outputs = layer(
                inputs,
                mask=known if mask else None,
                initial_state=list(states),
                training=training,
            )
            total = tf.add_n(
                [tf.reduce_sum(i * part * np.arange(1, UNITS + 1, dtype="float32"))
                 for i, part in enumerate(outputs, 1)]
            )  # fmt: skip
        weights = [weight.value for weight in layer.trainable_variables]
        return [*outputs, *tape.gradient(total, [inputs, *states, *weights])]

    return [part.numpy() for part in compute(*map(tf.constant, (inputs, *states)))]


def assert_same(found, expected):
    """Compares each part by its largest number: the sums of a gradient cancel."""
    for found_part, expected_part in zip(found, expected, strict=True):
        largest = max(1, np.abs(expected_part).max())
        np.testing.assert_allclose(found_part / largest, expected_part / largest, atol=5e-6)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("mask", "go_backwards"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_answers_and_gradients_are_those_of_keras(name, return_sequences, mask, go_backwards):
    theirs, ours = both(
        name,
        return_sequences=return_sequences,
        go_backwards=go_backwards,
        return_state=True,
        zero_output_for_mask=return_sequences,
    )
    expected = answer_and_gradients(theirs, False, mask)
    for jit_compile in (False, True):
        assert_same(answer_and_gradients(ours, jit_compile, mask), expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", LAYERS)
def test_in_training_answers_and_gradients_are_those_of_keras(name):
    theirs, ours = both(name, return_sequences=True, return_state=True)
    assert_same(
        answer_and_gradients(ours, False, True, training=True),
        answer_and_gradients(theirs, False, True, training=True),
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("batch", [1, 5])
def test_a_batch_of_any_size_is_halved(batch):
    inputs, known = words()
    layer = both("gru", return_sequences=True)[1]
    whole = layer(inputs[:batch], mask=known[:batch])
    halved = layer(inputs[:batch], mask=known[:batch], training=True)
    np.testing.assert_allclose(halved, whole, atol=1e-6)


@pytest.mark.exhaustive
def test_it_is_halved_in_training_alone_and_not_within_xla(monkeypatch):
    calls = []
    halve = LSTM._run_split_batch
    monkeypatch.setattr(
        LSTM, "_run_split_batch", lambda self, *rows: calls.append(1) or halve(self, *rows)
    )
    inputs, _ = words()
    layer = LSTM(UNITS)
    layer(inputs)
    tf.function(lambda: layer(inputs, training=True), jit_compile=True)()
    assert not calls
    layer(inputs, training=True)
    assert len(calls) == 1


@pytest.mark.parametrize("name", LAYERS)
def test_a_state_that_stays_has_the_gradient_of_where_it_began(name):
    """In float64: the sums of a gradient cancel, and float32 rounding depends on the processor."""
    inputs = words()[0].astype("float64")
    found = []
    for layer in both(name, stateful=True, dtype="float64"):
        layer(inputs)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs) * np.arange(1, UNITS + 1, dtype="float64"))
        weights = [weight.value for weight in layer.trainable_variables]
        found.append([total, *tape.gradient(total, weights)])
    for theirs, ours in zip(*found, strict=True):
        assert ours.dtype == "float64"
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("layer", "states"), [(SimpleRNN, 1), (GRU, 1), (LSTM, 2)])
def test_the_gradient_is_that_of_differences(layer, states):
    generator = np.random.default_rng(0)
    time, batch, features, units, sums = 5, 3, 4, 2, len(layer.preactivation_scale)
    known = tf.constant(generator.random((time, batch, 1)) < 0.7, tf.float64)
    shapes = [(time, batch, features), (features + units, sums * units), (sums * units,)]
    shapes += [(batch, units)] * states
    values = [tf.constant(generator.normal(size=shape)) for shape in shapes]

    @tf.function
    def found(words, kernel, bias, *first):
        after, *last = run_recurrence(layer, words, known, kernel, bias, first)
        return tf.concat([after, last], axis=0)

    theory, numeric = tf.test.compute_gradient(found, values, delta=1e-5)
    for exact, differences in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(exact, differences, atol=1e-8)


def test_both_directions_are_those_of_keras():
    inputs, known = words()
    layers = [keras.layers.Bidirectional(layer(UNITS)) for layer in (keras.layers.LSTM, LSTM)]
    for layer in layers:
        layer.build(inputs.shape)
    layers[1].set_weights(layers[0].get_weights())
    theirs, ours = (layer(inputs, mask=known) for layer in layers)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert type(layers[1].backward_layer) is LSTM


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, {"activation": "relu"}) for name in LAYERS),
        *((name, {"unroll": True}) for name in LAYERS),
        ("lstm", {"recurrent_dropout": 0.5}),
        ("lstm", {"recurrent_activation": "hard_sigmoid"}),
        ("gru", {"recurrent_activation": "hard_sigmoid"}),
        ("gru", {"reset_after": False}),
        ("gru", {"use_bias": False}),
    ],
)
def test_what_it_does_not_know_is_left_to_keras(name, arguments):
    theirs, ours = both(name, **arguments)
    inputs, known = words()
    np.testing.assert_array_equal(ours(inputs, mask=known), theirs(inputs, mask=known))


@pytest.mark.parametrize("name", ["simple", "lstm"])
def test_without_a_bias_it_is_that_of_keras(name):
    theirs, ours = both(name, use_bias=False)
    inputs, known = words()
    np.testing.assert_allclose(
        ours(inputs, mask=known), theirs(inputs, mask=known), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", LAYERS)
def test_is_the_same_again_from_its_file(name, tmp_path):
    layer = LAYERS[name][1]
    model = keras.Sequential([keras.Input((None, FEATURES)), layer(UNITS)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0]) is layer
    np.testing.assert_array_equal(loaded(words()[0]), model(words()[0]))
