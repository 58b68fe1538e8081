"""Search spaces, plans and oracles: what may vary, what is refused, and what survives a stop."""

import errno
import itertools
import json
import threading

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from conftest import input_batch, targets

import tuning
import zoo
from tuning import spaces
from tuning.oracles import WORKER_TIMEOUT, Limits, grid_points, grid_size, make_oracle
from tuning.plan import ALGORITHMS, make_plan, read_plan, require_same
from tuning.space import boundary_points, describe_space, read_changes, search_space
from zoo.errors import ArgumentValueError, SearchError, UnknownArgumentError
from zoo.registry import get_defaults
from zoo.training.config import split_overrides

every_model = pytest.mark.parametrize("name", zoo.list_models())
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@every_model
def test_a_space_is_of_the_models_settings_with_their_defaults(name):
    hp = keras_tuner.HyperParameters()
    defaults = get_defaults(name)
    values = getattr(spaces, name)(hp, defaults)
    assert set(hp.values) == set(values)
    assert values == {key: defaults[key] for key in values}
    recipe, arguments = split_overrides(zoo.get_spec(name), values)
    assert recipe == zoo.get_spec(name).recipe
    assert arguments.keys() <= values.keys()


@pytest.mark.exhaustive
@every_model
def test_twenty_draws_build(name):
    hypermodel = tuning.ZooModel(name)
    hp = keras_tuner.HyperParameters()
    hypermodel.build(hp)
    generator = np.random.default_rng(0)
    for _ in range(20):
        for parameter in hp.space:
            hp.values[parameter.name] = parameter.random_sample(int(generator.integers(2**31)))
        assert hypermodel.build(hp).name == name


@pytest.mark.exhaustive
def test_keras_tuner_searches_a_model_and_its_batches(tmp_path):
    tuner = keras_tuner.RandomSearch(
        tuning.ZooModel("softmax_regression"),
        objective="val_accuracy",
        max_trials=2,
        directory=tmp_path,
        seed=0,
    )
    batch = input_batch("softmax_regression"), targets("softmax_regression")
    tuner.search(*batch, validation_data=batch, epochs=1, verbose=0)
    trials = tuner.oracle.get_best_trials(2)
    assert [trial.status for trial in trials] == ["COMPLETED"] * 2
    assert trials[0].hyperparameters.values["batch_size"] in (16, 32, 64)


X, Y = input_batch("softmax_regression"), targets("softmax_regression")
BATCHES = tf.data.Dataset.from_tensor_slices((X, Y)).batch(3)


@pytest.mark.parametrize(
    ("args", "kwargs", "steps"),
    [
        ((X, Y), {}, 3),
        ((X,), {"y": Y}, 3),
        ((), {"x": X, "y": Y}, 3),
        ((X, Y, 6), {}, 1),
        ((X, Y), {"batch_size": 6}, 1),
        ((BATCHES,), {}, 2),
        ((), {"x": BATCHES}, 2),
    ],
)
def test_a_trials_batch_size_reaches_fit_with_arrays(args, kwargs, steps):
    hypermodel, hp = tuning.ZooModel("softmax_regression"), keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    hp.values["batch_size"] = 2
    taken = []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: taken.append(batch)
    )
    hypermodel.fit(hp, model, *args, verbose=0, shuffle=False, callbacks=[counter], **kwargs)
    assert len(taken) == steps


def test_what_is_fixed_wins():
    hp = keras_tuner.HyperParameters()
    model = tuning.ZooModel("mlp", units=3, num_classes=7).build(hp)
    assert hp.values["units"] == 3
    assert model.get_layer("hidden_1").units == 3
    assert model.output_shape == (None, 7)
    with pytest.raises(UnknownArgumentError, match="Did you mean 'units'"):
        tuning.ZooModel("mlp", unit=3).build(hp)


