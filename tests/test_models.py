"""One sweep over the registry: a new model brings its own tests."""

import functools
import inspect
import pkgutil
import re

import keras
import numpy as np
import pytest
from conftest import TINY, classes, input_batch, run_python, targets, tiny, without_chance

import zoo
import zoo.models
from zoo.data import DATASETS
from zoo.errors import ArgumentValueError, UnknownArgumentError
from zoo.tasks import TASKS, unwrap_single

MODELS = zoo.list_models()
SEQUENCES = [
    name
    for name in MODELS
    if DATASETS[zoo.get_spec(name).dataset].kind == "text"
    and zoo.get_spec(name).recipe.text.encoding == "sequence"
]
CLASSIFIERS = [name for name in MODELS if TASKS[zoo.get_spec(name).task].target == "label"]
OF_IMAGES = [name for name in MODELS if name not in CLASSIFIERS]
TRAINED = [name for name in MODELS if name != "truncated_svd"]
every_model = pytest.mark.parametrize("name", MODELS)
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
every_trained_model = pytest.mark.parametrize("name", TRAINED)

PARAMETERS = {
    "perceptron": 3 + 1,
    "two_layer_perceptron": (3 * 4 + 4) + (4 + 1),
    "softmax_regression": 64 * 10 + 10,
    "mlp": (784 * 512 + 512) + (512 * 512 + 512) + (512 * 10 + 10),
    "simple_cnn": 9 * (3 * 32 + 32 * 64 + 64 * 128) + 4 * (32 + 64 + 128) + (128 * 10 + 10),
    "deep_cnn": 9 * (3 * 48 + 48 * 96 + 96 * 96 + 96 * 192 + 2 * 192 * 192)
    + 4 * (48 + 2 * 96 + 3 * 192)
    + (192 * 10 + 10),
    "fast_cnn": 4 * 3 * 24
    + 9 * (24 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256)
    + 4 * 2 * (64 + 128 + 256)
    + 256 * 10,
    # the 11,689,512 of torchvision, with a stem of 3x3 and ten classes, and running statistics
    "text_mlp": (1000 * 64 + 64) + (64 * 64 + 64) + (64 * 4 + 4),
    "fasttext": 100_000 * (32 + 1) + (32 * 2 + 2),
    "text_cnn": 20_000 * 64 + (3 + 4 + 5) * 64 * 64 + 3 * 64 + (3 * 64 * 2 + 2),
    "simple_rnn": 10_000 * 32 + (32 + 32 + 1) * 32 + (32 * 2 + 2),
    "lstm": 10_000 * 32 + 4 * (32 + 32 + 1) * 32 + (32 * 2 + 2),
    "gru": 10_000 * 32 + 3 * (32 + 32 + 2) * 32 + (32 * 2 + 2),
    "bilstm": 10_000 * 32 + 2 * 4 * (32 + 32 + 1) * 32 + (64 * 2 + 2),
    "transformer": 5_500 * 32
    + 4 * (32 * 32 + 32)
    + (32 * 128 + 128 + 128 * 32 + 32)
    + 3 * 2 * 32
    + (32 * 2 + 2),
    "truncated_svd": 2 * (1024 * 128 + 1024),
    "linear_autoencoder": 2 * 1024 * 256 + 256 + 1024,
    "nonlinear_autoencoder": 2 * 1024 * 256 + 256 + 1024,
    "deep_autoencoder": 2 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 64)
    + (2 * (512 + 256 + 128) + 64 + 1024),
    "denoising_autoencoder": 2 * (1024 * 512 + 512 * 256) + (2 * 512 + 256 + 1024),
    "conv_autoencoder": 9 * (32 + 32 * 64)
    + (64 * 64)
    + 9 * (64 * 64 + 64 * 32 + 32)
    + (32 + 64 + 64 + 64 + 32 + 1),
    "vae": 2 * (784 * 512 + 512 * 256) + 3 * 256 * 2 + (2 * (512 + 256) + 2 * 2 + 784),
    "conv_vae": 9 * (16 + 16 * 32)
    + 2 * 49 * 32 * 256
    + 3 * 256 * 2
    + 9 * (32 * 32 + 32 * 16 + 16)
    + (16 + 32 + 256 + 2 * 2 + 256 + 49 * 32 + 32 + 16 + 1),
    "cvae": 2 * (784 * 512 + 512 * 256)
    + 3 * 256 * 2
    + (2 * (512 + 256) + 2 * 2 + 784)
    + 10 * (512 + 256),
    "resnet18": 11_689_512 - (49 - 9) * 3 * 64 - 513 * 1000 + 513 * 10 + 9_600,
}


def as_parts(batch):
    """A batch as a tuple, of one part or more."""
    return batch if isinstance(batch, tuple) else (batch,)


def begun(name):
    """A tiny model before any training, from one seed."""
    keras.utils.set_random_seed(1)
    model = tiny(name)
    model.optimizer.build(model.trainable_variables)
    return model


def everything(model):
    """All that training follows from and changes: weights, draws, what the optimizer keeps."""
    return [*model.variables, *model.optimizer.variables]


