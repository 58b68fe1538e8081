"""Saved models: stock layers but for what Keras lacks, so that they open where zoo is not."""

import json
import zipfile

import numpy as np
import pytest
from conftest import run_python

import zoo
from zoo.acceleration import is_accelerated

# By nature not of Keras alone: layers and an initializer that Keras lacks.
OWN_LAYERS = {
    "conv_vae", "cvae", "fasttext", "simple_rnn", "text_cnn", "transformer", "truncated_svd", "vae",
}  # fmt: skip
# Their network opens, by `load_model(path, compile=False)`; their loss is one that Keras lacks.
OWN_LOSSES = {"deep_cnn", "fast_cnn", "resnet18", "simple_cnn"}
pytestmark = pytest.mark.exhaustive
STOCK = sorted(set(zoo.list_models()) - OWN_LAYERS)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_a_trained_model_is_saved_without_acceleration(name, small_run):
    run = small_run(name)
    assert not is_accelerated(run.model)
    with zipfile.ZipFile(run.directory / "model.keras") as file:
        saved = file.read("config.json").decode()
    assert "zoo.acceleration" not in saved
    classes = {part.partition('"')[0] for part in saved.split('"registered_name": "zoo>')[1:]}
    assert bool(classes) == (name in OWN_LAYERS | OWN_LOSSES), classes


@pytest.fixture(scope="module")
def opened(small_run, tmp_path_factory):
    """Where the answers are that the saved models give in a process without zoo."""
    folder = tmp_path_factory.mktemp("opened")
    for name in STOCK:
        run = small_run(name)
        np.save(folder / f"{name}-in.npy", run.preprocessor(run.predictions["raw"]))
    files = {name: str(small_run(name).directory / "model.keras") for name in STOCK}
    run_python(
        "import sys\n"
        "import keras, numpy as np\n"
        f"for name, path in {files!r}.items():\n"
        f"    model = keras.saving.load_model(path, compile=name not in {OWN_LOSSES!r})\n"
        "    answers = model.predict(np.load(f'{name}-in.npy'), verbose=0)\n"
        "    np.save(f'{name}-out.npy', answers)\n"
        "assert 'zoo' not in sys.modules\n",
        folder,
    )
    return folder


@pytest.mark.parametrize("name", STOCK)
def test_a_model_of_stock_layers_opens_and_answers_equally_without_zoo(name, small_run, opened):
    run = small_run(name)
    expected = run.model.predict(run.preprocessor(run.predictions["raw"]), verbose=0)
    np.testing.assert_array_equal(np.load(opened / f"{name}-out.npy"), expected)


def test_own_layers_are_needed(small_run):
    """Each model that is said to have layers of the zoo's own is refused without zoo."""
    files = [str(small_run(name).directory / "model.keras") for name in sorted(OWN_LAYERS)]
    printed = run_python(
        "import json, keras\n"
        "refused = 0\n"
        f"for path in {files!r}:\n"
        "    try:\n"
        "        keras.saving.load_model(path, compile=False)\n"
        "    except (TypeError, ValueError):\n"
        "        refused += 1\n"
        "print(json.dumps(refused))\n",
        small_run("vae").directory.parent,
    )
    assert json.loads(printed) == len(OWN_LAYERS)
