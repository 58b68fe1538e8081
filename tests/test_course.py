"""The course as data, the command that trains it, and what it leaves."""

import dataclasses
import inspect
import json
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pages import Page, chart_rows, require_self_contained

import zoo
from zoo import registry
from zoo.course import datasets as course_datasets
from zoo.course import experiments as course_experiments
from zoo.course import metrics as course_metrics
from zoo.course import report as course_report
from zoo.course.definitions import METRICS, WAYS, Experiment
from zoo.course.errors import CourseError, UnavailableError, UnknownSystemError
from zoo.course.exercises import QUESTIONS, Evidence
from zoo.course.html_report import write_html_report
from zoo.course.results import FORMAT, Result, compare, read_results, results_of
from zoo.course.stopping import max_gap_rule, split_stop_rule
from zoo.course.systems import SYSTEMS
from zoo.data import get_dataset
from zoo.errors import RunError
from zoo.training.callbacks import Checkpoint
from zoo.training.config import split_overrides

# id: the course's figure, and parameters: as the course counted, as taught here, ours
PUBLISHED = {
    "hw1.perceptron": (0.06398, 3, 3, 4),
    "hw1.single_layer": (0.1565, 3, 3, 4),
    "hw1.two_layer": (0.00282, 16, 16, 21),
    "hw1.digits": (0.9978, 650, 650, 650),
    "hw2.mlp": (0.8430, 68_484, 68_484, 68_484),
    "hw2.overfit": (0.8250, 239_044, 239_044, 239_044),
    "hw2.l1": (0.8260, 297_668, 297_668, 297_668),
    "hw2.l2": (0.8400, 297_668, 297_668, 297_668),
    "hw2.early_stopping": (0.8320, 297_668, 297_668, 297_668),
    "hw2.learning_rate": (0.8440, 136_644, 136_644, 136_644),
    "hw2.grid_search": (0.815, 299_620, 299_620, 299_620),
    "hw3.cnn_simple": (0.6381, 82_826, 82_826, 82_826),
    "hw3.cnn_deep": (0.6222, 13_210, 13_210, 13_210),
    "hw3.cnn_1": (0.6715, 24_890, 24_890, 24_890),
    "hw3.cnn_2": (0.6306, 13_210, 13_210, 13_210),
    "hw3.cnn_3": (0.7081, 102_570, 102_570, 102_570),
    "hw3.cnn_4": (0.7136, 42_986, 42_986, 42_986),
    "hw3.cnn_5": (0.5338, 3_610, 3_610, 3_610),
    "hw3.cnn_6": (0.7101, 48_106, 48_106, 48_106),
    "hw3.cnn_7": (0.7225, 62_314, 62_314, 62_314),
    "hw3.cnn_8": (0.7173, 398_666, 398_666, 398_666),
    "hw3.resnet18": (0.7300, 11_181_642, 11_191_242, 703_866),
    "hw4.simple_rnn": (0.6950, 101_441, 101_442, 322_146),
    "hw4.lstm": (0.8202, 105_665, 105_570, 328_386),
    "hw4.gru": (0.8434, 104_257, 104_290, 326_402),
    "hw4.bilstm": (0.6920, 111_329, 111_138, 336_770),
    "hw4.embeddings": (0.0, 111_329, 111_138, 336_770),
    "hw4.transformer": (0.8531, 349_921, 339_234, 188_834),
    "hw5.svd": (0.00353, 131_072, 264_192, 264_192),
    "hw5.linear": (0.00901, 525_568, 525_568, 525_568),
    "hw5.nonlinear": (0.00689, 525_568, 525_568, 525_568),
    "hw5.deep": (0.01523, 1_395_520, 1_395_520, 1_395_520),
    "hw5.denoising": (0.01246, 591_360, 657_152, 1_313_024),
    "hw5.denoising_weak": (0.00936, 591_360, 657_152, 1_313_024),
    "hw6.vae": (138.9, 469_268, 469_268, 1_068_820),
}  # fmt: skip
COURSE_DATA = {"ag_news_course": "ag_news_subset", "cifar10_course": "cifar10"}


