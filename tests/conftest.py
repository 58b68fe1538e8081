"""What several test modules share: data directories, and a trained run of each kind."""

import atexit
import csv
import functools
import gc
import json
import os
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores: a thread for each
    os.environ |= dict.fromkeys(
        ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"
    )

import filelock
import keras
import numpy as np
import pytest
import tensorflow as tf
from fresh import ForkServer
from PIL import Image

import zoo
from zoo import cli
from zoo.acceleration.recurrent import CustomGradientRNN
from zoo.data import DATASETS, toy_reviews
from zoo.evaluation.reconstruction import deterministic_model
from zoo.tasks import TASKS, unwrap_single

# The graphs of so many networks are millions of objects, which the collector would go through
# again and again: a twentieth of all the time.
gc.freeze()
gc.set_threshold(100_000, 20, 20)

COMPILED_RUN = vars(CustomGradientRNN)["_compiled_run"]

# The smallest overrides under which each model still has all its parts.
TINY = {
    "perceptron": {},
    "two_layer_perceptron": {"units": 3},
    "softmax_regression": {},
    "mlp": {"units": 8},
    "simple_cnn": {"filters": 4},
    "deep_cnn": {"filters": 4},
    "fast_cnn": {"filters": 4},
    "resnet18": {"filters": 4},
    "text_mlp": {"vocab_size": 12, "units": 8},
    "fasttext": {"vocab_size": 12, "embedding_dim": 4},
    "text_cnn": {"vocab_size": 12, "embedding_dim": 4, "filters": 3},
    "simple_rnn": {"vocab_size": 12, "embedding_dim": 4, "units": 3},
    "lstm": {"vocab_size": 12, "embedding_dim": 4, "units": 3},
    "gru": {"vocab_size": 12, "embedding_dim": 4, "units": 3},
    "bilstm": {"vocab_size": 12, "embedding_dim": 4, "units": 3},
    "transformer": {
        "vocab_size": 12, "embedding_dim": 4, "num_heads": 2, "intermediate_dim": 5,
        "sequence_length": 9,
    },
    "truncated_svd": {"rank": 3},
    "linear_autoencoder": {"latent_dim": 3},
    "nonlinear_autoencoder": {"latent_dim": 3},
    "deep_autoencoder": {"num_layers": 2, "units": "5-4", "latent_dim": 3},
    "denoising_autoencoder": {"units": 5, "latent_dim": 3},
    "conv_autoencoder": {"filters": 3, "latent_dim": 2},
    "vae": {"units": 5},
    "conv_vae": {"filters": 3, "units": 5},
    "cvae": {"units": 5},
}  # fmt: skip

