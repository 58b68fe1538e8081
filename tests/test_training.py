"""Training: what a run leaves, that it repeats, that it resumes, and how it fails."""

import contextlib
import dataclasses
import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import filelock
import keras
import numpy as np
import pytest

import zoo
from zoo import registry
from zoo.errors import (
    ArgumentValueError,
    DatasetError,
    RunError,
    TrainingDivergedError,
    UnknownArgumentError,
)
from zoo.training import building, processor
from zoo.training.building import seed_and_build
from zoo.training.callbacks import Checkpoint
from zoo.training.config import load_run_data, resolve_config
from zoo.training.finish import _as_built, classification_metrics
from zoo.training.loop import fit_in
from zoo.training.schedules import learning_rate_at

DIGITS = {"dataset": "digits", "units": 16, "num_layers": 1, "epochs": 6, "progress": False}
UNCOMPILED = DIGITS | {"jit_compile": False}


def bits(run):
    return np.concatenate([np.ravel(weight) for weight in run.model.get_weights()])


def without_times(run):
    return {key: values for key, values in run.history.items() if key != "seconds"}


def test_a_run_leaves_its_files_and_nothing_else(digits_run):
    assert sorted(path.name for path in digits_run.directory.iterdir()) == [
        "README.md",
        "config.json",
        "history.csv",
        "metrics.json",
        "model.keras",
        "predictions.npz",
        "preprocessor.keras",
    ]
    config = digits_run.config
    assert config["model"] == "softmax_regression"
    assert config["dataset_version"] == "digits/1.0.0"
    assert config["rows"] == {"train": 1295, "validation": 142, "test": 360}
    assert config["recipe"]["epochs"] == 5
    assert config["parameters"] == 650
    assert config["environment"]["cores"] == os.cpu_count()


@pytest.mark.exhaustive
def test_metrics_are_those_of_the_model_on_the_splits(digits_run, data_dir):
    data = zoo.load_data("digits", data_dir=data_dir)
    for split, prefix in (("validation", "val"), ("test", "test")):
        raw, labels = data.rows[split].inputs, data.rows[split].labels
        probabilities = digits_run.model.predict(digits_run.preprocessor(raw), verbose=0)
        right = (probabilities.argmax(axis=1) == labels).mean()
        assert digits_run.metrics[f"{prefix}_accuracy"] == pytest.approx(right, abs=1e-6)
        assert zoo.evaluate(digits_run, split)["accuracy"] == pytest.approx(right, abs=1e-6)
    assert digits_run.metrics["val_loss"] == pytest.approx(digits_run.history["val_loss"][-1])
    assert digits_run.predictions["labels"].tolist() == data.rows["test"].labels.tolist()
    index = digits_run.predictions["index"]
    np.testing.assert_array_equal(digits_run.predictions["raw"], data.rows["test"].inputs[index])


@pytest.mark.exhaustive
def test_the_test_split_is_read_after_the_last_epoch(data_dir, tmp_path, monkeypatch):
    from zoo.data.pipeline import Data

    events = []
    test = Data.test.func
    monkeypatch.setattr(Data, "test", property(lambda self: events.append("test") or test(self)))
    written = Checkpoint.on_epoch_end
    monkeypatch.setattr(
        Checkpoint, "on_epoch_end", lambda *args: events.append("epoch") or written(*args)
    )
    zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / "run", **UNCOMPILED | {"epochs": 3})
    assert events == ["epoch"] * 3 + ["test"] * 2  # the figures of merit, and the answers


