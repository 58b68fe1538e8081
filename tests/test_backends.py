"""Backends: TensorFlow prepares the data, JAX trains as well, and a run opens on both."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY

import zoo
from zoo import ImageOptions, TextOptions, plots
from zoo.data import preprocessing
from zoo.data.preprocessing import apply_preprocessor, on_tensorflow
from zoo.errors import ArgumentValueError, ExportError, RunError

TEXTS = np.array([b"So <br /> good, so short.", b"...", b"\xff bad 'film' \x00 x", b"bad"], object)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 31, 3), np.uint8)


@pytest.fixture
def elsewhere(monkeypatch):
    """Lets a module believe that Keras runs on another backend."""
    return lambda backend: monkeypatch.setattr(keras.config, "backend", lambda: backend)


@pytest.fixture
def image_preprocessors(image_folder):
    options = [
        ImageOptions(), ImageOptions(scaling="standardized"),
        ImageOptions(grayscale="luminance", scaling="standardized"),
    ]  # fmt: skip
    return [zoo.load_data(image_folder, images=choice).preprocessor for choice in options]


def test_images_are_prepared_alike_by_tensorflow_alone(image_preprocessors, elsewhere):
    expected = [np.asarray(preprocessor(IMAGES)) for preprocessor in image_preprocessors]
    elsewhere("jax")
    for preprocessor, values in zip(image_preprocessors, expected, strict=True):
        prepared = apply_preprocessor(preprocessor, IMAGES)
        np.testing.assert_allclose(prepared, values, atol=1e-5)
        pipeline = tf.data.Dataset.from_tensors(IMAGES).map(on_tensorflow(preprocessor))
        np.testing.assert_array_equal(next(pipeline.as_numpy_iterator()), prepared)


@pytest.mark.parametrize(
    "options",
    [
        TextOptions(vocab_size=40, sequence_length=7),
        TextOptions(vocab_size=60, sequence_length=9, ngrams=2, subwords=4),
        TextOptions(vocab_size=40, encoding="multi_hot"),
    ],
    ids=["words", "pieces", "multi_hot"],
)
def test_texts_are_prepared_alike_by_tensorflow_alone(options, elsewhere):
    preprocessor = zoo.load_data("toy_reviews", text=options).preprocessor
    expected = np.asarray(preprocessor(tf.constant(TEXTS)))
    assert len(np.unique(expected)) > 1
    elsewhere("jax")
    np.testing.assert_array_equal(apply_preprocessor(preprocessor, TEXTS), expected)


def test_on_tensorflow_nothing_is_put_in_front_of_a_preprocessor():
    preprocessor = keras.layers.Rescaling(1.0)
    assert preprocessing.on_tensorflow(preprocessor) is preprocessor


def test_what_a_backend_lacks_is_said_in_a_line(table_run, tmp_path, elsewhere):
    elsewhere("torch")
    with pytest.raises(ArgumentValueError, match=r"KERAS_BACKEND=torch: .*tensorflow or jax; .*"):
        zoo.train("perceptron", run_dir=tmp_path / "run")
    elsewhere("jax")
    with pytest.raises(ExportError, match="export the run with KERAS_BACKEND=tensorflow"):
        zoo.export(table_run, tmp_path / "exported")
    assert not list(tmp_path.iterdir())


def test_a_run_is_resumed_on_its_own_backend(tmp_path, elsewhere):
    def interrupt(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoo.train("perceptron", run_dir=tmp_path / "run", stop_rule=interrupt, progress=False)
    elsewhere("jax")
    with pytest.raises(RunError, match=r"started on tensorflow, .* KERAS_BACKEND=tensorflow"):
        zoo.train("perceptron", run_dir=tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("backend", "said"),
    [("jaxx", "Did you mean 'jax'?"), ("torch", "is not installed: pip install torch")],
)
def test_the_command_knows_the_backends(backend, said, command, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, out, err = command("train", "perceptron")
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


SETTINGS = {
    "perceptron": {},
    "gru": {"dataset": "toy_reviews", "sequence_length": 24, **TINY["gru"], "dropout": 0.2},
    "cvae": {"dataset": "digits", **TINY["cvae"]},
    "mlp": {"dataset": "digits", "ema_momentum": 0.8, **TINY["mlp"]},
    "simple_cnn": {"dataset": "digits", "pool_size": "1-1-2", **TINY["simple_cnn"]},
}
ON_JAX = """
import json, sys, warnings
warnings.filterwarnings("ignore", "Explicitly requested dtype int64")
import numpy as np
import tuning, zoo
from zoo import plots

