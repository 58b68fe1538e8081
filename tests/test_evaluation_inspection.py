"""Looking inside: against closed forms, on copies, for every model of the registry."""

import keras
import numpy as np
import pytest
from conftest import TINY, tiny

import zoo
from zoo.evaluation import inspection


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return zoo.build("simple_cnn", filters=3, num_classes=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 32, 32, 3), np.float32)


@pytest.mark.parametrize("name", TINY)
def test_every_formula_gives_the_count(name):
    model = tiny(name)
    rows = inspection.layer_parameters(model)
    assert sum(row.count for row in rows) == model.count_params()
    for row in rows:
        assert eval(row.formula.replace("·", "*")) == row.count


def test_kernels_are_scaled_on_a_copy(network):
    before = network.get_layer("conv_2").kernel.numpy()
    scaled = inspection.scaled_kernels(network, "conv_2")
    assert scaled.shape == (3, 3, 3, 6)
    for number in range(6):
        ours, theirs = scaled[..., number], before[..., number]
        np.testing.assert_allclose(ours, (theirs - theirs.min()) / np.ptp(theirs), atol=1e-6)
    scaled[:] = 7
    np.testing.assert_array_equal(network.get_layer("conv_2").kernel.numpy(), before)


def test_a_constant_kernel_is_no_division_by_zero():
    model = zoo.build("simple_cnn", filters=3)
    model.get_layer("conv_1").kernel.assign(np.ones((3, 3, 3, 3)))
    assert (inspection.scaled_kernels(model, "conv_1") == 0).all()


def test_convolutions_are_named_from_the_input_on(network):
    assert inspection.conv_layer_names(network) == ["conv_1", "conv_2", "conv_3"]
    assert inspection.conv_layer_names(zoo.build("mlp", units=3)) == []


def test_feature_maps_are_those_that_lead_to_the_answer(network, images):
    maps = inspection.feature_maps(network, images[0])
    assert {name: values.shape for name, values in maps.items()} == {
        "activation_1": (16, 16, 3),
        "activation_2": (8, 8, 6),
        "activation_3": (4, 4, 12),
    }
    kernel, bias = network.get_layer("output").get_weights()
    logits = maps["activation_3"].mean(axis=(0, 1)) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(network.predict(images[:1], verbose=0)[0], expected, atol=1e-5)


def test_grad_cam_of_an_average_is_the_class_activation_map(network, images):
    """Under a global average the gradient is the head's own weight: Zhou et al., 2016."""
    labels = [0, 1, 2, 3, 0]
    kernel, _ = network.get_layer("output").get_weights()
    for image, label, found in zip(
        images, labels, inspection.grad_cam(network, images, labels), strict=True
    ):
        maps = inspection.feature_maps(network, image)["activation_3"]
        speaks = np.maximum(maps @ kernel[:, label], 0)
        np.testing.assert_allclose(found, speaks / max(speaks.max(), 1e-12), atol=1e-5)


def test_grad_cam_is_zero_where_nothing_speaks_for_the_class(network, images):
    deaf = keras.models.clone_model(network)
    deaf.set_weights(network.get_weights())
    kernel = deaf.get_layer("output").kernel
    kernel.assign(-np.abs(kernel.numpy()))
    assert (inspection.grad_cam(deaf, images, [1] * 5) == 0).all()


def test_grad_cam_sees_through_shortcuts(images):
    model = tiny("resnet18")
    maps = inspection.grad_cam(model, images, [0, 1, 2, 3, 4])
    assert maps.shape == (5, 4, 4)
    assert ((maps >= 0) & (maps <= 1)).all()


def test_kernels_are_measured_together():
    model = zoo.build("text_mlp", vocab_size=10, num_layers=1, units=4)
    hidden, output = (layer.kernel for layer in model.layers if hasattr(layer, "kernel"))
    hidden.assign(np.zeros((10, 4)))
    output.assign(np.full((4, 4), -0.5))
    measured = inspection.kernel_statistics(model)
    assert measured.norm == pytest.approx(np.sqrt(16 * 0.25))
    assert measured.sparsity == pytest.approx(40 / 56)