def learn(name, model):
    """Takes six steps."""
    model.fit(input_batch(name), targets(name), epochs=2, batch_size=2, shuffle=False, verbose=0)


@functools.cache
def trained(name):
    """A tiny model after six steps, and everything that it was before."""
    model = begun(name)
    before = [variable.numpy() for variable in everything(model)]
    learn(name, model)
    return model, before


# What the smallest network is too small for.
LEARNS = {
    "mlp": {"units": 64},
    "two_layer_perceptron": {"units": 4},
    "transformer": {"learning_rate": 0.01},
}


def test_every_module_of_models_is_in_the_catalog():
    names = [module.name for module in pkgutil.iter_modules(zoo.models.__path__)]
    modules = {f"zoo.models.{name}" for name in names if not name.startswith("_")}
    assert modules == {zoo.get_spec(name).builder.partition(":")[0] for name in MODELS}
    assert set(MODELS) == set(TINY) == set(PARAMETERS)


@pytest.mark.exhaustive
@every_model
def test_one_name(name):
    builder = zoo.get_spec(name).load_builder()
    assert builder.__name__ == name
    assert getattr(zoo.models, name) is builder
    assert tiny(name).name == name


@pytest.mark.exhaustive
@every_model
def test_is_compiled_for_its_task(name):
    model, task = tiny(name), TASKS[zoo.get_spec(name).task]
    assert model.compiled
    metrics = model.get_compile_config()["metrics"]
    names = [metric if isinstance(metric, str) else metric["config"]["name"] for metric in metrics]
    weights = [weight for weight in model.trainable_variables if weight.regularizer]
    penalized = any(float(weight.regularizer(weight)) for weight in weights)
    assert names == [*task.metrics, *(["data_loss"] if penalized else [])]
    assert task.monitor.removeprefix("val_") in ("loss", *task.metrics)


@every_model
def test_parameter_count(name):
    assert zoo.build(name).count_params() == zoo.get_spec(name).parameters == PARAMETERS[name]


@every_model
def test_arguments_are_keyword_only_scalars_with_defaults(name):
    recipe = zoo.get_spec(name).recipe
    dataset = DATASETS[zoo.get_spec(name).dataset]
    for key, parameter in inspect.signature(zoo.get_spec(name).load_builder()).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if key in dataset.model_arguments(recipe):
            assert parameter.default == dataset.model_arguments(recipe)[key]
        else:
            assert type(parameter.default) in (int, float, str, bool)


@pytest.mark.exhaustive
@every_classifier
def test_output_is_probabilities(name):
    output = np.asarray(tiny(name)(input_batch(name)))
    columns = 1 if zoo.get_spec(name).task == "binary_classification" else classes(name)
    assert output.shape == (6, columns)
    assert ((output > 0) & (output < 1)).all()
    if columns > 1:
        np.testing.assert_allclose(output.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_output_is_an_image_of_the_same_shape(name):
    output = np.asarray(tiny(name)(input_batch(name)))
    assert output.shape == targets(name).shape
    assert np.isfinite(output).all()


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_model_of_images_is_an_encoder_and_a_decoder(name):
    model, (image, *labels) = tiny(name), as_parts(input_batch(name))
    code = model.get_layer("encoder")(
        unwrap_single([keras.ops.convert_to_tensor(p) for p in (image, *labels)])
    )
    code = code[0] if isinstance(code, list) else code
    given_back = model.get_layer("decoder")(
        unwrap_single([code, *map(keras.ops.convert_to_tensor, labels)])
    )
    answer = without_chance(name, model).predict(input_batch(name), verbose=0)
    np.testing.assert_allclose(given_back, answer, atol=1e-6)


@pytest.mark.exhaustive
@every_model
def test_answers_are_in_float32_under_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny(name)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert {variable.dtype for variable in model.trainable_variables} <= {"float32"}


@every_model
def test_takes_a_step_and_survives_a_file(name, tmp_path):
    model, batch = tiny(name), input_batch(name)
    model.jit_compile = False
    if model.trainable_variables:
        loss = model.train_on_batch(unwrap_single(list(as_parts(batch))), targets(name))
        assert np.isfinite(loss).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    answers = [without_chance(name, m).predict_on_batch(batch) for m in (again, model)]
    np.testing.assert_array_equal(*answers)


@every_model
def test_no_pointwise_convolution_has_strides(name):
    """oneDNN writes past its workspace in their gradient: uxlfoundation/oneDNN#6035."""
    for layer in tiny(name)._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D) and set(layer.kernel_size) == {1}:
            assert set(layer.strides) == {1}


@pytest.mark.exhaustive
@every_trained_model
def test_training_moves_every_weight(name):
    model, before = trained(name)
    for variable, old in zip(everything(model), before, strict=True):
        assert np.isfinite(variable.numpy()).all()
        assert not variable.trainable or (variable.numpy() != old).any(), variable.path


