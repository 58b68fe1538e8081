"""Rows in memory: the same bits from every container, what is recorded, and what is refused."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf
from conftest import TINY

import zoo
from zoo.data import take_given, toy_reviews
from zoo.errors import DatasetError, RunError

TEXTS = [text.decode() for text in toy_reviews.generate("test")[0][:300]]
LABELS = [("neg", "pos")[label] for label in toy_reviews.generate("test")[1][:300]]
FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS})


class ClassLabel:
    def __init__(self, names):
        self.names = names


class HuggingFaceDataset:
    """What the zoo takes of `datasets.Dataset`: features, the names of columns, and columns."""

    def __init__(self, columns, **features):
        self.columns, self.column_names = columns, list(columns)
        self.features = dict.fromkeys(columns) | features

    def __getitem__(self, name):
        return self.columns[name]


def write_csv(folder):
    FRAME.to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def write_utf16(folder):
    FRAME.to_csv(folder / "b.csv", sep=";", index=False, encoding="utf-16")
    return folder / "b.csv"


def write_tsv(folder):
    FRAME.to_csv(folder / "a.tsv.gz", sep="\t", index=False)
    return folder / "a.tsv.gz"


def write_jsonl(folder):
    FRAME.to_json(folder / "a.jsonl", orient="records", lines=True)
    return folder / "a.jsonl"


def write_shards(folder):
    (folder / "shards").mkdir()
    for number, part in enumerate((FRAME[:100], FRAME[100:])):
        name = f"train-{number:05}-of-00002.parquet"
        pa.parquet.write_table(pa.Table.from_pandas(part), folder / "shards" / name)
    return folder / "shards"


CONTAINERS = {
    "csv": write_csv,
    "utf-16": write_utf16,
    "tsv.gz": write_tsv,
    "jsonl": write_jsonl,
    "shards": write_shards,
    "lists": lambda folder: (TEXTS, LABELS),
    "arrays": lambda folder: (np.array(TEXTS), np.array(LABELS)),
    "arrays of bytes": lambda folder: (np.array([t.encode() for t in TEXTS]), LABELS),
    "pandas": lambda folder: FRAME,
    "polars": lambda folder: pl.DataFrame({"text": TEXTS, "label": LABELS}),
    "arrow": lambda folder: {"text": TEXTS, "label": LABELS},
    "tf.data": lambda folder: tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)),
    "tf.data in batches": lambda folder: tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(
        7
    ),
    "hugging face": lambda folder: HuggingFaceDataset(
        {"text": TEXTS, "label": [int(label == "pos") for label in LABELS]},
        label=ClassLabel(["neg", "pos"]),
    ),
    "splits": lambda folder: {"train": (TEXTS, LABELS)},
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_rows(container, tmp_path):
    data = zoo.load_data(CONTAINERS[container](tmp_path))
    expected = zoo.load_data((TEXTS, LABELS))
    assert data.spec.class_names == ("neg", "pos")
    assert data.version.split("/")[-1].removeprefix("given-") == expected.version[6:]
    for split, rows in data.rows.items():
        assert rows.inputs.tolist() == expected.rows[split].inputs.tolist()
        np.testing.assert_array_equal(rows.labels, expected.rows[split].labels)


@pytest.mark.exhaustive
def test_every_container_trains_to_the_same_bits(tmp_path):
    settings = {**TINY["text_mlp"], "epochs": 1, "jit_compile": False, "progress": False}
    weights = [
        zoo.train("text_mlp", dataset=make(tmp_path), run_dir=tmp_path / f"run-{name}", **settings)
        .model.get_weights()
        for name, make in CONTAINERS.items()
    ]  # fmt: skip
    for other in weights[1:]:
        for ours, theirs in zip(other, weights[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


IMAGES = np.random.default_rng(0).integers(0, 256, (60, 6, 6), np.uint8)
CLASSES = np.arange(60) % 3


@pytest.mark.parametrize(
    "images",
    [
        IMAGES,
        IMAGES[..., None],
        IMAGES.astype(int),
        IMAGES.astype("float32"),
        IMAGES / 255,
        (IMAGES / 255).astype("float32"),
        (IMAGES / 255).astype("float16"),
    ],
)
@pytest.mark.parametrize("labels", [CLASSES, CLASSES[:, None], CLASSES.astype(str)])
def test_images_become_pixels_again(images, labels):
    given = take_given((images, labels))
    np.testing.assert_array_equal(given.splits["train"].inputs, IMAGES[..., None])
    np.testing.assert_array_equal(given.splits["train"].labels, CLASSES)
    assert given.spec.class_names == ("0", "1", "2")


def test_levels_between_pixels_are_refused_and_not_rounded():
    with pytest.raises(DatasetError, match="not levels of 8 bits"):
        take_given((IMAGES + 0.2, CLASSES))


@pytest.mark.exhaustive
def test_a_frame_is_evaluated_by_the_columns_it_was_trained_by(tmp_path):
    frame = FRAME.rename(columns={"text": "review", "label": "verdict"})
    settings = {**TINY["text_mlp"], "epochs": 1, "jit_compile": False, "progress": False}
    run = zoo.train("text_mlp", dataset=frame, run_dir=tmp_path / "run", **settings)
    assert zoo.evaluate(run, dataset=frame)["accuracy"] == run.metrics["test_accuracy"]


def test_splits_that_are_given_are_kept():
    train, test = (IMAGES[:40], CLASSES[:40]), (IMAGES[40:], CLASSES[40:])
    for dataset in ((train, test), {"train": train, "test": test}):
        given = take_given(dataset)
        assert [len(rows) for rows in given.splits.values()] == [40, 20]
        rows, _ = given.read()
        assert len(rows["test"]) == 20
        assert len(rows["train"]) + len(rows["validation"]) == 40
    assert len(take_given((train, test, test)).splits) == 3


def test_hugging_face_images_are_taken():
    dataset = HuggingFaceDataset(
        {"image": list(IMAGES), "label": CLASSES.tolist()},
        image=type("Image", (), {})(),
        label=ClassLabel(["a", "b", "c"]),
    )
    given = take_given(dataset)
    assert given.spec.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(given.splits["train"].inputs, IMAGES[..., None])


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ((IMAGES, CLASSES[:-1]), "60 rows of x and 59 of y"),
        ((IMAGES[0, 0], CLASSES[:6]), r"x of shape \(6,\): must be texts"),
        ((IMAGES.reshape(60, 36), CLASSES), r"x of shape \(60, 36\): must be texts"),
        ((IMAGES, np.eye(3)[CLASSES]), r"y of shape \(60, 3\): .*y.argmax\(axis=1\)"),
        ((IMAGES / 100, CLASSES), "that are not levels of 8 bits: pass uint8"),
        ((IMAGES - 300.0, CLASSES), "pixels from -300 to -45"),
        ((np.where(IMAGES > 99, np.nan, IMAGES), CLASSES), "pixels are NaN or infinite"),
        ((np.where(IMAGES > 99, np.inf, IMAGES), CLASSES), "pixels are NaN or infinite"),
        (([IMAGES[0], IMAGES[1, :2]], [0, 1]), "row 0 of x is a ndarray: must be a text"),
        ((np.array([1, "a"], object), [0, 1]), "row 0 of x is a int: must be a text"),
        ((IMAGES.astype(complex), CLASSES), "images of dtype complex128: must be numbers"),
        ((TEXTS, [None, *LABELS[1:]]), "1 rows have no label, such as row 0"),
        ((TEXTS, [[1], *LABELS[1:]]), r"is not a string or a number|one class per row"),
        (([], []), "there are no rows"),
        ((TEXTS, ["x"] * 300), "has 1 class .x. in 'label'"),
        (3, "a dataset of type int: must be .x, y. of arrays"),
        ([1, 2, 3], "a dataset of type list"),
        (FRAME.rename(columns={"label": "text"}), "no column is obviously the label|duplicate"),
        (pd.concat([FRAME, FRAME[["label"]]], axis=1), "duplicate columns 'label'"),
        (FRAME.assign(label=None), "300 of 300 rows have no label"),
        (FRAME.assign(text=3.5 + FRAME.index), "3.5 is not a text: the column has double"),
        (FRAME.assign(label=[[1]] * 300), r"the label \[1\] is not a string or a number"),
        ({"test": (TEXTS, LABELS)}, "a dict of splits needs 'train'"),
        (
            {"train": (IMAGES, CLASSES), "test": (IMAGES[:, :3], CLASSES)},
            "the test rows have images of another shape",
        ),
        ({"train": (IMAGES, CLASSES), "test": (IMAGES, CLASSES + 1)}, "have the label '3'"),
        ({"train": (IMAGES, CLASSES), "test": (TEXTS, LABELS)}, "some splits are texts"),
        (tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).repeat(), "must be finite"),
        (tf.data.Dataset.from_tensor_slices(TEXTS), r"must yield pairs \(x, y\)"),
    ],
)
def test_unsuitable_rows_are_refused_in_a_line(dataset, message):
    with pytest.raises(DatasetError, match=message) as error:
        take_given(dataset)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def run_on_rows(tmp_path_factory):
    return zoo.train(
        "softmax_regression", dataset=(IMAGES, CLASSES), epochs=1, jit_compile=False,
        run_dir=tmp_path_factory.mktemp("rows") / "run", progress=False,
    )  # fmt: skip


def test_a_run_on_rows_asks_for_them_again(run_on_rows):
    assert run_on_rows.config["dataset"]["source"] == "given"
    assert "inputs" not in json.dumps(run_on_rows.config["dataset"])
    with pytest.raises(DatasetError, match="was trained on rows in memory .*: pass them again"):
        zoo.evaluate(run_on_rows)
    metrics = zoo.evaluate(run_on_rows, dataset=(IMAGES, CLASSES))
    assert metrics["accuracy"] == run_on_rows.metrics["test_accuracy"]


def test_other_rows_are_refused(run_on_rows):
    with pytest.raises(DatasetError, match="was trained on given-.* and this is given-"):
        zoo.evaluate(run_on_rows, dataset=(IMAGES[::-1], CLASSES))
    with pytest.raises(RunError, match="is another run: dataset='given-"):
        zoo.train(
            "softmax_regression", dataset=(IMAGES[::-1], CLASSES), resume=True,
            run_dir=run_on_rows.directory,
        )  # fmt: skip


@pytest.mark.exhaustive
def test_a_run_on_rows_resumes_with_them(tmp_path):
    settings = {"epochs": 3, "jit_compile": False, "progress": False}
    rows = (IMAGES, CLASSES)
    whole = zoo.train("softmax_regression", dataset=rows, run_dir=tmp_path / "a", **settings)
    with pytest.raises(KeyboardInterrupt):
        zoo.train(
            "softmax_regression",
            dataset=rows,
            run_dir=tmp_path / "b",
            stop_rule=interrupt,
            **settings,
        )
    with pytest.raises(DatasetError, match="pass them again"):
        zoo.train("softmax_regression", run_dir=tmp_path / "b", resume=True)
    resumed = zoo.train("softmax_regression", dataset=rows, run_dir=tmp_path / "b", resume=True)
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def interrupt(rows):
    if len(rows) == 2:
        raise KeyboardInterrupt
    return False
