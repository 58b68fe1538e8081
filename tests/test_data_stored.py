"""Images that are larger than memory: from a file, the same rows, batches and bits."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.data import folders, images
from zoo.data.pipeline import Rows
from zoo.data.stored import StoredImages, write_images
from zoo.errors import DatasetError

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 4, 3, 3), np.uint8)


@pytest.fixture
def stored(tmp_path):
    write_images(tmp_path / "pixels", [PIXELS[:20], PIXELS[20:]])
    return StoredImages(tmp_path / "pixels", (4, 3, 3))


@pytest.mark.parametrize(
    "index",
    [3, -1, slice(4, 20), slice(None, None, -3), np.array([7, 8, 9, 2, 2]), np.arange(50) % 7 == 0],
)
def test_it_is_indexed_like_an_array(stored, index):
    np.testing.assert_array_equal(stored[index], PIXELS[index])


def test_a_selection_reads_nothing_and_selects_again(stored):
    mask = np.arange(50) % 3 == 0
    rows = Rows(stored, np.arange(50))[mask]
    assert isinstance(rows.inputs, StoredImages)
    assert rows.inputs.shape == (17, 4, 3, 3)
    np.testing.assert_array_equal(rows.inputs.subset(slice(2, 9))[:], PIXELS[mask][2:9])
    np.testing.assert_array_equal(
        rows.inputs.joined(stored.subset(~mask))[:], np.concatenate([PIXELS[mask], PIXELS[~mask]])
    )


@pytest.fixture
def without_memory(monkeypatch):
    monkeypatch.setattr(folders, "MAX_BYTES_IN_MEMORY", 1)
    monkeypatch.setattr(images, "MAX_BYTES_IN_MEMORY", 1)


OPTIONS = zoo.ImageOptions(scaling="standardized", augmentation="crop+cutout")


def batches(data):
    epoch = tf.Variable(3, dtype=tf.int64)
    train = data.train_in_epoch(epoch)
    return [
        (rows.numpy(), labels.numpy())
        for split in (data.in_order("train"), train, data.validation, data.test)
        for rows, labels in split
    ]


def test_a_folder_gives_the_same_batches_from_a_file(image_folder, tmp_path, request):
    expected = zoo.load_data(image_folder, batch_size=5, images=OPTIONS)
    request.getfixturevalue("without_memory")
    for _ in range(2):  # written, and read again
        data = zoo.load_data(image_folder, batch_size=5, images=OPTIONS, data_dir=tmp_path)
        assert isinstance(data.rows["train"].inputs, StoredImages)
        assert data.version == expected.version
        for (rows, labels), (same, classes) in zip(batches(data), batches(expected), strict=True):
            np.testing.assert_array_equal(rows, same)
            np.testing.assert_array_equal(labels, classes)
    assert len(list((tmp_path / "keras-model-zoo-images").glob("*.pixels"))) == 1


def test_a_tfds_dataset_gives_the_same_batches_from_a_file(data_dir, request):
    expected = zoo.load_data("digits", data_dir=data_dir, batch_size=512)
    request.getfixturevalue("without_memory")
    data = zoo.load_data("digits", data_dir=data_dir, batch_size=512)
    assert isinstance(data.rows["test"].inputs, StoredImages)
    for (rows, labels), (same, classes) in zip(batches(data), batches(expected), strict=True):
        np.testing.assert_array_equal(rows, same)
        np.testing.assert_array_equal(labels, classes)


@pytest.mark.exhaustive
def test_it_trains_to_the_same_bits(image_folder, tmp_path, request):
    settings = {"dataset": image_folder, "epochs": 2, "filters": 2, "progress": False}
    settings |= {"pool_size": "1-1-2", "jit_compile": False, "data_dir": tmp_path}
    expected = zoo.train("simple_cnn", run_dir=tmp_path / "a", **settings)
    request.getfixturevalue("without_memory")
    run = zoo.train("simple_cnn", run_dir=tmp_path / "b", **settings)
    for ours, theirs in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_changed_folder_is_read_anew(image_folder, tmp_path, without_memory):
    before = zoo.load_data(image_folder, data_dir=tmp_path)
    (image_folder / "rust" / "0.png").unlink()
    after = zoo.load_data(image_folder, data_dir=tmp_path)
    assert sum(map(len, before.rows.values())) == sum(map(len, after.rows.values())) + 1


def test_a_disk_that_is_too_small_is_named(image_folder, tmp_path, without_memory, monkeypatch):
    usage = type("Usage", (), {"free": 5})()
    monkeypatch.setattr("zoo.data.stored.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DatasetError, match="needs 0.0 GiB in .*keras-model-zoo-images, which has"):
        zoo.load_data(image_folder, data_dir=tmp_path)
