"""Models trained by hand: saved as runs, and exported with the rows that a user gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny

import zoo
from zoo.artifacts.reader import Artifact, read_facts
from zoo.errors import ArgumentValueError, ExportError, RunError
from zoo.tasks import class_probabilities


@pytest.fixture(scope="module")
def digits(data_dir):
    return zoo.load_data("digits", data_dir=data_dir, batch_size=512)


@pytest.fixture(scope="module")
def trained(digits):
    model = zoo.build("mlp", input_shape=(8, 8, 1), units=8)
    model.jit_compile = False
    history = model.fit(
        digits.train, epochs=2, validation_data=digits.validation, verbose=0, shuffle=False
    )
    return model, history


def test_it_becomes_a_run_like_others(trained, digits, data_dir, tmp_path):
    model, history = trained
    run = zoo.save_run(model, tmp_path / "run", data=digits, history=history, units=8)
    assert run.is_finished
    assert run.metrics["epochs"] == 2
    assert run.history["loss"] == pytest.approx(history.history["loss"])
    assert run.recipe.batch_size == 512
    for ours, theirs in zip(run.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    measured = zoo.evaluate(run, data_dir=data_dir)["accuracy"]
    assert measured == pytest.approx(run.metrics["test_accuracy"])
    with pytest.raises(RunError, match="already exists"):
        zoo.save_run(model, tmp_path / "run", data=digits, units=8)


def test_without_a_history_it_is_measured_once(trained, digits, tmp_path):
    run = zoo.save_run(trained[0], tmp_path / "run", data=digits, units=8)
    assert run.history.keys() >= {"accuracy", "val_accuracy"}
    assert run.metrics["val_accuracy"] == pytest.approx(run.history["val_accuracy"][0])


def test_the_arguments_must_be_those_of_the_model(trained, digits, tmp_path):
    with pytest.raises(ArgumentValueError, match="mlp built with .* has other weights than this"):
        zoo.save_run(trained[0], tmp_path / "run", data=digits)
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["saved_model", "onnx", "litert", "litert_int8"])
def test_it_is_exported_with_the_rows_of_a_user(trained, digits, format, tmp_path):
    rows = digits.rows["test"]
    path = zoo.export(
        trained[0], tmp_path / "artifact", format=format, preprocessor=digits.preprocessor,
        rows=rows.inputs[:60], labels=rows.labels[:60], class_names=digits.spec.class_names,
    )  # fmt: skip
    expected = trained[0].predict(digits.preprocessor(rows.inputs[:9]), verbose=0)
    found = Artifact(path).ask("serve", image=rows.inputs[:9])["probabilities"]
    tolerance = 0.1 if format == "litert_int8" else 1e-5
    assert np.abs(found - expected).max() <= tolerance
    assert "trained by hand" in (path / "README.md").read_text()
    assert read_facts(path)["rows"] == 60


BY_TASK = {
    "lstm": "toy_reviews",
    "transformer": "toy_reviews",
    "text_mlp": "toy_reviews",
    "perceptron": "first_input",
    "vae": "digits",
    "cvae": "digits",
    "linear_autoencoder": "digits",
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["saved_model", "onnx", "litert"])
@pytest.mark.parametrize("name", BY_TASK)
def test_a_model_of_each_task_is_exported(name, format, data_dir, tmp_path):
    spec = zoo.get_spec(name)
    data = zoo.load_data(
        BY_TASK[name], data_dir=data_dir,
        text=zoo.TextOptions(spec.recipe.text.encoding, vocab_size=60, sequence_length=9),
    )  # fmt: skip
    shape = {} if data.spec.kind == "text" else {"input_shape": data.spec.input_shape}
    sizes = {"vocab_size": 60} if data.spec.kind == "text" else shape
    model = tiny(name, **sizes)
    raw = data.rows["test"].inputs[:20]
    path = zoo.export(
        model, tmp_path / "artifact", format=format, preprocessor=data.preprocessor, rows=raw,
        labels=data.rows["test"].labels[:20],
    )  # fmt: skip
    assert read_facts(path)["max_difference"] <= 1e-5
    if data.target == "label" and spec.task.endswith("classification"):
        expected = class_probabilities(
            model.predict(data.preprocessor(tf.constant(raw)), verbose=0)
        )
        key = {"text": "text", "images": "image", "truth_tables": "bits"}[data.spec.kind]
        found = Artifact(path).ask("serve", **{key: raw})["probabilities"]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_is_missing_or_wrong_is_said(trained, digits, tmp_path):
    model, raw = trained[0], digits.rows["test"].inputs[:4]
    given = {"preprocessor": digits.preprocessor, "rows": raw}
    with pytest.raises(ArgumentValueError, match="needs preprocessor= and rows="):
        zoo.export(model, tmp_path / "a")
    with pytest.raises(ArgumentValueError, match="class_names: 2 names for 10 classes"):
        zoo.export(model, tmp_path / "a", class_names=["a", "b"], **given)
    with pytest.raises(ArgumentValueError, match="labels: 1 labels for 4 rows"):
        zoo.export(model, tmp_path / "a", labels=[1], **given)
    with pytest.raises(ExportError, match="rows: there are none"):
        zoo.export(model, tmp_path / "a", preprocessor=digits.preprocessor, rows=raw[:0])
    with pytest.raises(ExportError, match="rows: an array of float64"):
        zoo.export(model, tmp_path / "a", preprocessor=digits.preprocessor, rows=raw / 255)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="my_net")
    with pytest.raises(ArgumentValueError, match="the model 'my_net' is none of the zoo"):
        zoo.export(other, tmp_path / "a", **given)
    assert not (tmp_path / "a").exists()
