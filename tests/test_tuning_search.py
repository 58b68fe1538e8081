"""The search from end to end: what it leaves, refuses and survives."""

import csv
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import filelock
import numpy as np
import psutil
import pytest

import tuning
import zoo
from tuning import trials
from tuning.plan import read_plan
from zoo.data.pipeline import Rows, split_fold
from zoo.errors import (
    ArgumentValueError,
    DatasetError,
    RunError,
    SearchError,
    UnknownArgumentError,
    UnknownModelError,
)
from zoo.specs import MAX_SEED
from zoo.training import loop

QUICK = {"epochs": 2, "jit_compile": False, "progress": False}
RATES = {"learning_rate": [0.03, 0.3, 1e-5], "batch_size": 64, "l2": 1e-4}


def searched(folder, data_dir, **options):
    return tuning.search(
        "softmax_regression",
        **{"data_dir": data_dir, "directory": folder, "retrain": 1, **QUICK, **options},
    )


def table(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def result(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("searches") / "grid"
    return searched(folder, data_dir, algorithm="grid", space=RATES, retrain=2, keep=2)


@pytest.mark.exhaustive
def test_a_search_ranks_its_trials_and_trains_the_best_anew(result):
    scores = {row["learning_rate"]: row["score"] for row in result.trials}
    assert set(scores) == set(RATES["learning_rate"])
    best = max(scores, key=scores.get)
    assert best != 1e-5
    assert result.best_values == {"learning_rate": best, "l2": 1e-4}
    assert result.best_recipe["batch_size"] == 64
    assert zoo.build("softmax_regression", **result.best_values).compiled
    assert result.metrics["score"] == scores[best]
    runs = [zoo.load_run(result.directory / "best" / f"seed-{seed}") for seed in (0, 1)]
    accuracies = [run.metrics["test_accuracy"] for run in runs]
    assert result.metrics["test_accuracy"] == pytest.approx(np.mean(accuracies))
    assert result.metrics["test_accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert result.best_run.config["arguments"]["learning_rate"] == best


@pytest.mark.exhaustive
def test_no_trial_reads_the_test_split_and_only_the_best_keep_their_weights(result):
    runs = sorted((result.directory / "trials").glob("trial_*/1"))
    assert len(runs) == 3
    assert not [run for run in runs if (run / "metrics.json").exists()]
    assert not [run for run in runs if (run / "predictions.npz").exists()]
    kept = {run.parent.name for run in runs if (run / "checkpoint.npz").exists()}
    ranked = sorted(result.trials, key=lambda row: -row["score"])
    assert kept == {f"trial_{row['trial']}" for row in ranked[:2]}


@pytest.mark.exhaustive
def test_a_trials_score_is_that_of_its_history_and_repeats_by_its_seed(result, tmp_path, data_dir):
    plan = read_plan(result.directory)
    for row in result.trials:
        folder = result.directory / "trials" / f"trial_{row['trial']}" / "1"
        with (folder / "history.csv").open(newline="") as file:
            assert float(list(csv.DictReader(file))[-1]["val_accuracy"]) == row["score"]
        seed = json.loads((folder / "config.json").read_text())["seed"]
        assert seed == plan.training_seed(row["trial"], 0)
    alone = zoo.train(
        "softmax_regression", dataset="digits", data_dir=data_dir, seed=seed,
        run_dir=tmp_path / "alone", **QUICK, **{**RATES, "learning_rate": row["learning_rate"]},
    )  # fmt: skip
    assert alone.metrics["val_accuracy"] == pytest.approx(row["score"])


@pytest.mark.exhaustive
def test_a_finished_search_is_left_as_it_is_wherever_its_data_lie(result, data_dir, tmp_path):
    files = {path: path.stat().st_mtime_ns for path in result.directory.glob("trials/**/history*")}
    moved = shutil.copytree(data_dir, tmp_path / "moved")
    again = searched(
        result.directory, moved, algorithm="grid", space=RATES, retrain=2, keep=2, resume=True
    )
    assert read_plan(result.directory).data_dir == str(moved)
    assert again.trials == result.trials
    assert again.metrics == result.metrics
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.mark.exhaustive
def test_another_search_is_not_resumed_and_none_is_overwritten(result, data_dir):
    def again(**options):
        return searched(result.directory, data_dir, **{"algorithm": "grid", "keep": 2, **options})

    with pytest.raises(SearchError, match="exists already: choose another --directory"):
        again(space=RATES)
    with pytest.raises(SearchError, match="space: l2 was"):
        again(space={**RATES, "l2": 0.0}, resume=True)
    with pytest.raises(SearchError, match="seed: was 0 and is 1"):
        again(space=RATES, seed=1, resume=True)
    with pytest.raises(SearchError, match="not the directory of a search"):
        searched(result.directory / "trials", data_dir, resume=True)


@pytest.mark.exhaustive
def test_one_search_has_one_head(result, data_dir):
    options = {"algorithm": "grid", "space": RATES, "retrain": 2, "keep": 2, "resume": True}
    with (
        filelock.FileLock(result.directory / "lock"),
        pytest.raises(RunError, match="another process is working in"),
    ):
        searched(result.directory, data_dir, **options)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_trials": 0}, ArgumentValueError, "max_trials=0"),
        ({"max_minutes": -1}, ArgumentValueError, "max_minutes=-1"),
        ({"workers": -1}, ArgumentValueError, "workers=-1"),
        ({"seed": MAX_SEED}, ArgumentValueError, "seed=4294967295: must be lower"),
        ({"algorithm": "gird"}, ArgumentValueError, "Did you mean 'grid'"),
        ({"objective": "val_acuracy"}, ArgumentValueError, "val_accuracy"),
        ({"units": 3}, UnknownArgumentError, "unknown argument of softmax_regression: 'units'"),
        ({"space": {"l2": [0.0, -1.0]}}, ArgumentValueError, "l2=-1.0"),
        ({"l2": -1.0}, ArgumentValueError, "l2=-1.0"),
        ({"dataset": "imdb_reviews"}, DatasetError, "another kind"),
        ({"algorithm": "grid", "space": {}}, ArgumentValueError, "points: narrow the space"),
        ({"folds": 3, "dataset": "xor"}, ArgumentValueError, "cannot be split"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    options, error, words, tmp_path, data_dir
):
    wide = {"space": {"l2": {"min": 0.0, "max": 1.0}, "learning_rate": {"min": 0.1, "max": 1.0}}}
    if options.get("space") == {}:
        options = {**options, "space": {**wide["space"], "batch_size": list(range(16, 48))}}
    with pytest.raises(error, match=words):
        searched(tmp_path / "new" / "search", data_dir, **{"max_trials": None, **options})
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_is_named(tmp_path):
    with pytest.raises(UnknownModelError, match="Did you mean 'mlp'"):
        tuning.search("mpl", directory=tmp_path / "s")


def broken_fit(fit):
    def broken(run, *args, **kwargs):
        if run.config["arguments"]["learning_rate"] == 0.3:
            raise OSError("the disk is on fire")
        return fit(run, *args, **kwargs)

    return broken


@pytest.mark.exhaustive
def test_a_trial_that_breaks_stops_the_search_with_its_values(tmp_path, data_dir, monkeypatch):
    monkeypatch.setattr(loop, "fit", broken_fit(loop.fit))
    options = {"algorithm": "grid", "space": RATES}
    with pytest.raises(SearchError, match=r"trial 0001 failed: OSError: the disk is on fire") as it:
        searched(tmp_path / "s", data_dir, **options)
    assert "learning_rate=0.3" in str(it.value)
    assert "Traceback" in (tmp_path / "s" / "trials" / "trial_0001" / "failure.txt").read_text()
    assert [row["status"] for row in table(tmp_path / "s")] == ["COMPLETED", "FAILED"]
    found = searched(tmp_path / "s", data_dir, resume=True, keep_going=True, **options)
    assert [row["status"] for row in found.trials] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "the disk is on fire" in found.trials[1]["message"]


@pytest.mark.exhaustive
def test_a_loss_that_stops_being_finite_fails_a_trial_and_not_the_search(tmp_path, data_dir):
    found = searched(
        tmp_path / "s", data_dir, algorithm="grid", space={**RATES, "learning_rate": [0.03, 1e38]}
    )
    assert [row["status"] for row in found.trials] == ["COMPLETED", "FAILED"]
    assert "diverged" in found.trials[1]["message"]
    with pytest.raises(SearchError, match="none of 1 trials completed; the last one: .*diverged"):
        searched(tmp_path / "t", data_dir, max_trials=1, learning_rate=1e38)


@pytest.mark.exhaustive
def test_a_model_that_is_too_large_is_not_trained(tmp_path, data_dir):
    found = tuning.search(
        "mlp", dataset="digits", data_dir=data_dir, directory=tmp_path / "s", algorithm="grid",
        space={"units": [8, 64], "num_layers": 1, "activation": "relu", "dropout": 0.0,
               "batch_normalization": False, "learning_rate": 0.01, "batch_size": 64},
        max_parameters=1_000, retrain=0, **QUICK,
    )  # fmt: skip
    assert {row["units"]: row["message"] for row in found.trials} == {
        8: "",
        64: "the model has 4,810 parameters; at most 1,000 are allowed",
    }
    assert found.best_run is None


@pytest.mark.exhaustive
def test_folds_and_executions_are_averaged(tmp_path, data_dir):
    found = searched(
        tmp_path / "s", data_dir, folds=3, executions=2, max_trials=1, keep=0, retrain=0
    )
    (row,) = found.trials
    last = []
    for number in range(1, 7):
        folder = tmp_path / "s" / "trials" / "trial_0000" / str(number)
        config = json.loads((folder / "config.json").read_text())
        assert config["fold"] == [(number - 1) % 3 + 1, 3]
        assert config["rows"]["validation"] == 479
        with (folder / "history.csv").open(newline="") as file:
            last.append(float(list(csv.DictReader(file))[-1]["val_accuracy"]))
    assert row["score"] == pytest.approx(np.mean(last))
    assert row["spread"] == pytest.approx(np.std(last, ddof=1))
    assert not list((tmp_path / "s").glob("**/checkpoint.npz"))


def test_each_row_is_in_one_fold_and_classes_are_spread():
    labels = np.repeat([0, 1, 2], [10, 7, 3])
    rows = Rows(np.arange(20), labels)
    folds = [split_fold(rows, number, 3) for number in (1, 2, 3)]
    validated = np.concatenate([validation.inputs for _, validation in folds])
    assert sorted(validated) == list(range(20))
    for train, validation in folds:
        assert not set(train.inputs) & set(validation.inputs)
        assert len(train) + len(validation) == 20
        counts = np.bincount(validation.labels, minlength=3)
        assert all(np.abs(counts - np.array([10, 7, 3]) / 3) < 1)


THREE_TRIALS = {"max_trials": 3, "retrain": 0, "seed": 5}


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory, data_dir):
    """A search whose trials one process runs to the end, however much it grows."""
    folder = tmp_path_factory.mktemp("searches") / "alone"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "MAX_MEMORY_GROWTH", 1)
        found = searched(folder, data_dir, workers=0, **THREE_TRIALS)
    assert not (folder / "workers").exists()
    return found


def assert_same_trials(found, expected):
    values = ["trial", "status", "learning_rate", "batch_size", "l2"]
    assert [[row[key] for key in values] for row in found.trials] == [
        [row[key] for key in values] for row in expected.trials
    ]
    scores = [row["score"] for row in expected.trials]
    assert [row["score"] for row in found.trials] == pytest.approx(scores)
    assert {row["status"] for row in found.trials} == {"COMPLETED"}


@pytest.mark.exhaustive
def test_two_workers_run_the_trials_of_one(tmp_path, data_dir, in_one_process):
    both = searched(tmp_path / "s", data_dir, workers=2, **THREE_TRIALS)
    assert_same_trials(both, in_one_process)
    assert not processes_of(tmp_path / "s")


@pytest.mark.exhaustive
def test_a_process_that_grows_is_followed_by_another(
    tmp_path, data_dir, in_one_process, monkeypatch
):
    monkeypatch.setattr(trials, "MAX_MEMORY_GROWTH", 1)
    found = searched(tmp_path / "s", data_dir, **THREE_TRIALS)
    assert_same_trials(found, in_one_process)
    assert (tmp_path / "s" / "workers" / "worker-0.log").exists()


@pytest.mark.exhaustive
def test_a_worker_ends_well_and_begins_anew_when_it_has_grown(tmp_path, data_dir, answer):
    search = Command(tmp_path / "s", data_dir)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    code = (
        "import runpy, sys\n"
        "from tuning import trials\n"
        "trials.MAX_MEMORY_GROWTH = 1\n"
        "print('begins', file=sys.stderr)\n"
        "runpy.run_module('tuning.workers', run_name='__main__')\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(search.folder), address, "one"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    chief = ["--role", "chief", "--address", address, "--trials", 2]
    document = answer(*search.words, *chief)
    worker.wait(timeout=60)
    said = worker.communicate()[1]
    assert worker.returncode == 0, said
    assert said.count("begins") >= 2
    assert [row["status"] for row in document["trials"]] == ["COMPLETED"] * 2


def processes_of(folder):
    running = psutil.process_iter(["cmdline"])
    return [process.pid for process in running if str(folder) in (process.info["cmdline"] or ())]


def eventually(holds, seconds=300):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


class Command:
    """A search of digits by the command, in this process or others."""

    def __init__(self, folder, data_dir):
        self.folder = folder
        self.words = [
            "tune", "softmax_regression", "--data-dir", data_dir, "--directory", folder,
            "--trials", 4, "--epochs", 10, "--set", "jit_compile=false", "--retrain", 0,
        ]  # fmt: skip

    def start(self, *options):
        """Starts it in a process of its own."""
        words = [sys.executable, "-m", "zoo", *map(str, [*self.words, *options])]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self):
        path = self.folder / "oracle.json"
        return json.loads(path.read_text())["oracle"]["end_order"] if path.exists() else []

    def written(self):
        """When the history of each trial that has ended was written."""
        return {name: self.history(name).stat().st_mtime_ns for name in self.ended()}

    def history(self, name):
        return self.folder / "trials" / f"trial_{name}" / "1" / "history.csv"


@pytest.mark.exhaustive
def test_a_search_that_is_killed_leaves_no_process_and_loses_no_trial(tmp_path, data_dir, answer):
    search = Command(tmp_path / "killed", data_dir)
    process = search.start("--workers", "2")
    eventually(lambda: len(search.ended()) >= 1)
    worker = next(pid for pid in processes_of(search.folder) if pid != process.pid)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(search.ended()) >= 2)
    process.kill()
    process.communicate()
    eventually(lambda: not processes_of(search.folder))
    before = search.written()
    document = answer(*search.words, "--workers", 2, "--resume")
    assert [row["status"] for row in document["trials"]] == ["COMPLETED"] * 4
    after = search.written()
    assert {name: after[name] for name in before} == before