def test_a_space_is_narrowed_and_widened():
    changes = {
        "units": {"min": 8, "max": 16},
        "dropout": [0.0, 0.5],
        "activation": "tanh",
        "l2": {"min": 1e-6, "max": 1e-2, "sampling": "log"},
        "augmentation": ["none", "crop"],
    }
    rows = {row["name"]: row for row in describe_space(search_space("mlp", changes))}
    assert (rows["units"]["kind"], rows["units"]["min"], rows["units"]["max"]) == ("Int", 8, 16)
    assert rows["units"]["default"] == 16
    assert rows["dropout"]["values"] == [0.0, 0.5]
    assert rows["activation"] == {"name": "activation", "kind": "Fixed", "value": "tanh"}
    assert (rows["l2"]["kind"], rows["l2"]["sampling"]) == ("Float", "log")
    assert rows["augmentation"]["default"] == "none"
    assert (
        rows["num_layers"]
        == {r["name"]: r for r in describe_space(search_space("mlp"))}["num_layers"]
    )


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"unit": 3}, UnknownArgumentError, "Did you mean 'units'"),
        ({"units": {"min": 8}}, ArgumentValueError, "space of units"),
        ({"units": {"min": 8, "max": 2}}, ArgumentValueError, "space of units"),
        ({"units": {"min": 8, "max": 9, "stride": 1}}, ArgumentValueError, "space of units"),
        ({"units": {"min": 8, "max": 9, "sampling": "lin"}}, ArgumentValueError, "space of units"),
        ({"units": []}, ArgumentValueError, "space of units"),
        ({"units": [1, "2"]}, ArgumentValueError, "space of units"),
        ({"units": {"min": "a", "max": "b"}}, ArgumentValueError, "space of units"),
        ({"units": None}, ArgumentValueError, "space of units"),
    ],
)
def test_what_no_space_can_be_is_refused(changes, error, words):
    with pytest.raises(error, match=words):
        search_space("mlp", changes)


def test_changes_are_read_from_toml_and_json(tmp_path):
    (tmp_path / "space.toml").write_text('activation = ["relu"]\n[units]\nmin = 1\nmax = 8\n')
    (tmp_path / "space.json").write_text('{"activation": ["relu"], "units": {"min": 1, "max": 8}}')
    assert read_changes(tmp_path / "space.toml") == read_changes(tmp_path / "space.json")
    (tmp_path / "odd.toml").write_text("units = ")
    (tmp_path / "odd.json").write_text("[1]")
    for name in ("odd.toml", "odd.json", "none.toml"):
        with pytest.raises(ArgumentValueError, match=name):
            read_changes(tmp_path / name)


def test_extremes_are_every_end_and_choice_once():
    space = search_space("perceptron", {"batch_size": 2})
    found = boundary_points(space)
    assert found[0] == space.values
    assert len(found) == 1 + 2 + 1  # two ends of the rate and the other loss
    assert {row["loss"] for row in found} == {"binary_crossentropy", "mean_squared_error"}


