"""Texts: standardizing, vocabulary, encodings, batches by length, tables, and what is refused."""

import json
import unicodedata

import keras
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tensorflow as tf
from conftest import OF_TEXT_RUN

import zoo
from zoo import TextOptions
from zoo.data import text, toy_reviews
from zoo.data.tokens import Tokenizer, standardize_text
from zoo.errors import ArgumentValueError, DatasetError, InputError


def standardized(*texts):
    return [line.decode() for line in standardize_text(list(texts)).numpy()]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("A fine movie.<br /><br />Loved it!", "a fine movie loved it !"),
        ("don't <b>stop</b>", "don't stop"),
        ("fish &amp; chips &#39;n&#39; peas", "fish chips n peas"),
        ("Canada #39;s quot;best quot; of #3", "canada s best of 3"),
        ("ÄRGER über Größe", "ärger über größe"),
        ("你好 world", "你 好 world"),
        ("good 😀😀", "good 😀 😀"),
        (" tab\tand\nline ", "tab and line"),
        ("cut\0Here", "cut here"),
        (unicodedata.normalize("NFD", "é"), unicodedata.normalize("NFD", "é")),
        ("", "[UNK]"),
        ("...", "[UNK]"),
        ("<br />", "[UNK]"),
    ],
)
def test_standardizing(raw, expected):
    assert standardized(raw) == [expected]


def test_a_width_of_text_cnn_is_there_once():
    with pytest.raises(ArgumentValueError, match="kernel_size='3-4-3': the widths must"):
        zoo.build("text_cnn", kernel_size="3-4-3")


def test_what_is_no_utf8_is_answered_all_the_same():
    (line,) = standardize_text([b"caf\xe9 \xff\xfe good"]).numpy()
    assert line.decode().split()[-1] == "good"


@pytest.fixture(scope="module")
def toys():
    return zoo.load_data("toy_reviews", batch_size=32, text=TextOptions(sequence_length=24))


def test_the_vocabulary_is_that_of_train_by_frequency(toys):
    words = text.vocabulary(toys.preprocessor)
    counts = {}
    for line in standardized(*[row.decode() for row in toys.rows["train"].inputs]):
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
    assert words[:2] == ["", "[UNK]"]
    assert set(words[2:]) == set(counts)
    assert [counts[word] for word in words[2:]] == sorted(counts.values(), reverse=True)


def test_decode_of_encode_is_the_standardized_text(toys):
    raw = toys.rows["test"].inputs[:20]
    numbers = toys.preprocessor(tf.constant(raw)).numpy()
    assert numbers.dtype == np.int64
    decoded = [text.decode(toys.preprocessor, row) for row in numbers]
    assert decoded == standardized(*[row.decode() for row in raw])


def test_a_small_vocabulary_leaves_the_commonest_words():
    data = zoo.load_data("toy_reviews", text=TextOptions(vocab_size=5, sequence_length=24))
    assert len(text.vocabulary(data.preprocessor)) == 5
    assert {"the", "was"} <= set(text.vocabulary(data.preprocessor))
    numbers = data.preprocessor(tf.constant(["the xylophone"])).numpy()
    assert numbers[0, 0] > 1
    assert numbers[0, 1:3].tolist() == [1, 0]


def test_long_texts_keep_their_beginning_and_short_ones_are_padded_on_the_right(toys):
    long = toys.preprocessor(tf.constant(["the " * 99 + "film"])).numpy()
    assert long.shape == (1, 24)
    assert (long == long[0, 0]).all()
    short = toys.preprocessor(tf.constant(["the film"])).numpy()[0]
    assert (short[:2] > 1).all()
    assert (short[2:] == 0).all()


def test_multi_hot_says_which_words_there_are():
    options = TextOptions(encoding="multi_hot", vocab_size=60)
    data = zoo.load_data("toy_reviews", batch_size=8, text=options)
    words = text.vocabulary(data.preprocessor)
    rows, _ = next(iter(data.test))
    assert rows.shape == (8, 60)
    for row, raw in zip(rows.numpy(), data.rows["test"].inputs, strict=False):
        present = set(standardized(raw.decode())[0].split())
        assert {words[i] for i in np.flatnonzero(row)} == present


