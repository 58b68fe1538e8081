"""Run directories: another process, another version, damage, atomic writes."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

import zoo
from zoo import runs
from zoo.errors import RunError
from zoo.runs import load_run


@pytest.fixture
def copied_run(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_works_from_its_directory_alone_in_another_process(copied_run, python, data_dir):
    printed = python(
        "import json, zoo\n"
        f"run = zoo.load_run({str(copied_run)!r})\n"
        "raw = run.predictions['raw'][:3]\n"
        "answers = [answer['probabilities'] for answer in zoo.predict(run, raw)]\n"
        f"figures = zoo.evaluate(run, data_dir={str(data_dir)!r})\n"
        "print(json.dumps([run.metrics, answers, figures]))\n"
    )
    metrics, answers, figures = json.loads(printed)
    run = zoo.load_run(copied_run)
    assert metrics == run.metrics
    assert figures["accuracy"] == pytest.approx(metrics["test_accuracy"], abs=1e-6)
    expected = run.predictions["probabilities"][run.predictions["index"][:3]]
    np.testing.assert_allclose([list(answer.values()) for answer in answers], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"format": 99, "zoo": "9.9"}', "run format 99, written by zoo 9.9"),
    ],
)
def test_a_config_of_another_kind_is_refused(copied_run, content, words):
    (copied_run / "config.json").write_text(content)
    with pytest.raises(RunError, match=words):
        zoo.load_run(copied_run)


def test_a_directory_that_another_process_takes_meanwhile_is_refused(tmp_path, monkeypatch):
    write = runs.write_json

    def taken_meanwhile(path, content):
        write(path, content)
        (tmp_path / "run").mkdir()
        write(tmp_path / "run" / "config.json", {})

    monkeypatch.setattr(runs, "write_json", taken_meanwhile)
    with pytest.raises(RunError, match="exists already"):
        runs.create_run(tmp_path / "run", {})
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_no_run_directory_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none", __file__):
        with pytest.raises(RunError, match="no run directory"):
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


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.json"
    runs.write_json(path, {"old": 1})
    with pytest.raises(ZeroDivisionError), runs.whole(path) as partial:
        partial.write_text("half")
        _ = 1 / 0
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_history_goes_through_a_file_unchanged(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1 + 0.2, "odd": 1e-300}, {"epoch": 2, "loss": 1 / 3, "odd": 5.0}]
    runs.write_csv(tmp_path / "history.csv", rows)
    history = runs.Run(tmp_path, {}).history
    assert history == {"epoch": [1, 2], "loss": [0.1 + 0.2, 1 / 3], "odd": [1e-300, 5.0]}


def rewritten(path, name, change):
    """Changes a member of a zip file."""
    with zipfile.ZipFile(path) as old:
        members = {each: old.read(each) for each in old.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as new:
        for each, content in members.items():
            new.writestr(each, content)


def test_a_model_of_another_keras_says_which(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    file = tmp_path / "run" / "model.keras"
    rewritten(
        file, "metadata.json", lambda text: json.dumps(json.loads(text) | {"keras_version": "9.9"})
    )
    assert load_run(tmp_path / "run").model.count_params() == 650
    rewritten(file, "config.json", lambda text: text.replace(b"Dense", b"Denser"))
    with pytest.raises(RunError, match="written by keras 9.9, .* install keras==9.9") as refusal:
        _ = load_run(tmp_path / "run").model
    assert "\n" not in str(refusal.value)


def test_no_code_in_a_file_is_run(digits_run, tmp_path):
    shutil.copytree(digits_run.directory, tmp_path / "run")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "run" / "model.keras")
    with pytest.raises(RunError, match="Lambda"):
        _ = load_run(tmp_path / "run").model


def test_a_directory_is_free_again_after_a_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt), runs.alone(tmp_path):
        assert (tmp_path / "lock").exists()
        raise KeyboardInterrupt
    assert not (tmp_path / "lock").exists()
