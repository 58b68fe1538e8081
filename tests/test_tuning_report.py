"""The report on a search: its numbers re-derived, its pictures read back, hostile files."""

import ast
import csv
import itertools
import json
import math
import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from pages import Page, chart_rows, require_self_contained
from PIL import Image

from tuning import figures
from tuning.findings import read_search
from tuning.report import write_report
from zoo.errors import RunError, SearchError

UNITS = {"name": "units", "kind": "Int", "min": 4, "max": 1024, "sampling": "log", "default": 64}
RATE = {
    "name": "learning_rate", "kind": "Float", "min": 1e-4, "max": 1e-1, "sampling": "log",
    "default": 1e-3,
}  # fmt: skip
DROPOUT = {
    "name": "dropout", "kind": "Float", "min": 0.0, "max": 0.6, "step": 0.1, "default": 0.3,
}  # fmt: skip
SHAPE = {"name": "shape", "kind": "Choice", "values": ["relu", "gelu", "tanh"], "default": "relu"}
BATCH = {"name": "batch_size", "kind": "Choice", "values": [64, 128, 256], "default": 128}
NORM = {"name": "bn", "kind": "Boolean", "default": False}
FIXED = {"name": "l2", "kind": "Fixed", "value": 0.0}
SPACE = [UNITS, RATE, DROPOUT, SHAPE, BATCH, NORM, FIXED]
DEFAULTS = {row["name"]: row["default"] for row in SPACE if row is not FIXED}
PICTURES = ["objective", "effects", "importance", "parallel", "curves", "cost"]


def drawn_values(count, seed=0):
    """As a random search draws them; the first are the defaults."""
    rng = np.random.default_rng(seed)
    rest = [
        {
            "units": int(np.exp(rng.uniform(np.log(4), np.log(1024)))),
            "learning_rate": float(np.exp(rng.uniform(np.log(1e-4), np.log(1e-1)))),
            "dropout": float(rng.integers(7) * 0.1),
            "shape": str(rng.choice(SHAPE["values"])),
            "batch_size": int(rng.choice(BATCH["values"])),
            "bn": bool(rng.integers(2)),
        }
        for _ in range(count - 1)
    ]
    return [DEFAULTS, *rest]


def write_search(folder, rows, *, space=SPACE, best=None, **plan):
    """Writes a search's files: a row of None for a score is a failed trial."""
    known = {
        "model": "mlp", "dataset": {"name": "mnist"}, "algorithm": "random", "seed": 0,
        "objective": "val_accuracy", "direction": "max", "space": space, **plan,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "search.json").write_text(json.dumps(known))
    if best:
        (folder / "best.json").write_text(json.dumps(best))
    table = [
        {
            "trial": f"{number:04d}",
            "status": "FAILED" if row["score"] is None else "COMPLETED",
            **{"spread": "", "epochs": 3.0, "parameters": 10.0 * number + 1, "seconds": 2.5},
            "message": "",
            **row,
        }
        for number, row in enumerate(rows)
    ]
    with (folder / "trials.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return folder


def write_curve(folder, trial, values, objective="val_accuracy", execution=1):
    place = folder / "trials" / trial / str(execution)
    place.mkdir(parents=True)
    lines = [f"{epoch},0.5,{value},{epoch}.5" for epoch, value in enumerate(values, start=1)]
    (place / "history.csv").write_text("\n".join([f"epoch,loss,{objective},seconds", *lines, ""]))


def usual(folder, count=30, **options):
    """A search whose score hangs on the learning rate alone; every seventh trial failed."""
    rows = []
    for number, values in enumerate(drawn_values(count)):
        score = 0.9 - 0.1 * (math.log10(values["learning_rate"]) + 2.5) ** 2
        is_failed = number % 7 == 5
        rows.append({"score": None if is_failed else score, **values})
        rows[-1]["message"] = f"broke in {number}" if is_failed else ""
    write_search(folder, rows, **options)
    for number, row in enumerate(rows):
        if row["score"] is not None:
            write_curve(folder, f"{number:04d}", [0.1, row["score"] - 0.05, row["score"]])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return usual(tmp_path_factory.mktemp("usual") / "search")


@pytest.fixture(scope="module")
def paths(folder):
    return write_report(folder)


@pytest.fixture(scope="module")
def search(folder):
    return read_search(folder)


def drawn(panel, search):
    figure = Figure(layout="constrained")
    panel(figure, search)
    figure.canvas.draw()
    return figure


def table_after(text, title):
    """The cells of the first table after a title, its head left out."""
    lines = text.partition(title)[2].splitlines()
    table = itertools.takewhile(
        lambda line: line.startswith("|"),
        itertools.dropwhile(lambda line: not line.startswith("|"), lines),
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in list(table)[2:]]


def test_the_page_and_every_picture_are_written_and_linked(folder, paths):
    assert paths[0] == folder / "report.md"
    assert [path.stem for path in paths[1:]] == PICTURES
    links = re.findall(r"!\[.+\]\((.+)\)", paths[0].read_text())
    assert [folder / link for link in links] == paths[1:]
    for path in paths[1:]:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) >= 5.8 * figures.DPI  # inches
            assert np.asarray(picture).std() > 10
    assert not list(folder.rglob(".partial-*"))


