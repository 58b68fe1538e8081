"""Convolutional networks, re-derived: the arithmetic of a layer, bad shapes."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ArgumentValueError, UnknownArgumentError


def convolve(images, kernel):
    """Slides a kernel over images padded with zeros, one pixel and one filter at a time."""
    side = kernel.shape[0]
    padded = np.pad(images, [(0, 0), *[((side - 1) // 2, side // 2)] * 2, (0, 0)])
    batch, height, width, _ = images.shape
    out = np.zeros((batch, height, width, kernel.shape[-1]))
    for y in range(height):
        for x in range(width):
            patch = padded[:, y : y + side, x : x + side]
            out[:, y, x] = np.tensordot(patch, kernel, axes=3)
    return out


def pool(images, side):
    batch, height, width, channels = images.shape
    cut = images[:, : height // side * side, : width // side * side]
    blocks = cut.reshape(batch, height // side, side, width // side, side, channels)
    return blocks.max(axis=(2, 4))


@pytest.mark.parametrize("batch_normalization", [False, True])
def test_forward_pass_equals_loops(batch_normalization):
    keras.utils.set_random_seed(0)
    model = zoo.build(
        "simple_cnn", input_shape=(9, 8, 2), num_classes=3, num_layers=2, filters="4-3",
        filter_growth=1.0, kernel_size="3-2", pool_size="1-2", head="flatten",
        batch_normalization=batch_normalization, activation="elu",
    )  # fmt: skip
    generator = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(generator.uniform(0.2, 1, variable.shape) - 0.3 * (len(variable.shape) > 1))
    images = generator.random((2, 9, 8, 2), np.float32)
    x = images
    for i, side in ((1, 1), (2, 2)):
        kernel, *bias = model.get_layer(f"conv_{i}").get_weights()
        x = pool(convolve(x, kernel) + (bias[0] if bias else 0), side)
        if batch_normalization:
            gamma, beta, mean, variance = model.get_layer(f"normalization_{i}").get_weights()
            x = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
        x = np.where(x > 0, x, np.expm1(x))
    kernel, bias = model.get_layer("output").get_weights()
    logits = x.reshape(2, -1) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)


def test_pooling_before_an_activation_that_only_rises_changes_nothing():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    for name in ("relu", "elu", "leaky_relu", "tanh", "sigmoid", "softplus", "selu"):
        activation = keras.activations.get(name)
        first, last = pool(np.asarray(activation(x)), 2), np.asarray(activation(pool(x, 2)))
        np.testing.assert_allclose(first, last, atol=1e-6)


def test_a_list_of_filters_stands_as_it_is():
    for name, count in (("simple_cnn", "64-64-32"), ("deep_cnn", "8-8-8-8-8-4")):
        model = zoo.build(name, filters=count)
        found = [layer.filters for layer in model.layers if hasattr(layer, "filters")]
        assert "-".join(map(str, found)) == count


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "nesterov", "rmsprop", "sgd"])
def test_no_weight_decay_is_none(optimizer):
    model = zoo.build("simple_cnn", filters=2, optimizer=optimizer, weight_decay=0.0)
    before = [v.numpy() for v in model.trainable_variables]
    model.optimizer.build(model.trainable_variables)
    model.optimizer.apply([np.zeros(v.shape, "float32") for v in model.trainable_variables])
    for variable, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_filters_grow_from_layer_to_layer():
    model = zoo.build("simple_cnn", num_layers=4, filters=10, filter_growth=1.5, pool_size=1)
    assert [model.get_layer(f"conv_{i}").filters for i in (1, 2, 3, 4)] == [10, 15, 22, 34]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": "64-64"}, r"filters='64-64' has values for 2 layers, but num_layers=3"),
        ({"pool_size": "2-2-2-2"}, r"pool_size='2-2-2-2' has values for 4 layers"),
        ({"filters": "64-x-1"}, r"filters='64-x-1': must be a positive integer, or one per layer"),
        ({"kernel_size": 0}, r"kernel_size=0: must be a positive integer"),
        ({"kernel_size": True}, r"kernel_size=True: must be a positive integer"),
        ({"filter_growth": 1e300}, r"a layer can have at most 65536"),
        ({"filters": 100_000}, r"requires 4e\+05 filters"),
        ({"num_layers": 400, "pool_size": 1}, r"num_layers=400: must be less than or equal to 200"),
        ({"head": "mean"}, r"head='mean': must be 'flatten', 'average' or 'max'"),
        ({"input_shape": (1, 1, 3)}, r"images of 1x1 pixels are too small for pool_size=2-2-2"),
        ({"input_shape": (32, 4, 3)}, r"images of 32x4 pixels are too small"),
        ({"input_shape": (32,)}, r"must be \(height, width, channels\) for a CNN"),
        ({"label_smoothing": 1.0}, r"label_smoothing=1.0: must be less than 1"),
        ({"weight_decay": -1.0}, r"weight_decay=-1.0: must be greater than or equal to 0"),
    ],
)
@pytest.mark.parametrize("name", ["simple_cnn"])
def test_bad_settings_are_refused_in_one_line(name, settings, message):
    with pytest.raises(ArgumentValueError, match=message) as caught:
        zoo.build(name, **settings)
    assert "\n" not in str(caught.value)


def test_the_near_miss_of_an_argument():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'pool_size'"):
        zoo.build("deep_cnn", pool_sise=2)


def test_weight_decay_spares_biases_and_gains():
    model = zoo.build("simple_cnn", filters=2, learning_rate=0.5, weight_decay=0.1)
    model.optimizer.build(model.trainable_variables)
    before = {v.path: v.numpy() for v in model.trainable_variables}
    zeros = [np.zeros(v.shape, "float32") for v in model.trainable_variables]
    model.optimizer.apply(zeros)
    for variable in model.trainable_variables:
        share = 1 - 0.5 * 0.1 if variable.name == "kernel" else 1
        np.testing.assert_allclose(variable.numpy(), share * before[variable.path], rtol=1e-6)
