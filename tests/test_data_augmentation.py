"""Augmentation: what may come of an image, that a seed decides it, and who never sees it."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

import zoo
from zoo import ImageOptions
from zoo.data.augmentation import (
    Cutout,
    ElasticDistortion,
    PaddedCrop,
    RandomFlip,
    augmentation_layers,
)
from zoo.errors import ArgumentValueError

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 12, 16, 3), np.uint8)
LAYERS = [RandomFlip(), PaddedCrop(2), Cutout(4, (1, 2, 3)), ElasticDistortion(15, 2)]
each = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


@each
def test_a_seed_decides_and_another_decides_otherwise(layer):
    one, same, other = (layer(IMAGES, seed=seed).numpy() for seed in ((1, 2), (1, 2), (1, 3)))
    assert one.dtype == np.uint8
    assert one.shape == IMAGES.shape
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@each
def test_the_same_inside_a_pipeline(layer):
    mapped = tf.data.Dataset.from_tensors(IMAGES).map(lambda images: layer(images, seed=(5, 6)))
    np.testing.assert_array_equal(next(mapped.as_numpy_iterator()), layer(IMAGES, seed=(5, 6)))


def test_a_flip_mirrors_about_half_of_the_images():
    flipped = RandomFlip()(IMAGES, seed=(0, 0)).numpy()
    kept = (flipped == IMAGES).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


def test_a_crop_is_a_window_of_the_mirrored_surround():
    padding, (height, width) = 2, IMAGES.shape[1:3]
    cropped = PaddedCrop(padding)(IMAGES, seed=(0, 0)).numpy()
    padded = np.pad(IMAGES, [(0, 0), (padding, padding), (padding, padding), (0, 0)], "reflect")
    found = set()
    for image, surround in zip(cropped, padded, strict=True):
        moves = [
            (y, x)
            for y in range(2 * padding + 1)
            for x in range(2 * padding + 1)
            if (surround[y : y + height, x : x + width] == image).all()
        ]
        assert len(moves) == 1
        found.update(moves)
    assert {y for y, _ in found} == {x for _, x in found} == set(range(5))


def test_a_cutout_covers_one_square_and_nothing_else():
    color = (1, 2, 3)
    sizes = set()
    for before, after in zip(IMAGES, Cutout(4, color)(IMAGES, seed=(0, 0)).numpy(), strict=True):
        covered = (after == color).all(axis=-1) & (before != after).any(axis=-1)
        rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert (after[~covered] == before[~covered]).all()
        assert covered.sum() == height * width
        sizes.add((height, width))
    assert max(sizes) == (4, 4)
    assert min(min(size) for size in sizes) >= 2  # the center is never outside


def test_an_elastic_distortion_moves_pixels_by_a_smooth_field():
    alpha, sigma, seed = 15.0, 2.0, (0, 0)
    distorted = ElasticDistortion(alpha, sigma)(IMAGES, seed=seed).numpy()
    shape = (2, *IMAGES.shape[:3])
    noise = tf.random.stateless_uniform(shape, seed, -1.0, 1.0).numpy()
    shifts = alpha * ndimage.gaussian_filter(
        noise, sigma, mode="constant", axes=(2, 3), truncate=10
    )
    assert 0.5 < shifts.std() < 2
    for image, found, shift in zip(IMAGES, distorted, np.moveaxis(shifts, 1, 0), strict=True):
        places = np.indices(shift[0].shape) + shift
        expected = np.stack(
            [
                ndimage.map_coordinates(channel.astype(float), places, order=1, mode="nearest")
                for channel in np.moveaxis(image, -1, 0)
            ],
            axis=-1,
        )
        np.testing.assert_allclose(found, expected, atol=0.6)


def test_without_displacement_an_image_stays_as_it_is():
    np.testing.assert_array_equal(ElasticDistortion(0.0, 2.0)(IMAGES, seed=(0, 0)), IMAGES)


def test_layers_are_made_in_the_order_named_and_to_measure():
    cutout, crop = augmentation_layers(
        ImageOptions(augmentation="cutout+crop"), (32, 64, 3), (9, 9, 9)
    )
    assert (type(cutout), cutout.size, type(crop), crop.padding) == (Cutout, 8, PaddedCrop, 4)
    assert augmentation_layers(ImageOptions(), (32, 32, 3), (9, 9, 9)) == ()


@pytest.mark.parametrize("word", ["", "flop", "flip+", "flip,crop", "Flip", "flip+flip"])
def test_another_word_is_refused(word):
    with pytest.raises(ArgumentValueError, match="must be none, or one or more of flip, crop"):
        ImageOptions(augmentation=word)


@pytest.mark.exhaustive
def test_only_training_rows_are_altered(data_dir):
    plain, altered = (
        zoo.load_data("digits", data_dir=data_dir, images=ImageOptions(augmentation=words))
        for words in ("none", "crop+cutout")
    )
    for split in ("validation", "test"):
        for (ours, _), (theirs, _) in zip(
            getattr(altered, split), getattr(plain, split), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    rows = {image.numpy().tobytes() for batch, _ in plain.train for image in batch}
    seen = [image.numpy().tobytes() for batch, _ in altered.train for image in batch]
    assert sum(image not in rows for image in seen) > len(seen) / 2
    untouched = {
        image.numpy().tobytes() for batch, _ in altered.in_order("train") for image in batch
    }
    assert untouched == rows


@pytest.mark.exhaustive
def test_digits_are_not_mirrored_unless_it_is_asked_for(data_dir, tmp_path):
    options = {"dataset": "digits", "data_dir": data_dir, "epochs": 1, "filters": 2}
    options |= {"progress": False, "precision": "float32"}
    run = zoo.train("simple_cnn", run_dir=tmp_path / "a", **options)
    assert run.config["recipe"]["images"]["augmentation"] == "crop"
    run = zoo.train("simple_cnn", run_dir=tmp_path / "b", augmentation="flip", **options)
    assert run.config["recipe"]["images"]["augmentation"] == "flip"


def test_an_epochs_alteration_follows_from_its_number_alone(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir, images=ImageOptions(augmentation="crop"))
    number = tf.Variable(0, dtype=tf.int64)
    train = data.train_in_epoch(number)

    def rows_of(epoch):
        number.assign(epoch)
        return np.concatenate([inputs for inputs, _ in train.as_numpy_iterator()])

    third = rows_of(3)
    assert (np.sort(rows_of(2).ravel()) != np.sort(third.ravel())).any()
    np.testing.assert_array_equal(rows_of(3), third)
    other = zoo.load_data(
        "digits", data_dir=data_dir, seed=1, images=ImageOptions(augmentation="crop")
    )
    others = np.concatenate([x for x, _ in other.train_in_epoch(number).as_numpy_iterator()])
    assert (others != third).any()
