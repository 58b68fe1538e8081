"""Search spaces: they fit the builders, and keras-tuner searches them."""

import doctest

import keras_tuner
import numpy as np
import pytest
from conftest import input_batch, targets

import tuning
import zoo
from tuning import spaces

every_model = pytest.mark.parametrize("name", zoo.list_models())


@every_model
def test_a_space_is_of_the_builders_arguments_with_its_defaults(name):
    hp = keras_tuner.HyperParameters()
    values = getattr(spaces, name)(hp, spaces.defaults_of(name))
    assert set(hp.values) == set(values)
    assert values == {key: spaces.defaults_of(name)[key] for key in values}


@every_model
def test_twenty_draws_build(name):
    hypermodel = tuning.ZooModel(name)
    hp = keras_tuner.HyperParameters()
    hypermodel.build(hp)
    generator = np.random.default_rng(0)
    for _ in range(20):
        for parameter in hp.space:
            hp.values[parameter.name] = parameter.random_sample(int(generator.integers(2**31)))
        assert hypermodel.build(hp).name == name


def test_keras_tuner_searches_a_model(tmp_path):
    tuner = keras_tuner.RandomSearch(
        tuning.ZooModel("softmax_regression"),
        objective="val_accuracy",
        max_trials=2,
        directory=tmp_path,
        seed=0,
    )
    batch = input_batch("softmax_regression"), targets("softmax_regression")
    tuner.search(*batch, validation_data=batch, epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED"] * 2
    assert zoo.build("softmax_regression", **trials[0].hyperparameters.values).compiled


def test_what_is_fixed_wins():
    hp = keras_tuner.HyperParameters()
    model = tuning.ZooModel("mlp", units=3, num_classes=7).build(hp)
    assert hp.values["units"] == 3
    assert model.get_layer("hidden_1").units == 3
    assert model.output_shape == (None, 7)


@pytest.mark.parametrize("module", ["tuning", "tuning.hypermodel"])
def test_examples_run(module, tmp_path):
    import importlib

    failures, attempted = doctest.testmod(
        importlib.import_module(module), extraglobs={"tmp": tmp_path}
    )
    assert failures == 0
    assert attempted