def test_pairs_of_words_are_words_of_the_vocabulary():
    options = TextOptions(ngrams=2, vocab_size=500, sequence_length=50)
    data = zoo.load_data("toy_reviews", text=options)
    words = set(text.vocabulary(data.preprocessor))
    assert {"was not", "the", "although the"} <= words
    numbers = data.preprocessor(tf.constant(["the film was fine"])).numpy()
    decoded = text.decode(data.preprocessor, numbers[0])
    assert decoded.startswith("the film was fine the film film was was fine")


def pieces(word, longest):
    marked = f"<{word}>"
    runs = (marked[i : i + n] for n in range(3, longest + 1) for i in range(len(marked) - n + 1))
    return [f"#{run}" for run in runs]


@pytest.mark.parametrize(("ngrams", "subwords"), [(1, 0), (3, 0), (1, 3), (2, 5)])
def test_tokens_are_words_runs_of_words_and_pieces(ngrams, subwords):
    for line in ("the film was not bad", "你 好", "a", "[UNK]"):
        words = line.split()
        expected = [
            " ".join(words[i : i + n])
            for n in range(1, ngrams + 1)
            for i in range(len(words) - n + 1)
        ]
        expected += [piece for word in words for piece in pieces(word, subwords)]
        (found,) = Tokenizer(ngrams, subwords)([line]).to_list()
        assert [token.decode() for token in found] == expected


def test_a_word_never_seen_is_known_by_its_pieces():
    options = TextOptions(subwords=4, vocab_size=5_000, sequence_length=99)
    data = zoo.load_data("toy_reviews", text=options)
    numbers = data.preprocessor(tf.constant(["filmgoers"])).numpy()[0]
    decoded = text.decode(data.preprocessor, numbers).split()
    assert decoded[0] == "[UNK]"
    assert {"#<fi", "#ilm", "#film"} <= set(decoded)


def test_a_pass_has_every_row_once_with_its_label(toys):
    raw, labels = toys.rows["train"].inputs, toys.rows["train"].labels
    encoded = toys.preprocessor(tf.constant(raw)).numpy()
    expected = sorted((row.tobytes(), label) for row, label in zip(encoded, labels, strict=True))
    seen = []
    for batch, answers in toys.train.as_numpy_iterator():
        whole = np.pad(batch, ((0, 0), (0, 24 - batch.shape[1])))
        seen += [(row.tobytes(), label) for row, label in zip(whole, answers, strict=True)]
    assert sorted(seen) == expected


def test_batches_are_of_like_length_and_of_few_widths(toys):
    widths, spread = set(), []
    for batch, _ in toys.train.as_numpy_iterator():
        lengths = np.count_nonzero(batch, axis=1)
        widths.add(batch.shape[1])
        spread.append(np.ptp(lengths))
        assert lengths.max() <= batch.shape[1] < lengths.max() + 3
    assert widths <= set(range(3, 25, 3))
    every = np.count_nonzero(toys.token_ids("train"), axis=1)
    assert np.mean(spread) < np.ptp(every) / 4


def test_an_epochs_order_follows_from_its_number_alone(toys):
    number = tf.Variable(0, dtype=tf.int64)
    train = toys.train_in_epoch(number)

    def labels_of(epoch):
        number.assign(epoch)
        return np.concatenate([labels for _, labels in train.as_numpy_iterator()])

    third = labels_of(3)
    assert (labels_of(2) != third).any()
    np.testing.assert_array_equal(labels_of(3), third)


def test_test_rows_stay_in_order_and_validation_is_sorted_by_length(toys):
    labels = np.concatenate([labels for _, labels in toys.test.as_numpy_iterator()])
    np.testing.assert_array_equal(labels, toys.rows["test"].labels)
    lengths = np.concatenate(
        [np.count_nonzero(batch, axis=1) for batch, _ in toys.validation.as_numpy_iterator()]
    )
    assert (np.diff(lengths) >= 0).all()


@pytest.mark.exhaustive
def test_the_preprocessor_survives_a_file_and_a_fresh_process(toys, tmp_path, python):
    toys.preprocessor.save(tmp_path / "preprocessor.keras")
    raw = toys.rows["test"].inputs[:5]
    (tmp_path / "raw.json").write_text(json.dumps([row.decode() for row in raw]))
    python(
        "import json, keras, numpy as np, tensorflow as tf, zoo\n"
        "layer = keras.saving.load_model('preprocessor.keras')\n"
        "np.save('answer.npy', layer(tf.constant(json.load(open('raw.json')))).numpy())\n"
    )
    answer = np.load(tmp_path / "answer.npy")
    np.testing.assert_array_equal(answer, toys.preprocessor(tf.constant(raw)))