def test_the_page_says_what_was_searched(paths, search):
    text = paths[0].read_text()
    assert text.startswith("# Search: mlp on mnist\n")
    assert "Trials: 26 completed, 4 failed, 75 s of training." in text
    assert "maximizes val_accuracy of mlp on mnist with the algorithm random (seed 0)" in text
    assert "Fixed: l2=0" in text


def test_the_leaderboard_is_sorted_and_marks_the_defaults(folder, paths):
    with (folder / "trials.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    rows.sort(key=lambda row: -float(row["score"]))
    shown = table_after(paths[0].read_text(), "## Best 10 trials")
    assert [row[0].split()[0] for row in shown] == [row["trial"] for row in rows[:10]]
    assert [float(row[1]) for row in shown] == pytest.approx(
        [float(row["score"]) for row in rows[:10]], rel=1e-3
    )
    place = 1 + [row["trial"] for row in rows].index("0000")
    assert (
        f"Trial 0000, which has the defaults, ranks {place} of {len(rows)}" in paths[0].read_text()
    )
    assert [row[0] for row in shown if "defaults" in row[0]] == ["0000 (defaults)"]


@pytest.mark.exhaustive
def test_a_first_trial_that_differs_from_the_defaults_is_not_marked(tmp_path):
    rows = [{"score": 0.5 + number / 100, **row} for number, row in enumerate(drawn_values(3))]
    rows[0] = {**rows[0], "learning_rate": 0.00100001}
    assert "defaults" not in write_report(write_search(tmp_path, rows))[0].read_text()


@pytest.mark.exhaustive
def test_importances_find_the_setting_on_which_the_score_hangs(paths, search):
    found = search.importance
    rest = [value for name, value in found.means.items() if name != "learning_rate"]
    assert found.means["learning_rate"] > 10 * max(rest)
    assert 0 < found.r2 < 1
    assert not search.importance_warning
    shown = table_after(paths[0].read_text(), "## Importance of hyperparameters")
    assert shown[0][0] == "learning_rate"
    assert "unreliable" not in paths[0].read_text()
    assert read_search(search.directory).importance == found


def test_importances_find_a_choice_and_its_effect(tmp_path):
    better = {"relu": 0.5, "gelu": 0.9, "tanh": 0.7}
    rows = [{"score": better[row["shape"]], **row} for row in drawn_values(40)]
    search = read_search(write_search(tmp_path, rows))
    assert max(search.importance.means, key=search.importance.means.get) == "shape"
    effect = search.effect(next(s for s in search.hyperparameters if s.name == "shape"))
    assert effect.best == ("gelu", pytest.approx(0.9))
    assert effect.worst == ("relu", pytest.approx(0.5))


@pytest.mark.exhaustive
@pytest.mark.parametrize("direction", ["max", "min"])
def test_effects_equal_a_brute_force_computation(tmp_path, direction):
    rng = np.random.default_rng(3)
    rows = [{"score": float(rng.uniform(0.2, 0.9)), **row} for row in drawn_values(37, seed=3)]
    search = read_search(write_search(tmp_path, rows, direction=direction))
    text = write_report(tmp_path)[0].read_text()
    shown = {row[0]: row for row in table_after(text, "## Importance of hyperparameters")}
    for name in DEFAULTS:
        values = [row[name] for row in rows]
        if name in ("units", "learning_rate", "dropout"):
            cuts = statistics.quantiles(values, n=3, method="inclusive")
            places = [sum(value > cut for cut in cuts) for value in values]
        else:
            places = values
        means = [
            statistics.fmean(r["score"] for r, at in zip(rows, places, strict=True) if at == place)
            for place in set(places)
        ]
        effect = search.effect(next(s for s in search.hyperparameters if s.name == name))
        best, worst = max(means), min(means)
        if direction == "min":
            best, worst = worst, best
        assert effect.best[1] == pytest.approx(best)
        assert effect.worst[1] == pytest.approx(worst)
        assert float(shown[name][2]) == pytest.approx(max(means) - min(means), rel=1e-3)


@pytest.mark.exhaustive
def test_noise_equal_scores_and_few_trials_are_doubted(tmp_path):
    rng = np.random.default_rng(1)
    noise = [{"score": float(rng.uniform()), **row} for row in drawn_values(120)]
    equal = [{"score": 0.5, **row} for row in drawn_values(12)]
    cases = {
        "noise": (noise, "the forest predicts no better than the mean score"),
        "equal": (equal, "all scores are equal"),
        "few": (noise[:4], "there are only 4 trials"),
        "one": (noise[:1], "There are too few trials to compute importances."),
    }
    for name, (rows, why) in cases.items():
        place = write_search(tmp_path / name, rows)
        assert why in read_search(place).importance_warning
    assert f"**{read_search(place).importance_warning}**" in write_report(place)[0].read_text()


@pytest.mark.exhaustive
def test_hyperband_compares_only_the_longest_trials_if_there_are_ten(tmp_path):
    values = drawn_values(30)
    for longest, counted in ((10, 10), (9, 30)):
        rows = [
            {"score": 0.5 + n / 100, **row, "epochs": 9.0 if n >= 30 - longest else 3.0}
            for n, row in enumerate(values)
        ]
        place = write_search(tmp_path / str(longest), rows, algorithm="hyperband")
        search = read_search(place)
        assert len(search.compared) == counted
        text = write_report(place)[0].read_text()
        if counted == 10:
            assert "Based on the 10 trials with 9 epochs; those with fewer" in text
        else:
            assert "Based on all 30 completed trials, since only 9 have 9 epochs" in text
        labels = drawn(figures.objective, search).axes[0].get_legend_handles_labels()[1]
        assert {"3 epochs", "9 epochs"} <= set(labels)


def test_trials_that_stopped_early_are_compared_with_the_others(tmp_path):
    rows = [{"score": 0.5 + n / 100, **v, "epochs": n} for n, v in enumerate(drawn_values(25))]
    assert len(read_search(write_search(tmp_path, rows)).compared) == 25


def test_no_completed_trial(tmp_path):
    rows = [{"score": None, **row, "message": "the loss is NaN"} for row in drawn_values(3)]
    write_search(tmp_path, rows)
    assert [path.name for path in write_report(tmp_path)] == ["report.md", "objective.png"]
    write_curve(tmp_path, "0001", [0.1, 0.2])
    written = write_report(tmp_path)
    assert [path.name for path in written] == ["report.md", "objective.png", "curves.png"]
    text = written[0].read_text()
    assert "No trial completed." in text
    assert [row[:2] for row in table_after(text, "## Failed trials")] == [
        [f"{number:04d}", "the loss is NaN"] for number in range(3)
    ]
    assert not list((tmp_path / "tensorboard").iterdir())


@pytest.mark.exhaustive
def test_one_trial_and_a_search_of_nothing(tmp_path):
    rows = [{"score": 0.5, **DEFAULTS}]
    names = [path.stem for path in write_report(write_search(tmp_path / "one", rows))]
    assert names == ["report", "objective", "effects", "parallel", "cost"]
    rows = [{"score": 0.5}, {"score": 0.6}]
    place = write_search(tmp_path / "none", rows, space=[FIXED])
    assert [path.stem for path in write_report(place)] == ["report", "objective", "cost"]


def test_an_empty_table_and_a_score_that_is_not_finite(tmp_path):
    write_search(tmp_path, [{"score": math.inf, **DEFAULTS}])
    assert [path.stem for path in write_report(tmp_path)] == ["report", "objective"]
    head = (tmp_path / "trials.csv").read_text().splitlines()[0]
    (tmp_path / "trials.csv").write_text(f"{head}\n")
    (page,) = write_report(tmp_path)
    assert "Trials: 0 completed, 0 failed" in page.read_text()


@pytest.mark.exhaustive
@pytest.mark.parametrize("count", [1, 14])
def test_few_and_many_settings(tmp_path, count):
    rng = np.random.default_rng(0)
    space = [
        {"name": f"a_setting_{i}", "kind": "Float", "min": 0, "max": 1, "default": 0.5}
        for i in range(count)
    ]
    rows = [
        {"score": float(rng.uniform()), **{row["name"]: rng.uniform() for row in space}}
        for _ in range(12)
    ]
    place = write_search(tmp_path, rows, space=space)
    assert len(write_report(place)) == 6
    panels = [axes for axes in drawn(figures.effects, read_search(place)).axes if axes.axison]
    assert len(panels) == count


@pytest.mark.exhaustive
def test_settings_of_one_value_and_unknown_cells(tmp_path):
    rows = [{"score": 0.5 + number / 100, **row} for number, row in enumerate(drawn_values(12))]
    for number, row in enumerate(rows):
        row |= {"units": 64, "bn": "", "shape": "gelu", "dropout": "" if number % 2 else 0.1}
        row |= {"parameters": "", "seconds": "" if number else 1.0}
    paths = write_report(write_search(tmp_path, rows))
    shown = {
        row[0]: row for row in table_after(paths[0].read_text(), "## Importance of hyperparameters")
    }
    assert shown["units"][2:] == ["", "only 64", ""]
    assert shown["shape"][2:] == ["", "only gelu", ""]
    assert shown["bn"][2:] == ["", "", ""]
    assert len(paths) == 6


@pytest.mark.exhaustive
def test_hundreds_of_trials_and_scores_over_orders_of_magnitude(tmp_path):
    rows = [
        {"score": 1e-3 * 10 ** (5 * row["dropout"]), **row, "spread": 0.1}
        for row in drawn_values(300)
    ]
    place = write_search(tmp_path, rows, direction="min", objective="val_mse")
    assert len(write_report(place)) == 6
    assert drawn(figures.objective, read_search(place)).axes[0].get_yscale() == "log"


def test_a_hostile_message_and_hostile_values_break_no_table_and_no_picture(tmp_path):
    nasty = "a|b\nsecond | line\r\n<script>`$x$\\|"
    space = [{"name": "shape", "kind": "Choice", "values": [nasty, "$_^"], "default": "$_^"}]
    rows = [
        {"score": None, "message": nasty, "shape": nasty},
        {"score": 0.5, "shape": nasty},
        {"score": 0.7, "shape": "$_^"},
    ]
    best = {"trial": "0002", "score": 0.7, "values": {"shape": nasty}, "retrained": {"seeds": 0}}
    place = write_search(tmp_path, rows, space=space, best=best)
    text = write_report(place)[0].read_text()
    (failed,) = table_after(text, "## Failed trials")
    assert failed[0] == "0000"
    assert failed[1] == "a&#124;b second &#124; line &lt;script&gt;`$x$\\&#124;"
    assert {len(row) for row in table_after(text, "## Best 2 trials")} == {7}
    assert {len(row) for row in table_after(text, "## Importance of hyperparameters")} == {5}
    assert "## Retrained" not in text


@pytest.mark.exhaustive
def test_figures_after_training_anew_stand_beside_the_trials_score(tmp_path):
    retrained = {"seeds": 3, "val_accuracy": [0.85, 0.02], "test_accuracy": [0.84, 0.01]}
    best = {"trial": "0001", "score": 0.9, "values": {"units": 8}, "retrained": retrained}
    rows = [{"score": 0.5, **DEFAULTS}, {"score": 0.9, **DEFAULTS}]
    text = write_report(write_search(tmp_path, rows, best=best))[0].read_text()
    assert "Trial 0001 (seeds: 3): units=8." in text
    assert table_after(text, "## Retrained") == [
        ["val_accuracy of the trial", "0.9", ""],
        ["val_accuracy", "0.85", "0.02"],
        ["test_accuracy", "0.84", "0.01"],
    ]
    assert "val_accuracy is 0.05 below the trial's score (2.5 standard deviations)." in text


def test_the_pareto_front_equals_brute_force():
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 5, 40):
        for _ in range(20):
            costs, merits = rng.integers(8, size=(2, size)).tolist()
            points = list(zip(costs, merits, strict=True))
            expected = {
                i
                for i, (cost, merit) in enumerate(points)
                if not any(c <= cost and m >= merit and (c, m) != (cost, merit) for c, m in points)
            }
            found = figures.pareto(costs, merits)
            assert set(found) == expected
            assert len(found) == len(expected)
            assert sorted(found, key=lambda i: costs[i]) == found