@pytest.mark.exhaustive
def test_the_same_seed_gives_the_same_bits_and_another_does_not(data_dir, tmp_path):
    one, two, three = (
        zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / str(i), seed=seed, **DIGITS)
        for i, seed in enumerate((1, 1, 2))
    )
    np.testing.assert_array_equal(bits(one), bits(two))
    assert without_times(one) == without_times(two)
    assert (bits(one) != bits(three)).any()


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory, data_dir):
    """A small network on digits, trained without a break."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    return zoo.train("mlp", data_dir=data_dir, run_dir=folder, **UNCOMPILED)


def stop_after(epoch, monkeypatch):
    written = Checkpoint.on_epoch_end

    def interrupted(self, number, logs=None):
        written(self, number, logs)
        if number + 1 == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_epoch_end", interrupted)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "sgd", "batch_normalization": True, "jit_compile": False},
        {
            "patience": 2,
            "learning_rate": 0.05,
            "epochs": 12,
            "steps_per_execution": 1,
            "jit_compile": False,
        },
    ],
)
def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    settings, data_dir, tmp_path, monkeypatch
):
    options = DIGITS | settings
    whole = zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / "whole", **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(3, patch)
        zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / "parts", **options)
    with pytest.raises(RunError, match="unfinished: resume it with --resume"):
        _ = zoo.load_run(tmp_path / "parts").metrics
    resumed = zoo.train("mlp", run_dir=tmp_path / "parts", resume=True, progress=False)
    np.testing.assert_array_equal(bits(whole), bits(resumed))
    assert without_times(whole) == without_times(resumed)
    assert sorted(os.listdir(whole.directory)) == sorted(os.listdir(resumed.directory))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vae", {"warmup_steps": 30}),
        ("denoising_autoencoder", {"noise_stddev": 0.3}),
        ("denoising_autoencoder", {"noise_stddev": 0.3, "ema_momentum": 0.9, "patience": 3}),
    ],
)
def test_what_is_drawn_at_random_goes_on_after_an_interrupt(
    name, settings, data_dir, tmp_path, monkeypatch
):
    options = {"dataset": "digits", "grayscale": "none", "units": 8, "batch_size": 128, "epochs": 4}
    options |= {"data_dir": data_dir, "jit_compile": False, "progress": False} | settings
    whole = zoo.train(name, run_dir=tmp_path / "whole", **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(2, patch)
        zoo.train(name, run_dir=tmp_path / "parts", **options)
    resumed = zoo.train(name, run_dir=tmp_path / "parts", resume=True, progress=False)
    np.testing.assert_array_equal(bits(whole), bits(resumed))
    assert without_times(whole) == without_times(resumed)


@pytest.mark.exhaustive
def test_a_killed_run_resumes_bit_for_bit(data_dir, tmp_path):
    options = ["--dataset", "digits", "--data-dir", str(data_dir), "--set", "units=16"]
    command = [sys.executable, "-m", "zoo", "train", "mlp", *options, "--epochs", "20"]
    whole = zoo.train(
        "mlp", dataset="digits", data_dir=data_dir, units=16, epochs=20,
        run_dir=tmp_path / "whole", progress=False,
    )  # fmt: skip
    victim = subprocess.Popen(
        [*command, "--run-dir", str(tmp_path / "parts")], stderr=subprocess.DEVNULL
    )
    history = tmp_path / "parts" / "history.csv"
    deadline = time.monotonic() + 300
    while not (history.exists() and len(history.read_text().splitlines()) > 4):
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not zoo.load_run(tmp_path / "parts").is_finished
    done = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "parts"), "--resume", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["epochs"] == 20
    resumed = zoo.load_run(tmp_path / "parts")
    np.testing.assert_array_equal(bits(whole), bits(resumed))
    assert without_times(whole) == without_times(resumed)
    assert not list(resumed.directory.glob(".*"))


def test_resuming_takes_what_is_not_given_and_refuses_what_differs(digits_run):
    again = zoo.train("softmax_regression", run_dir=digits_run.directory, resume=True)
    assert again.metrics == digits_run.metrics
    with pytest.raises(RunError, match=r"l2=0.5 \(the run has 0.0001\), epochs=9"):
        zoo.train("softmax_regression", run_dir=digits_run.directory, resume=True, l2=0.5, epochs=9)
    with pytest.raises(RunError, match="model='mlp'"):
        zoo.train("mlp", run_dir=digits_run.directory, resume=True)


def test_resuming_needs_a_run(tmp_path):
    with pytest.raises(RunError, match="--run-dir"):
        zoo.train("mlp", resume=True)
    with pytest.raises(RunError, match="not a run directory"):
        zoo.train("mlp", resume=True, run_dir=tmp_path / "none")


def test_an_existing_run_directory_is_refused_and_kept(digits_run):
    before = {path: path.read_bytes() for path in digits_run.directory.iterdir()}
    with pytest.raises(RunError, match="already exists"):
        zoo.train("perceptron", run_dir=digits_run.directory)
    assert {path: path.read_bytes() for path in digits_run.directory.iterdir()} == before


@pytest.mark.exhaustive
def test_the_penalty_stands_apart_from_the_error(data_dir, tmp_path, plain_run):
    run = zoo.train(
        "mlp", data_dir=data_dir, run_dir=tmp_path / "run", **UNCOMPILED | {"l1": 1e-3, "l2": 1e-2}
    )
    kernels = [layer.kernel.numpy() for layer in run.model.layers if hasattr(layer, "kernel")]
    expected = sum(1e-3 * np.abs(k).sum() + 1e-2 * (k**2).sum() for k in kernels)
    history = run.history
    penalty = history["val_loss"][-1] - history["val_data_loss"][-1]
    assert penalty == pytest.approx(expected, rel=1e-4)
    assert all(np.array(history["loss"]) > np.array(history["data_loss"]))
    assert "data_loss" not in plain_run.history


@pytest.mark.exhaustive
def test_averaged_weights_are_those_of_their_definition(data_dir, tmp_path):
    options = {"dataset": "digits", "data_dir": data_dir, "batch_size": 2000}
    options |= {"schedule": "constant", "jit_compile": False, "progress": False}

    def weights(epochs, **settings):  # of a step each
        run = zoo.train(
            "softmax_regression",
            run_dir=tmp_path / f"{epochs}-{len(settings)}",
            epochs=epochs,
            **options | settings,
        )
        assert run.metrics["val_loss"] == pytest.approx(run.history["val_loss"][-1], rel=1e-5)
        return run.model.get_weights()

    trajectory = [weights(epochs) for epochs in (1, 2, 3)]
    averaged = weights(3, ema_momentum=0.6)
    for first, second, third, average in zip(*trajectory, averaged, strict=True):
        expected = 0.6 * (0.6 * first + 0.4 * second) + 0.4 * third
        np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.exhaustive
@pytest.mark.parametrize("ema_momentum", [0.0, 0.8])
def test_patience_stops_early_and_restores_the_best_epoch(ema_momentum, data_dir, tmp_path):
    options = {"epochs": 60, "patience": 3, "learning_rate": 0.1, "schedule": "constant"}
    run = zoo.train(
        "mlp",
        data_dir=data_dir,
        run_dir=tmp_path / "run",
        ema_momentum=ema_momentum,
        **UNCOMPILED | options,
    )
    scores = run.history["val_accuracy"]
    best = int(np.argmax(scores))
    assert len(scores) == best + 1 + 3 < 60
    assert run.metrics["best_epoch"] == best + 1
    assert run.metrics["val_accuracy"] == pytest.approx(scores[best])
    assert run.metrics["val_loss"] == pytest.approx(run.history["val_loss"][best])


@pytest.mark.exhaustive
def test_a_diverging_run_stops_and_says_so(data_dir, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"epoch 1: .*loss.*lower learning_rate"):
        zoo.train(
            "mlp", data_dir=data_dir, run_dir=tmp_path / "run", learning_rate=1e30, **UNCOMPILED
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
def test_a_full_disk_loses_no_finished_epoch(data_dir, tmp_path, plain_run, monkeypatch):
    from zoo.training import callbacks

    real, checkpoints = callbacks.atomic_write, []

    @contextlib.contextmanager
    def full(path):
        with real(path) as partial:
            checkpoints.append(path)
            if len(checkpoints) == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            yield partial

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(callbacks, "atomic_write", full)
        zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / "run", **UNCOMPILED)
    assert not list((tmp_path / "run").glob(".*"))
    run = zoo.train("mlp", run_dir=tmp_path / "run", resume=True, progress=False)
    np.testing.assert_array_equal(bits(run), bits(plain_run))


@pytest.mark.exhaustive
def test_the_learning_rate_follows_its_schedule(data_dir, tmp_path):
    options = UNCOMPILED | {"epochs": 4, "learning_rate": 0.01}
    run = zoo.train("mlp", data_dir=data_dir, run_dir=tmp_path / "run", **options)
    expected = [0.01 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
    np.testing.assert_allclose(run.history["learning_rate"], expected, rtol=1e-6)
    assert learning_rate_at(3, 0.1, "constant", 4) == 0.1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"unitz": 3}, UnknownArgumentError, "Did you mean 'units'"),
        ({"epochz": 3}, UnknownArgumentError, "Did you mean 'epochs'"),
        ({"epochs": 0}, ArgumentValueError, "epochs=0"),
        ({"batch_size": 0}, ArgumentValueError, "batch_size=0"),
        ({"seed": -1}, ArgumentValueError, "seed=-1"),
        ({"units": 0}, ArgumentValueError, "units=0"),
        ({"schedule": "linear"}, ArgumentValueError, "schedule='linear'"),
        ({"input_shape": (3,)}, ArgumentValueError, "input_shape follows from the dataset"),
    ],
)
def test_bad_arguments_write_nothing(options, error, words, tmp_path, data_dir, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        zoo.train("mlp", dataset="digits", data_dir=data_dir, **options)
    assert not list(tmp_path.iterdir())


def test_a_data_set_for_another_task_names_those_that_fit(tmp_path):
    with pytest.raises(DatasetError, match="digits has 10 classes; .*xor"):
        zoo.train("perceptron", dataset="digits", run_dir=tmp_path / "run")


@pytest.mark.exhaustive
def test_evaluating_on_changed_data_is_refused(image_folder, tmp_path):
    run = zoo.train(
        "softmax_regression", dataset=image_folder, epochs=2, run_dir=tmp_path / "run",
        jit_compile=False, progress=False,
    )  # fmt: skip
    assert 0 <= zoo.evaluate(run)["accuracy"] <= 1
    (image_folder / "grün" / "0.png").unlink()
    with pytest.raises(DatasetError, match="its splits may share rows"):
        zoo.evaluate(run)


def test_evaluating_needs_a_split_that_there_is(digits_run):
    with pytest.raises(ArgumentValueError, match="split='tests'"):
        zoo.evaluate(digits_run, "tests")


@pytest.mark.exhaustive
def test_tensorboard_logs_on_request(tmp_path):
    run = zoo.train(
        "perceptron", epochs=2, tensorboard=True, jit_compile=False, run_dir=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    assert list((run.directory / "tensorboard").rglob("events.out.*"))


def test_a_truth_table_leaves_the_trace_of_each_row(table_run):
    rows = table_run.predictions
    for bits_, probabilities in zip(rows["raw"], rows["probabilities"], strict=True):
        trace = table_run.history["output_" + "".join(map(str, bits_))]
        assert len(trace) == 20
        assert trace[-1] == pytest.approx(probabilities[1], abs=1e-6)
    assert set(table_run.history["output_000"]) == {0.5}


def test_recipes_settings_reach_the_model(monkeypatch, tmp_path):
    seen = {}
    real = building.build

    def build(*args, **kwargs):
        seen["model"] = real(*args, **kwargs)
        return seen["model"]

    monkeypatch.setattr(building, "build", build)
    run = zoo.train(
        "perceptron", epochs=1, jit_compile=False, steps_per_execution=3, use_bias=False,
        run_dir=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert seen["model"].jit_compile is False
    assert seen["model"].steps_per_execution == 3
    assert run.config["recipe"] == dataclasses.asdict(
        zoo.Recipe(epochs=1, batch_size=2, jit_compile=False, steps_per_execution=3)
    )
    assert run.config["arguments"]["use_bias"] is False


def test_a_model_of_mixed_precision_is_measured_as_its_recipe_executes(data_dir):
    overrides = {"precision": "mixed_bfloat16", "jit_compile": False, "steps_per_execution": 3}
    settings = resolve_config("softmax_regression", overrides=overrides, data_dir=data_dir)
    model = seed_and_build(settings)
    model.optimizer.build(model.trainable_variables)  # as training does
    same = _as_built(SimpleNamespace(config=settings.to_json(), recipe=settings.recipe), model)
    assert same.dtype_policy.name == "float32" != model.dtype_policy.name
    assert (same.jit_compile, same.steps_per_execution) == (False, 3)
    for ours, theirs in zip(same.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_users_model_trains(monkeypatch, tmp_path, data_dir):
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    zoo.register(
        dataclasses.replace(zoo.get_spec("softmax_regression"), builder=f"{__name__}:my_net")
    )
    run = zoo.train(
        "my_net", data_dir=data_dir, epochs=1, jit_compile=False, run_dir=tmp_path / "run"
    )
    assert run.history["learning_rate"] == [pytest.approx(0.125)]


def my_net(*, input_shape=(8, 8, 1), num_classes=10):
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes, activation="softmax"),
        ],
        name="my_net",
    )
    model.compile(
        keras.optimizers.SGD(0.125), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


@pytest.mark.exhaustive
@pytest.mark.parametrize("spelling", ["pictures", "./pictures/", "absolute"])
def test_a_folder_resumes_whatever_its_spelling(spelling, image_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"epochs": 2, "jit_compile": False, "run_dir": tmp_path / "run", "progress": False}
    run = zoo.train("softmax_regression", dataset="pictures", **options)
    dataset = image_folder if spelling == "absolute" else spelling
    again = zoo.train("softmax_regression", dataset=dataset, resume=True, **options)
    assert again.metrics == run.metrics
    monkeypatch.chdir("/")
    assert zoo.evaluate(tmp_path / "run")["accuracy"] == run.metrics["test_accuracy"]


@pytest.mark.exhaustive
def test_a_file_of_weights_resumes_whatever_its_spelling(image_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zoo.build("resnet18", filters=4, num_classes=2).save("w.keras")
    options = {
        "dataset": image_folder, "weights": "w.keras", "filters": 4, "epochs": 1, "batch_size": 8,
        "run_dir": tmp_path / "run", "progress": False, "precision": "float32",
    }  # fmt: skip
    run = zoo.train("resnet18", **options)
    assert zoo.train("resnet18", resume=True, **options).metrics == run.metrics


@pytest.mark.exhaustive
def test_a_begun_training_of_other_settings_is_refused(data_dir, tmp_path):
    def begin(epochs):
        options = {"epochs": epochs, "jit_compile": False}
        settings = resolve_config("softmax_regression", "digits", data_dir, 0, options)
        model, data = seed_and_build(settings), load_run_data(settings, data_dir)
        return fit_in(tmp_path / "run", settings, model, data, None)

    found = begin(2)
    assert (found["epoch"], found["epochs"]) == (2, 2)
    assert begin(2) == found
    with pytest.raises(RunError, match="has other settings"):
        begin(3)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_run_has_one_process_at_work(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    with (
        filelock.FileLock(tmp_path / "run" / "lock"),
        pytest.raises(RunError, match="another process is working in"),
    ):
        zoo.train("softmax_regression", run_dir=tmp_path / "run", resume=True)


@pytest.mark.exhaustive
def test_training_rows_are_measured_as_they_are(data_dir, tmp_path):
    run = zoo.train(
        "softmax_regression", dataset="digits", data_dir=data_dir, augmentation="cutout",
        epochs=2, jit_compile=False, run_dir=tmp_path / "run", progress=False,
    )  # fmt: skip
    rows = zoo.load_data("digits", data_dir=data_dir).rows["train"]
    answers = run.model.predict(run.preprocessor(rows.inputs), verbose=0).argmax(axis=1)
    right = np.mean(answers == rows.labels)
    assert zoo.evaluate(run, "train", data_dir=data_dir)["accuracy"] == pytest.approx(right)


@pytest.mark.exhaustive
@pytest.mark.real_data("mnist")
def test_mlp_learns_mnist(real_data_dir, tmp_path):
    run = zoo.train(
        "mlp", data_dir=real_data_dir, epochs=3, run_dir=tmp_path / "run", progress=False
    )
    assert run.metrics["test_accuracy"] > 0.975


@pytest.mark.exhaustive
def test_the_bias_mends_the_fourth_row(tmp_path):
    """The course's first table: with a bias all four rows are right."""
    run = zoo.train("perceptron", jit_compile=False, run_dir=tmp_path / "run", progress=False)
    assert run.metrics["test_accuracy"] == 1
    assert run.metrics["test_mse"] < 0.01


