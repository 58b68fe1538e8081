"""Shapes of tables and folders as people have them: what is read, or the line that refuses."""

import bz2
import codecs
import gzip
import json
import lzma
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

import zoo
from zoo import FileOptions
from zoo.data import get_dataset, reader_of, tables
from zoo.errors import ZooError

WORDS = ["good", "fine; really", 'so "so"', "bad, bad", "line\nbreak", "café"]
TEXTS = [f"{WORDS[i % 6]} {i}" for i in range(60)]
LABELS = ["pos" if i % 3 else "neg" for i in range(60)]
COUNTS = {"neg": 20, "pos": 40}
FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS})


def as_csv(separator=",", frame=FRAME, **options):
    return frame.to_csv(sep=separator, index=False, **options)


def as_lines(frame=FRAME):
    return frame.to_json(orient="records", lines=True)


def write(name, content):
    def write_in(folder):
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        return folder / name

    return write_in


def write_parquet(name, frame=FRAME, **options):
    def write_in(folder):
        pa.parquet.write_table(pa.Table.from_pandas(frame, **options), folder / name)
        return folder / name

    return write_in


def write_all(*writers):
    def write_in(folder):
        (folder / "all").mkdir()
        for writer in writers:
            writer(folder / "all")
        return folder / "all"

    return write_in


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def renamed(**columns):
    return FRAME.rename(columns=columns)


NUMBERED = FRAME.assign(label=[str(i % 12) for i in range(60)])
MIXED = json.dumps([{"text": "a", "label": 1}, {"text": "b", "label": "x"}])
COLUMNS = json.dumps({"text": TEXTS, "label": LABELS})
CSV = as_csv().encode()

