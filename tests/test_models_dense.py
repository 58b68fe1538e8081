"""The dense models against NumPy: forward, gradients, one update, penalties."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo

ROWS = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], np.float32)
TARGETS = np.array([[1], [1], [1], [0], [1], [0], [1], [1]], np.float32)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def two_layers(weights, loss):
    """Output, loss and gradients of the two-layer net on the truth table, by hand."""
    w1, b1, w2, b2 = (weight.astype(np.float64) for weight in weights)
    hidden = sigmoid(ROWS @ w1 + b1)
    output = sigmoid(hidden @ w2 + b2)
    n = len(ROWS)
    if loss == "binary_crossentropy":
        value = -np.mean(TARGETS * np.log(output) + (1 - TARGETS) * np.log(1 - output))
        at_output = (output - TARGETS) / n
    else:
        value = np.mean((output - TARGETS) ** 2)
        at_output = 2 * (output - TARGETS) * output * (1 - output) / n
    at_hidden = at_output @ w2.T * hidden * (1 - hidden)
    gradients = [
        ROWS.T @ at_hidden,
        at_hidden.sum(axis=0),
        hidden.T @ at_output,
        at_output.sum(axis=0),
    ]
    return output, value, gradients


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mean_squared_error"])
def test_two_layer_perceptron_equals_numpy(loss):
    keras.utils.set_random_seed(3)
    model = zoo.build("two_layer_perceptron", loss=loss, optimizer="sgd", learning_rate=0.5)
    weights = model.get_weights()
    output, value, gradients = two_layers(weights, loss)
    np.testing.assert_allclose(model(ROWS), output, atol=1e-6)
    with tf.GradientTape() as tape:
        found = model.compute_loss(y=tf.constant(TARGETS), y_pred=model(ROWS, training=True))
    np.testing.assert_allclose(found, value, atol=1e-6)
    for theirs, ours in zip(
        tape.gradient(found, model.trainable_variables), gradients, strict=True
    ):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)
    model.fit(ROWS, TARGETS, batch_size=8, verbose=0)
    for after, before, gradient in zip(model.get_weights(), weights, gradients, strict=True):
        np.testing.assert_allclose(after, before - 0.5 * gradient, atol=1e-6)


def test_numpy_gradients_equal_finite_differences():
    generator = np.random.default_rng(0)
    shapes = ((3, 4), (4,), (4, 1), (1,))
    weights = [generator.normal(size=shape) for shape in shapes]
    for loss in ("binary_crossentropy", "mean_squared_error"):
        _, _, gradients = two_layers(weights, loss)
        for i, weight in enumerate(weights):
            for place in np.ndindex(weight.shape):
                up, down = [[w.copy() for w in weights] for _ in range(2)]
                up[i][place] += 1e-5
                down[i][place] -= 1e-5
                slope = (two_layers(up, loss)[1] - two_layers(down, loss)[1]) / 2e-5
                assert abs(slope - gradients[i][place]) < 1e-8


def test_without_bias_the_all_zero_row_is_at_one_half_and_gets_no_gradient():
    keras.utils.set_random_seed(0)
    model = zoo.build("perceptron", use_bias=False)
    zero = np.zeros((1, 3), np.float32)
    model.set_weights([np.array([[5.0], [-7.0], [9.0]])])
    assert float(model(zero)[0, 0]) == 0.5
    before = model.get_weights()[0]
    model.fit(zero, np.zeros(1), epochs=10, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_no_single_unit_computes_the_eight_row_table():
    """Two rows of one class and two of the other have the same sum: no hyperplane parts them."""
    table = dict(zip(map(tuple, ROWS.astype(int).tolist()), TARGETS[:, 0], strict=True))
    ones, zeros = [(0, 0, 1), (1, 1, 1)], [(0, 1, 1), (1, 0, 1)]
    assert all(table[row] == 1 for row in ones)
    assert all(table[row] == 0 for row in zeros)
    assert np.sum(ones, axis=0).tolist() == np.sum(zeros, axis=0).tolist()


def test_softmax_regression_equals_numpy():
    keras.utils.set_random_seed(0)
    model = zoo.build("softmax_regression", l2=0.5)
    images = np.random.default_rng(0).random((7, 8, 8, 1), np.float32)
    digits = np.arange(7)
    kernel, bias = model.get_weights()
    logits = images.reshape(7, 64) @ kernel + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(images), probabilities, atol=1e-6)
    loss = -np.log(probabilities[np.arange(7), digits]).mean() + 0.5 * (kernel**2).sum()
    assert model.evaluate(images, digits, verbose=0)[0] == pytest.approx(loss, rel=1e-5)


def test_mlp_equals_numpy_with_penalties():
    keras.utils.set_random_seed(0)
    settings = {"input_shape": (5,), "num_classes": 3, "units": 4, "num_layers": 3}
    model = zoo.build("mlp", l1=0.1, l2=0.2, dropout=0.5, activation="tanh", **settings)
    x = np.random.default_rng(0).random((6, 5), np.float32)
    target = np.arange(6) % 3
    weights = model.get_weights()
    hidden = x
    for kernel, bias in zip(weights[0:6:2], weights[1:6:2], strict=True):
        hidden = np.tanh(hidden @ kernel + bias)
    logits = hidden @ weights[6] + weights[7]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(x), probabilities, atol=1e-6)
    penalty = sum(0.1 * np.abs(k).sum() + 0.2 * (k**2).sum() for k in weights[0::2])
    loss = -np.log(probabilities[np.arange(6), target]).mean() + penalty
    assert model.evaluate(x, target, verbose=0)[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("num_layers", "units", "expected"),
    [(2, 64, 68_484), (1, 64, 64_324)],
)
def test_mlp_parameter_counts_on_a_thousand_inputs(num_layers, units, expected):
    """68,484 is the course's AG News network: 1,000 words, 64 and 64 units, 4 classes."""
    model = zoo.build("mlp", input_shape=(1000,), num_classes=4, num_layers=num_layers, units=units)
    assert model.count_params() == expected


def test_mlp_with_batch_normalization_has_no_idle_biases():
    model = zoo.build("mlp", units=7, num_layers=2, batch_normalization=True)
    assert model.get_layer("hidden_1").use_bias is False
    assert model.count_params() == 784 * 7 + 4 * 7 + 7 * 7 + 4 * 7 + 7 * 10 + 10


def test_dropout_acts_in_training_alone():
    keras.utils.set_random_seed(0)
    model = zoo.build("mlp", units=32, dropout=0.5)
    x = np.ones((1, 28, 28, 1), np.float32)
    assert (np.asarray(model(x, training=True)) != np.asarray(model(x, training=True))).any()
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))