@pytest.mark.exhaustive
def test_two_layers_compute_what_one_cannot(tmp_path):
    options = {"jit_compile": False, "progress": False}
    two = zoo.train("two_layer_perceptron", run_dir=tmp_path / "two", **options)
    one = zoo.train("perceptron", dataset="xor_nand", run_dir=tmp_path / "one", **options)
    assert two.metrics["test_accuracy"] == 1
    assert one.metrics["test_accuracy"] <= 7 / 8


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("avx512f amx_bf16", "mixed_bfloat16"), ("avx512f avx2", "float32"), (None, "float32")],
)
def test_bfloat16_is_used_where_the_processor_has_it(flags, precision, tmp_path, monkeypatch):
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} cmov\n")
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor.tf.config, "list_physical_devices", lambda *_: [])
    settled = resolve_config("simple_cnn").recipe.precision
    assert settled == precision
    asked = resolve_config("simple_cnn", overrides={"precision": "mixed_bfloat16"})
    assert asked.recipe.precision == "mixed_bfloat16"
    assert resolve_config("mlp").recipe.precision == "float32"


@pytest.mark.exhaustive
def test_rare_classes_can_count_like_others(tmp_path):
    rows = np.random.default_rng(0).integers(0, 99, (100, 4, 4), np.uint8)
    labels = (np.arange(100) >= 90).astype(int)
    data = zoo.load_data((rows, labels))
    counts = np.bincount(data.rows["train"].labels)
    weights = data.class_weight
    assert weights == pytest.approx({0: 81 / (2 * counts[0]), 1: 81 / (2 * counts[1])})
    settings = {"dataset": (rows, labels), "epochs": 5, "jit_compile": False, "progress": False}
    runs = [
        zoo.train("softmax_regression", run_dir=tmp_path / how, class_weight=how, **settings)
        for how in ("none", "balanced")
    ]
    shares = [run.predictions["probabilities"][:, 1].mean() for run in runs]
    assert shares[0] < 0.2 < shares[1]
    assert runs[0].metrics["test_balanced_accuracy"] == 0.5
    with pytest.raises(
        ArgumentValueError, match="class_weight='balanced': vae is not a classifier"
    ):
        zoo.train("vae", dataset="digits", class_weight="balanced", run_dir=tmp_path / "vae")


