"""Trains the systems of the course, and what its questions ask for, one after the other.

What is finished is not trained again, and what was interrupted goes on after its last epoch: the
results file says what is finished, and each training has a run directory. A setting with several
values, as the course swept some, is decided on validation rows or folds before the training that
reads the test split.
"""

import datetime
import gc
import itertools
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.course.definitions import WAYS, System, Training
from zoo.course.exercises import QUESTIONS
from zoo.course.results import Result, keep_result, read_results, results_of, run_directory
from zoo.course.systems import SYSTEMS
from zoo.errors import CourseError, DatasetError, OutOfReachError, WeightsError
from zoo.evaluation.word_vectors import Embeddings, read_analogies
from zoo.registry import defaults_of, get_spec
from zoo.runs import Run, load_run
from zoo.runs.files import exclusive_lock
from zoo.training import train
from zoo.training.callbacks import StopRule
from zoo.training.config import load_run_data, resolve_config, seed_and_build, split_overrides
from zoo.training.loop import fit_in
from zoo.training.resuming import require_same_config

_ON_VALIDATION = ("accuracy on validation", ("val_accuracy",))
CURVES = {
    "test_accuracy": _ON_VALIDATION,
    "best_val_accuracy": _ON_VALIDATION,
    "cv_accuracy": _ON_VALIDATION,
    "train_accuracy": ("accuracy in training", ("accuracy",)),
    "test_mse": ("squared error on validation", ("val_mse",)),
    "train_nats": ("nats in training", ("reconstruction_loss", "kl_loss")),
}
ANALOGIES = (
    (("man", "woman", "king"), "queen", ("soldier", "prophet")),
    (("germany", "berlin", "italy"), "rome", ("spain", "france")),
)
AMONG = 10
WIDE_EPOCHS = 10
ENVIRONMENT = ("cores", "python", "tensorflow", "keras", "devices")


def training_runs_of(systems: Sequence[System], way: str) -> list[Training]:
    """Gives the trainings of systems, and those that questions need where all systems are asked.

    Args:
        systems: of the course.
        way: ``"ours"`` or ``"taught"``.

    Returns:
        Each once.
    """
    trainings = [system.training(way) for system in systems]
    if way == "ours" and len(systems) == len(SYSTEMS):
        trainings += [s.training for question in QUESTIONS.values() for s in question.shown]
    return list({training.name: training for training in trainings}.values())


