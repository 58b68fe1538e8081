"""`zoo benchmark`: every model gets rows that it takes, and each way is measured once."""

import numpy as np
import pytest
from conftest import TINY

import zoo
from zoo.data import get_dataset
from zoo.training.benchmark import EXECUTION_MODES, PASSES, benchmark, measure_speed, random_rows
from zoo.training.building import seed_and_build
from zoo.training.config import resolve_config


@pytest.fixture
def short_passes(monkeypatch):
    monkeypatch.setattr("zoo.training.benchmark.MIN_SECONDS", 0.01)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_random_rows_are_such_as_the_model_takes(name):
    settings = resolve_config(name, overrides={**TINY[name], "jit_compile": False})
    model = seed_and_build(settings)
    inputs, target = next(iter(random_rows(model, settings, 3).batch(3)))
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    for part, expected in zip(parts, model.inputs, strict=True):
        assert part.dtype == expected.dtype
        assert all(
            side in (None, given) for side, given in zip(expected.shape, part.shape, strict=True)
        )
    loss = model.evaluate(inputs, target, verbose=0, return_dict=True)["loss"]
    assert np.isfinite(loss)
    assert get_dataset(settings.dataset.name).kind == "text" or np.max(parts[0]) <= 1


@pytest.mark.exhaustive
def test_each_way_is_measured_and_the_recipes_first(short_passes):
    rows = list(benchmark("perceptron", steps=2))
    ways = [{key: row[key] for key in EXECUTION_MODES[0]} for row in rows]
    recipe = zoo.get_spec("perceptron").recipe
    assert ways[0] == {key: getattr(recipe, key) for key in EXECUTION_MODES[0]}
    assert all(ways.count(way) == 1 for way in EXECUTION_MODES)
    assert all(row["rows_a_second"] > 0 for row in rows)


def test_a_rate_is_rows_by_the_seconds_of_the_best_pass(monkeypatch):
    seconds = iter([9.0, 0.1, *np.linspace(2.0, 1.0, PASSES)])
    calls = []
    monkeypatch.setattr(
        "zoo.training.benchmark.seconds_of", lambda work: (calls.append(work()), next(seconds))[1]
    )
    settings = resolve_config("perceptron")
    model = seed_and_build(settings)
    rows = random_rows(model, settings, 8).batch(2)
    before = int(model.optimizer.iterations)
    assert measure_speed(model, rows) == {"rows_a_second": 8 * 5, "seconds_to_compile": 8.9}
    assert int(model.optimizer.iterations) - before == 4 * (1 + 1 + PASSES * 5)


def test_a_model_without_steps_is_refused():
    with pytest.raises(zoo.ZooError, match="truncated_svd has nothing to train step by step"):
        next(benchmark("truncated_svd"))


@pytest.mark.exhaustive
def test_the_command_answers_in_json(answer, short_passes):
    document = answer("benchmark", "perceptron", "--steps", "2", "--batch-size", "4")
    assert document["model"] == "perceptron"
    assert document["batch_size"] == 4
    rates = [way["rows_a_second"] for way in document["ways"]]
    assert document["fastest"]["rows_a_second"] == max(rates)
    assert document["ways"][0]["of"] == "the recipe"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bilstn",), "bilstm"),
        (("mlp", "--steps", "0"), "steps=0: must be an integer from 1"),
        (("mlp", "--set", "unit=3"), "units"),
        (("mlp", "--set", "steps=3"), "--set steps"),
        (("mlp", "--dataset", "imdb_reviews"), "mlp takes data such as mnist"),
    ],
)
def test_bad_input_is_one_line(arguments, told, command):
    code, out, err = command("benchmark", *arguments)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert told in err