OF_TEXT_RUN = {
    "dataset": "toy_reviews", "vocab_size": 60, "sequence_length": 24, "embedding_dim": 16,
    "units": 16, "pooling": "max", "dropout": 0.2, "word_dropout": 0.0, "epochs": 8,
    "learning_rate": 0.01, "jit_compile": False, "progress": False,
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _collector_leaves_alone_what_earlier_modules_left():
    """Keras' `clear_session` collects garbage, which takes long among the graphs of them all."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_cache_of_the_users_is_read_or_written(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _tests_take_no_longer_than_they_must():
    """XLA compiles a recurrence for longer than it runs here, and figures are small.

    Tests marked `compiled_recurrences` have them compiled nevertheless.
    """
    plain = functools.cached_property(lambda self: tf.function(self._run, reduce_retracing=True))
    plain.__set_name__(CustomGradientRNN, "_compiled_run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CustomGradientRNN, "_compiled_run", plain)
        for module in ("zoo.plots", "tuning.figures"):
            patch.setattr(f"{module}.DPI", 50)
        yield


@pytest.fixture(autouse=True)
def _recurrences_are_compiled_where_a_test_says_so(request, monkeypatch):
    if "compiled_recurrences" in request.keywords:
        monkeypatch.setattr(CustomGradientRNN, "_compiled_run", COMPILED_RUN)


def pytest_addoption(parser):
    parser.addoption("--part", help="K/N: run only the K-th of N parts of the tests")


def pytest_collection_modifyitems(config, items):
    if config.option.part:
        number, parts = map(int, config.option.part.split("/"))
        chosen = [item for item in items if zlib.crc32(item.nodeid.encode()) % parts == number - 1]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    where = Path(os.environ.get("ZOO_DATA_DIR", "none"))
    for item in items:
        for marker in item.iter_markers("real_data"):
            missing = [
                name for name in marker.args if not list(where.glob(f"{name}/**/dataset_info.json"))
            ]
            reason = f"ZOO_DATA_DIR names no TFDS directory with {', '.join(missing)}"
            if missing:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def real_data_dir():
    return Path(os.environ["ZOO_DATA_DIR"])


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A TFDS directory that starts empty; digits are prepared in it by the first who asks."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """Trains a run, unless another worker of these tests did or does."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "trained"
    folder.mkdir(exist_ok=True)

    def train(name, model, **settings):
        with filelock.FileLock(folder / f"{name}.lock"):
            if (folder / name).exists():
                return zoo.load_run(folder / name)
            return zoo.train(model, run_dir=folder / name, **settings | {"progress": False})

    return train


SMALL_DATA = {
    "text": {"sequence_length": 24},
    "images": {"dataset": "digits", "batch_size": 512},
    "truth_tables": {},
}
ON_SMALL_IMAGES = {
    "simple_cnn": {"pool_size": "1-1-2"},
    "deep_cnn": {"pool_size": "1-1-1-1-1-2"},
}


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    """A table of four hundred reviews, the same for every worker of these tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with filelock.FileLock(folder / "reviews.lock"):
        path = folder / "reviews.csv"
        if not path.exists():
            texts, labels = toy_reviews.generate("train")
            rows = [(text.decode(), int(label)) for text, label in zip(texts, labels, strict=True)]
            with path.open("w", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *rows[:400]])
    return path


@pytest.fixture(scope="session")
def small_run(trained_once, reviews, data_dir):
    """Gives a run of the smallest network of a model, trained for an epoch on small data."""

    def train(name):
        spec = zoo.get_spec(name)
        kind = DATASETS[spec.dataset].kind
        in_gray = kind == "images" and spec.recipe.images.grayscale != "none"
        settings = {
            **SMALL_DATA[kind],
            **({"dataset": reviews} if kind == "text" else {}),
            **TINY[name],
            **ON_SMALL_IMAGES.get(name, {}),
            **({"grayscale": "none"} if in_gray else {}),
        }
        return trained_once(
            f"small-{name}", name, data_dir=data_dir, epochs=1, jit_compile=False, **settings
        )

    return train


@pytest.fixture(scope="session")
def digits_run(trained_once, data_dir):
    return trained_once("digits", "softmax_regression", data_dir=data_dir, epochs=5)


@pytest.fixture(scope="session")
def table_run(trained_once):
    return trained_once("table", "perceptron", epochs=20, use_bias=False, jit_compile=False)


@pytest.fixture(scope="session")
def cnn_run(trained_once, data_dir):
    return trained_once(
        "cnn", "simple_cnn", dataset="digits", data_dir=data_dir, epochs=2, filters=4, batch_size=64
    )


@pytest.fixture(scope="session")
def text_run(trained_once):
    return trained_once("text", "gru", **OF_TEXT_RUN)


OF_DIGITS = {"dataset": "digits", "batch_size": 64, "jit_compile": False}


@pytest.fixture(scope="session")
def vae_run(trained_once, data_dir):
    return trained_once(
        "vae", "vae", data_dir=data_dir, units="64-32", epochs=20, learning_rate=3e-3, **OF_DIGITS
    )


@pytest.fixture(scope="session")
def denoiser_run(trained_once, data_dir):
    return trained_once(
        "denoiser", "denoising_autoencoder", data_dir=data_dir, units=128, latent_dim=24, epochs=20,
        grayscale="none", noise_stddev=0.3, **OF_DIGITS,
    )  # fmt: skip


@pytest.fixture(scope="session")
def svd_run(trained_once, data_dir):
    return trained_once(
        "svd", "truncated_svd", data_dir=data_dir, rank=8, grayscale="none", **OF_DIGITS
    )


@pytest.fixture
def image_folder(tmp_path):
    """Three classes of twelve color pictures, each class of one hue."""
    generator = np.random.default_rng(0)
    for channel, name in enumerate(("blue sky", "grün", "rust")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(0, 80, (10, 14, 3), np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def python(tmp_path):
    """Runs Python code in a process without zoo, in a folder of its own; gives what it printed."""
    return lambda code: run_python(code, tmp_path)


@pytest.fixture
def bare_python(tmp_path):
    """Runs Python code in a process that has imported nothing, in a folder of its own."""
    return lambda code: run_python(code, tmp_path, modules=())


@functools.cache
def fork_server(*modules):
    """A process that has imported some modules, and forks itself for whoever needs a fresh one."""
    server = ForkServer(*modules)
    atexit.register(server.close)
    return server


def run_python(code, folder, modules=("tensorflow", "keras"), argv=()):
    """Runs Python code in a process without zoo, in a folder, and gives what it printed.

    The process is the fork of one that has imported some modules, TensorFlow and Keras unless told
    otherwise; with none it has imported nothing.
    """
    answer = fork_server(*modules).run(code, folder, argv)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def check_in_a_fork(command, **options):
    """Stands in for `subprocess.run` of ``reader.py --check``: the same, in the fork of a process.

    That of a SavedModel has imported TensorFlow, which it needs, and that of other formats nothing.
    """
    reader = Path(command[2])
    modules = ("tensorflow",) if (reader.parent / "saved_model.pb").exists() else ()
    code = (
        "import runpy, sys\n"
        f"sys.path[0] = {str(reader.parent)!r}\n"
        f"runpy.run_path({str(reader)!r}, run_name='__main__')\n"
    )
    return fork_server(*modules).run(code, reader.parent, [reader, *command[3:]])


@pytest.fixture(autouse=True)
def _artifacts_are_checked_in_forks(request, monkeypatch):
    if "checks_in_a_process_of_its_own" not in request.keywords:
        monkeypatch.setattr("zoo.artifacts.export.subprocess", SimpleNamespace(run=check_in_a_fork))


def input_batch(name, rows=6):
    """Random inputs for a tiny model: numbers, words padded on the right, or image and label."""
    spec, generator = zoo.get_spec(name), np.random.default_rng(0)
    dataset = DATASETS[spec.dataset]
    if dataset.kind == "images":
        shape = spec.recipe.images.input_shape(dataset.input_shape)
        images = generator.random((rows, *shape), np.float32)
        return (images, np.arange(rows) % 2) if name == "cvae" else images
    if dataset.kind != "text":
        return generator.random((rows, *dataset.input_shape), np.float32)
    if spec.recipe.text.encoding == "multi_hot":
        return generator.integers(0, 2, (rows, TINY[name]["vocab_size"])).astype(np.float32)
    words = generator.integers(1, TINY[name]["vocab_size"], (rows, 9))
    words[:6, 0] = [2, 2, 2, 3, 3, 3][:rows]
    return np.where(np.arange(9) < generator.integers(2, 10, (rows, 1)), words, 0)


def classes(name):
    """How many classes a model tells apart by default."""
    return len(DATASETS[zoo.get_spec(name).dataset].class_names)


def tiny(name, **overrides):
    """Builds the smallest network of a model, not compiled with XLA where its recipe is not."""
    model = zoo.build(name, **TINY[name] | overrides)
    if not zoo.get_spec(name).recipe.jit_compile:
        model.jit_compile = False
    return model


def targets(name, rows=6):
    """What a tiny model is to give for its input batch: labels 0, 1, 0, 1, ... or the images."""
    match TASKS[zoo.get_spec(name).task].target:
        case "label":
            return np.arange(rows) % 2
        case "image":
            return input_batch(name, rows)
        case "class-conditional image":
            return input_batch(name, rows)[0]


def without_chance(name, model):
    """A model whose answers are the same each time."""
    if zoo.get_spec(name).task in ("generation", "conditional_generation"):
        return keras.Model(model.inputs, deterministic_model(model)(unwrap_single(model.inputs))[1])
    return model


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs the command in this process; gives exit code, standard output and standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return stop.value.code or 0, out, err

    return run


@pytest.fixture
def answer(command):
    """Runs the command with --json and gives its document."""

    def run(*words):
        code, out, err = command(*words, "--json")
        assert code == 0, err
        assert len(out.splitlines()) == 1
        return json.loads(out)

    return run
