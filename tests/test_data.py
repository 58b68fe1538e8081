"""Data: rows, cuts, order, preprocessing, folders, TFDS data sets, and what is refused."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.datasets import load_digits

import zoo
from zoo.data import DATASETS, get_dataset, images, reader_of, tfds_store
from zoo.data.images import channel_statistics
from zoo.data.pipeline import Rows, hold_out
from zoo.errors import DatasetError, InputError, UnknownDatasetError

FORMULAS = {
    "and": lambda x: x[0] & x[1],
    "or": lambda x: x[0] | x[1],
    "xor": lambda x: x[0] ^ x[1],
    "nand": lambda x: 1 - (x[0] & x[1]),
    "first_input": lambda x: x[0],
    "xor_nand": lambda x: 1 - ((x[0] ^ x[1]) & x[2]),
}


class Shapes(tfds.core.GeneratorBasedBuilder):
    """A TFDS data set outside the zoo: color pictures of many sizes, no test split."""

    VERSION = tfds.core.Version("2.1.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "picture": tfds.features.Image(shape=(None, None, 3)),
                    "kind": tfds.features.ClassLabel(names=["dark", "bright"]),
                }
            ),
            supervised_keys=("picture", "kind"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for row in range(40):
            pixels = np.full((5 + row % 7, 9, 3), 200 * (row % 2) + row, np.uint8)
            yield row, {"picture": pixels, "kind": row % 2}


@pytest.mark.parametrize("name", FORMULAS)
def test_truth_tables_hold_their_formula(name):
    data = zoo.load_data(name)
    rows = data.rows["train"]
    assert [FORMULAS[name](bits.astype(int)) for bits in rows.inputs] == rows.labels.tolist()
    if name != "first_input":
        bits = DATASETS[name].input_shape[0]
        assert rows.inputs.tolist() == [list(row) for row in product((0, 1), repeat=bits)]
    assert data.rows["test"] is data.rows["validation"] is rows


def test_digits_are_those_of_scikit_learn(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir)
    ours = np.concatenate([data.rows[split].inputs for split in ("train", "validation", "test")])
    theirs = np.round(load_digits().images * 255 / 16).astype(np.uint8)[..., None]
    assert data.version == "digits/1.0.0"
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 1295,
        "validation": 142,
        "test": 360,
    }
    assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))


def test_hold_out_is_disjoint_complete_fixed_and_balanced():
    rows = Rows(np.arange(1000), np.repeat([0, 1, 2], [600, 300, 100]))
    left, cut = hold_out(rows, salt=0)
    assert sorted([*left.inputs, *cut.inputs]) == list(range(1000))
    assert np.bincount(cut.labels).tolist() == [60, 30, 10]
    np.testing.assert_array_equal(cut.inputs, hold_out(rows, salt=0)[1].inputs)
    assert (cut.inputs != hold_out(rows, salt=1)[1].inputs).any()


@pytest.mark.exhaustive
def test_the_cut_does_not_follow_the_seed_and_the_order_does(data_dir):
    one, two = (zoo.load_data("digits", data_dir=data_dir, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one.rows["train"].inputs, two.rows["train"].inputs)

    def labels_of(dataset):
        return np.concatenate([labels for _, labels in dataset.as_numpy_iterator()])

    assert (labels_of(one.train) != labels_of(two.train)).any()
    same, again = (zoo.load_data("digits", data_dir=data_dir, seed=2) for _ in range(2))
    np.testing.assert_array_equal(labels_of(same.train), labels_of(again.train))
    np.testing.assert_array_equal(labels_of(one.test), one.rows["test"].labels)
    np.testing.assert_array_equal(labels_of(two.validation), one.rows["validation"].labels)


def test_train_is_reshuffled_and_loses_nothing(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir)
    first, second = (
        np.concatenate([inputs for inputs, _ in data.train.as_numpy_iterator()]) for _ in range(2)
    )
    assert (first != second).any()
    expected = sorted(map(bytes, data.preprocessor(data.rows["train"].inputs).numpy()))
    assert sorted(map(bytes, first)) == sorted(map(bytes, second)) == expected


def test_an_epochs_order_follows_from_its_number_alone(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir, batch_size=100)
    number = tf.Variable(0, dtype=tf.int64)
    train = data.train_in_epoch(number)

    def rows_of(epoch):
        number.assign(epoch)
        return np.concatenate([inputs for inputs, _ in train.as_numpy_iterator()])

    third = rows_of(3)
    assert train.cardinality() == 13
    assert (rows_of(2) != third).any()
    np.testing.assert_array_equal(rows_of(3), third)
    rows = data.preprocessor(data.rows["train"].inputs).numpy()
    assert sorted(map(bytes, third)) == sorted(map(bytes, rows))


@pytest.mark.parametrize("name", ["digits", "xor"])
def test_batches_are_the_preprocessed_rows(name, data_dir):
    data = zoo.load_data(name, data_dir=data_dir, batch_size=3)
    inputs, labels = next(data.test.as_numpy_iterator())
    raw = data.rows["test"].inputs[:3]
    expected = raw / np.float32(255) if name == "digits" else raw.astype("float32")
    np.testing.assert_allclose(inputs, expected, rtol=1e-6)
    assert inputs.dtype == np.float32
    assert labels.tolist() == data.rows["test"].labels[:3].tolist()
    assert inputs.shape[1:] == data.spec.input_shape


def test_preprocessing_is_one_thing_eager_mapped_and_batched(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir)
    raw = data.rows["test"].inputs[:5]
    eager = data.preprocessor(raw).numpy()
    mapped = tf.data.Dataset.from_tensors(raw).map(data.preprocessor)
    single = [data.preprocessor(row[None]).numpy()[0] for row in raw]
    np.testing.assert_array_equal(eager, next(mapped.as_numpy_iterator()))
    np.testing.assert_array_equal(eager, single)


def test_a_folder_is_a_data_set(image_folder):
    spec = get_dataset(image_folder)
    assert spec.class_names == ("blue sky", "grün", "rust")
    assert spec.input_shape == (10, 14, 3)
    data = zoo.load_data(image_folder)
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 30,
        "validation": 3,
        "test": 3,
    }
    assert data.version == zoo.load_data(image_folder).version
    picture = np.asarray(Image.open(image_folder / "grün" / "0.png"))
    everything = np.concatenate([rows.inputs for rows in data.rows.values()])
    assert (everything == picture).all(axis=(1, 2, 3)).sum() == 1


def test_a_changed_folder_is_another_version(image_folder):
    before = zoo.load_data(image_folder).version
    shutil.copy(image_folder / "grün" / "0.png", image_folder / "grün" / "again.png")
    assert zoo.load_data(image_folder).version != before


def test_gray_pictures_make_a_gray_data_set_and_large_ones_shrink(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new("L", (200, 100), number).save(tmp_path / name / f"{number}.jpg")
        (tmp_path / name / ".DS_Store").write_text("hidden files are none of ours")
    assert get_dataset(tmp_path).input_shape == (32, 64, 1)
    assert zoo.load_data(tmp_path).rows["train"].inputs.shape[1:] == (32, 64, 1)


def test_a_resized_row_is_the_preprocessed_picture_to_half_a_gray_level(tmp_path):
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            pixels = generator.integers(0, 256, (90, 110, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    data = zoo.load_data(tmp_path)
    originals = np.stack([np.asarray(Image.open(path)) for path in sorted(tmp_path.rglob("*.png"))])
    expected = sorted(255 * data.preprocessor(originals).numpy(), key=lambda image: image.sum())
    stored = sorted(
        np.concatenate([rows.inputs for rows in data.rows.values()]), key=lambda image: image.sum()
    )
    assert np.abs(np.array(stored, np.float32) - expected).max() <= 0.5 + 1e-3


def test_pictures_of_any_size_and_mode_become_raw_rows(tmp_path):
    half_clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half_clear.save(tmp_path / "clear.png")
    Image.fromarray(np.full((3, 5), 65535, np.uint16)).save(tmp_path / "deep.png")
    Image.new("1", (2, 2), 1).save(tmp_path / "bits.png")
    Image.new("CMYK", (2, 2)).save(tmp_path / "print.jpg")
    spec = DATASETS["digits"]
    names = ("clear.png", "deep.png", "bits.png", "print.jpg")
    rows = images.parse(spec, [tmp_path / name for name in names])
    assert [row.shape for row in rows] == [(4, 4, 1), (3, 5, 1), (2, 2, 1), (2, 2, 1)]
    assert all((row >= 254).all() for row in rows)
    (gray,) = images.parse(spec, [np.full((8, 8, 3), 7, np.uint8)])
    assert gray.shape == (8, 8, 1)
    assert (gray == 7).all()


@pytest.mark.parametrize(
    "item",
    [
        np.zeros((8, 8), np.float32),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((1, 8, 8, 1), np.uint8),
        np.zeros((0, 8), np.uint8),
        "no/such.png",
        __file__,
        ".",
    ],
)
def test_what_is_no_picture_is_refused(item):
    with pytest.raises(InputError) as caught:
        images.parse(DATASETS["digits"], [item])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inputs", ["seven.png", Path("seven.png"), np.zeros((8, 8, 1), np.uint8)])
def test_a_single_picture_is_not_taken_for_several(inputs):
    with pytest.raises(InputError, match=r"expected a list of images|image\[None\]"):
        images.parse(DATASETS["digits"], inputs)


def test_a_turned_photo_is_set_upright(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(3):
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.new("RGB", (40, 20), (number, 0, 0)).save(
                tmp_path / name / f"{number}.jpg", exif=exif
            )
    assert get_dataset(tmp_path).input_shape == (40, 20, 3)


def test_what_numpy_takes_for_an_array_is_a_picture():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for item in (tf.constant(pixels), np.ma.masked_array(pixels), pixels):
        (row,) = reader_of(DATASETS["mnist"]).parse(DATASETS["mnist"], [item])
        np.testing.assert_array_equal(row[..., 0], pixels)


@pytest.mark.parametrize("row", ["11", "1100", "1x0", [1, 0, 2], "", 3])
def test_what_is_no_row_of_bits_is_refused(row):
    with pytest.raises(InputError, match=r"is not a row of 3 bits, such as 110\."):
        reader_of(DATASETS["xor_nand"]).parse(DATASETS["xor_nand"], [row])


def test_a_tfds_data_set_outside_the_zoo(data_dir):
    spec = get_dataset("shapes", data_dir)
    assert spec.input_shape == (64, 64, 3)
    assert spec.class_names == ("dark", "bright")
    data = zoo.load_data("shapes", data_dir=data_dir)
    assert data.version == "shapes/2.1.0"
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 32,
        "test": 4,
        "validation": 4,
    }
    bright = data.rows["train"].inputs.mean(axis=(1, 2, 3)) > 150
    np.testing.assert_array_equal(bright, data.rows["train"].labels == 1)


def test_an_unknown_data_set_names_the_near_miss(data_dir):
    with pytest.raises(UnknownDatasetError, match="'mnits'. Did you mean 'mnist'"):
        zoo.load_data("mnits", data_dir=data_dir)


def test_a_tfds_data_set_of_another_kind_is_refused(data_dir):
    with pytest.raises(DatasetError, match="coco is not a classification dataset of 8-bit"):
        zoo.load_data("coco", data_dir=data_dir)


def test_offline_says_where_how_much_and_what_else(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise tfds_store.requests.ConnectionError

    monkeypatch.setattr(tfds_store.requests, "head", unreachable)
    with pytest.raises(DatasetError) as caught:
        zoo.load_data("mnist", data_dir=tmp_path / "empty")
    message = str(caught.value)
    for part in (str(tmp_path / "empty"), "11.1 MiB", "--data-dir", "downloads/manual", "digits"):
        assert part in message
    assert not (tmp_path / "empty").exists()


def test_a_failed_preparation_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        (tmp_path / "downloads" / "mnist" / "images.tmp.1").mkdir(parents=True)
        (tmp_path / "downloads" / "mnist" / "images.tmp.1" / "images.gz").write_text("half")
        raise OSError("connection lost")

    monkeypatch.setattr(tfds_store.requests, "head", lambda *args, **kwargs: None)
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", fail)
    with pytest.raises(DatasetError, match="mnist could not be prepared in .*connection lost"):
        zoo.load_data("mnist", data_dir=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file() or ".tmp" in path.name] == []


@pytest.fixture
def own_digits(tmp_path):
    zoo.load_data("digits", data_dir=tmp_path)
    return tmp_path / "digits" / "1.0.0"


def test_a_half_prepared_data_set_is_named(own_digits):
    (own_digits / "dataset_info.json").unlink()
    with pytest.raises(DatasetError, match=f"only partly prepared in .*{own_digits}"):
        zoo.load_data("digits", data_dir=own_digits.parents[1])


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "drop_rows", "info"])
def test_a_damaged_data_set_is_never_half_read(own_digits, damage):
    (record,) = own_digits.glob("*train.tfrecord*")
    content = record.read_bytes()
    if damage == "truncate":
        record.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        middle = len(content) // 2
        record.write_bytes(
            content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        )
    elif damage == "remove":
        record.unlink()
    elif damage == "drop_rows":
        rows = list(tf.data.TFRecordDataset(str(record)).take(7).as_numpy_iterator())
        with tf.io.TFRecordWriter(str(record)) as writer:
            for row in rows:
                writer.write(row)
    else:
        (own_digits / "dataset_info.json").write_text("{")
    with pytest.raises(DatasetError) as caught:
        zoo.load_data("digits", data_dir=own_digits.parents[1])
    assert "damaged" in str(caught.value)
    assert str(own_digits.parents[1]) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("one class", "has 1 class subfolders"),
        ("none", "has 0 class subfolders"),
        ("empty class", "has 0 images"),
        ("stranger", "notes.txt is not an image file"),
        ("unreadable", "0.png cannot be read as an image"),
    ],
)
def test_a_faulty_folder_is_refused_by_name(image_folder, fault, words):
    if fault in ("one class", "none"):
        shutil.rmtree(image_folder / "grün")
        shutil.rmtree(image_folder / "rust")
    if fault == "none":
        shutil.rmtree(image_folder / "blue sky")
    if fault == "empty class":
        for path in (image_folder / "rust").iterdir():
            path.unlink()
    if fault == "stranger":
        (image_folder / "rust" / "notes.txt").write_text("hello")
    if fault == "unreadable":
        whole = (image_folder / "rust" / "0.png").read_bytes()
        (image_folder / "rust" / "0.png").write_bytes(whole[:60])
    with pytest.raises(DatasetError, match=words):
        zoo.load_data(image_folder)


@pytest.mark.exhaustive
@pytest.mark.real_data("mnist")
def test_mnist_is_whole(real_data_dir):
    data = zoo.load_data("mnist", data_dir=real_data_dir)
    assert data.version == "mnist/3.0.1"
    labels = np.concatenate([data.rows[split].labels for split in ("train", "validation")])
    assert np.bincount(labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert len(data.rows["test"]) == 10_000
    assert data.rows["train"].inputs.mean() == pytest.approx(0.1307 * 255, rel=0.01)


def test_channel_statistics_are_those_of_numpy():
    images = np.random.default_rng(0).integers(0, 256, (9, 5, 7, 3), np.uint8)
    mean, variance = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(variance, (images / 255).var(axis=(0, 1, 2)))


def test_standardized_is_learnt_from_train_alone(image_folder):
    data = zoo.load_data(image_folder, images=zoo.ImageOptions(scaling="standardized"))
    prepared = data.preprocessor(data.rows["train"].inputs).numpy()
    np.testing.assert_allclose(prepared.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std(axis=(0, 1, 2)), 1, atol=1e-5)
    both = np.concatenate([data.rows[split].inputs for split in ("train", "test")])
    assert np.abs(data.preprocessor(both).numpy().mean(axis=(0, 1, 2))).max() > 1e-5


def test_imagenet_scaling_and_another_size(image_folder):
    options = zoo.ImageOptions(scaling="imagenet", image_size=40)
    data = zoo.load_data(image_folder, batch_size=4, images=options)
    raw = data.rows["test"].inputs[:4]
    resized = tf.image.resize(raw / np.float32(255), (40, 40), antialias=True).numpy()
    expected = (resized - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    inputs, _ = next(iter(data.test))
    np.testing.assert_allclose(inputs, expected, atol=1e-5)


def test_gray_images_are_not_scaled_as_those_of_imagenet(data_dir):
    with pytest.raises(DatasetError, match="scaling='imagenet' needs color images"):
        zoo.load_data("digits", data_dir=data_dir, images=zoo.ImageOptions(scaling="imagenet"))


@pytest.mark.exhaustive
@pytest.mark.real_data("cifar10")
def test_cifar10_is_whole_and_balanced(real_data_dir):
    data = zoo.load_data(
        "cifar10", data_dir=real_data_dir, images=zoo.ImageOptions(scaling="standardized")
    )
    for split, rows in (("train", 4_500), ("validation", 500), ("test", 1_000)):
        assert data.class_counts[split] == dict.fromkeys(data.spec.class_names, rows)
    train = data.rows["train"].inputs[::45]
    np.testing.assert_allclose(train.mean(axis=(0, 1, 2)), (125.3, 123.0, 113.9), atol=3)


@pytest.mark.exhaustive
@pytest.mark.real_data("cifar10")
def test_a_tfds_name_outside_the_zoo_on_real_data(real_data_dir):
    data = zoo.load_data("cifar10:3.*.*", data_dir=real_data_dir)
    assert data.spec.class_names[3] == "cat"
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 45_000,
        "validation": 5_000,
        "test": 10_000,
    }