def test_the_scores_in_order_can_be_read_back(search):
    (axes,) = drawn(figures.objective, search).axes
    lines = {line.get_label(): line for line in axes.lines}
    numbers = [int(trial.name) for trial in search.completed]
    scores = [trial.score for trial in search.completed]
    (points,) = (box.lines[0] for box in axes.containers)
    assert points.get_xdata().tolist() == numbers
    assert points.get_ydata().tolist() == scores
    so_far = lines["best so far"].get_ydata().tolist()
    assert so_far == [max(scores[: i + 1]) for i in range(len(scores))] + [max(scores)]
    assert lines["failed"].get_xdata().tolist() == [int(trial.name) for trial in search.failed]
    (star,) = axes.collections[-1].get_offsets().tolist()
    assert star == [numbers[scores.index(max(scores))], max(scores)]


def test_the_scores_against_a_setting_can_be_read_back(search):
    panels = {
        axes.get_xlabel(): axes for axes in drawn(figures.effects, search).axes if axes.axison
    }
    assert list(panels) == list(DEFAULTS)
    for setting in search.hyperparameters:
        axes = panels[setting.name]
        assert axes.get_xscale() == ("log" if setting.is_log else "linear")
        expected = [setting.encode(trial.values[setting.name]) for trial in search.completed]
        found = axes.lines[0].get_xdata()
        apart = np.abs(found - expected).max()
        assert 0 < apart <= figures.JITTER if setting.choices else apart == 0
        assert axes.lines[0].get_ydata().tolist() == [trial.score for trial in search.completed]
        means = [line.get_ydata()[0] for line in axes.lines[1:]]
        assert means == pytest.approx(
            [np.mean([t.score for t in trials]) for _, trials in search.levels(setting)]
        )
    ticks = [text.get_text() for text in panels["shape"].get_xticklabels()]
    assert ticks == SHAPE["values"]