def run_experiments(
    trainings: Sequence[Training],
    directory: Path,
    *,
    seeds: int = 1,
    data_dir: str | Path | None = None,
    progress: bool = True,
) -> None:
    """Trains what is not finished, and writes down each result when it is.

    Args:
        trainings: what.
        directory: of the course.
        seeds: how many, from 0.
        data_dir: where TFDS keeps its data; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if
            None.
        progress: shows on standard error how far it is.

    Raises:
        CourseError: if a result there has other settings.
        OutOfReachError: when all else is done, if data or weights could not be had.
        RunError: if another process is at work there, or a training begun has other settings.
        ZooError: as `zoo.train` says.
        KeyboardInterrupt: if the user stops it; says how to go on.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it wonders at so many functions
    for training in trainings:
        _refuse_other_settings(training, directory)
    directory.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(directory):
        missing = [
            (training, seed)
            for seed in range(seeds)
            for training in trainings
            if not _is_finished(training, seed, directory)
        ]
        _train_missing(missing, directory, data_dir, progress)


def _train_missing(
    missing: Sequence[tuple[Training, int]],
    directory: Path,
    data_dir: str | Path | None,
    progress: bool,
) -> None:
    out_of_reach = defaultdict(list)
    for number, (training, seed) in enumerate(missing, 1):
        if progress:
            print(f"{number} of {len(missing)}: {training.name}, seed {seed}", file=sys.stderr)
        try:
            keep_result(directory, _result(training, seed, directory, data_dir, progress))
        except (DatasetError, WeightsError) as error:
            out_of_reach[str(error)].append(training.name)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command goes on where it was") from None
        finally:
            keras.utils.clear_session()
            gc.collect()
    if out_of_reach:
        done = len(missing) - sum(map(len, out_of_reach.values()))
        reasons = "; ".join(
            f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in out_of_reach.items()
        )
        raise OutOfReachError(f"{done} of {len(missing)} done; {reasons}")


def _is_finished(training: Training, seed: int, directory: Path) -> bool:
    return any(r.seed == seed for r in results_of(training, read_results(directory)))


def _refuse_other_settings(training: Training, directory: Path) -> None:
    for result in results_of(training, read_results(directory)):
        held, asked = result.settings, settings_in_full(training)
        others = [
            f"{key}={held.get(key)!r} ({value!r} is asked)"
            for key, value in asked.items()
            if held.get(key) != value
        ]
        if others:
            raise CourseError(
                f"{directory} has a result of {training.name} with other settings, "
                f"{', '.join(others)}: choose another directory."
            )


def settings_in_full(training: Training) -> dict[str, Any]:
    """Gives every setting of a training, those that it leaves at their defaults, too.

    Args:
        training: any.

    Returns:
        Arguments of the builder and fields of the recipe, as JSON keeps them: a list holds values
        of which the best is to be found first.
    """
    swept = _swept(training)
    fixed = {key: value for key, value in training.settings.items() if key not in swept}
    overrides, _ = split_stop_rule(fixed)
    recipe, arguments = split_overrides(get_spec(training.model), overrides)
    in_full = {
        **defaults_of(training.model), "max_gap": 0.0, **recipe.settings(), **arguments, **fixed,
        **swept,
    }  # fmt: skip
    return {key: list(v) if isinstance(v, tuple) else v for key, v in in_full.items()}


def split_stop_rule(settings: Mapping[str, Any]) -> tuple[dict[str, Any], StopRule | None]:
    """Split the course's stop rule off the settings of a training run.

    The course stopped after the tenth epoch, in all, whose validation loss exceeded its training
    loss by more than ``max_gap``. The rule is kept to be compared with `patience`: it stops a
    better network sooner if its gap is wider.

    Args:
        settings: settings of a training run, which may have a ``max_gap``.

    Returns:
        The other settings, and the rule; None without a ``max_gap``.
    """
    others = {key: value for key, value in settings.items() if key != "max_gap"}
    max_gap = settings.get("max_gap")
    if not max_gap:
        return others, None
    return (
        others,
        lambda rows: WIDE_EPOCHS <= sum(row["val_loss"] - row["loss"] > max_gap for row in rows),
    )


def _swept(training: Training) -> dict[str, Any]:
    return {key: value for key, value in training.settings.items() if isinstance(value, tuple)}


def _result(
    training: Training, seed: int, directory: Path, data_dir: str | Path | None, progress: bool
) -> Result:
    place = run_directory(directory, training, seed)
    choice = place.parent / f"{seed}-choice"
    chosen, figures, seconds = _choose(training, seed, choice, data_dir, progress)
    overrides, stop_rule = split_stop_rule({**training.settings, **chosen})
    begun = (place / "config.json").exists()
    if begun:
        asked = resolve_config(training.model, training.dataset, data_dir, seed, overrides)
        require_same_config(load_run(place), asked)
    run = train(
        training.model,
        dataset=training.dataset,
        data_dir=data_dir,
        seed=seed,
        run_dir=place,
        resume=begun,
        stop_rule=stop_rule,
        progress=progress,
        **overrides,
    )
    return Result(
        training=training.name,
        seed=seed,
        settings=settings_in_full(training),
        chosen=chosen,
        dataset=run.config["dataset_version"],
        parameters=run.config["parameters"],
        epochs=run.metrics["epochs"],
        seconds=round(run.metrics["seconds"] + seconds, 1),
        figures=figures_of(run) | figures | _time_to_course(training, run, seconds),
        environment={key: run.config["environment"][key] for key in ENVIRONMENT},
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _choose(
    training: Training, seed: int, place: Path, data_dir: str | Path | None, progress: bool
) -> tuple[dict[str, Any], dict[str, float], float]:
    """Finds the best of several values: those, the score if it is of folds, and the seconds."""
    swept = _swept(training)
    if not swept:
        return {}, {}, 0.0
    folds: list[tuple[int, int] | None] = [None]
    if training.folds:
        folds = [(number, training.folds) for number in range(1, training.folds + 1)]
    candidates = [
        dict(zip(swept, values, strict=True)) for values in itertools.product(*swept.values())
    ]
    scores, seconds = [], 0.0
    for candidate, values in enumerate(candidates, 1):
        if progress:
            print(f"choice {candidate} of {len(candidates)}: {values}", file=sys.stderr)
        settings = resolve_config(
            training.model, training.dataset, data_dir, seed, {**training.settings, **values}
        )
        rows = [
            fit_in(
                place / f"{candidate}-{number}",
                settings,
                seed_and_build(settings),
                load_run_data(settings, data_dir, fold),
                fold,
            )
            for number, fold in enumerate(folds, 1)
        ]
        scores.append(float(np.mean([row["val_accuracy"] for row in rows])))
        seconds += sum(row["seconds"] for row in rows)
    best = int(np.argmax(scores))
    return candidates[best], {"cv_accuracy": scores[best]} if training.folds else {}, seconds


def figures_of(run: Run) -> dict[str, float]:
    """Gives what a run has reached, by name.

    Args:
        run: finished.

    Returns:
        Its ``val_*`` and ``test_*``; of the epoch kept ``train_*``, and the outputs for rows of a
        truth table; and, where they are defined, the quantities of `zoo.course.systems.QUANTITIES`.
    """
    history, metrics = run.history, run.metrics
    kept = metrics["best_epoch"] if run.config["recipe"]["patience"] else metrics["epochs"]
    figures = {k: float(v) for k, v in metrics.items() if k.startswith(("val_", "test_"))}
    for name, values in history.items():
        if name.startswith("output_"):
            figures[name] = values[kept - 1]
        elif not name.startswith(("val_", "epoch", "seconds")):
            figures[f"train_{name}"] = values[kept - 1]
    if "val_accuracy" in history:
        figures["best_val_accuracy"] = max(history["val_accuracy"])
    if "kl_loss" in history:
        figures["train_nats"] = curve(history, "train_nats")[kept - 1]
    if run.config["dataset"]["name"] == "imdb_reviews":
        figures |= _analogies(Embeddings.of(run))
    return figures


def _analogies(words: Embeddings) -> dict[str, float]:
    asked = {word for question, answer, wrong in ANALOGIES for word in (*question, answer, *wrong)}
    if not asked <= set(words.words):  # a small vocabulary
        return {}
    right = 0
    for (one, other, third), answer, wrong in ANALOGIES:
        way = words.vector(other) - words.vector(one)

        def likeness(word: str, way: np.ndarray = way, third: str = third) -> float:
            return _cosine(way, words.vector(word) - words.vector(third))

        right += likeness(answer) > max(map(likeness, wrong))
    of_list = words.evaluate(read_analogies(), k=AMONG)
    return {"analogies": float(right), "analogies_of_list": of_list.accuracy}


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def curve(history: Mapping[str, Sequence[float]], quantity: str) -> list[float]:
    """Gives what of a history is nearest to a quantity, epoch by epoch.

    Args:
        history: of a run.
        quantity: key of `zoo.course.systems.QUANTITIES`.

    Returns:
        One number an epoch; none where nothing of the history is near.
    """
    _, names = CURVES.get(quantity, ("", ()))
    if not names or not set(names) <= history.keys():
        return []
    return [sum(parts) for parts in zip(*(history[name] for name in names), strict=True)]


def _time_to_course(training: Training, run: Run, earlier: float) -> dict[str, float]:
    """Gives the seconds after which a system was first as good as the course's, if ever."""
    for system in SYSTEMS.values():
        if not system.shares and training.name in {system.training(way).name for way in WAYS}:
            reached_by = curve(run.history, system.quantity)
            for seconds, reached in zip(run.history["seconds"], reached_by, strict=True):
                if reached == system.course or system.beaten_by(reached):
                    return {"seconds_to_course": round(earlier + seconds, 1)}
    return {}
