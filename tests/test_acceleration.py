"""Acceleration as a whole: what is swapped, that the copy computes the same, and what it leaves."""

import keras
import numpy as np
import pytest
from conftest import input_batch, targets, tiny, without_chance

import zoo
from zoo.acceleration import FASTER, is_accelerated
from zoo.acceleration.muon import Muon

# Models without a layer or optimizer that has a faster one.
ALREADY_FAST = {
    "conv_autoencoder", "conv_vae", "cvae", "mlp", "perceptron", "softmax_regression", "text_mlp",
    "truncated_svd", "two_layer_perceptron", "vae",
}  # fmt: skip
every_model = pytest.mark.parametrize("name", zoo.list_models())
every_faster_model = pytest.mark.parametrize("name", sorted(set(zoo.list_models()) - ALREADY_FAST))


def all_layers(model):
    for layer in model.layers:
        yield layer
        yield from all_layers(layer) if isinstance(layer, keras.Model) else ()
        yield from (
            getattr(layer, half)
            for half in ("forward_layer", "backward_layer", "tokens", "positions", "attention")
            if hasattr(layer, half)
        )


@every_model
def test_builders_are_stock_keras_and_the_copy_is_not(name):
    model = tiny(name)
    fast = zoo.accelerate(model)
    assert not is_accelerated(model)
    assert (fast is model) == (name in ALREADY_FAST)
    assert is_accelerated(fast) == (name not in ALREADY_FAST)
    assert not {type(layer) for layer in all_layers(model)} & set(FASTER.values())
    assert not {type(layer) for layer in all_layers(fast)} & set(FASTER)


@every_faster_model
def test_weights_fit_both_ways(name):
    model = tiny(name)
    fast = zoo.accelerate(model)
    named = [v.path for v in model.variables if "seed_generator" not in v.path]
    assert named == [v.path for v in fast.variables if "seed_generator" not in v.path]
    for ours, theirs in zip(fast.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    fast.optimizer.build(fast.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    shapes = [[v.shape for v in one.optimizer.variables] for one in (model, fast)]
    assert shapes[0] == shapes[1]


@every_faster_model
def test_the_copy_answers_as_the_model(name):
    model, batch = tiny(name), input_batch(name)
    answers = [without_chance(name, one)(batch) for one in (model, zoo.accelerate(model))]
    np.testing.assert_allclose(*answers, atol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.compiled_recurrences
@pytest.mark.parametrize("name", ["bilstm", "transformer", "simple_cnn"])
def test_the_copy_trains_alone_and_its_weights_are_given_back(name):
    model = tiny(name)
    before = model.get_weights()
    fast = zoo.accelerate(model)
    fast.jit_compile = False
    fast.fit(input_batch(name), targets(name), verbose=0)
    for ours, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)
    model.set_weights(fast.get_weights())
    model.jit_compile = False
    answers = [one.predict(input_batch(name), verbose=0) for one in (model, fast)]
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_what_is_spared_weight_decay_stays_spared():
    fast = zoo.accelerate(zoo.build("deep_autoencoder", num_layers=1, units=4, latent_dim=3))
    assert type(fast.optimizer) is Muon
    fast.optimizer.build(fast.trainable_variables)
    spared = [v.path for v in fast.trainable_variables if not fast.optimizer._use_weight_decay(v)]
    assert spared == [v.path for v in fast.trainable_variables if v.path.endswith("bias")]


def test_kerass_own_muon_keeps_leaving_convolutions_to_adam():
    model = zoo.build("conv_autoencoder", filters=3, latent_dim=2)
    model.compile(keras.optimizers.Muon(), "mean_squared_error")
    assert zoo.accelerate(model) is model
    model.compile(zoo.layers.Muon(), "mean_squared_error")
    assert type(zoo.accelerate(model).optimizer) is Muon


def test_an_uncompiled_model_of_any_origin_is_taken():
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(4), keras.layers.Dense(2)])
    fast = zoo.accelerate(model)
    assert is_accelerated(fast)
    assert not fast.compiled
    rows = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    np.testing.assert_allclose(fast(rows), model(rows), atol=1e-6)