# What is written, what is said about it, and the number of rows of each class.
READ = {
    "csv": (write("a.csv", CSV), {}, COUNTS),
    "csv with CRLF": (write("a.csv", as_csv(lineterminator="\r\n")), {}, COUNTS),
    "csv all quoted": (write("a.csv", as_csv(quoting=1)), {}, COUNTS),
    "csv with semicolons": (write("a.csv", as_csv(";")), {}, COUNTS),
    "csv with pipes": (write("a.csv", as_csv("|")), {}, COUNTS),
    "csv with tabs": (write("a.csv", as_csv("\t")), {}, COUNTS),
    "csv in capitals": (write("A.CSV", CSV), {}, COUNTS),
    "tsv": (write("a.tsv", as_csv("\t")), {}, COUNTS),
    "csv with a BOM": (write("a.csv", codecs.BOM_UTF8 + CSV), {}, COUNTS),
    "csv in UTF-16": (write("a.csv", as_csv().encode("utf-16")), {}, COUNTS),
    "csv in UTF-16 BE, no BOM": (write("a.csv", as_csv().encode("utf-16-be")), {}, COUNTS),
    "csv in UTF-16 LE, no BOM": (write("a.csv", as_csv().encode("utf-16-le")), {}, COUNTS),
    "csv in UTF-32": (write("a.csv", as_csv().encode("utf-32")), {}, COUNTS),
    "csv in latin-1": (
        write("a.csv", as_csv().encode("latin-1")),
        {"file_encoding": "latin-1"},
        COUNTS,
    ),
    "csv in cp1252": (
        write("a.csv", as_csv().encode("cp1252")),
        {"file_encoding": "cp1252"},
        COUNTS,
    ),
    "csv.gz": (write("a.csv.gz", gzip.compress(CSV)), {}, COUNTS),
    "csv.bz2": (write("a.csv.bz2", bz2.compress(CSV)), {}, COUNTS),
    "csv.xz": (write("a.csv.xz", lzma.compress(CSV)), {}, COUNTS),
    "csv.zst": (write("a.csv.zst", zstd(CSV)), {}, COUNTS),
    "tsv.gz in UTF-16": (
        write("a.tsv.gz", gzip.compress(as_csv("\t").encode("utf-16"))),
        {},
        COUNTS,
    ),
    "csv with an index": (write("a.csv", FRAME.to_csv()), {}, COUNTS),
    "csv with a long text": (
        write("a.csv", as_csv(frame=FRAME.assign(text=["x\n" * 9_000_000, *TEXTS[1:]]))),
        {},
        COUNTS,
    ),
    "review and sentiment": (
        write("a.csv", as_csv(frame=renamed(text="review", label="sentiment"))),
        {},
        COUNTS,
    ),
    "Text and Label": (
        write("a.csv", as_csv(frame=renamed(text="Text", label="Label"))),
        {},
        COUNTS,
    ),
    "one column left for the text": (
        write("a.csv", as_csv(frame=renamed(text="utterances so far"))),
        {},
        COUNTS,
    ),
    "one column left for the label": (
        write("a.csv", as_csv(frame=renamed(label="gold"))),
        {},
        COUNTS,
    ),
    "columns given": (
        write("a.csv", as_csv(frame=renamed(text="t", label="l").assign(x=1))),
        {"text_column": "t", "label_column": "l"},
        COUNTS,
    ),
    "two columns of text given": (
        write("a.csv", as_csv(frame=FRAME.assign(headline="h"))),
        {"text_column": "headline+text"},
        COUNTS,
    ),
    "title and text": (write("a.csv", as_csv(frame=FRAME.assign(title="t"))), {}, COUNTS),
    "numbers as labels": (
        write("a.csv", as_csv(frame=NUMBERED)),
        {},
        {str(i): 5 for i in range(12)},
    ),
    "json rows": (write("a.json", FRAME.to_json(orient="records")), {}, COUNTS),
    "json columns": (write("a.json", COLUMNS), {}, COUNTS),
    "json of pandas": (write("a.json", FRAME.to_json()), {}, COUNTS),
    "json under a key": (
        write("a.json", json.dumps({"version": 1, "data": FRAME.to_dict("records")})),
        {},
        COUNTS,
    ),
    "json.gz": (write("a.json.gz", gzip.compress(COLUMNS.encode())), {}, COUNTS),
    "jsonl": (write("a.jsonl", as_lines()), {}, COUNTS),
    "ndjson": (write("a.ndjson", as_lines()), {}, COUNTS),
    "jsonl.zst": (write("a.jsonl.zst", zstd(as_lines().encode())), {}, COUNTS),
    "jsonl in UTF-16": (write("a.jsonl", as_lines().encode("utf-16")), {}, COUNTS),
    "parquet": (write_parquet("a.parquet"), {}, COUNTS),
    "parquet of categories": (
        write_parquet("a.parquet", FRAME.astype({"label": "category"})),
        {},
        COUNTS,
    ),
    "parquet.gz": (
        lambda folder: write(
            "a.parquet.gz", gzip.compress(write_parquet("b")(folder).read_bytes())
        )(folder),
        {},
        COUNTS,
    ),
    "shards of parquet": (
        write_all(
            write_parquet("train-00000-of-00002.parquet", FRAME[:30]),
            write_parquet("train-00001-of-00002.parquet", FRAME[30:]),
        ),
        {},
        COUNTS,
    ),
    "shards of Spark": (
        write_all(
            write("part-00000.csv", as_csv(frame=FRAME[:30])),
            write("part-00001.csv", as_csv(frame=FRAME[30:])),
        ),
        {},
        COUNTS,
    ),
    "splits": (
        write_all(
            write("train.csv", CSV),
            write("valid.csv", CSV),
            write("test.csv.gz", gzip.compress(CSV)),
        ),
        {},
        {"neg": 60, "pos": 120},
    ),
}