def test_the_bars_are_the_importances(search):
    (axes,) = drawn(figures.importance, search).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    widths = [bar.get_width() for bar in axes.patches]
    assert dict(zip(names, widths, strict=True)) == search.importance.means
    assert widths == sorted(widths)


def test_the_lines_of_parallel_coordinates_run_through_the_values(search):
    axes = drawn(figures.parallel, search).axes[0]
    lines = axes.collections[0]
    worst_first = search.ranked[::-1]
    assert lines.get_array().tolist() == [trial.score for trial in worst_first]
    widths = lines.get_linewidths()
    assert list(widths) == sorted(widths)
    assert widths[-1] > 2 * widths[0]
    heights = np.array([segment[:, 1] for segment in lines.get_segments()])
    rates = np.log10([trial.values["learning_rate"] for trial in worst_first])
    np.testing.assert_allclose(heights[:, 1], (rates - rates.min()) / np.ptp(rates))
    choices = [SHAPE["values"].index(trial.values["shape"]) for trial in worst_first]
    assert np.floor(3 * heights[:, 3]).tolist() == choices
    assert heights[-1, -1] == 1


def test_learning_curves_can_be_read_back_and_the_best_is_thickest(tmp_path):
    rows = [{"score": score, **DEFAULTS} for score in (0.5, 0.9, None)]
    write_search(tmp_path, rows)
    write_curve(tmp_path, "0000", [0.1, 0.5])
    write_curve(tmp_path, "trial_0001", [0.2, 0.91], execution=1)
    write_curve(tmp_path, "trial_0001", [0.3, 0.89], execution=2)
    write_curve(tmp_path, "0002", [])
    (axes,) = drawn(figures.curves, read_search(tmp_path)).axes
    lines = [line for line in axes.lines if len(line.get_xdata())]
    assert [(line.get_linewidth(), line.get_ydata().tolist()) for line in lines] == [
        (1, [0.1, 0.5]), (1, [0.2, 0.91]), (1, [0.3, 0.89]), (3, [0.2, 0.91]), (3, [0.3, 0.89]),
    ]  # fmt: skip
    assert {tuple(line.get_xdata()) for line in lines} == {(1, 2)}
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["completed", "best: trial 0001"]