def test_order_decides_in_toy_reviews():
    texts, labels = toy_reviews.generate("train")
    bags = {}
    for line, label in zip(texts, labels, strict=True):
        bags.setdefault(tuple(sorted(line.split())), set()).add(label)
    assert any(len(found) == 2 for found in bags.values())
    assert np.bincount(labels).tolist() == [2000, 2000]
    again, _ = toy_reviews.generate("train")
    assert (texts == again).all()


@pytest.mark.exhaustive
def test_a_network_that_remembers_learns_what_a_bag_of_words_cannot(text_run, tmp_path):
    bag = zoo.train(
        "text_mlp", dataset="toy_reviews", vocab_size=60, epochs=8, jit_compile=False,
        progress=False, run_dir=tmp_path / "bag",
    )  # fmt: skip
    assert text_run.metrics["test_accuracy"] > 0.97
    assert bag.metrics["test_accuracy"] < 0.9


ODD = [
    "", " ", "good", "word " * 10_000, "😀", "很好", "<br /><b></b>", b"caf\xe9 \xff", "a\0b",
    "the film was not bad .",
]  # fmt: skip


@pytest.mark.exhaustive
def test_odd_texts_are_answered(text_run):
    answers = zoo.predict(text_run, ODD)
    assert len(answers) == len(ODD)
    assert all(np.isfinite(answer["probability"]) for answer in answers)
    assert [a["label"] for a in zoo.predict(text_run, ["the film was not bad ."])] == ["pos"]
    assert [a["label"] for a in zoo.predict(text_run, ["the film was not good ."])] == ["neg"]


@pytest.mark.exhaustive
def test_texts_are_served_raw_in_a_process_without_zoo(text_run, tmp_path, python):
    artifact = zoo.export(text_run, tmp_path / "saved")
    rows = [line.encode() if isinstance(line, str) else line for line in ODD]
    (tmp_path / "raw.json").write_text(json.dumps([line.decode("latin-1") for line in rows]))
    printed = python(
        "import json, sys, tensorflow as tf\n"
        f"loaded = tf.saved_model.load({str(artifact)!r})\n"
        "rows = [line.encode('latin-1') for line in json.load(open('raw.json'))]\n"
        "answer = loaded.signatures['serving_default'](text=tf.constant(rows))\n"
        "assert 'zoo' not in sys.modules\n"
        "print(json.dumps(answer['probabilities'].numpy().tolist()))\n"
    )
    numbers = text_run.preprocessor(tf.constant(rows))
    expected = text_run.model.predict(numbers, verbose=0)
    assert np.abs(np.array(json.loads(printed)) - expected).max() <= 1e-6


