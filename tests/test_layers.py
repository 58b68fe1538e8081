"""Layers: against Keras' own, through files, and the keys under which they are registered."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo.layers
from zoo.layers.image import AntialiasedResizing


@pytest.mark.parametrize("size", [(8, 8), (5, 11), (40, 3)])
def test_resizing_equals_that_of_keras(size):
    images = np.random.default_rng(0).random((2, *size, 3), np.float32)
    theirs = keras.layers.Resizing(8, 8, antialias=True)(images)
    np.testing.assert_allclose(AntialiasedResizing(8, 8)(images), theirs, atol=1e-6)


def test_resizing_survives_a_file(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 1)), AntialiasedResizing(4, 6)])
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 9, 9, 1), np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_registered_keys_are_unique():
    tree = ast.parse(Path(zoo.layers.__file__).read_text())
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(names) == len(set(names))
    assert all(keras.saving.get_registered_object(f"zoo>{name}") for name in names)
