"""The algorithms, as keras-tuner's oracles that survive being killed, and know when to stop."""

import dataclasses
import functools
import itertools
import json
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine import trial as trials

from tuning.plan import Plan
from tuning.space import space_of
from zoo.runs.files import write_json

RUNNING, STOPPED, IDLE = (
    trials.TrialStatus.RUNNING,
    trials.TrialStatus.STOPPED,
    trials.TrialStatus.IDLE,
)
COMPLETED, FAILED, INVALID = (
    trials.TrialStatus.COMPLETED,
    trials.TrialStatus.FAILED,
    trials.TrialStatus.INVALID,
)
SILENCE = 60.0
MOST_DEATHS = 3
NEVER = 10**9
LEAST_DRAWN = 3

P = ParamSpec("P")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Limits:
    """When a search is over.

    Attributes:
        trials: how many begin at most; None for as many as the algorithm has.
        seconds: no trial begins later than this, all sessions of the search together; None for
            no limit.
        stop_on_error: whether a trial that fails by an error, and not by a loss that stops being
            finite, is the last.
    """

    trials: int | None = None
    seconds: float | None = None
    stop_on_error: bool = True


def synchronized(method: Callable[P, T]) -> Callable[P, T]:
    """Lets one thread at a time into an oracle, by keras-tuner's decorator of this name.

    That one keeps its lock when a method raises, and the next thread waits for ever.

    Args:
        method: of an oracle.
    """

    @keras_tuner.synchronized
    def outcome(*args: P.args, **kwargs: P.kwargs) -> tuple[T | None, BaseException | None]:
        try:
            return method(*args, **kwargs), None
        except BaseException as error:
            return None, error

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        answer, error = outcome(*args, **kwargs)
        if error is not None:
            raise error
        return answer

    return call


class _Durable(keras_tuner.Oracle):
    """What keras-tuner's oracles lack.

    The whole state, trials included, is one file, written whole or not at all after every step,
    so that a search that is killed goes on where it was. The first trial has the defaults. A
    trial whose worker falls silent is given to another, and if the lost one says later that it
    failed, it is not heard.
    """

    path: Path
    limits: Limits = Limits()
    on_end: Callable[[Any], None] = staticmethod(lambda trial: None)

    def prepare(self, path: Path, limits: Limits) -> None:
        """Says where the state is kept and when the search is over, and takes up what is there.

        Args:
            path: the file of the state.
            limits: when the search is over.
        """
        self.path, self.limits = path, limits
        self.max_trials = None  # the limits know
        self.began, self.earlier_seconds = time.monotonic(), 0.0
        self.errors: list[str] = []
        self.deaths: dict[str, int] = {}
        self.lost: Counter[str] = Counter()
        self.heard: dict[str, float] = {}
        self.has_no_more = False
        self.verbose = 0
        if path.exists():
            self.reload()

    def save(self) -> None:
        """Writes the state."""
        known = {
            "oracle": self.get_state(),
            "trials": [trial.get_state() for trial in self.trials.values()],
            "errors": self.errors,
            "deaths": self.deaths,
            "seconds": self.seconds,
        }
        write_json(self.path, known)

    def _save_trial(self, trial: Any) -> None:
        """Leaves it to the one file."""

    def reload(self) -> None:
        """Reads the state; trials under way keep their workers until these fall silent."""
        known = json.loads(self.path.read_text())
        for state in known["trials"]:
            trial = trials.Trial.from_state(state)
            self.trials[trial.trial_id] = trial
        self.set_state(known["oracle"])
        self.errors, self.deaths = known["errors"], known["deaths"]
        self.earlier_seconds = known["seconds"]
        for tuner_id, trial in list(self.ongoing_trials.items()):
            self.heard[trial.trial_id] = time.monotonic()
            if trial.trial_id in self.end_order:
                del self.ongoing_trials[tuner_id]

    @property
    def seconds(self) -> float:
        """How long the search has gone on, in all its sessions."""
        return self.earlier_seconds + time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        """Whether no trial is to begin, whatever the algorithm has left."""
        limits = self.limits
        is_late = limits.seconds is not None and self.seconds >= limits.seconds
        is_full = limits.trials is not None and len(self.trials) >= limits.trials
        is_broken = limits.stop_on_error and bool(self.errors)
        return is_late or is_broken or (is_full and not self._retry_queue)

    @property
    def is_done(self) -> bool:
        """Whether the last trial has ended."""
        has_no_more = self.has_no_more and not self._retry_queue
        return (self.is_over or has_no_more) and not self.ongoing_trials

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Gives the values of a trial: the first has the defaults."""
        answer = super().populate_space(trial_id)
        if not self.start_order and answer["status"] == RUNNING:
            defaults = {setting.name: setting.default for setting in self.get_space().space}
            answer["values"] = {**answer["values"], **defaults}
        return answer

    @synchronized
    def create_trial(self, tuner_id: str) -> Any:
        """Gives a worker its trial; the one that it has not ended, if there is such a one."""
        if self.is_over and tuner_id not in self.ongoing_trials:
            self.tuner_ids.discard(tuner_id)
            return trials.Trial(self.get_space(), trial_id="", status=STOPPED)
        trial = super().create_trial(tuner_id)
        self.has_no_more = trial.status == STOPPED
        self.heard[trial.trial_id] = time.monotonic()
        return trial

    @synchronized
    def get_trial(self, trial_id: str) -> Any:
        """Gives a trial, and takes the question as a sign that its worker lives."""
        self.heard[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Any:
        """Takes the figures of a trial that is under way."""
        if trial_id in self.end_order:
            return self.trials[trial_id]
        trial = super().update_trial(trial_id, metrics, step)
        self.save()
        return trial

    @synchronized
    def end_trial(self, trial: Any) -> None:
        """Ends a trial that is under way; one that has ended already stays as it is.

        The failure of a trial that was passed on may be that of the lost worker: the first one is
        not heard, and whoever has the trial now tries it again if it was its own.
        """
        if trial.trial_id in self.end_order:
            return
        if trial.status == INVALID and self.lost[trial.trial_id]:
            self.lost[trial.trial_id] -= 1
            return
        if trial.status == INVALID:
            self.errors.append(trial.trial_id)
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        self.on_end(self.trials[trial.trial_id])

    @synchronized
    def bury(self, tuner_id: str, reason: str) -> None:
        """Notes that a worker died; a trial that has cost three their lives has failed.

        Args:
            tuner_id: the worker.
            reason: what it died of.
        """
        trial = self.ongoing_trials.get(tuner_id)
        if trial is None:
            return
        self.heard[trial.trial_id] = time.monotonic()  # who follows has yet to start
        self.deaths[trial.trial_id] = self.deaths.get(trial.trial_id, 0) + 1
        if self.deaths[trial.trial_id] >= MOST_DEATHS:
            self.lost.pop(trial.trial_id, None)
            told = trials.Trial(trial.hyperparameters, trial.trial_id, INVALID, reason)
            self.end_trial(told)

    @synchronized
    def silent(self, patience: float = SILENCE) -> list[str]:
        """Names the workers that have a trial and have not been heard of.

        Args:
            patience: for so many seconds.
        """
        now = time.monotonic()
        return [
            tuner_id
            for tuner_id, trial in self.ongoing_trials.items()
            if now - self.heard[trial.trial_id] >= patience
        ]

    @synchronized
    def take_back(self, tuner_id: str) -> None:
        """Has the trial of a worker that is gone run again by another.

        Args:
            tuner_id: the worker.
        """
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is not None:
            self._retry_queue.append(trial.trial_id)
            self.save()

    @synchronized
    def pass_on(self, tuner_id: str) -> None:
        """Has the trial of a worker that is not heard of, but may live, run again by another.

        Args:
            tuner_id: the worker.
        """
        trial = self.ongoing_trials.get(tuner_id)
        if trial is not None:
            self.lost[trial.trial_id] += 1
            self.take_back(tuner_id)


class _Grid(keras_tuner.Oracle):
    """Every combination of values in turn, the last setting changing fastest.

    keras-tuner's own grid forgets where it was when it is reloaded.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Gives the combination whose number is that of the trials before it."""
        names = [setting.name for setting in self.get_space().space]
        rest = itertools.islice(grid_of(self.get_space()), len(self.start_order), None)
        for values in rest:
            return {"status": RUNNING, "values": dict(zip(names, values, strict=True))}
        return {"status": IDLE if self.ongoing_trials else STOPPED, "values": None}