def test_a_loaded_model_learns_on_at_the_recipes_rate(tmp_path):
    run = zoo.train(
        "perceptron",
        dataset="or",
        schedule="cosine",
        epochs=3,
        learning_rate=0.25,
        run_dir=tmp_path / "run",
        jit_compile=False,
        progress=False,
    )
    assert float(run.model.optimizer.learning_rate) == 0.25
    assert run.history["learning_rate"][-1] < 0.25


def test_metrics_of_rare_and_many_classes_are_those_of_their_definitions():
    generator = np.random.default_rng(0)
    labels, probabilities = generator.integers(0, 7, 50), generator.random((50, 9))
    predicted = probabilities.argmax(axis=1)
    recalls = [np.mean(predicted[labels == k] == k) for k in range(7)]
    f1 = [
        2
        * np.sum((predicted == k) & (labels == k))
        / max(1, np.sum(predicted == k) + np.sum(labels == k))
        for k in range(9)
    ]
    in_top = [
        label in np.argsort(-row)[:5] for label, row in zip(labels, probabilities, strict=True)
    ]
    assert classification_metrics(labels, probabilities) == pytest.approx(
        {
            "balanced_accuracy": np.mean(recalls),
            "macro_f1": np.mean(f1),
            "top_5_accuracy": np.mean(in_top),
        }
    )


@pytest.mark.exhaustive
def test_training_again_keeps_no_graph(tmp_path):
    def count(number):
        zoo.train(
            "perceptron", dataset="or", epochs=1, run_dir=tmp_path / str(number),
            jit_compile=False, progress=False,
        )  # fmt: skip
        gc.collect()
        return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())

    first = count(0)
    assert [count(number) for number in (1, 2)] == [first, first]
