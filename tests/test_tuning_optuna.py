"""Optuna as the engine of a search: the same spaces, budget, resumption and report."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import keras_tuner
import numpy as np
import psutil
import pytest

import tuning
import zoo
from tuning.optuna_search import STUDY_FILE, suggest_values
from tuning.oracles import Limits, make_oracle
from tuning.plan import make_plan, read_plan
from tuning.space import search_space
from zoo.errors import ArgumentValueError, SearchError

optuna = pytest.importorskip("optuna")
States = optuna.trial.TrialState
algorithms = pytest.mark.parametrize("algorithm", ["random", "bayesian"])


def score(values):
    return -abs(np.log(values["learning_rate"] / 0.1)) - values["l2"]


def opened(folder, algorithm, trials=14):
    folder.mkdir(exist_ok=True)
    plan = make_plan("softmax_regression", engine="optuna", algorithm=algorithm)
    oracle = make_oracle(plan, is_limited=True)
    oracle.prepare(folder / "oracle.json", Limits(trials=trials))
    return oracle


def played(oracle, until=None):
    """The values of the trials that a worker runs."""
    ended = []
    while until is None or len(ended) < until:
        trial = oracle.create_trial("one")
        if trial.status == "STOPPED":
            break
        values = dict(trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"val_accuracy": score(values)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        ended.append(values)
    return ended


def stored_study(folder):
    backend = optuna.storages.journal.JournalFileBackend(str(folder / STUDY_FILE))
    return optuna.load_study(
        study_name="search", storage=optuna.storages.journal.JournalStorage(backend)
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_optuna_draws_from_the_space_of_every_model(name):
    space = search_space(name)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(sampler=sampler)
    for _ in range(20):
        values = suggest_values(study.ask(), space)
        assert list(values) == [hyperparameter.name for hyperparameter in space.space]
        for hyperparameter in space.space:
            value, fields = values[hyperparameter.name], hyperparameter.get_config()
            assert type(value) is type(hyperparameter.default)
            if fields.get("step"):
                assert np.isclose(value, list(hyperparameter.values)).any()
            elif "min_value" not in fields:
                assert value in hyperparameter.values
            else:
                assert fields["min_value"] <= value <= fields["max_value"]


def test_steps_scopes_and_fixed_values_are_kept():
    space = keras_tuner.HyperParameters()
    space.Fixed("epochs", 3)
    space.Int("width", 2, 33, step=2, sampling="log")
    space.Int("layers", 1, 6, step=2)
    space.Float("dropout", 0.0, 0.5, step=0.2)
    space.Choice("kind", ["plain", "deep"])
    with space.conditional_scope("kind", ["deep"]):
        space.Boolean("residual")
        with space.conditional_scope("residual", [True]):
            space.Float("scale", 1e-3, 1.0, sampling="log")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest_values(study.ask(), space) for _ in range(200)]
    assert {values["epochs"] for values in drawn} == {3}
    assert {values["width"] for values in drawn} == {2, 4, 8, 16, 32}
    assert {values["layers"] for values in drawn} == {1, 3, 5}
    assert {values["dropout"] for values in drawn} == {0.0, 0.2, 0.4}
    for values in drawn:
        assert ("residual" in values) == (values["kind"] == "deep")
        assert ("scale" in values) == bool(values.get("residual"))
    assert any("scale" in values for values in drawn)
    assert "epochs" not in study.trials[0].params


@pytest.mark.exhaustive
@algorithms
def test_the_first_trial_has_the_defaults_and_the_study_all_results(tmp_path, algorithm):
    ended = played(opened(tmp_path, algorithm))
    assert ended[0] == search_space("softmax_regression").values
    study = stored_study(tmp_path)
    assert [trial.params for trial in study.trials] == ended
    assert [trial.value for trial in study.trials] == list(map(score, ended))
    assert len(ended) == 14
    assert study.best_value == max(map(score, ended))


def test_a_default_that_steps_pass_over_is_tried_first(tmp_path):
    space = {"batch_size": {"min": 10, "max": 60, "step": 20}}
    plan = make_plan("softmax_regression", engine="optuna", space=space)
    oracle = make_oracle(plan, is_limited=True)
    oracle.prepare(tmp_path / "oracle.json", Limits(trials=5))
    ended = played(oracle)
    assert ended[0] == search_space("softmax_regression", space).values
    assert ended[0]["batch_size"] not in (10, 30, 50)
    assert {values["batch_size"] for values in ended[1:]} <= {10, 30, 50}


@pytest.mark.exhaustive
@algorithms
def test_a_search_that_is_resumed_proposes_what_it_would_have(tmp_path, algorithm):
    whole = played(opened(tmp_path / "a", algorithm))
    first = played(opened(tmp_path / "b", algorithm), until=11)
    assert first + played(opened(tmp_path / "b", algorithm)) == whole
    other = make_plan("softmax_regression", engine="optuna", algorithm=algorithm, seed=1)
    oracle = make_oracle(other, is_limited=True)
    (tmp_path / "c").mkdir()
    oracle.prepare(tmp_path / "c" / "oracle.json", Limits(trials=4))
    drawn = played(oracle)
    assert not any(values in whole[1:] for values in drawn[1:])


@pytest.mark.exhaustive
@algorithms
def test_what_was_proposed_and_lost_with_the_process_is_proposed_again(tmp_path, algorithm):
    whole = played(opened(tmp_path / "a", algorithm))
    killed = opened(tmp_path / "b", algorithm)
    first = played(killed, until=4)
    killed.populate_space("0004")  # and dies before the search has stored it
    resumed = opened(tmp_path / "b", algorithm)
    states = [trial.state for trial in stored_study(tmp_path / "b").trials]
    assert states == [States.COMPLETE] * 4 + [States.FAIL]
    assert first + played(resumed) == whole


def test_results_that_the_search_stored_reach_the_study_when_it_is_resumed(tmp_path, monkeypatch):
    oracle = opened(tmp_path, "random", trials=1)
    monkeypatch.setattr(oracle, "update_study", lambda: None)  # dies before it tells the study
    (values,) = played(oracle)
    assert [trial.state for trial in stored_study(tmp_path).trials] == [States.RUNNING]
    assert opened(tmp_path, "random", trials=1).should_stop
    (trial,) = stored_study(tmp_path).trials
    assert (trial.state, trial.value) == (States.COMPLETE, score(values))


@pytest.mark.exhaustive
def test_a_failed_trial_has_failed_in_the_study(tmp_path):
    oracle = opened(tmp_path, "bayesian")
    trial = oracle.create_trial("one")
    trial.status, trial.message = "FAILED", "too large"
    oracle.end_trial(trial)
    assert [trial.state for trial in stored_study(tmp_path).trials] == [States.FAIL]
    assert len(played(oracle)) == 13


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "optima"}, "Did you mean 'optuna'"),
        ({"engine": "optuna", "algorithm": "grid"}, "engine optuna has random and bayesian."),
        ({"engine": "optuna", "algorithm": "bayes"}, "Did you mean 'bayesian'"),
    ],
)
def test_what_no_engine_has_is_refused(options, words, tmp_path, command, monkeypatch):
    with pytest.raises(ArgumentValueError, match=words):
        make_plan("mlp", **options)
    monkeypatch.chdir(tmp_path)
    options = [word for key, value in options.items() for word in (f"--{key}", value)]
    code, out, err = command("tune", "mlp", *options, "--directory", "s")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert words in err
    assert not list(tmp_path.iterdir())


def test_without_optuna_the_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "optuna" else find(name)
    )
    with pytest.raises(ArgumentValueError, match=r"pip install 'keras-model-zoo\[optuna\]'"):
        make_plan("mlp", engine="optuna")
    assert make_plan("mlp").engine == "keras-tuner"


def test_a_plan_of_earlier_versions_is_of_keras_tuner(tmp_path):
    make_plan("mlp").write(tmp_path)
    path = tmp_path / "search.json"
    fields = json.loads(path.read_text())
    del fields["engine"]
    path.write_text(json.dumps(fields))
    assert read_plan(tmp_path).as_json["engine"] == "keras-tuner"
    assert read_plan(tmp_path).model == "mlp"


def eventually(holds, seconds=300):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.exhaustive
def test_twelve_trials_of_two_workers_end_though_one_is_killed(tmp_path, data_dir):
    folder = tmp_path / "s"
    words = [
        "tune", "softmax_regression", "--engine", "optuna", "--algorithm", "bayesian",
        "--data-dir", data_dir, "--directory", folder, "--trials", 12, "--epochs", 4,
        "--set", "jit_compile=false", "--retrain", 1, "--workers", 2, "--json",
    ]  # fmt: skip
    search = subprocess.Popen(
        [sys.executable, "-m", "zoo", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: len(list(folder.glob("trials/*/1/history.csv"))) >= 4)
    worker = psutil.Process(search.pid).children()[0]
    assert "tuning.workers" in worker.cmdline()
    os.kill(worker.pid, signal.SIGKILL)
    out, err = search.communicate(timeout=400)
    assert search.returncode == 0, err
    document = json.loads(out)
    assert [row["status"] for row in document["trials"]] == ["COMPLETED"] * 12
    study = stored_study(folder)
    assert [trial.state for trial in study.trials] == [States.COMPLETE] * 12
    scores = {trial.user_attrs["trial"]: trial.value for trial in study.trials}
    assert scores == {row["trial"]: row["score"] for row in document["trials"]}
    assert "with the algorithm bayesian of Optuna (seed 0)" in (folder / "report.md").read_text()
    assert {"trials.csv", "best_settings.json"} <= {path.name for path in folder.iterdir()}
    with pytest.raises(SearchError, match="engine: was 'optuna' and is 'keras-tuner'"):
        tuning.search(
            "softmax_regression", algorithm="bayesian", data_dir=data_dir, directory=folder,
            resume=True, epochs=4, jit_compile=False, progress=False,
        )  # fmt: skip
