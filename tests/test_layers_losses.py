"""Losses: against loops and closed forms, through files, and their keys."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo.layers.losses
from zoo.layers.losses import SmoothedCrossentropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_crossentropy_is_that_of_smoothed_one_hot_labels(smoothing):
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), 7).astype("float32")
    labels = generator.integers(0, 5, 7)
    target = np.full((7, 5), smoothing / 5)
    target[np.arange(7), labels] += 1 - smoothing
    expected = -(target * np.log(probabilities)).sum(axis=1).mean()
    assert float(SmoothedCrossentropy(smoothing)(labels, probabilities)) == pytest.approx(
        expected, rel=1e-5
    )
    of_keras = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    one_hot = np.eye(5, dtype="float32")[labels]
    assert float(of_keras(one_hot, probabilities)) == pytest.approx(expected, rel=1e-5)


def test_a_certain_answer_that_is_wrong_costs_much_and_no_infinity():
    loss = SmoothedCrossentropy(0.1)(np.array([0]), np.array([[0.0, 1.0]], "float32"))
    assert 10 < float(loss) < 20


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_network_that_is_sure_and_wrong_still_learns(smoothing, jit_compile):
    """The gradient of the softmax's logits is its answer less the target, however sure it is."""
    outputs = keras.layers.Dense(3, "softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), outputs])
    model.compile("sgd", SmoothedCrossentropy(smoothing), jit_compile=jit_compile)
    model.optimizer.learning_rate = 1.0
    before = np.array([-20.0, 20.0, 0.0], "float32")
    outputs.bias.assign(before)
    model.fit(np.zeros((1, 1)), np.array([0]), verbose=0)
    target = np.array([1 - smoothing, 0, 0]) + smoothing / 3
    np.testing.assert_allclose(before - outputs.bias.numpy(), [0, 1, 0] - target, atol=1e-5)


def test_the_loss_survives_a_file(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", loss=SmoothedCrossentropy(0.3))
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").loss.smoothing == 0.3


def test_registered_keys_are_those_of_the_classes():
    tree = ast.parse(Path(zoo.layers.losses.__file__).read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert all(keras.saving.get_registered_object(f"zoo>{name}") for name in names)