def played(oracle, score, until=None, worker="one"):
    """Plays the worker of an oracle whose trials score what a function of their values says."""
    ended = []
    while until is None or len(ended) < until:
        trial = oracle.create_trial(worker)
        if trial.status == "STOPPED":
            break
        values = dict(trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"val_accuracy": score(values)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        ended.append(values)
    return ended


def score(values):
    return -abs(np.log(values["learning_rate"] / 0.1)) - values["l2"]


def opened(tmp_path, algorithm, trials=9):
    plan = make_plan("softmax_regression", algorithm=algorithm, fixed={"epochs": 9})
    oracle = make_oracle(plan, is_limited=True)
    oracle.prepare(tmp_path / "oracle.json", Limits(trials=trials))
    return oracle


@every_algorithm
def test_the_first_trial_has_the_defaults(tmp_path, algorithm):
    (values,) = played(opened(tmp_path, algorithm), score, until=1)
    defaults = search_space("softmax_regression").values
    assert {key: values[key] for key in defaults} == defaults


@pytest.mark.exhaustive
@every_algorithm
def test_a_search_that_is_taken_up_again_goes_on_as_it_would_have(tmp_path, algorithm):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = played(opened(tmp_path / "a", algorithm), score)
    first = played(opened(tmp_path / "b", algorithm), score, until=4)
    taken_up = opened(tmp_path / "b", algorithm)
    rest = played(taken_up, score)
    assert len(whole) == 9
    if algorithm == "bayesian":  # its Gaussian process begins to draw anew
        assert (first + rest)[:4] == whole[:4]
        assert len(first + rest) == len(whole)
    else:
        assert first + rest == whole
    assert taken_up.get_best_trials(1)[0].score == max(map(score, first + rest))


def test_a_trial_that_was_under_way_is_run_again(tmp_path):
    oracle = opened(tmp_path, "random")
    played(oracle, score, until=2)
    lost = oracle.create_trial("one")
    again = opened(tmp_path, "random")
    for name in list(again.ongoing_trials):
        again.requeue_trial(name)
    assert again.create_trial("other").trial_id == lost.trial_id
    assert dict(again.trials[lost.trial_id].hyperparameters.values) == dict(
        lost.hyperparameters.values
    )


def test_the_worker_of_a_name_gets_its_trial_back_and_a_deadly_trial_fails(tmp_path):
    oracle = opened(tmp_path, "random")
    deadly = oracle.create_trial("one").trial_id
    for _ in range(2):
        oracle.record_worker_death("one", "it died")
        assert oracle.create_trial("one").trial_id == deadly
    oracle.record_worker_death("one", "it died")
    assert oracle.trials[deadly].status == "FAILED"
    assert oracle.trials[deadly].message == "it died"
    assert oracle.errors == [deadly]
    assert oracle.create_trial("one").status == "STOPPED"


def test_a_silent_workers_trial_goes_to_another_and_what_it_says_later_is_not_heard(tmp_path):
    oracle = opened(tmp_path, "random", trials=1)
    mute = oracle.create_trial("mute")
    assert oracle.silent_workers() == []
    assert oracle.silent_workers(timeout=0) == ["mute"]
    oracle.reassign_trial("mute")
    trial = oracle.create_trial("other")
    assert trial.trial_id == mute.trial_id
    oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    mute.status = "INVALID"
    oracle.update_trial(mute.trial_id, {"val_accuracy": 0.9})
    oracle.end_trial(mute)
    assert not oracle.errors
    assert oracle.get_best_trials(1)[0].score == 0.5
    assert oracle.end_order == [trial.trial_id]


def test_a_lost_workers_failure_is_not_heard_while_another_has_its_trial(tmp_path):
    oracle = opened(tmp_path, "random", trials=1)
    lost = oracle.create_trial("lost")
    oracle.reassign_trial("lost")
    trial = oracle.create_trial("other")
    lost.status = trial.status = "INVALID"
    oracle.end_trial(lost)
    assert not oracle.errors
    assert oracle.create_trial("other").trial_id == trial.trial_id
    oracle.end_trial(trial)
    assert oracle.errors == [trial.trial_id]


def test_who_follows_a_silent_worker_has_time_to_start(tmp_path):
    oracle = opened(tmp_path, "random")
    trial = oracle.create_trial("one")
    oracle.last_seen[trial.trial_id] -= WORKER_TIMEOUT
    assert oracle.silent_workers() == ["one"]
    oracle.record_worker_death("one", "its worker died: signal 9")
    assert oracle.silent_workers() == []


def test_an_error_in_one_thread_keeps_no_other_out(tmp_path, monkeypatch):
    oracle = opened(tmp_path, "random")
    trial = oracle.create_trial("one")

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(oracle, "save", full)
    with pytest.raises(OSError, match="No space left"):
        oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5})
    other = threading.Thread(target=oracle.silent_workers, daemon=True)
    other.start()
    other.join(timeout=10)
    assert not other.is_alive()


def test_time_ends_a_search(tmp_path):
    oracle = opened(tmp_path, "random")
    oracle.limits = Limits(seconds=0.0)
    assert oracle.should_stop
    assert oracle.create_trial("one").status == "STOPPED"
    assert oracle.is_finished


