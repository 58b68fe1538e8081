"""Optimizers: Muon against Keras', against singular values, and through a configuration."""

import keras
import numpy as np
import pytest

from zoo.acceleration.muon import Muon as FastMuon
from zoo.errors import ArgumentValueError
from zoo.layers import Muon


def after_steps(optimizer, steps=3):
    """What becomes of a matrix and a bias under gradients drawn at random."""
    generator = np.random.default_rng(0)
    weights = [
        keras.Variable(generator.normal(size=shape).astype("float32"))
        for shape in ((6, 4), (4, 6), (5,))
    ]
    for _ in range(steps):
        optimizer.apply(
            [generator.normal(size=weight.shape).astype("float32") for weight in weights], weights
        )
    return [np.asarray(weight) for weight in weights]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-5), ("bfloat16", 2e-2)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nesterov": False, "rms_rate": None, "learning_rate": 0.02},
        {"weight_decay": 0.5, "adam_weight_decay": 0.3},
        {"weight_decay": None, "adam_weight_decay": None},
        {"muon_a": 2.0, "muon_b": -1.5, "muon_c": 0.5},
    ],
)
def test_its_steps_are_those_of_keras(options, dtype, atol):
    options = {"learning_rate": 0.1, **options}
    ours = after_steps(FastMuon(**options, compute_dtype=dtype))
    theirs = after_steps(keras.optimizers.Muon(**options))
    plain = after_steps(Muon(**options))
    for one, other, exact in zip(ours, theirs, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)
        np.testing.assert_allclose(exact, other, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"rms_rate": None}, {"weight_decay": 0.5}])
@pytest.mark.parametrize("kind", [Muon, FastMuon])
def test_the_kernel_of_a_convolution_is_a_matrix(kind, options):
    generator = np.random.default_rng(0)
    values, gradient = generator.normal(size=(2, 3, 2, 4, 5)).astype("float32")
    kernel, matrix = keras.Variable(values), keras.Variable(values.reshape(24, 5))
    for variable in (kernel, matrix):
        optimizer = kind(learning_rate=0.1, **options)
        for _ in range(3):
            optimizer.apply([gradient.reshape(variable.shape)], [variable])
    np.testing.assert_array_equal(np.reshape(kernel, (24, 5)), matrix)
    assert (np.asarray(kernel) != values).all()


def test_an_excluded_kernel_is_adams():
    steps = {}
    for name in ("first", "second"):
        kernel = keras.Variable(np.ones((3, 3, 2, 2), "float32"), name=name)
        optimizer = Muon(learning_rate=0.1, adam_weight_decay=None, exclude_layers=["first"])
        optimizer.apply([np.ones((3, 3, 2, 2), "float32")], [kernel])
        steps[name] = 1 - np.asarray(kernel)
    np.testing.assert_allclose(steps["first"], 0.1, rtol=1e-5)
    assert (np.abs(steps["second"] - 0.1) > 0.01).all()


@pytest.mark.parametrize("kind", [Muon, FastMuon])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5)])
def test_singular_values_come_near_to_one_and_singular_vectors_stay(shape, kind):
    matrix = np.random.default_rng(1).normal(size=shape).astype("float32")
    found = np.asarray(kind().orthogonalize(keras.ops.array(matrix)))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ found @ right.T
    assert np.abs(inside - np.diag(np.diag(inside))).max() < 1e-5
    scaled = values / np.linalg.norm(values)
    for _ in range(5):
        scaled = 3.4445 * scaled - 4.775 * scaled**3 + 2.0315 * scaled**5
    np.testing.assert_allclose(np.diag(inside), scaled, atol=1e-5)


@pytest.mark.parametrize("muon_c", [0, -1.0])
def test_a_polynomial_that_has_no_square_is_refused(muon_c):
    with pytest.raises(ArgumentValueError, match=f"muon_c={muon_c}: must be above 0"):
        FastMuon(muon_c=muon_c)


def test_its_precision_is_the_policys_and_is_kept():
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        optimizer = FastMuon(learning_rate=0.1)
    finally:
        keras.config.set_dtype_policy(usual)
    assert optimizer.compute_dtype == "bfloat16"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is FastMuon
    assert again.get_config() == optimizer.get_config()


def test_a_file_of_an_earlier_version_is_read():
    again = keras.saving.deserialize_keras_object(
        {
            "module": "zoo.optimizers", "class_name": "Muon", "registered_name": "zoo>Muon",
            "config": {**Muon(learning_rate=0.5).get_config(), "compute_dtype": "bfloat16"},
        }
    )  # fmt: skip
    assert type(again) is Muon
    assert float(again.learning_rate) == 0.5