class Interrupted(Exception):
    pass

def interrupt(rows):
    raise Interrupted

results = {}
for name, settings in json.loads(sys.argv[1]).items():
    settings |= {"epochs": 2, "progress": False, "data_dir": "data"}
    run = zoo.train(name, run_dir=name, **settings)
    try:
        zoo.train(name, run_dir=f"{name}-again", stop_rule=interrupt, **settings)
    except Interrupted:
        again = zoo.train(name, run_dir=f"{name}-again", resume=True, **settings)
    pairs = zip(run.model.get_weights(), again.model.get_weights(), strict=True)
    evaluated = {f"test_{key}": value for key, value in zoo.evaluate(run).items()}
    results[name] = {
        "same_bits": all(np.array_equal(*pair) for pair in pairs),
        "backend": run.config["environment"]["backend"],
        "metrics_differ": [k for k, v in evaluated.items() if abs(v - run.metrics[k]) > 1e-6],
        "figures": len(plots.draw(run)),
        "answers": zoo.predict(run, list(run.predictions["raw"][:3])),
    }

def weights(epochs, **settings):  # of a step each
    run = zoo.train(
        "softmax_regression", dataset="digits", data_dir="data", epochs=epochs, batch_size=2000,
        schedule="constant", progress=False, run_dir=f"{epochs}-{len(settings)}", **settings,
    )
    return run.model.get_weights()

values = zip(weights(1), weights(2), weights(2, ema_momentum=0.6), strict=True)
results["off_average"] = max(
    float(abs(average - 0.6 * first - 0.4 * second).max()) for first, second, average in values
)
search = tuning.search(
    "softmax_regression", dataset="digits", data_dir="data", max_trials=2, workers=0, epochs=1,
    retrain=1, directory="search",
)
results["trials"] = len(search.trials)
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """Runs trained in a process on JAX, and what they gave there."""
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp("jax")
    process = subprocess.run(
        [sys.executable, "-c", ON_JAX, json.dumps(SETTINGS)], cwd=folder, check=False,
        env=os.environ | {"KERAS_BACKEND": "jax"}, capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    return folder, json.loads(process.stdout.splitlines()[-1])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SETTINGS)
def test_jax_trains_resumes_evaluates_plots_and_tunes(name, on_jax):
    _, results = on_jax
    assert results[name]["backend"] == "jax"
    assert results[name]["same_bits"]
    assert results[name]["metrics_differ"] == []
    assert results[name]["figures"] > 1
    assert results["trials"] == 2
    assert results["off_average"] < 1e-6


def numbers(answer):
    return [np.ravel(value) for value in answer.values() if not isinstance(value, str | dict)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_of_jax_opens_predicts_plots_and_exports_on_tensorflow(name, on_jax, tmp_path):
    folder, results = on_jax
    run = zoo.load_run(folder / name)
    rows = list(run.predictions["raw"][:3])
    assert zoo.export(run, tmp_path / "saved_model").is_dir()  # verified in a fresh process
    for answer, theirs in zip(zoo.predict(run, rows), results[name]["answers"], strict=True):
        for ours, expected in zip(numbers(answer), numbers(theirs), strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert len(plots.draw(run)) == results[name]["figures"]