def test_the_grid_is_every_combination_once(tmp_path):
    changes = {"l2": [0.0, 1e-3], "learning_rate": [0.1, 0.01, 0.03], "batch_size": 32}
    plan = make_plan("softmax_regression", algorithm="grid", space=changes)
    oracle = make_oracle(plan, is_limited=False)
    oracle.prepare(tmp_path / "oracle.json", Limits())
    found = [(values["l2"], values["learning_rate"]) for values in played(oracle, score)]
    assert found[0] == (0.0, 0.03)
    assert sorted(found) == sorted(itertools.product(changes["l2"], changes["learning_rate"]))
    assert grid_size(search_space("softmax_regression", changes)) == len(found)
    assert len(list(grid_points(search_space("softmax_regression", changes)))) == len(found)


def test_hyperband_spends_more_epochs_on_the_better(tmp_path):
    ended = played(opened(tmp_path, "hyperband", trials=None), score, until=17)
    first = [values for values in ended[:13] if values["tuner/epochs"] == 1]
    second = [values for values in ended[:13] if values["tuner/epochs"] == 3]
    assert len(first) == 9
    assert sorted(map(score, second)) == sorted(map(score, first))[-len(second) :]


def test_a_plan_is_written_and_read_back(tmp_path):
    plan = make_plan("mlp", dataset="digits", fixed={"units": 8}, space={"dropout": [0.0, 0.5]})
    plan.write(tmp_path)
    assert read_plan(tmp_path).as_json == plan.as_json
    require_same(plan, read_plan(tmp_path), tmp_path)
    other = make_plan("mlp", dataset="mnist", fixed={"units": 9}, seed=1)
    with pytest.raises(SearchError) as caught:
        require_same(other, read_plan(tmp_path), tmp_path)
    for words in ("seed: was 0 and is 1", "units was 8 and is 9", "name was 'digits'", "dropout"):
        assert words in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 2}'])
def test_what_is_no_plan_is_named(tmp_path, content):
    with pytest.raises(SearchError, match="not the directory of a search"):
        read_plan(tmp_path)
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(SearchError, match="search.json"):
        read_plan(tmp_path)


def test_seeds_follow_from_search_trial_and_number():
    plan, other = make_plan("mlp"), make_plan("mlp", seed=1)
    seeds = {p.training_seed(t, n) for p in (plan, other) for t in ("0000", "0001") for n in (0, 1)}
    assert len(seeds) == 8
    assert plan.training_seed("0000", 0) == make_plan("mlp").training_seed("0000", 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algorithm": "gird"}, "Did you mean 'grid'"),
        ({"direction": "up"}, "direction='up'"),
        ({"folds": 0}, "folds=0"),
        ({"keep": -1}, "keep=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"fixed": {"units": 3}, "space": {"units": [3, 4]}}, "both fixed and in the search space"),
    ],
)
def test_what_no_plan_can_be_is_refused(options, words):
    with pytest.raises(ArgumentValueError, match=words):
        make_plan("mlp", **options)


def test_the_direction_follows_from_task_or_name():
    assert make_plan("mlp").direction == "max"
    assert make_plan("mlp", objective="val_loss").direction == "min"
    assert make_plan("vae").direction == "min"
    assert make_plan("vae", objective="val_loss", direction="max").direction == "max"


def test_the_state_is_one_whole_file(tmp_path):
    oracle = opened(tmp_path, "random")
    played(oracle, score, until=3)
    known = json.loads((tmp_path / "oracle.json").read_text())
    assert [trial["status"] for trial in known["trials"]] == ["COMPLETED"] * 3
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["oracle.json"]


@pytest.mark.exhaustive
def test_the_search_is_a_function_however_often_it_is_asked_for(bare_python):
    bare_python(
        "import tuning\n"
        "tuning.SearchResult\n"
        "assert callable(tuning.search) and callable(tuning.search)\n"
    )
