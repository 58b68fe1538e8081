"""How training executes a step: measured once, remembered, and kept where little is gained."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import ArgumentValueError
from zoo.training import execution
from zoo.training.building import seed_and_build
from zoo.training.config import load_run_data, resolve_config
from zoo.training.execution import candidates, choose_execution, estimate_seconds, remembered_mode

RECIPES = {"precision": "float32", "jit_compile": True}
OTHER = {"precision": "float32", "jit_compile": False}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    path = tmp_path / "cache" / "execution.json"
    monkeypatch.setattr(execution, "cache_path", lambda: path)
    return path


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(execution, "MIN_ROWS", 1)


@pytest.fixture(scope="module")
def xor():
    config = resolve_config("two_layer_perceptron", "xor")
    return config, seed_and_build(config), load_run_data(config, None)


@pytest.fixture
def measured(monkeypatch):
    """Count the measurements, whose results a test sets."""
    seconds = {False: 1.0, True: 1.0}
    calls = []

    def measure(config, mode, data):
        calls.append(mode)
        return seconds[mode["jit_compile"]]

    monkeypatch.setattr(execution, "estimate_seconds", measure)
    return seconds, calls


def test_each_mode_is_a_candidate_once_and_the_recipes_is_first():
    recipe = zoo.get_spec("simple_cnn").recipe
    modes = candidates(recipe)
    assert modes[0] == {"precision": "mixed_bfloat16", "jit_compile": False}
    pairs = {(mode["precision"], mode["jit_compile"]) for mode in modes}
    assert pairs == set(itertools.product(("mixed_bfloat16", "float32"), (True, False)))
    assert candidates(recipe.replace(precision="float32", jit_compile=True)) == [RECIPES, OTHER]


@pytest.mark.parametrize(("other", "expected"), [(0.5, OTHER), (0.9, RECIPES), (2.0, RECIPES)])
def test_the_faster_mode_is_chosen_once_and_remembered(
    xor, long, measured, cache, other, expected, capfd
):
    seconds, calls = measured
    seconds[False] = other
    chosen = choose_execution(*xor, progress=True)
    assert {key: getattr(chosen.recipe, key) for key in RECIPES} == expected
    assert remembered_mode("two_layer_perceptron") == expected
    assert str(cache) in capfd.readouterr().err
    seconds[False] = 1 / other
    assert choose_execution(*xor) == chosen
    assert len(calls) == 2


def test_nothing_is_measured_where_it_does_not_pay_or_is_not_wanted(xor, long, measured):
    config, model, data = xor
    settings = dataclasses.replace(config, recipe=config.recipe.replace(execution="recipe"))
    assert choose_execution(settings, model, data) is settings
    assert choose_execution(config, model, data, given={"jit_compile", "units"}) is config
    svd = resolve_config("truncated_svd", "digits", overrides={"rank": 3})
    assert choose_execution(svd, seed_and_build(svd), data) is svd
    assert not measured[1]


def test_short_training_is_not_preceded_by_measurements(xor, measured):
    assert choose_execution(*xor) is xor[0]
    assert not measured[1]


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_a_damaged_memory_is_as_none(content, cache):
    cache.parent.mkdir()
    cache.write_text(content)
    assert remembered_mode("mlp") is None


def test_a_remembered_mode_that_is_no_candidate_is_measured_again(xor, long, measured):
    execution._remember("two_layer_perceptron", {**RECIPES, "precision": "float8"})
    assert choose_execution(*xor).recipe == xor[0].recipe
    assert len(measured[1]) == 2


def test_what_cannot_be_measured_is_left_to_training(xor, long, cache, monkeypatch):
    def fail(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    monkeypatch.setattr(execution, "estimate_seconds", fail)
    assert choose_execution(*xor) is xor[0]
    assert not cache.exists()


def test_a_folder_that_cannot_be_written_is_no_obstacle(xor, long, measured, monkeypatch):
    monkeypatch.setattr(execution, "cache_path", lambda: execution.Path("/dev/null/execution.json"))
    assert choose_execution(*xor).recipe == xor[0].recipe


def test_the_estimate_is_of_compiling_each_width_and_of_every_step(xor, monkeypatch):
    config, _, data = xor
    seconds = iter([3.0, 1.0, 2.0])  # to compile and run, to run, and to run until time is up
    monkeypatch.setattr(execution, "seconds_of", lambda work: (work(), next(seconds))[1])
    steps = config.recipe.epochs * 2
    step = 2.0 / 1 / config.recipe.steps_per_execution
    assert estimate_seconds(config, OTHER, data) == pytest.approx(2.0 + steps * step)


@pytest.mark.exhaustive
def test_a_run_keeps_the_chosen_mode(long, measured, tmp_path):
    seconds, _ = measured
    seconds[False] = 0.1
    settings = {"dataset": "xor", "epochs": 2, "progress": False}
    run = zoo.train("two_layer_perceptron", run_dir=tmp_path / "a", **settings)
    assert json.loads((run.directory / "config.json").read_text())["recipe"]["jit_compile"] is False
    fixed = zoo.train("two_layer_perceptron", run_dir=tmp_path / "b", jit_compile=False, **settings)
    for ours, theirs in zip(run.model.get_weights(), fixed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_unknown_execution_is_refused():
    with pytest.raises(ArgumentValueError, match="execution='fast': must be one of measured"):
        resolve_config("mlp", overrides={"execution": "fast"})
