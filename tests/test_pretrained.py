"""Trained models of the package, packed runs, and what starts from them."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import TINY, tiny

import zoo
from zoo.errors import ArgumentValueError, RunError, WeightsError
from zoo.pretrained import catalog, fine_tuning
from zoo.pretrained.catalog import find, list_pretrained, read_record
from zoo.pretrained.packing import pack, round_predictions
from zoo.pretrained.verification import verify
from zoo.runs.weights import assign_weights, named_weights, read_weights, write_weights

RECORDS = list_pretrained()
every_trained = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.model)
SETTINGS = {"epochs": 3, "progress": False, "jit_compile": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_dir):
    directory = tmp_path_factory.mktemp("runs") / "run"
    options = {"dataset": "digits", "data_dir": data_dir, "units": 16, "run_dir": directory}
    return zoo.train("mlp", **SETTINGS | options)


@pytest.fixture
def packed(run, tmp_path):
    pack(run, tmp_path / "packed", command="zoo train mlp", commit="abc", processor="any")
    return tmp_path / "packed"


@pytest.mark.parametrize("name", zoo.list_models())
def test_weights_have_names_that_do_not_depend_on_what_was_built_before(name):
    first, second = named_weights(tiny(name)), named_weights(tiny(name))
    assert list(first) == list(second)
    assert len(first) == len(tiny(name).weights)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_weights_have_the_same_names_in_a_loaded_model(name, tmp_path):
    model = tiny(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert list(named_weights(loaded)) == list(named_weights(model))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_weights_are_rounded_once(name, tmp_path):
    model, other = tiny(name), tiny(name)
    write_weights(model, tmp_path / "weights.safetensors")
    assign_weights(other, read_weights(tmp_path / "weights.safetensors"), "file")
    for weight, stored in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(stored, weight.astype(np.float16).astype(np.float32))


def test_weights_of_another_model_are_refused_and_change_nothing(tmp_path):
    write_weights(zoo.build("mlp", units=4), tmp_path / "weights.safetensors")
    arrays, model = read_weights(tmp_path / "weights.safetensors"), zoo.build("mlp", units=5)
    before = model.get_weights()
    with pytest.raises(WeightsError, match=r"hidden_1/kernel has shape \(784, 4\)"):
        assign_weights(model, arrays, "file")
    with pytest.raises(WeightsError, match="lack hidden_1/bias"):
        assign_weights(model, {k: v for k, v in arrays.items() if k != "hidden_1/bias"}, "file")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_weight_too_large_for_half_precision_is_refused(tmp_path):
    model = zoo.build("perceptron")
    model.layers[-1].kernel.assign(model.layers[-1].kernel + 1e6)
    with pytest.raises(WeightsError, match="half precision ends at 65504"):
        write_weights(model, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_predictions_are_rounded_like_weights_and_no_class_changes():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(10, 0.1), 10_000).astype(np.float32)
    probabilities[0, :2] = 0.5, np.nextafter(np.float32(0.5), np.float32(1))
    arrays = {"probabilities": probabilities, "labels": np.arange(3), "errors": -probabilities[0]}
    rounded = round_predictions(arrays)
    np.testing.assert_allclose(rounded["probabilities"], probabilities, 2**-11, atol=1e-30)
    np.testing.assert_array_equal(
        rounded["probabilities"].argmax(-1), arrays["probabilities"].argmax(-1)
    )
    assert rounded["labels"] is arrays["labels"]


@pytest.mark.exhaustive
def test_a_packed_run_is_a_run(run, packed, data_dir):
    again = zoo.load_run(packed)
    record = read_record(packed)
    assert again.is_packed
    assert again.metrics == run.metrics
    assert record.figures == pytest.approx(
        {key: run.metrics[key] for key in record.figures}, rel=1e-5
    )
    assert record.rounded["test_accuracy"] == zoo.evaluate(again, data_dir=data_dir)["accuracy"]
    rows = run.predictions["raw"]
    ours, theirs = (zoo.predict(each, rows) for each in (run, again))
    for one, other in zip(ours, theirs, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-3)
    assert str(data_dir) not in (packed / "config.json").read_text()


def test_the_card_of_a_packed_run_says_where_it_comes_from_and_names_no_machine(run, tmp_path):
    pack(
        run, tmp_path / "packed", command="zoo train mlp", commit="abc1234",
        processor="a processor", differences="The pixels are few.",
    )  # fmt: skip
    card = (tmp_path / "packed" / "README.md").read_text()
    record = read_record(tmp_path / "packed")
    assert "Trained by `zoo train mlp` at commit `abc1234` on a processor." in card
    assert f"Training data: {record.dataset_version}. The pixels are few. Terms of use: " in card
    assert f"{record.metric} is {record.rounded[record.metric]:.6g} instead of" in card
    assert run.config["environment"]["platform"] not in card
    assert f"zoo verify mlp:{record.trained_on}" in card


@pytest.mark.exhaustive
def test_an_artifact_of_a_packed_run_answers_as_the_run_does(packed, tmp_path):
    zoo.export(packed, tmp_path / "artifact", format="onnx")
    run = zoo.load_run(packed)
    rows = run.predictions["raw"][:5]
    ours, theirs = zoo.predict(run, rows), zoo.predict(tmp_path / "artifact", rows)
    assert [row["label"] for row in ours] == [row["label"] for row in theirs]


@pytest.mark.exhaustive
def test_figures_of_a_packed_run_are_not_drawn_into_it(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(packed.iterdir())
    assert zoo.load_run(packed).plot()[-1] == Path("figures/mlp/sheet.png")
    assert sorted(packed.iterdir()) == before


@pytest.mark.exhaustive
def test_packing_overwrites_nothing_and_leaves_nothing_half_written(run, packed, monkeypatch):
    with pytest.raises(RunError, match="already exists"):
        pack(run, packed)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("zoo.pretrained.packing.write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        pack(run, packed.parent / "other")
    assert [path.name for path in packed.parent.iterdir()] == ["packed"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["weights.safetensors", "config.json", "predictions.npz"])
def test_a_flipped_bit_is_found(packed, name):
    content = bytearray((packed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (packed / name).write_bytes(content)
    for read in (zoo.load_run, verify):
        with pytest.raises(WeightsError, match=rf"{name} has been changed: its SHA-256 digest is"):
            read(packed)


@pytest.mark.exhaustive
def test_a_missing_file_and_a_damaged_record_are_found(packed):
    (packed / "history.csv").unlink()
    with pytest.raises(WeightsError, match=r"lacks history.csv"):
        zoo.load_run(packed)
    (packed / "record.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"record.json is damaged"):
        zoo.load_run(packed)


@pytest.mark.exhaustive
def test_a_figure_that_is_not_the_recorded_one_is_found(packed, data_dir):
    record = json.loads((packed / "record.json").read_text())
    record["rounded"]["test_accuracy"] += 0.01
    (packed / "record.json").write_text(json.dumps(record))
    with pytest.raises(WeightsError, match=r"test_accuracy is 0\.\d+ here, and the record says"):
        verify(packed, data_dir=data_dir)


@pytest.mark.exhaustive
def test_training_anew_gives_the_same_bits(packed, data_dir):
    found = verify(packed, data_dir=data_dir, retrain=True)
    assert found.same_bits
    assert found.retrained == read_record(packed).figures["test_accuracy"]


@pytest.mark.exhaustive
def test_verification_says_so_if_the_test_split_is_not_there(packed, tmp_path, monkeypatch):
    config = json.loads((packed / "config.json").read_text())
    assert config["data_dir"] is None
    monkeypatch.setattr("zoo.training.load_run_data", _refuse)
    assert verify(packed).measured is None


def _refuse(*_, **__):
    raise zoo.errors.DatasetError("not prepared")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zoo.load("mpl"), r"unknown model: 'mpl'. Did you mean 'mlp'\?"),
        (lambda: zoo.load("mlp", "mnis"), r"unknown weights of mlp: 'mnis'. Did you mean 'mnist'"),
        (lambda: zoo.load("resnet18"), r"resnet18 does not come trained: train it with"),
        (lambda: zoo.build("mlp", weights="mnis"), r"Did you mean 'mnist'\?"),
        (lambda: zoo.build("mlp", weights="mnist", freeze="all"), r"freeze='all'"),
        (lambda: zoo.build("mlp", weights="mnist", units=5), r"hidden_1/kernel has shape"),
        (lambda: zoo.train("mlp", freeze="backbone"), r"freeze='backbone' requires weights"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_named(call, message):
    with pytest.raises(zoo.ZooError, match=message):
        call()


@pytest.mark.exhaustive
@every_trained
def test_every_trained_model_answers_its_own_rows(record):
    run = zoo.load(record.model, record.trained_on)
    assert run.metrics["read_test_split_at"]
    predictions = run.predictions
    answers = zoo.predict(run, predictions["raw"])
    if "probabilities" in predictions:
        expected = predictions["probabilities"][predictions["index"]]
        for answer, probabilities in zip(answers, expected, strict=True):
            given = list(answer["probabilities"].values())
            np.testing.assert_allclose(given, probabilities, atol=0.02)
    else:
        errors = [answer["mse"] for answer in answers]
        assert np.mean(errors) < 2 * predictions["errors"].mean()


@every_trained
def test_rounding_costs_nearly_nothing(record):
    plain, rounded = record.figures[record.metric], record.rounded[record.metric]
    bound = 5e-4 if record.metric == "test_accuracy" else 1e-3 * abs(plain)
    assert abs(plain - rounded) <= bound


@every_trained
def test_a_record_names_no_machine_and_matches_its_files(record):
    folder = find(record.model, record.trained_on)
    catalog.require_intact(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["data_dir"] is None
    assert "platform" not in config["environment"]
    assert config["seed"] == record.seed
    assert record.bytes < 8e6


def test_all_trained_models_together_are_small():
    assert sum(record.bytes for record in RECORDS) < 30e6


@pytest.mark.exhaustive
def test_fine_tuning_starts_from_the_weights_and_the_preprocessing(run, packed, data_dir, tmp_path):
    options = {"dataset": "digits", "data_dir": data_dir, "weights": str(packed)}
    tuned = zoo.train("mlp", run_dir=tmp_path / "tuned", learning_rate=1e-12, **SETTINGS | options)
    source = zoo.load_run(packed)
    for ours, theirs in zip(tuned.model.get_weights(), source.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert tuned.config["arguments"]["units"] == 16
    assert tuned.config["start"] == {"weights": str(packed), "freeze": "none"}
    again = zoo.train("mlp", run_dir=tmp_path / "tuned", resume=True, progress=False, **options)
    assert again.metrics == tuned.metrics


@pytest.mark.exhaustive
def test_a_frozen_backbone_does_not_move(packed, data_dir, tmp_path):
    tuned = zoo.train(
        "mlp", dataset="digits", data_dir=data_dir, run_dir=tmp_path / "tuned",
        weights=str(packed), freeze="backbone", **SETTINGS,
    )  # fmt: skip
    before = fine_tuning.source_of("mlp", str(packed)).model
    for ours, theirs in zip(tuned.model.layers, before.layers, strict=True):
        for new, old in zip(ours.weights, theirs.weights, strict=True):
            assert np.array_equal(new, old) == (ours.name != "output")


@pytest.mark.exhaustive
def test_another_number_of_classes_gets_another_output_layer(packed):
    model = zoo.build("mlp", weights=str(packed), num_classes=3)
    source = zoo.load_run(packed).model
    assert model.output_shape == (None, 3)
    hidden, expected = (named_weights(each)["hidden_1/kernel"] for each in (model, source))
    np.testing.assert_array_equal(hidden, expected)


@pytest.mark.exhaustive
def test_texts_keep_the_vocabulary_they_were_trained_with(text_run, tmp_path):
    table = tmp_path / "mine.csv"
    rows = [f"{word} film,{label}" for word, label in (("good", 1), ("bad", 0))] * 20
    table.write_text("\n".join(["text,label", *rows]))
    tuned = zoo.train(
        "gru", dataset=table, weights=str(text_run.directory), run_dir=tmp_path / "run", **SETTINGS
    )
    ours, theirs = (
        run.preprocessor.get_layer("vectorize").get_vocabulary() for run in (tuned, text_run)
    )
    assert ours == theirs


@pytest.mark.exhaustive
def test_a_larger_vocabulary_keeps_the_words_and_their_embeddings(text_run, tmp_path):
    table, size = tmp_path / "mine.csv", text_run.recipe.text.vocab_size
    rows = [f"{word} kiwis mangos {word}s,{label}" for word, label in (("good", 1), ("bad", 0))]
    table.write_text("\n".join(["text,label", *rows * 20]))
    options = {"dataset": table, "weights": str(text_run.directory), "learning_rate": 1e-12}
    run_dir = tmp_path / "run"
    tuned = zoo.train("gru", run_dir=run_dir, vocab_size=size + 2, **SETTINGS | options)
    before = text_run.preprocessor.get_layer("vectorize").get_vocabulary()
    after = tuned.preprocessor.get_layer("vectorize").get_vocabulary()
    assert after[: len(before)] == before
    assert {"kiwis", "mangos"} <= set(after[len(before) :])
    ours, theirs = (named_weights(run.model)["embedding/embeddings"] for run in (tuned, text_run))
    assert ours.shape == (size + 2, theirs.shape[1])
    np.testing.assert_allclose(ours[:size], theirs, atol=1e-6)
    with pytest.raises(ArgumentValueError, match="can be kept or extended"):
        zoo.train("gru", run_dir=tmp_path / "small", vocab_size=size - 1, **SETTINGS | options)
    assert not (tmp_path / "small").exists()


@pytest.mark.exhaustive
def test_a_run_whose_source_has_changed_is_not_resumed(run, data_dir, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(run.directory, source)
    options = {"dataset": "digits", "data_dir": data_dir, "weights": str(source)}
    tuned = zoo.train("mlp", run_dir=tmp_path / "tuned", **SETTINGS | options)
    (tuned.directory / "metrics.json").unlink()
    model = keras.saving.load_model(source / "model.keras")
    model.layers[-1].bias.assign(model.layers[-1].bias + 1)
    model.save(source / "model.keras")
    with pytest.raises(RunError, match="that file is missing or has changed"):
        zoo.train("mlp", run_dir=tmp_path / "tuned", resume=True, progress=False)


@pytest.mark.exhaustive
def test_weights_of_another_model_are_named(packed):
    with pytest.raises(WeightsError, match="are those of mlp, not softmax_regression"):
        zoo.build("softmax_regression", weights=str(packed))
    with pytest.raises(ArgumentValueError, match="freeze"):
        zoo.build("mlp", weights=str(packed), freeze="some")
    assert set(TINY) == set(zoo.list_models())