# What is written, what is said about it, and the message.
REFUSED = {
    "no such encoding": (
        write("a.csv", CSV),
        {"file_encoding": "utf9"},
        "file_encoding='utf9': must be one",
    ),
    "latin-1 unannounced": (
        write("a.csv", as_csv().encode("latin-1")),
        {},
        r"a.csv, line 8: not utf-8: pass file_encoding",
    ),
    "empty": (write("a.csv", ""), {}, "a.csv is empty: its first line must name the columns"),
    "only a header": (write("a.csv", "text,label\n"), {}, "0 class .no rows. in 'label'"),
    "no label": (
        write("a.csv", as_csv(frame=FRAME.assign(x=1).drop(columns="label").assign(z=2))),
        {},
        "no column is obviously the label: pass label_column .--label-column., one of text, x, z",
    ),
    "two candidates": (
        write("a.csv", as_csv(frame=renamed(text="review").assign(comment="c"))),
        {},
        "no column is obviously the text: pass text_column",
    ),
    "a column that is not there": (
        write("a.csv", CSV),
        {"label_column": "lable"},
        "no column 'lable', as label_column says. Did",
    ),
    "the label is the text": (
        write("a.csv", CSV),
        {"label_column": "text", "text_column": "text"},
        "cannot be both",
    ),
    "labels that are no classes": (
        write("a.csv", as_csv(frame=FRAME.assign(label=TEXTS))),
        {},
        "60 different values in 60 rows",
    ),
    "all rows of one class": (
        write("a.csv", as_csv(frame=FRAME.assign(label="x"))),
        {},
        "1 class .x. in 'label'",
    ),
    "missing labels": (
        write("a.csv", "text,label\na,x\nb,\nc,y\nd, \n"),
        {},
        "2 of 4 rows have no label .*rows 2, 4",
    ),
    "a comma that is not quoted": (
        write("a.csv", "text,label\na,x\nb, b,y\nc,y\n"),
        {},
        "1 row has .row 2. not 2 fields",
    ),
    "mixed types": (write("a.json", MIXED), {}, "a.json is not a readable json table: .*changed"),
    "nested labels": (
        write("a.jsonl", '{"text": "a", "label": {"x": 1}}\n' * 3),
        {},
        "is not a string or a number",
    ),
    "json that is no table": (write("a.json", "[1, 2]"), {}, "must contain a list of objects"),
    "broken json": (write("a.json", '[{"text": '), {}, "a.json is not a readable json table"),
    "a broken archive": (
        write("a.csv.gz", gzip.compress(CSV)[:-20]),
        {},
        "a.csv.gz is not a readable csv table",
    ),
    "no archive at all": (write("a.csv.xz", CSV), {}, "a.csv.xz is not a readable csv table"),
    "a zip": (write("a.zip", b"PK\3\4"), {}, "a.zip is an archive: unpack it"),
    "a spreadsheet": (
        write("a.xlsx", b"PK\3\4"),
        {},
        "a.xlsx is not a table: its name must end in",
    ),
    "broken parquet": (
        write("a.parquet", b"PAR1"),
        {},
        "a.parquet is not a readable parquet table",
    ),
    "a shard missing": (
        write_all(write_parquet("train-00001-of-00002.parquet")),
        {},
        "shard 0 of the train split",
    ),
    "the last shard missing": (
        write_all(write_parquet("train-00000-of-00002.parquet")),
        {},
        "has 1 of 2 shards",
    ),
    "two tables for a split": (
        write_all(write("train.csv", CSV), write("train.jsonl", as_lines())),
        {},
        "has two tables for",
    ),
    "no training table": (write_all(write("test.csv", CSV)), {}, "no table called train"),
    "a class that train lacks": (
        write_all(
            write("train.csv", CSV), write("test.csv", as_csv(frame=FRAME.assign(label="new")))
        ),
        {},
        "the test split has the label 'new', which is not in the training split",
    ),
}


def picture(path, size=(9, 7), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(str(path.name)))
    Image.fromarray(generator.integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode).save(path)


def pictures(*paths, suffix=".png", **files):
    """Three pictures for each path, and other files by their name."""

    def write_in(folder):
        root = folder / "photos"
        for path in paths:
            for number in range(3):
                picture(root / path / f"{number}{suffix}")
        for name, content in files.items():
            where = root / name.replace("__", "/").replace("_DOT_", ".")
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(content)
        return root

    return write_in