def fixed(settings):
    """The settings with the first value of each that has several, and no weights from files."""
    return {
        key: value[0] if isinstance(value, tuple) else value
        for key, value in settings.items()
        if key != "weights"
    }


def built(experiment):
    """Build the model of an experiment for its dataset, without reading data."""
    spec = zoo.get_spec(experiment.model)
    overrides, _ = split_stop_rule(fixed(experiment.settings))
    recipe, arguments = split_overrides(spec, overrides)
    dataset = get_dataset(COURSE_DATA.get(experiment.dataset, experiment.dataset))
    taken = inspect.signature(spec.load_builder()).parameters
    from_data = {k: v for k, v in dataset.model_arguments(recipe).items() if k in taken}
    return zoo.build(experiment.model, **from_data | arguments)


def test_no_system_of_the_course_is_missing():
    assert list(SYSTEMS) == list(PUBLISHED)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_system_has_its_published_figures(name):
    system, (figure, parameters, *ours_and_taught) = SYSTEMS[name], PUBLISHED[name]
    assert (system.course, system.parameters) == (figure, parameters)
    taught, ours = (built(system.experiment(way)).count_params() for way in ("taught", "ours"))
    assert [taught, ours] == ours_and_taught
    assert system.metric in METRICS
    for text in (system.flaw, system.protocol):
        assert text
        assert "  " not in text


@pytest.mark.parametrize("name", PUBLISHED)
def test_settings_are_scalars_or_scalars_to_choose_from(name):
    for way in WAYS:
        settings = SYSTEMS[name].experiment(way).settings
        for value in settings.values():
            values = value if isinstance(value, tuple) else (value,)
            assert len(values) == len(set(values)) >= 1
            assert all(type(each) in (int, float, str, bool) for each in values)


def test_the_standard_error_is_that_of_a_binomial_distribution():
    for name, rows in (("hw3.cnn_7", 10_000), ("hw2.mlp", 1_000), ("hw4.gru", 12_500)):
        system = SYSTEMS[name]
        right = np.arange(rows) < round(system.course * rows)
        assert system.standard_error == pytest.approx(np.std(right) / np.sqrt(rows), rel=1e-3)
    assert SYSTEMS["hw5.svd"].standard_error is None


def test_a_result_is_better_in_the_direction_of_its_metric():
    assert SYSTEMS["hw3.cnn_7"].is_beaten_by(0.73)
    assert not SYSTEMS["hw3.cnn_7"].is_beaten_by(0.7225)
    assert SYSTEMS["hw5.svd"].is_beaten_by(0.003)
    assert not SYSTEMS["hw5.svd"].is_beaten_by(0.004)


def test_experiments_have_unique_names():
    named = {}
    ways = [system.experiment(way) for system in SYSTEMS.values() for way in WAYS]
    for experiment in ways + [s.experiment for q in QUESTIONS.values() for s in q.evidence]:
        assert named.setdefault(experiment.name, experiment) == experiment
    described = [
        [t.model, t.dataset, course_experiments.full_settings(t), t.folds] for t in named.values()
    ]
    assert len({json.dumps(each, sort_keys=True) for each in described}) == len(named)


def test_unknown_systems_get_the_near_miss():
    from zoo.course.systems import get_system

    with pytest.raises(UnknownSystemError, match=r"Did you mean 'hw4\.gru'\?"):
        get_system("hw4.gruu")


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_evidence_of_a_question_builds(name):
    question = QUESTIONS[name]
    assert question.question.endswith("?")
    assert len({each.label for each in question.evidence}) == len(question.evidence) > 1
    for each in question.evidence:
        assert bool(each.overrides) is bool(each.name)
        assert built(each.experiment).count_params() > 0