def test_costs_and_the_front_can_be_read_back(search):
    for axes, key in zip(drawn(figures.cost, search).axes, figures.COSTS, strict=True):
        points, front = axes.lines
        assert points.get_xdata().tolist() == [getattr(trial, key) for trial in search.completed]
        assert points.get_ydata().tolist() == [trial.score for trial in search.completed]
        assert max(front.get_ydata()) == search.ranked[0].score
        assert len(axes.texts) == len(front.get_xdata())


def test_every_axis_has_a_name(search):
    for panel in (figures.objective, figures.importance, figures.curves, figures.cost):
        figure = drawn(panel, search)
        assert all(axes.get_xlabel() for axes in figure.axes)
        assert figure.axes[0].get_ylabel()
        assert figure.get_suptitle()
    unit = "val_accuracy [fraction of correct predictions]"
    assert drawn(figures.effects, search).get_supylabel() == unit


@pytest.mark.exhaustive
def test_tensorboard_has_a_run_a_completed_trial_with_values_and_score(folder, paths, search):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata
    from tensorboard.util import tensor_util

    write_report(folder)  # a second time: the logs are replaced
    places = sorted((folder / "tensorboard").iterdir())
    assert [place.name for place in places] == [trial.name for trial in search.completed]
    for place, trial in zip(places, search.completed, strict=True):
        assert len(list(place.iterdir())) == 1
        log = EventAccumulator(str(place))
        log.Reload()
        (event,) = log.Tensors("val_accuracy")
        assert event.step == 3
        assert tensor_util.make_ndarray(event.tensor_proto) == pytest.approx(trial.score)
        content = log.PluginTagToContent(metadata.PLUGIN_NAME)[metadata.SESSION_START_INFO_TAG]
        told = metadata.parse_session_start_info_plugin_data(content)
        values = {name: getattr(v, v.WhichOneof("kind")) for name, v in told.hparams.items()}
        assert values == trial.values
        assert isinstance(values["bn"], bool)