@pytest.mark.exhaustive
def test_an_interrupted_run_on_texts_ends_as_the_uninterrupted_one(text_run, tmp_path, monkeypatch):
    """Its counted vectors of words are not put in anew."""
    from zoo.training import callbacks

    assert text_run.config["recipe"]["text"]["word_vectors"] == "cooccurrence"

    written = callbacks.Checkpoint.on_epoch_end

    def interrupted(self, number, logs=None):
        written(self, number, logs)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callbacks.Checkpoint, "on_epoch_end", interrupted)
        zoo.train("gru", run_dir=tmp_path / "parts", **OF_TEXT_RUN)
    resumed = zoo.train("gru", run_dir=tmp_path / "parts", resume=True, progress=False)
    for ours, theirs in zip(resumed.model.get_weights(), text_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


ROWS = [
    {"title": "t", "text": f"{word} number {i}", "label": word}
    for i in range(12)
    for word in ("good", "bad")
]


def write_table(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_users_table(suffix, tmp_path):
    data = zoo.load_data(
        write_table(tmp_path / f"mine{suffix}", ROWS), text=TextOptions(sequence_length=8)
    )
    assert data.spec.class_names == ("bad", "good")
    assert data.spec.columns == ("title", "text")
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 20, "test": 2, "validation": 2,
    }  # fmt: skip
    for row, label in zip(data.rows["train"].inputs, data.rows["train"].labels, strict=True):
        assert row.startswith(b"t\n" + data.spec.class_names[label].encode())


def test_a_folder_with_a_table_a_split(tmp_path):
    write_table(tmp_path / "train.csv", ROWS)
    write_table(tmp_path / "test.jsonl", ROWS[:6])
    data = zoo.load_data(tmp_path, text=TextOptions(sequence_length=8))
    assert {split: len(rows) for split, rows in data.rows.items()} == {
        "train": 22, "test": 6, "validation": 2,
    }  # fmt: skip


def written(path, text):
    path.write_text(text)
    return path


def number_labels(*labels):
    return [{"text": f"number {i}", "label": label} for i, label in enumerate(labels)]


def test_labels_stay_as_they_are_written(tmp_path):
    rows = [{"text": f"{label} {i}", "label": label} for i in range(9) for label in ("01", "1")]
    path = write_table(tmp_path / "MINE.CSV", rows)
    assert zoo.load_data(path).spec.class_names == ("01", "1")
    dates = [{"text": "2020-01-01", "label": label} for label in "ab" * 9]
    data = zoo.load_data(write_table(tmp_path / "dates.jsonl", dates))
    assert set(data.rows["train"].inputs) == {b"2020-01-01"}


def test_a_folder_that_is_named_like_a_table_is_a_folder(tmp_path):
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(DatasetError, match="has 0 class subfolders"):
        zoo.load_data(tmp_path / "dir.csv")


def strange_label(folder):
    write_table(folder / "train.csv", ROWS)
    write_table(folder / "test.csv", [*ROWS[:3], {"title": "", "text": "x", "label": "ugly"}])
    return folder


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: write_table(p / "a.csv", [{"txt": "a", "label": 1}]), "has 1 class"),
        (
            lambda p: write_table(p / "a.jsonl", [{"a": "a", "class": 1, "b": 2}]),
            "obviously the text",
        ),
        (lambda p: write_table(p / "a.csv", ROWS[::2]), r"has 1 class \(good\)"),
        (lambda p: write_table(p / "a.jsonl", [{"text": "a", "label": None}]), "have no label"),
        (lambda p: write_table(p / "a.csv", [*ROWS, {**ROWS[0], "label": ""}]), r"1 of \d+ rows"),
        (lambda p: write_table(p / "a.parquet", number_labels(1.0, float("nan"))), "1 of 2 rows"),
        (
            lambda p: write_table(p / "a.jsonl", [{"text": "a", "label": ["x"]}]),
            "'x'.* is not a string or a number",
        ),
        (
            lambda p: write_table(p / "a.jsonl", [{"text": 1, "label": x} for x in "xy"]),
            "1 is not a text",
        ),
        (
            lambda p: write_table(p / "a.parquet", [{"text": 1, "label": x} for x in "xy"]),
            "1 is not a text",
        ),
        (lambda p: written(p / "a.csv", "text,label,text\na,b,c\n"), "duplicate columns 'text'"),
        (
            lambda p: write_table(
                p / "a.csv", [{**row, "text": "...", "title": ""} for row in ROWS]
            ),
            "the training texts contain no words",
        ),
        (lambda p: p / "none.csv", "no such file"),
        (strange_label, "the label 'ugly', which is not in the training split"),
    ],
)
def test_a_table_that_will_not_do_is_refused_in_one_line(make, message, tmp_path):
    with pytest.raises(DatasetError, match=message) as caught:
        zoo.load_data(make(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff" * 50, b"text,label\n"])
def test_an_empty_or_binary_file_is_refused_in_one_line(suffix, content, tmp_path):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        zoo.load_data(path)
    assert "\n" not in str(caught.value)


def test_texts_that_are_no_utf8_are_read_in_the_encoding_that_is_given(tmp_path):
    lines = [f"caf\xe9 {word} {i},{word}" for i in range(5) for word in ("good", "bad")]
    (tmp_path / "a.csv").write_bytes("\n".join(["text,label", *lines]).encode("latin-1"))
    with pytest.raises(DatasetError, match="a.csv, line 2: not utf-8"):
        zoo.load_data(tmp_path / "a.csv")
    files = zoo.FileOptions(file_encoding="latin-1")
    options = TextOptions(sequence_length=8)
    data = zoo.load_data(tmp_path / "a.csv", text=options, files=files)
    assert {"good", "bad", "café"} <= set(text.vocabulary(data.preprocessor))


@pytest.mark.exhaustive
def test_a_vocabulary_larger_than_the_data_leaves_vectors_unused(tmp_path):
    run = zoo.train(
        "fasttext", dataset="toy_reviews", vocab_size=9_999, epochs=1, jit_compile=False,
        progress=False, run_dir=tmp_path / "run",
    )  # fmt: skip
    assert run.model.get_layer("embedding").input_dim == 9_999
    assert len(text.vocabulary(run.preprocessor)) < 1_000
    assert np.isfinite(run.metrics["test_loss"])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("gru", {"encoding": "multi_hot"}, "gru takes sequence"),
        ("gru", {"encoding": "bag"}, "encoding='bag': must be one of sequence, multi_hot"),
        ("gru", {"vocab_size": 2}, "vocab_size=2: must be an integer from 3"),
        ("gru", {"sequence_length": 0}, "sequence_length=0"),
        ("gru", {"ngrams": 9}, "ngrams=9"),
        ("gru", {"subwords": 2}, "subwords=2: must be 0 or from 3 to 9"),
        ("gru", {"scaling": "fraction"}, "scaling: toy_reviews is not a dataset of images"),
        ("transformer", {"num_heads": 3}, "num_heads=3 does not divide embedding_dim=32"),
    ],
)
def test_bad_settings_are_refused_in_one_line(name, settings, message, tmp_path):
    with pytest.raises(ArgumentValueError, match=message) as caught:
        zoo.train(name, dataset="toy_reviews", run_dir=tmp_path / "run", **settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_images_are_not_for_networks_of_texts_nor_texts_for_those_of_images(tmp_path):
    with pytest.raises(DatasetError, match=r"gru takes data such as imdb_reviews \(text\)"):
        zoo.train("gru", dataset="digits", run_dir=tmp_path / "run")
    with pytest.raises(DatasetError, match=r"mlp takes data such as mnist \(images\)"):
        zoo.train("mlp", dataset="toy_reviews", run_dir=tmp_path / "run")


@pytest.mark.exhaustive
def test_what_is_no_text_is_refused(text_run):
    for bad in ("one", [3], [None]):
        with pytest.raises(InputError):
            zoo.predict(text_run, bad)


@pytest.mark.exhaustive
@pytest.mark.real_data("imdb_reviews", "ag_news_subset")
def test_real_texts_are_whole_and_balanced(real_data_dir):
    imdb = zoo.load_data("imdb_reviews", data_dir=real_data_dir)
    assert imdb.class_counts["test"] == {"neg": 12_500, "pos": 12_500}
    assert imdb.class_counts["validation"] == {"neg": 1_250, "pos": 1_250}
    assert "br" not in text.vocabulary(imdb.preprocessor)
    news = zoo.load_data("ag_news_subset", data_dir=real_data_dir)
    assert news.class_counts["test"] == dict.fromkeys(news.spec.class_names, 1_900)
    assert b"\n" in news.rows["train"].inputs[0]
    assert isinstance(news.preprocessor, keras.Model)


def test_weighted_pooling_is_a_softmax_of_the_words_numbers():
    model = zoo.build("fasttext", vocab_size=20, embedding_dim=3, pooling="weighted")
    numbers = np.random.default_rng(0).normal(size=20)
    model.get_layer("word_weights").set_weights([numbers[:, None]])
    vectors = model.get_layer("embedding").embeddings.numpy()
    pooled = keras.Model(model.input, model.layers[-1].input)
    found = pooled.predict(np.array([[3, 4, 3, 0], [7, 0, 0, 0]]), verbose=0)
    shares = np.exp(numbers[[3, 4, 3]]) / np.exp(numbers[[3, 4, 3]]).sum()
    np.testing.assert_allclose(found, [shares @ vectors[[3, 4, 3]], vectors[7]], atol=1e-6)


@pytest.mark.parametrize("pooling", ["average", "weighted"])
def test_dropped_words_are_dropped_whole(pooling):
    keras.utils.set_random_seed(0)
    model = zoo.build("fasttext", vocab_size=9, pooling=pooling, word_dropout=0.5, dropout=0.0)
    model.get_layer("embedding").embeddings.assign(np.ones((9, 32)))
    pooled = keras.Model(model.input, model.layers[-1].input)
    found = pooled(np.ones((100, 8), int), training=True).numpy()
    np.testing.assert_allclose(found, np.repeat(found[:, :1], 32, axis=1), atol=1e-6)
    kept = np.round(found[:, 0] * 4, 4)
    assert set(kept) <= set(range(9))
    assert len(set(kept)) > 3