def test_the_arithmetic_of_the_answers():
    simple = built(SYSTEMS["hw3.cnn_simple"].experiment("ours"))
    assert simple.get_layer("conv_1").count_params() == (3 * 3 * 3 + 1) * 32 == 896
    assert simple.get_layer("output").count_params() == (16 * 16 * 32 + 1) * 10 == 81_930
    deep = built(SYSTEMS["hw3.cnn_deep"].experiment("ours"))
    assert deep.get_layer("output").count_params() == (8 * 8 * 16 + 1) * 10 == 10_250
    narrow = built(QUESTIONS["hw3.depth"].evidence[1].experiment)
    assert abs(narrow.count_params() - deep.count_params()) / deep.count_params() < 0.03
    for name, counted in (("lstm", 4 * ((10 + 32) * 32 + 32)), ("gru", 3 * ((42) * 32 + 64))):
        layer = built(SYSTEMS[f"hw4.{name}"].experiment("taught")).get_layer("recurrent_1")
        assert layer.count_params() == counted
    assert 4 * ((10 + 32) * 32 + 32) == 5_504
    assert zoo.build("lstm").get_layer("recurrent_1").count_params() == 8_320
    assert zoo.build("gru").get_layer("recurrent_1").count_params() == 6_336


QUICK = {"jit_compile": False, "epochs": 6}


@pytest.fixture
def experiments():
    return [
        Experiment("t.or", "perceptron", "or", QUICK),
        Experiment("t.no_bias", "perceptron", "first_input", QUICK | {"use_bias": False}),
    ]


def run_experiments(experiments, directory, **options):
    course_experiments.run_experiments(experiments, directory, progress=False, **options)


@pytest.mark.exhaustive
def test_results_are_those_of_the_runs(experiments, tmp_path):
    run_experiments(experiments, tmp_path, seeds=2)
    results = read_results(tmp_path)
    assert [(r.training, r.seed) for r in results] == [
        ("t.no_bias", 0), ("t.no_bias", 1), ("t.or", 0), ("t.or", 1),
    ]  # fmt: skip
    for result in results:
        run = zoo.load_run(tmp_path / "runs" / result.training / str(result.seed))
        answers, history = run.predictions, run.history
        errors = (answers["probabilities"][:, 1] - answers["labels"]) ** 2
        assert result.metric("test_mse") == pytest.approx(errors.mean(), abs=1e-6)
        assert result.metric("train_loss") == history["loss"][-1]
        assert result.metric("best_val_accuracy") == max(history["val_accuracy"])
        assert result.metric("parameters") == run.model.count_params()
        assert result.epochs == 6
    assert results[2].figures != results[3].figures
    assert results[0].metric("output_000") == 0.5
    assert results[0].metric("nothing") is None


@pytest.mark.exhaustive
def test_what_is_finished_is_not_trained_again(experiments, tmp_path, monkeypatch):
    run_experiments(experiments[:1], tmp_path)
    before = (tmp_path / "results.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(
            course_experiments, "train", lambda *args, **kwargs: pytest.fail("trained again")
        )
        run_experiments(experiments[:1], tmp_path)
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            run_experiments(experiments, tmp_path)
    assert (tmp_path / "results.json").read_bytes() == before


@pytest.mark.exhaustive
def test_an_interrupted_course_ends_as_the_uninterrupted_one(experiments, tmp_path, monkeypatch):
    run_experiments(experiments, tmp_path / "whole")
    write = Checkpoint._write

    def interrupted(self, seconds):
        write(self, seconds)
        if "t.no_bias" in str(self.path) and len(self.rows) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="same command"):
        patch.setattr(Checkpoint, "_write", interrupted)
        run_experiments(experiments, tmp_path / "cut")
    assert [r.training for r in read_results(tmp_path / "cut")] == ["t.or"]
    assert len(zoo.load_run(tmp_path / "cut/runs/t.no_bias/0").history["epoch"]) == 3
    run_experiments(experiments, tmp_path / "cut")
    cut, whole = (read_results(tmp_path / name) for name in ("cut", "whole"))
    assert [r.training for r in cut] == ["t.no_bias", "t.or"]
    for one, other in zip(cut, whole, strict=True):
        assert one.figures == other.figures


