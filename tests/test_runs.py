"""Run directories: other processes and versions, damage, atomic writes, and display."""

import base64
import io
import json
import re
import shutil
import sys
import types
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo import runs
from zoo.errors import RunError
from zoo.runs import Run, load_run
from zoo.runs.files import atomic_write, exclusive_lock, write_csv, write_json


@pytest.fixture
def copied_run(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.exhaustive
def test_a_run_opens_from_its_directory_in_another_process(copied_run, python, data_dir):
    printed = python(
        "import json, zoo\n"
        f"run = zoo.load_run({str(copied_run)!r})\n"
        "raw = run.predictions['raw'][:3]\n"
        "predictions = [row['probabilities'] for row in zoo.predict(run, raw)]\n"
        f"evaluated = zoo.evaluate(run, data_dir={str(data_dir)!r})\n"
        "print(json.dumps([run.metrics, predictions, evaluated]))\n"
    )
    metrics, predictions, evaluated = json.loads(printed)
    run = zoo.load_run(copied_run)
    assert metrics == run.metrics
    assert evaluated["accuracy"] == pytest.approx(metrics["test_accuracy"], abs=1e-6)
    expected = run.predictions["probabilities"][run.predictions["index"][:3]]
    np.testing.assert_allclose([list(row.values()) for row in predictions], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        (f'{{"format": {runs.FORMAT}, "zoo": "0.1"}}', "is damaged"),
        ('{"format": 99, "zoo": "9.9"}', "run format 99, written by zoo 9.9"),
    ],
)
def test_a_config_of_another_kind_is_refused(copied_run, content, words):
    (copied_run / "config.json").write_text(content)
    with pytest.raises(RunError, match=words):
        zoo.load_run(copied_run)


def test_a_directory_that_another_process_creates_meanwhile_is_refused(tmp_path, monkeypatch):
    def write_and_race(path, content):
        write_json(path, content)
        (tmp_path / "run").mkdir()
        write_json(tmp_path / "run" / "config.json", {})

    monkeypatch.setattr(runs, "write_json", write_and_race)
    with pytest.raises(RunError, match="already exists"):
        runs.create_run(tmp_path / "run", {})
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_other_directories_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none", __file__):
        with pytest.raises(RunError, match="is not a run directory"):
            zoo.load_run(path)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("metrics.json", lambda run: run.metrics),
        ("history.csv", lambda run: run.history),
        ("predictions.npz", lambda run: run.predictions),
        ("model.keras", lambda run: run.model),
        ("preprocessor.keras", lambda run: run.preprocessor),
    ],
)
@pytest.mark.parametrize("how", ["emptied", "cut", "removed"])
def test_a_damaged_file_is_named(copied_run, name, read, how):
    path = copied_run / name
    if how == "emptied":
        path.write_bytes(b"")
    elif how == "cut" and name != "history.csv":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.unlink()
    with pytest.raises(RunError, match=name) as caught:
        read(zoo.load_run(copied_run))
    assert "\n" not in str(caught.value)


def test_writes_are_atomic(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        partial.write_text("half")
        _ = 1 / 0
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_history_survives_a_round_trip(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2, "odd": 1e-300}, {"epoch": 2, "loss": 1 / 3, "odd": 5.0}]
    write_csv(tmp_path / "history.csv", rows)
    history = Run(tmp_path, {}).history
    assert history == {"epoch": [1, 2], "loss": [0.1 + 0.2, 1 / 3], "odd": [1e-300, 5.0]}


