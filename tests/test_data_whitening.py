"""Kernels that whiten patches: against their definition, and where training sets them."""

import keras
import numpy as np
import pytest

import zoo
from zoo.data import whitening
from zoo.data.whitening import whitening_kernels
from zoo.models.conv import WHITENING
from zoo.specs import ImageOptions

SETTINGS = {
    "dataset": "digits", "epochs": 1, "batch_size": 256, "filters": 2, "progress": False,
    "precision": "float32", "execution": "recipe",
}  # fmt: skip


def smooth_images(seed=0):
    """Images whose neighboring pixels are correlated."""
    noise = np.random.default_rng(seed).normal(size=(30, 9, 9, 2))
    return 3 * (noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1])


def patches_of(images, size):
    _, height, width, _ = images.shape
    return np.array(
        [
            image[y : y + size, x : x + size].reshape(-1)
            for image in images
            for y in range(height - size + 1)
            for x in range(width - size + 1)
        ]
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_outputs_are_uncorrelated_and_of_unit_variance(size):
    images = smooth_images()
    kernels = whitening_kernels(images, size)
    count = size * size * 2
    assert kernels.shape == (size, size, 2, 2 * count)
    outputs = patches_of(images, size) @ kernels.reshape(count, -1)
    np.testing.assert_allclose(np.cov(outputs[:, :count], rowvar=False), np.eye(count), atol=2e-2)
    np.testing.assert_array_equal(kernels[..., count:], -kernels[..., :count])


def test_a_direction_without_variance_stays_finite():
    images = np.repeat(smooth_images()[..., :1], 2, axis=-1)  # two equal channels
    kernels = whitening_kernels(images, 2)
    assert np.isfinite(kernels).all()
    assert np.abs(kernels).max() < 1 / np.sqrt(whitening.EPSILON)


def test_training_sets_the_kernels_by_the_training_images_and_keeps_them(data_dir, tmp_path):
    run = zoo.train("fast_cnn", data_dir=data_dir, run_dir=tmp_path / "run", **SETTINGS)
    data = zoo.load_data("digits", data_dir=data_dir, images=ImageOptions(scaling="standardized"))
    images = np.concatenate([batch for batch, _ in data.in_order("train").as_numpy_iterator()])
    kernel = run.model.get_layer(WHITENING).kernel.numpy()
    np.testing.assert_allclose(kernel, whitening_kernels(images, 2), rtol=1e-5)

    tuned = zoo.train(
        "fast_cnn", data_dir=data_dir, run_dir=tmp_path / "tuned", weights=str(run.directory),
        seed=1, **SETTINGS | {"filters": 2},
    )  # fmt: skip
    np.testing.assert_array_equal(tuned.model.get_layer(WHITENING).kernel.numpy(), kernel)


def test_convolutions_begin_as_the_identity():
    model = zoo.build("fast_cnn", input_shape=(8, 8, 1), filters="10-4-4")
    for name, passed in (("conv_1_1", 8), ("conv_1_2", 10), ("conv_2_1", 4), ("conv_3_2", 4)):
        layer = model.get_layer(name)
        images = np.random.default_rng(0).random((2, 8, 8, layer.input.shape[-1]), np.float32)
        outputs = keras.ops.convert_to_numpy(layer(images))
        np.testing.assert_allclose(outputs[..., :passed], images[..., :passed], atol=1e-6)
        assert (outputs[..., passed:] != 0).all() or passed == layer.filters