KILLED = """
import os, signal
from pathlib import Path
from zoo.course import experiments as course_experiments
from zoo.training.callbacks import Checkpoint
from zoo.course.definitions import Experiment

def killed(self, seconds, write=Checkpoint._write):
    write(self, seconds)
    if "t.two" in str(self.path) and len(self.rows) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoint._write = killed
experiments = [
    Experiment(name, "perceptron", "or", {"jit_compile": False, "epochs": 6})
    for name in ("t.one", "t.two")
]
course_experiments.run_experiments(experiments, Path("course"), progress=False)
"""


@pytest.mark.exhaustive
def test_a_killed_course_goes_on(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    second = tmp_path / "course" / "runs" / "t.two" / "0"
    assert len(zoo.load_run(second).history["epoch"]) == 3
    (first,) = read_results(tmp_path / "course")
    assert first.training == "t.one"
    experiments = [Experiment(name, "perceptron", "or", QUICK) for name in ("t.one", "t.two")]
    run_experiments(experiments, tmp_path / "course")
    again, other = read_results(tmp_path / "course")
    assert again == first
    assert other.figures == first.figures


@pytest.mark.exhaustive
def test_results_of_other_settings_are_refused(experiments, tmp_path):
    run_experiments(experiments[:1], tmp_path)
    other = dataclasses.replace(experiments[0], settings=QUICK | {"learning_rate": 0.3})
    with pytest.raises(
        CourseError, match=r"different settings: learning_rate=0\.1 \(requested: 0\.3\)"
    ):
        run_experiments([other], tmp_path)


@pytest.mark.exhaustive
def test_results_of_other_defaults_are_refused(experiments, tmp_path, monkeypatch):
    """A recipe may have changed since: what is finished, and what is begun, are of the old one."""
    run_experiments(experiments[:1], tmp_path / "finished")
    (tmp_path / "begun").mkdir()
    shutil.copytree(tmp_path / "finished" / "runs", tmp_path / "begun" / "runs")
    spec = zoo.get_spec("perceptron")
    changed = dataclasses.replace(spec, recipe=spec.recipe.replace(schedule="cosine"))
    monkeypatch.setitem(registry._SPECS, "perceptron", changed)
    with pytest.raises(CourseError, match=r"schedule='constant' \(requested: 'cosine'\)"):
        run_experiments(experiments[:1], tmp_path / "finished")
    with pytest.raises(RunError, match="has other settings"):
        run_experiments(experiments[:1], tmp_path / "begun")


@pytest.mark.exhaustive
def test_a_setting_is_chosen_on_folds_and_test_is_left_alone(tmp_path, data_dir):
    settings = {"learning_rate": (1e-6, 3e-2), "epochs": 2, "jit_compile": False}
    experiment = Experiment("t.grid", "softmax_regression", "digits", settings, folds=2)
    run_experiments([experiment], tmp_path, data_dir=data_dir)
    (result,) = read_results(tmp_path)
    assert result.chosen == {"learning_rate": 3e-2}
    runs = tmp_path / "runs" / "t.grid"
    found = {
        candidate: [
            zoo.load_run(runs / "0-choice" / f"{candidate}-{fold}").history["val_accuracy"][-1]
            for fold in (1, 2)
        ]
        for candidate in (1, 2)
    }
    assert result.metric("cv_accuracy") == pytest.approx(statistics.fmean(found[2]))
    assert statistics.fmean(found[1]) < statistics.fmean(found[2])
    assert not list((runs / "0-choice").rglob("metrics.json"))
    config = zoo.load_run(runs / "0").config
    assert config["arguments"]["learning_rate"] == 3e-2
    assert result.settings["learning_rate"] == [1e-6, 3e-2]


@pytest.mark.exhaustive
def test_unavailable_data_are_reported_after_the_other_experiments(experiments, tmp_path):
    missing = dataclasses.replace(
        experiments[0], name="t.missing", dataset=str(tmp_path / "no.csv")
    )
    other = dataclasses.replace(missing, name="t.other")
    reported_once = r"^2 of 6 done; t\.missing, t\.other: [^;]*$"
    with pytest.raises(UnavailableError, match=reported_once):
        run_experiments([missing, experiments[0], other], tmp_path / "course", seeds=2)
    assert [r.training for r in read_results(tmp_path / "course")] == ["t.or", "t.or"]


@pytest.mark.exhaustive
def test_unavailable_data_leave_a_report_of_the_other_systems(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(
        SYSTEMS,
        "hw1.perceptron",
        dataclasses.replace(SYSTEMS["hw1.perceptron"], ours=QUICK),
    )
    monkeypatch.setitem(
        SYSTEMS,
        "hw1.single_layer",
        dataclasses.replace(SYSTEMS["hw1.single_layer"], dataset=str(tmp_path / "no.csv")),
    )
    code, _, err = command("course", "hw1.single_layer", "hw1.perceptron", "hw1.perceptron")
    assert code == 2
    assert "1 of 2 done; hw1.single_layer: " in err.splitlines()[-1]
    assert "| `hw1.perceptron`" in (tmp_path / "course" / "report.md").read_text()


def test_a_metric_that_a_result_lacks_is_left_out():
    system = SYSTEMS["hw4.embeddings"]
    of_experiment = {"training": system.experiment("ours").name, "settings": {}, "chosen": {}}
    results = [
        Result(
            **of_experiment, seed=seed, dataset="imdb_reviews", parameters=1, epochs=1, seconds=1.0,
            figures=figures, environment={}, finished="",
        )
        for seed, figures in enumerate([{"analogies": 1.0, "seconds_to_course": 3.0}, {}])
    ]  # fmt: skip
    assert compare(system, results).spread is None
    assert compare(system, results).ours is None
    assert compare(system, results[:1]).ours == 1.0
    assert compare(system, results[:1]).seconds_to_course is None


def test_vectors_are_asked_the_courses_two_questions():
    words = ("man", "woman", "king", "queen", "soldier", "prophet",
             "germany", "berlin", "italy", "rome", "spain", "france")  # fmt: skip
    vectors = dict(zip(words, np.eye(12, 12), strict=True))
    vectors["queen"] = vectors["king"] + vectors["woman"] - vectors["man"]
    vectors["france"] = vectors["italy"] + vectors["berlin"] - vectors["germany"]
    known = course_metrics.Embeddings(words, np.array([vectors[word] for word in words]))
    assert course_metrics._evaluate_analogies(known)["analogies"] == 1


@pytest.fixture
def short_course(monkeypatch):
    """The first system of the course, with few epochs."""
    system = dataclasses.replace(
        SYSTEMS["hw1.perceptron"],
        taught={**SYSTEMS["hw1.perceptron"].taught, **QUICK},
        ours=QUICK | {"epochs": 40},
    )
    monkeypatch.setitem(SYSTEMS, "hw1.perceptron", system)
    return system


def test_the_table_of_the_course(answer, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = answer("course")["systems"]
    assert [row["id"] for row in rows] == list(PUBLISHED)
    assert {"id", "model", "dataset", "course", "ours"} <= set(rows[0])
    assert [row["course"] for row in rows] == [figure for figure, *_ in PUBLISHED.values()]
    assert {row["ours"] for row in rows} == {None}
    code, out, _ = command("course")
    assert code == 0
    assert all(name in out for name in PUBLISHED)
    assert "72.25 ± 0.45 %" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive
def test_one_system_in_both_ways(answer, command, tmp_path, monkeypatch, short_course):
    monkeypatch.chdir(tmp_path)
    document = answer("course", "hw1.perceptron", "--seeds", 2)
    (row,) = document["systems"]
    runs = [zoo.load_run(f"course/runs/hw1.perceptron/{seed}") for seed in (0, 1)]
    figures = [run.metrics["test_mse"] for run in runs]
    assert row["ours"] == pytest.approx(statistics.fmean(figures))
    assert row["spread"] == pytest.approx(statistics.stdev(figures))
    assert row["better"] is (statistics.fmean(figures) < 0.06398)
    assert (row["seeds"], row["as_taught"]) == (2, None)

    (row,) = answer("course", "hw1.perceptron", "--as-taught")["systems"]
    run = zoo.load_run("course/runs/hw1.perceptron.taught/0")
    assert row["as_taught"] == run.metrics["test_mse"]
    assert run.config["arguments"]["use_bias"] is False
    assert run.config["recipe"]["batch_size"] == 1

    page = (tmp_path / document["report"]).read_text()
    line = next(line for line in page.splitlines() if line.startswith("| `hw1.perceptron`"))
    assert "0.06398" in line
    assert f"{statistics.fmean(figures):.5f} ± {statistics.stdev(figures):.5f}" in line
    assert f"{run.metrics['test_mse']:.5f}" in line
    assert QUESTIONS["hw1.fourth_sample"].question in page
    assert "| with bias |" in page
    assert (tmp_path / "course" / "figures" / "hw1.png").stat().st_size > 10_000
    assert "figures/hw1.png" in page
    assert f"{statistics.fmean(figures):.5f}" in command("course", "hw1.perceptron")[1]


@pytest.mark.exhaustive
def test_the_time_to_the_courses_result_is_that_of_the_first_epoch_there(tmp_path, short_course):
    easy = dataclasses.replace(short_course, course=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SYSTEMS, "hw1.perceptron", easy)
        run_experiments([easy.experiment("ours")], tmp_path)
    (result,) = read_results(tmp_path)
    history = zoo.load_run(tmp_path / "runs/hw1.perceptron/0").history
    first = next(i for i, error in enumerate(history["val_mse"]) if error <= 0.2)
    assert 0 < first < 39
    assert result.metric("seconds_to_course") == round(history["seconds"][first], 1)


def test_all_experiments_are_those_of_systems_and_questions():
    names = [
        experiment.name
        for experiment in course_experiments.collect_experiments(list(SYSTEMS.values()), "ours")
    ]
    assert len(names) == len(set(names))
    assert set(names) >= {system.experiment("ours").name for system in SYSTEMS.values()}
    assert set(names) >= {s.experiment.name for q in QUESTIONS.values() for s in q.evidence}
    one = [SYSTEMS["hw1.perceptron"]]
    assert [t.name for t in course_experiments.collect_experiments(one, "taught")] == [
        "hw1.perceptron.taught"
    ]


def test_the_panels_have_the_courses_result_as_a_line(tmp_path, experiments):
    from matplotlib.figure import Figure

    for name in ("hw3.cnn_7", "hw5.linear"):
        axes = Figure().subplots()
        scale = 100 if name == "hw3.cnn_7" else 1
        course_report._draw_panel(
            axes, SYSTEMS[name], [("ours", [0.5, 0.6]), ("taught", [0.4, 0.7])]
        )
        ours, _, line = axes.get_lines()
        assert set(line.get_ydata()) == {scale * SYSTEMS[name].course}
        assert list(ours.get_ydata()) == [scale * 0.5, scale * 0.6]
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [
            "ours", "as taught", "course",
        ]  # fmt: skip


@pytest.mark.exhaustive
def test_a_report_without_run_directories_has_its_tables(experiments, tmp_path, short_course):
    run_experiments([short_course.experiment("ours")], tmp_path)
    for path in (tmp_path / "runs").rglob("*.csv"):
        path.unlink()
    page, *pictures = course_report.write_report(tmp_path)
    assert "| `hw1.perceptron`" in page.read_text()
    assert pictures == []


def test_the_committed_report_is_one_html_file(command, tmp_path):
    committed = Path(__file__).parents[1] / "benchmarks" / "results" / "homeworks"
    directory = shutil.copytree(committed, tmp_path / "course")
    code, _, err = command("course", "--directory", directory, "--html")
    assert code == 0, err
    page = Page(directory / "report.html")
    require_self_contained(page)
    assert len(page.alts) == len(list((committed / "figures").glob("hw?.png")))
    for system in SYSTEMS:
        assert system in page.said
    for name in ("report.md", "results.json"):
        assert (directory / name).read_bytes() == (committed / name).read_bytes()


@pytest.mark.exhaustive
def test_the_html_report_has_the_learning_curves(experiments, tmp_path, short_course):
    run_experiments([short_course.experiment("ours")], tmp_path)
    page = Page(write_html_report(tmp_path))
    require_self_contained(page)
    (chart,) = page.charts
    history = zoo.load_run(next((tmp_path / "runs").glob("*/0"))).history
    drawn = [row["value"] for row in chart_rows(chart)]
    np.testing.assert_allclose(drawn, history["val_mse"])


BAD_INPUT = {
    "unknown system": ("course hw4.grru", "Did you mean 'hw4.gru'?"),
    "unknown system beside a known one": ("course hw1.digits hw3.cnn_9", "'hw3.cnn_9'"),
    "names beside --all": ("course hw1.digits --all", "cannot be combined with SYSTEM"),
    "nothing to train as taught": ("course --as-taught", "require SYSTEM arguments"),
    "nothing to train over seeds": ("course --seeds 3", "require SYSTEM arguments"),
    "no seeds": ("course hw1.digits --seeds 0", "0 is not in the range"),
    "directory that is a file": ("course --directory file", "is a file"),
    "results that are damaged": ("course --directory damaged", "results.json is damaged"),
    "results of another version": ("course --directory old", "is in format 0"),
    "results of other settings": ("course hw1.perceptron --directory other", "different settings"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_one_line_and_writes_nothing(kind, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no directory")
    row = dataclasses.asdict(
        Result("hw1.perceptron", 0, {"epochs": 1}, {}, "first_input/1.0.0", 4, 1, 1.0,
                         {"test_mse": 0.1}, {}, "")
    )  # fmt: skip
    for name, content in (
        ("damaged", "{"),
        ("old", json.dumps({"format": 0, "results": []})),
        ("other", json.dumps({"format": FORMAT, "results": [row]})),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(content)
    words, told = BAD_INPUT[kind]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, out, err = command(*words.split())
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_row_that_is_damaged_is_named(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"format": FORMAT, "results": [{"seed": 0}]}))
    with pytest.raises(RunError, match="damaged"):
        read_results(tmp_path)


def test_the_table_imports_nothing_heavy(bare_python):
    bare_python(
        "import sys\n"
        "from zoo.cli import cli\n"
        "cli.main(['course', '--json'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'sklearn', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )


class Source:
    """What the builders of the course's rows ask of a TFDS builder."""

    def __init__(self, sizes, row):
        self.info = self
        self.splits = dict.fromkeys(sizes, self)
        self.sizes, self.row = sizes, row
        self.num_examples = sizes["test"]

    def as_dataset(self, split):
        rows = [self.row(split, number) for number in range(self.sizes[split])]
        return tf.data.Dataset.from_tensor_slices(
            {key: np.array([row[key] for row in rows]) for key in rows[0]}
        )


@pytest.mark.exhaustive
def test_news_of_the_course_share_no_row(tmp_path, monkeypatch):
    sizes = {"train": 10_020, "test": 1_300}
    source = Source(
        sizes,
        lambda split, number: {
            "title": f"{split}", "description": f"{number}", "label": number % 4,
        },
    )  # fmt: skip
    monkeypatch.setattr(course_datasets, "_prepared_builder", lambda name, data_dir: source)
    data = zoo.load_data("ag_news_course", data_dir=tmp_path)
    rows = {split: [text.decode().split() for text in found.inputs.tolist()]
            for split, found in data.rows.items()}  # fmt: skip
    assert rows["train"] == [["train", str(number)] for number in range(10_000)]
    drawn = [int(number) for split, number in rows["validation"] + rows["test"] if split == "test"]
    assert sorted(drawn) == list(range(1_300))
    assert len(rows["validation"]) == 1_000
    for split, found in data.rows.items():
        numbers = [int(number) for _, number in rows[split]]
        assert found.labels.tolist() == [number % 4 for number in numbers]


def test_images_of_the_course_are_every_fifth(tmp_path, monkeypatch):
    def row(split, number):
        image = np.full((32, 32, 3), number % 250 + (split == "test"), np.uint8)
        return {"image": image, "label": number // 5 % 10}

    source = Source({"train": 1_000, "test": 100}, row)
    monkeypatch.setattr(course_datasets, "_prepared_builder", lambda name, data_dir: source)
    data = zoo.load_data("cifar10_course", data_dir=tmp_path)
    assert data.rows["test"].inputs[:, 0, 0, 0].tolist() == [n + 1 for n in range(0, 100, 5)]
    assert len(data.rows["train"]) + len(data.rows["validation"]) == 200
    found = np.concatenate([data.rows[s].inputs[:, 0, 0, 0] for s in ("train", "validation")])
    assert sorted(found.tolist()) == sorted(n % 250 for n in range(0, 1_000, 5))
    assert data.rows["test"].labels.tolist() == [n // 5 % 10 for n in range(0, 100, 5)]


def test_evidence_without_overrides_is_the_systems_experiment():
    own = Evidence("as it is", "hw3.cnn_7").experiment
    assert own == SYSTEMS["hw3.cnn_7"].experiment("ours")


@pytest.mark.exhaustive
def test_former_setting_names_are_read_as_the_current_ones(experiments, tmp_path):
    run_experiments(experiments[:1], tmp_path)
    path = tmp_path / "results.json"
    content = json.loads(path.read_text())
    settings = content["results"][0]["settings"]
    settings["greyscale"] = settings.pop("grayscale")
    content["results"][0]["chosen"] = {"centred": True}
    path.write_text(json.dumps(content))
    (result,) = read_results(tmp_path)
    assert result.settings == course_experiments.full_settings(experiments[0])
    assert result.chosen == {"centered": True}
    run_experiments(experiments[:1], tmp_path)
    assert len(read_results(tmp_path)) == 1


def test_the_committed_results_have_the_current_settings():
    directory = Path(__file__).parents[1] / "benchmarks" / "results" / "homeworks"
    stored = read_results(directory)
    for way in WAYS:
        for experiment in course_experiments.collect_experiments(list(SYSTEMS.values()), way):
            for result in results_of(experiment, stored):
                settings = course_experiments.full_settings(experiment)
                assert settings.items() <= result.settings.items(), experiment.name


def test_the_committed_report_is_that_of_the_committed_results():
    directory = Path(__file__).parents[1] / "benchmarks" / "results" / "homeworks"
    results = read_results(directory)
    figures = {path.stem: path for path in (directory / "figures").glob("hw*.png")}
    comparisons = course_report.compare_trained(results)
    report = course_report.format_report(comparisons, results, figures, directory)
    assert (directory / "report.md").read_text() == report


@pytest.mark.exhaustive
def test_the_gap_rule_stops_at_the_tenth_epoch_with_too_wide_a_gap(data_dir, tmp_path):
    run = zoo.train(
        "mlp", dataset="digits", data_dir=data_dir, run_dir=tmp_path / "run", progress=False,
        units=16, num_layers=1, jit_compile=False, epochs=60, learning_rate=0.03, dropout=0.0,
        stop_rule=max_gap_rule(0.02),
    )  # fmt: skip
    history = run.history
    gaps = np.array(history["val_loss"]) - np.array(history["loss"]) > 0.02
    assert gaps.sum() == 10
    assert gaps[-1]
    assert len(gaps) < 60


def test_the_gap_rule_is_split_off_the_settings():
    taught = SYSTEMS["hw2.early_stopping"].taught
    overrides, stop_rule = split_stop_rule(taught)
    assert overrides == {key: value for key, value in taught.items() if key != "max_gap"}
    assert stop_rule is not None
    assert split_stop_rule(overrides) == (overrides, None)
    assert split_stop_rule({"max_gap": 0.0}) == ({}, None)