def rewrite_member(path, name, change):
    """Change a member of a zip file."""
    with zipfile.ZipFile(path) as old:
        members = {each: old.read(each) for each in old.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as new:
        for each, content in members.items():
            new.writestr(each, content)


def test_a_model_of_another_keras_says_which(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    file = tmp_path / "run" / "model.keras"
    rewrite_member(
        file, "metadata.json", lambda text: json.dumps(json.loads(text) | {"keras_version": "9.9"})
    )
    assert load_run(tmp_path / "run").model.count_params() == 650
    rewrite_member(file, "config.json", lambda text: text.replace(b"Dense", b"Denser"))
    with pytest.raises(RunError, match="written by keras 9.9, .* install keras==9.9") as refusal:
        _ = load_run(tmp_path / "run").model
    assert "\n" not in str(refusal.value)


def test_code_in_a_model_file_is_not_executed(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "run" / "model.keras")
    with pytest.raises(RunError, match="Lambda"):
        _ = load_run(tmp_path / "run").model


def test_a_lock_is_released_after_a_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt), exclusive_lock(tmp_path):
        assert (tmp_path / "lock").exists()
        raise KeyboardInterrupt
    assert not (tmp_path / "lock").exists()


def test_names_of_earlier_versions_are_read(copied_run):
    path = copied_run / "config.json"
    config = json.loads(path.read_text())
    images = config["recipe"]["images"]
    images["greyscale"] = images.pop("grayscale")
    config["recipe"]["max_gap"] = 0.1
    config["arguments"]["centred"] = True
    path.write_text(json.dumps(config))
    run = load_run(copied_run)
    assert run.recipe.images.grayscale == images["greyscale"]
    assert run.recipe.epochs == 5
    assert "centred" not in run.config["arguments"]
    assert run.config["arguments"]["centered"] is True


def test_the_recipe_is_that_of_training(digits_run):
    assert digits_run.recipe == zoo.get_spec("softmax_regression").recipe.replace(epochs=5)


@pytest.fixture
def unfinished_run(copied_run):
    (copied_run / "metrics.json").unlink()
    return load_run(copied_run)


def test_the_repr_is_three_lines(copied_run, digits_run):
    first, second, third = repr(load_run(copied_run)).splitlines()
    assert first == f"Run({str(copied_run)!r})"
    assert second == "softmax_regression on digits, 650 parameters, finished after 5 epochs"
    assert f"test_accuracy {digits_run.metrics['test_accuracy']:.5g}" in third
    assert "val_" not in third


def test_the_repr_of_an_unfinished_or_damaged_run(unfinished_run, tmp_path):
    first, second = repr(unfinished_run).splitlines()
    assert second.endswith("650 parameters, unfinished after 5 epochs")
    (unfinished_run.directory / "history.csv").unlink()
    assert repr(unfinished_run).endswith("unfinished after 0 epochs")
    (unfinished_run.directory / "metrics.json").write_text("{")
    assert repr(unfinished_run).startswith(first)
    assert repr(Run(tmp_path, {})) == f"Run({str(tmp_path)!r})"


def image_in(html):
    (encoded,) = re.findall(r"base64,([^\"]+)", html)
    return base64.b64decode(encoded)


@pytest.mark.exhaustive
def test_a_notebook_shows_metrics_and_the_sheet(copied_run):
    run = load_run(copied_run)
    html = run._repr_html_()
    assert "<th>validation</th><th>test</th>" in html
    assert f"<td>{run.metrics['test_accuracy']:.5g}</td>" in html
    assert Image.open(io.BytesIO(image_in(html))).format == "PNG"
    figures = run.plot()
    assert figures[-1] == copied_run / "figures" / "sheet.png"
    assert all(path.exists() for path in figures)
    sheet = figures[-1].read_bytes()
    assert figures._repr_png_() == sheet
    assert image_in(run._repr_html_()) == sheet


def test_a_notebook_shows_an_unfinished_run(unfinished_run):
    html = unfinished_run._repr_html_()
    assert "<th>training</th><th>validation</th>" in html
    assert f"<td>{unfinished_run.history['val_accuracy'][-1]:.5g}</td>" in html
    assert Image.open(io.BytesIO(image_in(html))).format == "PNG"
    (unfinished_run.directory / "history.csv").unlink()
    html = unfinished_run._repr_html_()
    assert "<table>" not in html
    assert "<img" not in html


def test_names_are_escaped_in_html(copied_run):
    odd = copied_run.rename(copied_run.with_name("<b>&"))
    assert "&lt;b&gt;&amp;" in load_run(odd)._repr_html_()


def test_the_history_becomes_a_frame(digits_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=dict))
    assert digits_run.to_frame() == digits_run.history


def test_a_frame_without_pandas_is_refused(digits_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="requires pandas: pip install pandas"):
        digits_run.to_frame()