@pytest.mark.exhaustive
@every_model
def test_a_row_is_answered_alike_alone_and_in_a_batch(name):
    model, batch = without_chance(name, tiny(name)), input_batch(name)
    model.jit_compile = False
    together = model.predict(batch, verbose=0)
    rows = zip(*[part[:, None] for part in as_parts(batch)], strict=True)
    apart = [model.predict_on_batch(unwrap_single(list(row)))[0] for row in rows]
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive
@every_trained_model
def test_same_seed_same_bits(name):
    model, before = trained(name)
    after = [variable.numpy() for variable in everything(model)]
    for variable, same, old in zip(everything(model), everything(begun(name)), before, strict=True):
        np.testing.assert_array_equal(same.numpy(), old)
        variable.assign(old)
    learn(name, model)
    for variable, same in zip(everything(model), after, strict=True):
        np.testing.assert_array_equal(variable.numpy(), same)
    keras.utils.set_random_seed(2)
    unlike = zip(tiny(name).variables, before, strict=False)  # before has the optimizer's, too
    assert any((other.numpy() != old).any() for other, old in unlike if other.trainable)


@pytest.mark.exhaustive
@every_classifier
def test_learns_six_rows_by_heart(name):
    keras.utils.set_random_seed(0)
    model = tiny(name, **{"learning_rate": 0.05, **LEARNS.get(name, {})})
    model.jit_compile = False
    inputs = input_batch(name)
    first = inputs.reshape(6, -1)[:, 0]
    target = (first > np.median(first)).astype(int)
    model.fit(
        np.tile(inputs, (200, *[1] * (inputs.ndim - 1))),
        np.tile(target, 200),
        batch_size=6,
        shuffle=False,
        verbose=0,
    )
    assert model.evaluate(inputs, target, verbose=0, return_dict=True)["accuracy"] == 1


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory):
    """What each trained model answers here, and what it does in a process that loads its file."""
    folder, here = tmp_path_factory.mktemp("models"), {}
    for name in TRAINED:
        (model, _), batch = trained(name), input_batch(name)
        model.jit_compile = False
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", *as_parts(batch))
        here[name] = without_chance(name, model).predict(batch, verbose=0)
    run_python(
        "import numpy as np, keras, zoo\n"
        "from zoo.evaluation.reconstruction import deterministic_model\n"
        "from zoo.tasks import unwrap_single\n"
        f"for name in {TRAINED}:\n"
        "    model = keras.saving.load_model(f'{name}.keras')\n"
        "    assert model.compiled and model.optimizer.iterations == 6\n"
        "    batch = unwrap_single(list(np.load(f'{name}.npz').values()))\n"
        f"    if name in {OF_IMAGES}:\n"
        "        answer = deterministic_model(model).predict(batch, verbose=0)[1]\n"
        "    else:\n"
        "        answer = model.predict(batch, verbose=0)\n"
        "    np.save(f'{name}.npy', answer)\n",
        folder,
    )
    return {name: (here[name], np.load(folder / f"{name}.npy")) for name in TRAINED}


@pytest.mark.exhaustive
@every_trained_model
def test_survives_a_file_and_a_fresh_process(name, reloaded):
    here, there = reloaded[name]
    np.testing.assert_array_equal(here, there)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_changes_nothing(name):
    model, batch = tiny(name), input_batch(name)[:, :7]
    keras.utils.set_random_seed(0)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    padded = np.pad(batch, ((0, 0), (0, 2)))
    np.testing.assert_allclose(
        model.predict(padded, verbose=0), model.predict(batch, verbose=0), atol=1e-6
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SEQUENCES)
def test_the_last_word_counts(name):
    model, batch = tiny(name), input_batch(name)
    last = (batch != 0).sum(axis=1) - 1
    other = batch.copy()
    other[np.arange(6), last] = batch[np.arange(6), last] % 11 + 1
    assert (model.predict(other, verbose=0) != model.predict(batch, verbose=0)).any()


@every_model
def test_a_misspelt_argument_names_the_near_miss(name):
    right = next(iter(inspect.signature(zoo.get_spec(name).load_builder()).parameters))
    wrong = right[:-1]
    with pytest.raises(UnknownArgumentError, match=rf"'{wrong}'.*Did you mean '{right}'"):
        zoo.build(name, **{wrong: 1})


@pytest.mark.parametrize(
    "override",
    [
        {"units": 0},
        {"units": 2.0},
        {"units": "64"},
        {"num_layers": -1},
        {"num_classes": 1},
        {"dropout": 1.0},
        {"l2": -0.1},
        {"l1": float("inf")},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"activation": "rely"},
        {"optimizer": "adan"},
        {"batch_normalization": 1},
        {"input_shape": (28, 0)},
    ],
)
def test_a_bad_value_is_refused_with_what_was_received(override):
    ((key, value),) = override.items()
    received = re.escape(f"={value[-1] if isinstance(value, tuple) else value!r}: must be")
    with pytest.raises(ArgumentValueError, match=rf"^mlp: {key}[.1]*{received}") as caught:
        zoo.build("mlp", **override)
    assert "\n" not in str(caught.value)


def test_compile_settings_are_arguments_like_any_other():
    model = zoo.build("perceptron", optimizer="sgd", learning_rate=0.5, loss="mean_squared_error")
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == 0.5
    assert model.loss == "mean_squared_error"