@pytest.mark.exhaustive
def test_logs_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch):
    import tensorflow as tf

    def fail(*args, **kwargs):
        raise OSError("disk full")

    write_report(write_search(tmp_path, [{"score": 0.5, **DEFAULTS}]))
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(tf.summary, "scalar", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_search_or_damaged_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(SearchError, match=r"it has no search\.json"):
        write_report(tmp_path)
    write_search(tmp_path, [{"score": 0.5, **DEFAULTS}])
    (tmp_path / "trials.csv").rename(tmp_path / "kept.csv")
    with pytest.raises(SearchError, match=r"it has no trials\.csv"):
        write_report(tmp_path)
    text = (tmp_path / "kept.csv").read_text()
    (tmp_path / "trials.csv").write_text(text.replace("relu", "swish"))
    with pytest.raises(RunError, match=r"trials\.csv is damaged"):
        write_report(tmp_path)
    (tmp_path / "search.json").write_text('{"model": "mlp"}')
    with pytest.raises(RunError, match=r"search\.json is damaged"):
        write_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"search.json", "trials.csv", "kept.csv"}


@pytest.mark.parametrize("module", ["report", "figures"])
def test_heavy_packages_are_imported_where_they_are_used(module):
    tree = ast.parse((Path(__file__).parents[1] / "tuning" / f"{module}.py").read_text())
    early = {
        name.partition(".")[0]
        for node in tree.body
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in getattr(node, "names", [])]
        )
    }
    assert not early & {"matplotlib", "sklearn", "tensorboard", "tensorflow", "keras_tuner"}


def test_the_html_report_holds_the_page_every_picture_and_the_scores(folder, paths, search):
    from tuning.html_report import write_html_report

    page = Page(write_html_report(folder))
    require_self_contained(page)
    assert len(page.alts) == len(PICTURES)
    for heading in re.findall(r"^##+ (.+)$", paths[0].read_text(), re.MULTILINE):
        assert heading in page.said
    by_trial = {trial.name: trial for trial in search.trials}
    scores = [chart for chart in page.charts if "name" in chart_rows(chart)[0]]
    assert len(scores) == 3 + len(search.hyperparameters)
    for chart in scores:
        assert len(chart_rows(chart)) == len(search.completed)
        for row in chart_rows(chart):
            trial = by_trial[row["name"]]
            assert row["score"] == trial.score
            assert row["value_units"] == trial.values["units"]
    (curves,) = (chart for chart in page.charts if "run" in chart_rows(chart)[0])
    assert len(chart_rows(curves)) == 3 * len(search.completed)