@pytest.mark.exhaustive
def test_a_worker_outlives_its_chief_and_serves_the_next(tmp_path, data_dir, answer):
    search = Command(tmp_path / "chief", data_dir)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ["--address", f"127.0.0.1:{free.getsockname()[1]}"]
    chief = search.start("--role", "chief", *address)
    worker = search.start("--role", "worker", "--json", *address)
    eventually(lambda: len(search.ended()) >= 1)
    chief.kill()
    chief.communicate()
    before = search.written()
    document = answer(*search.words, "--role", "chief", "--resume", *address)
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    report = json.loads(out)
    assert set(report) == {"directory", "worker", "trials"}
    assert report["directory"] == str(search.folder)
    assert report["trials"] >= 4
    assert [row["status"] for row in document["trials"]] == ["COMPLETED"] * 4
    after = search.written()
    assert {name: after[name] for name in before} == before


@pytest.mark.exhaustive
def test_the_command_gives_one_document_and_its_settings_train(tmp_path, data_dir, answer):
    document = answer(
        "tune", "softmax_regression", "--data-dir", data_dir, "--directory", tmp_path / "s",
        "--trials", 2, "--epochs", 2, "--set", "jit_compile=false", "--set", "l2=0.001",
        "--retrain", 1,
    )  # fmt: skip
    assert set(document) == {"trials", "best_values", "best_recipe", "directory", "metrics"}
    assert document["best_values"]["l2"] == 0.001
    trained = answer(
        "train", "softmax_regression", "--data-dir", data_dir, "--run-dir", tmp_path / "run",
        "--set-file", tmp_path / "s" / "best_settings.json", "--epochs", 1,
    )  # fmt: skip
    assert trained["epochs"] == 1
    arguments = zoo.load_run(tmp_path / "run").config["arguments"]
    assert arguments | document["best_values"] == arguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--role", "worker"], "must be given together"),
        (["--role", "worker", "--address", "here"], "must be HOST:PORT"),
        (["--role", "worker", "--address", "localhost:1"], "--role worker requires --directory"),
        (["--set", "workers=2"], "not an argument of the model"),
        (["--space", "none.toml"], "none.toml"),
    ],
)
def test_bad_words_to_the_command_are_one_line(options, words, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = options if "localhost:1" in options else [*options, "--directory", "s"]
    code, out, err = command("tune", "mlp", *options)
    assert code == 2
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive
def test_importing_tensorflow_adds_no_line_to_what_is_wrong(tmp_path):
    words = ["tune", "mlp", "--directory", "s", "--space", "none.toml"]
    answer = subprocess.run(
        [sys.executable, "-m", "zoo", *words],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "none.toml" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.exhaustive
def test_data_are_prepared_as_the_space_has_it_and_not_the_recipe(tmp_path, data_dir):
    options = {"space": {**RATES, "learning_rate": 0.1, "scaling": ["standardized"]}, "retrain": 1}
    found = searched(tmp_path / "s", data_dir, max_trials=1, **options)
    seed = read_plan(tmp_path / "s").training_seed("0000", 0)
    alone = zoo.train(
        "softmax_regression", data_dir=data_dir, seed=seed, run_dir=tmp_path / "alone",
        learning_rate=0.1, batch_size=64, scaling="standardized", **QUICK,
    )  # fmt: skip
    assert found.trials[0]["score"] == pytest.approx(alone.metrics["val_accuracy"])


@pytest.mark.exhaustive
def test_kinds_of_data_with_other_preparation_are_loaded_anew(tmp_path, data_dir):
    found = searched(
        tmp_path / "s", data_dir, algorithm="grid", retrain=0,
        space={**RATES, "learning_rate": 0.1, "scaling": ["fraction", "standardized"]},
    )  # fmt: skip
    assert [row["scaling"] for row in found.trials] == ["fraction", "standardized"]
    for row, scaling in zip(found.trials, ("fraction", "standardized"), strict=True):
        config = tmp_path / "s" / "trials" / f"trial_{row['trial']}" / "1" / "config.json"
        assert json.loads(config.read_text())["recipe"]["images"]["scaling"] == scaling
    assert len({row["score"] for row in itertools.chain(found.trials)}) == 2


def test_rows_in_memory_are_refused_since_workers_read_for_themselves(tmp_path):
    with pytest.raises(ArgumentValueError, match="several workers cannot take a tuple, since they"):
        tuning.search("mlp", dataset=([0], [1]), directory=tmp_path / "search")
