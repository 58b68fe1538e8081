"""Several devices: which, how a batch is divided among them, and that the weights are one's."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY

import zoo
from zoo.errors import ArgumentValueError, RunError
from zoo.training.devices import DEFAULT_DEVICE, Placement, place
from zoo.training.parallel import _parts
from zoo.training.resuming import reopen_devices


@pytest.mark.parametrize("devices", ["two", "", "0", 0, -1, "cpu", "cpu:", ":2", "cpu:0", True])
def test_what_devices_may_be_is_said(devices):
    with pytest.raises(ArgumentValueError, match=r"must be all, a number such as 2, or a type and"):
        place(devices)


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ("gpy:2", "must be cpu or gpu. Did you mean 'gpu'"),
        ("tpu:1", "must be cpu or gpu"),
        ("gpu:99", r"there are \d+ of type gpu, not 99\.$"),
        ("cpu:99", "there are 1 of type cpu, not 99; cpu:99 in a fresh process divides the CPU"),
    ],
)
def test_devices_that_are_not_there_are_refused(devices, said):
    tf.constant(0) + 1  # so that the CPU cannot be divided anymore
    with pytest.raises(ArgumentValueError, match=said):
        place(devices)


def test_devices_of_this_process():
    assert place(None) == DEFAULT_DEVICE
    assert place("all") == place(len(tf.config.list_physical_devices("GPU")) or 1)
    assert place("cpu:1") == Placement("cpu", 1)
    assert Placement("cpu", 1).to_json() == {"devices": "cpu:1"}
    assert DEFAULT_DEVICE.to_json() == {}


def test_several_devices_of_tensorflow_run_without_xla():
    recipe = zoo.get_spec("mlp").recipe.replace(jit_compile=True)
    assert not Placement("gpu", 2).adapt(recipe, {}).jit_compile
    assert Placement("gpu", 1).adapt(recipe, {"jit_compile": True}) == recipe
    with pytest.raises(ArgumentValueError, match=r"jit_compile=True: .* KERAS_BACKEND=jax"):
        Placement("gpu", 2).adapt(recipe, {"jit_compile": True})


@pytest.mark.parametrize(("rows", "count"), [(6, 2), (6, 3), (5, 2), (1, 3), (4, 4)])
def test_parts_are_equal_and_weigh_each_row_alike(rows, count):
    values, labels = np.arange(rows * 2.0).reshape(rows, 2), np.arange(rows)
    parts = list(_parts(count, tf.constant(values), tf.constant(labels)).as_numpy_iterator())
    assert len(parts) == count
    assert len({len(part_labels) for _, part_labels in parts}) == 1
    seen = np.concatenate([part_labels for _, part_labels in parts])
    np.testing.assert_array_equal(np.bincount(seen), len(seen) // rows)
    for part_values, part_labels in parts:
        np.testing.assert_array_equal(part_values, values[part_labels])


def test_several_epochs_are_those_of_each_after_another(data_dir):
    data = zoo.load_data("digits", data_dir=data_dir, batch_size=200)
    number = tf.Variable(0, dtype=tf.int64, trainable=False)
    together = [labels for _, labels in data.train_in_epochs(1, 3).as_numpy_iterator()]
    apart = []
    for epoch in (1, 2):
        number.assign(epoch)
        apart += [labels for _, labels in data.train_in_epoch(number).as_numpy_iterator()]
    assert len(together) == len(data.train_in_epochs(1, 3)) == len(apart)
    for ours, expected in zip(together, apart, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_run_is_resumed_on_its_own_devices(table_run):
    assert reopen_devices(table_run, None) == DEFAULT_DEVICE
    with pytest.raises(RunError, match=r"devices='cpu:1' \(the run has None\)"):
        reopen_devices(table_run, "cpu:1")


def test_the_command_takes_devices(command, tmp_path):
    code, out, err = command("train", "perceptron", "--devices", "two", "--run-dir", tmp_path / "r")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "devices=two" in err
    assert not list(tmp_path.iterdir())


SETTINGS = {
    "mlp": {
        "dataset": "digits", "batch_size": 100, "class_weight": "balanced", "ema_momentum": 0.5,
        "precision": "float32", "jit_compile": False, **TINY["mlp"], "dropout": 0.0,
    },
    "simple_cnn": {
        "dataset": "digits", "pool_size": "1-1-2", "batch_size": 256, "precision": "float32",
        "jit_compile": False, **TINY["simple_cnn"], "batch_normalization": False,
    },
    "truncated_svd": {"dataset": "digits", "grayscale": "none", **TINY["truncated_svd"]},
}  # fmt: skip
ON_DEVICES = """
import json, sys, warnings
warnings.filterwarnings("ignore", "Explicitly requested dtype int64")
import numpy as np
import zoo

class Interrupted(Exception):
    pass

def interrupt(rows):
    raise Interrupted

devices, settings = sys.argv[1], json.loads(sys.argv[2])
for name, options in settings.items():
    options |= {"epochs": 2, "progress": False, "data_dir": "data", "devices": devices}
    run = zoo.train(name, run_dir=f"{name}-{devices[-1]}", **options)
    assert run.config["devices"] == devices
    evaluated = zoo.evaluate(run)["loss"]
    assert abs(evaluated - run.metrics["test_loss"]) < 1e-6, (evaluated, run.metrics)
    if name == "truncated_svd":
        continue
    again = f"{name}-{devices[-1]}-again"
    try:
        zoo.train(name, run_dir=again, stop_rule=interrupt, **options)
    except Interrupted:
        again = zoo.train(name, run_dir=again, resume=True, progress=False)
    pairs = zip(run.model.get_weights(), again.model.get_weights(), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs), name
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_give_the_weights_of_one_and_resume_bit_for_bit(backend, tmp_path):
    pytest.importorskip(backend)
    for devices in ("cpu:1", "cpu:2"):
        process = subprocess.run(
            [sys.executable, "-c", ON_DEVICES, devices, json.dumps(SETTINGS)], cwd=tmp_path,
            env=os.environ | {"KERAS_BACKEND": backend}, check=False, capture_output=True,
            text=True,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr[-3000:]
    for name in SETTINGS:
        one, two = (zoo.load_run(tmp_path / f"{name}-{count}") for count in (1, 2))
        weights = zip(one.model.get_weights(), two.model.get_weights(), strict=True)
        difference = max(np.abs(first - second).max() for first, second in weights)
        assert difference < 1e-5, name
        if name != "truncated_svd":
            assert difference > 0, "two devices add in another order than one"
        steps = [int(run.model.optimizer.iterations.numpy()) for run in (one, two)]
        assert steps[0] == steps[1], "a step without data would decay and average the weights"
        validated = np.abs(np.subtract(one.history["val_loss"], two.history["val_loss"]))
        assert validated.max() < 1e-5