TWO = {"cat": 3, "dog": 3}
READ |= {
    "folder": (pictures("cat", "dog"), {}, TWO),
    "folder of jfif": (pictures("cat", "dog", suffix=".jfif"), {}, TWO),
    "folder of jpe": (pictures("cat", "dog", suffix=".jpe"), {}, TWO),
    "folder of webp": (pictures("cat", "dog", suffix=".webp"), {}, TWO),
    "folder with splits": (
        pictures("train/cat", "train/dog", "val/cat", "test/cat", "test/dog"),
        {},
        {"cat": 9, "dog": 6},
    ),
    "classes called train and test": (pictures("train", "test"), {}, {"test": 3, "train": 3}),
    "folder with what systems leave": (
        pictures(
            "cat", "dog", cat__Thumbs_DOT_db=b"x", dog___DOT_DS_Store=b"x", desktop_DOT_ini=b"x",
            __MACOSX__cat__x_DOT_png=b"x",
        ),
        {},
        TWO,
    ),
    "folder with a note, skipped": (
        pictures("cat", "dog", cat__note_DOT_txt=b"x"), {"skip_unreadable": True}, TWO
    ),
    "folder with a broken image, skipped": (
        pictures("cat", "dog", cat__a_DOT_png=b"x"), {"skip_unreadable": True}, TWO
    ),
}  # fmt: skip
REFUSED |= {
    "folder with a note": (
        pictures("cat", "dog", cat__note_DOT_txt=b"x"),
        {},
        "note.txt is not an image file: .*pass --skip-unreadable to leave out it",
    ),
    "folder with a broken image": (
        pictures("cat", "dog", cat__a_DOT_png=b"x"), {}, "a.png cannot be read as an image"
    ),
    "folder of one class": (pictures("cat"), {}, "has 1 class subfolders .cat."),
    "folder with a class that train lacks": (
        pictures("train/cat", "train/dog", "test/cow"), {}, "test has the class 'cow', which train"
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", READ)
def test_it_is_read(shape, tmp_path):
    write_in, options, counts = READ[shape]
    spec = get_dataset(write_in(tmp_path), files=FileOptions(**options))
    rows, _ = reader_of(spec).read(spec, tmp_path)
    found = np.concatenate([part.labels for part in rows.values()])
    assert dict(zip(spec.class_names, np.bincount(found).tolist(), strict=True)) == counts
    assert list(spec.class_names) == list(counts)
    if spec.kind == "text" and not options and "long" not in shape and len(counts) == 2:
        given = {text for part in rows.values() for text in part.inputs}
        assert {text.decode().removeprefix("t\n") for text in given} == set(TEXTS)


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", READ)
def test_it_is_trained_on(shape, tmp_path):
    write_in, options, counts = READ[shape]
    path = write_in(tmp_path)
    is_text = get_dataset(path, files=FileOptions(**options)).kind == "text"
    model = "text_mlp" if is_text else "softmax_regression"
    of_texts = {"vocab_size": 60} if is_text else {}
    run = zoo.train(
        model, dataset=path, run_dir=tmp_path / "run", epochs=1, jit_compile=False, progress=False,
        **of_texts, **options,
    )  # fmt: skip
    found = run.config["class_counts"].values()
    assert {name: sum(split[name] for split in found) for name in counts} == counts
    assert len(run.predictions["labels"]) == sum(run.config["class_counts"]["test"].values())
    assert np.isfinite(run.metrics["test_loss"])


@pytest.mark.parametrize("shape", REFUSED)
def test_it_is_refused_in_a_line(shape, tmp_path):
    write_in, options, message = REFUSED[shape]
    with pytest.raises(ZooError, match=message) as error:
        spec = get_dataset(write_in(tmp_path), files=FileOptions(**options))
        reader_of(spec).read(spec, tmp_path)
    assert "\n" not in str(error.value)


def test_shards_are_in_the_order_of_their_numbers(tmp_path):
    for number in range(12):
        write(f"train-{number}-of-12.csv", f"text,label\n{number},{number % 2}\n")(tmp_path)
    spec = get_dataset(tmp_path)
    shards = tables.tables_in(tmp_path)["train"]
    data = tables.read_table(shards, tables.Layout(("text",), "label"), "")
    assert data.texts[0].tolist() == [str(number).encode() for number in range(12)]
    assert spec.class_names == ("0", "1")


def test_options_of_files_are_refused_where_there_are_none():
    with pytest.raises(ZooError, match="text_column: mnist is not a file or folder of yours"):
        get_dataset("mnist", files=FileOptions(text_column="x"))


def test_there_are_sixty():
    assert len(READ) + len(REFUSED) >= 60


@pytest.mark.exhaustive
def test_a_pipe_is_no_table_and_no_image(tmp_path, small_run):
    os.mkfifo(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ZooError, match="a.csv is not a regular file"):
        get_dataset(tmp_path / "a.csv")
    with pytest.raises(ZooError, match="a.png: not a regular file"):
        zoo.predict(small_run("softmax_regression"), [tmp_path / "a.png"])


def test_a_table_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write("a.csv", CSV)(tmp_path)
    from zoo.data.table_files import TableFile

    def read_and_touch(self, columns, read=TableFile._read_csv):
        table = read(self, columns)
        path.write_bytes(CSV + b"one more,pos\n")
        return table

    monkeypatch.setattr(TableFile, "_read_csv", read_and_touch)
    with pytest.raises(ZooError, match="a.csv changed while it was read"):
        get_dataset(path)


def test_a_folder_says_what_it_passed_over_and_left_out(tmp_path):
    folder = pictures("cat", "dog", cat__a_DOT_png=b"x", cat__Thumbs_DOT_db=b"x")(tmp_path)
    summary = get_dataset(folder, files=FileOptions(skip_unreadable=True)).summary
    assert "6 images" in summary
    assert "passed over 1 files" in summary
    assert "left out 1 that are not readable images: cat/a.png" in summary


def test_a_table_says_how_it_was_read(tmp_path):
    frame = renamed(text="Review", label="Sentiment")
    path = write("a.csv", as_csv(";", frame).encode("utf-16"))(tmp_path)
    summary = get_dataset(path).summary
    assert "separated by semicolons, utf-16; texts in 'Review', labels in 'Sentiment'" in summary