def grid_of(space: Any) -> "itertools.product[tuple[Any, ...]]":
    """Gives the combinations of a space's values, the default first in each setting.

    Args:
        space: keras-tuner's; a number without a step is taken at ten values.
    """
    return itertools.product(*map(_levels, space.space))


def size_of_grid(space: Any) -> int:
    """Counts the combinations of a space's values.

    Args:
        space: keras-tuner's.
    """
    return math.prod(len(_levels(setting)) for setting in space.space)


def _levels(setting: Any) -> list[Any]:
    rest = [value for value in setting.values if value != setting.default]
    return [setting.default, *rest]


class RandomOracle(_Durable, oracles.RandomSearchOracle):
    """Values drawn at random."""


class GridOracle(_Durable, _Grid):
    """Every combination of values."""


class BayesianOracle(_Durable, oracles.BayesianOptimizationOracle):
    """Values where a Gaussian process expects most."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Gives the values of a trial, without saying that a few make an uncertain process."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().populate_space(trial_id)


class HyperbandOracle(_Durable, oracles.HyperbandOracle):
    """Many short trainings, the best of which are repeated with more epochs."""


ALGORITHMS = {
    "random": RandomOracle,
    "grid": GridOracle,
    "bayesian": BayesianOracle,
    "hyperband": HyperbandOracle,
}


def make_oracle(plan: Plan, is_limited: bool) -> Any:
    """Makes the oracle of a search.

    Args:
        plan: of the search.
        is_limited: whether trials or time end it; Hyperband, which goes through its brackets once
            otherwise, then begins again and again.
    """
    space = space_of(plan.model, plan.changes)
    options: dict[str, Any] = {}
    if plan.algorithm == "hyperband":
        rounds = NEVER if is_limited else 1
        options = {"max_epochs": plan.epochs, "hyperband_iterations": rounds}
    elif plan.algorithm == "bayesian":
        options = {"num_initial_points": max(LEAST_DRAWN, len(space.space))}
    return ALGORITHMS[plan.algorithm](
        objective=keras_tuner.Objective(plan.objective, plan.direction),
        hyperparameters=space,
        allow_new_entries=False,
        tune_new_entries=False,
        seed=plan.seed + 1,  # keras-tuner takes 0 for none
        max_consecutive_failed_trials=NEVER,
        **options,
    )
