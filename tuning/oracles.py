"""Search algorithms: keras-tuner's oracles and Optuna's, made resumable and given limits."""

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
from keras_tuner.engine.trial import Trial, TrialStatus

from tuning.optuna_search import OptunaSearch
from tuning.plan import Plan
from tuning.space import search_space
from zoo.runs.files import write_json

WORKER_TIMEOUT = 60.0
MAX_WORKER_DEATHS = 3
MIN_INITIAL_POINTS = 3
UNLIMITED = 10**9

P = ParamSpec("P")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Limits:
    """When a search stops.

    Attributes:
        trials: maximum number of trials; None for as many as the algorithm proposes.
        seconds: duration, over all sessions of the search, after which no trial starts; None for
            no limit.
        stop_on_error: whether the search stops after a trial that raises an error, other than a
            loss that is no longer finite.
    """

    trials: int | None = None
    seconds: float | None = None
    stop_on_error: bool = True


def synchronized(method: Callable[P, T]) -> Callable[P, T]:
    """Decorate an oracle's method to be run by one thread at a time.

    Unlike `keras_tuner.synchronized`, which it uses, it releases the lock if the method raises.

    Args:
        method: method of an oracle.
    """

    @keras_tuner.synchronized
    def capture(*args: P.args, **kwargs: P.kwargs) -> tuple[T | None, BaseException | None]:
        try:
            return method(*args, **kwargs), None
        except BaseException as error:
            return None, error

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        result, error = capture(*args, **kwargs)
        if error is not None:
            raise error
        return result

    return call


class _ResumableOracle(keras_tuner.Oracle):
    """Mixin that makes an oracle resumable and tolerant of lost workers.

    The whole state, trials included, is one file, which is replaced atomically after every step,
    and from which a search that was killed resumes. The first trial has the defaults. A trial
    whose worker stops responding is reassigned; if the lost worker reports a failure later, the
    report is ignored.
    """

    path: Path
    limits: Limits = Limits()
    on_trial_end: Callable[[Any], None] = staticmethod(lambda trial: None)

    def prepare(self, path: Path, limits: Limits) -> None:
        """Set state file and limits, and load the state if the file exists.

        Args:
            path: state file.
            limits: limits of the search.
        """
        self.path, self.limits = path, limits
        self.max_trials = None  # the limits hold it
        self.start_time, self.previous_seconds = time.monotonic(), 0.0
        self.errors: list[str] = []
        self.worker_deaths: dict[str, int] = {}
        self.reassigned: Counter[str] = Counter()
        self.requeued: list[str] = []
        self.last_seen: dict[str, float] = {}
        self.is_exhausted = False
        self.verbose = 0
        if path.exists():
            self.reload()

    def get_state(self) -> dict[str, Any]:
        """Return the algorithm's state, with the trials that wait to be run again."""
        return {**super().get_state(), "retry_queue": self.requeued}

    def set_state(self, state: dict[str, Any]) -> None:
        """Set the algorithm's state.

        Args:
            state: state as `get_state` returns it.
        """
        self.requeued = state["retry_queue"]
        super().set_state({**state, "retry_queue": []})

    def save(self) -> None:
        """Write the state."""
        state = {
            "oracle": self.get_state(),
            "trials": [trial.get_state() for trial in self.trials.values()],
            "errors": self.errors,
            "deaths": self.worker_deaths,
            "seconds": self.elapsed_seconds,
        }
        write_json(self.path, state)

    def _save_trial(self, trial: Any) -> None:
        """Do nothing: `save` writes the trials, too. keras-tuner has no public hook for this."""

    def reload(self) -> None:
        """Read the state; ongoing trials keep their workers until these time out."""
        state = json.loads(self.path.read_text())
        for trial_state in state["trials"]:
            trial = Trial.from_state(trial_state)
            self.trials[trial.trial_id] = trial
        self.set_state(state["oracle"])
        self.errors, self.worker_deaths = state["errors"], state["deaths"]
        self.previous_seconds = state["seconds"]
        for tuner_id, trial in list(self.ongoing_trials.items()):
            self.last_seen[trial.trial_id] = time.monotonic()
            if trial.trial_id in self.end_order:
                del self.ongoing_trials[tuner_id]

    @property
    def elapsed_seconds(self) -> float:
        """Duration of the search over all its sessions."""
        return self.previous_seconds + time.monotonic() - self.start_time

    @property
    def should_stop(self) -> bool:
        """Whether the limits allow no further trial."""
        limits = self.limits
        is_late = limits.seconds is not None and self.elapsed_seconds >= limits.seconds
        is_full = limits.trials is not None and len(self.trials) >= limits.trials
        has_error = limits.stop_on_error and bool(self.errors)
        return is_late or has_error or (is_full and not self.requeued)

    @property
    def is_finished(self) -> bool:
        """Whether the last trial has ended."""
        is_exhausted = self.is_exhausted and not self.requeued
        return (self.should_stop or is_exhausted) and not self.ongoing_trials

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of a new trial; the first one has the defaults."""
        response = super().populate_space(trial_id)
        if not self.start_order and response["status"] == TrialStatus.RUNNING:
            space = self.get_space().space
            defaults = {hyperparameter.name: hyperparameter.default for hyperparameter in space}
            response["values"] = {**response["values"], **defaults}
        return response

    @synchronized
    def create_trial(self, tuner_id: str) -> Any:
        """Return the next trial of a worker: its ongoing one, a requeued one or a new one."""
        is_ongoing = tuner_id in self.ongoing_trials
        if self.should_stop and not is_ongoing:
            self.tuner_ids.discard(tuner_id)
            return Trial(self.get_space(), trial_id="", status=TrialStatus.STOPPED)
        if self.requeued and not is_ongoing:
            trial = self._restart_trial(tuner_id)
        else:
            trial = super().create_trial(tuner_id)
        self.is_exhausted = trial.status == TrialStatus.STOPPED
        self.last_seen[trial.trial_id] = time.monotonic()
        return trial

    def _restart_trial(self, tuner_id: str) -> Any:
        trial = self.trials[self.requeued.pop()]
        trial.status = TrialStatus.RUNNING
        self.tuner_ids.add(tuner_id)
        self.ongoing_trials[tuner_id] = trial
        self.save()
        return trial

    @synchronized
    def get_trial(self, trial_id: str) -> Any:
        """Return a trial, and take the request as a sign that its worker is alive."""
        self.last_seen[trial_id] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Any:
        """Record the metrics of an ongoing trial."""
        if trial_id in self.end_order:
            return self.trials[trial_id]
        trial = super().update_trial(trial_id, metrics, step)
        self.save()
        return trial

    @synchronized
    def end_trial(self, trial: Any) -> None:
        """End an ongoing trial; one that has ended already is left unchanged.

        The first failure of a reassigned trial may come from the lost worker and is ignored: if
        it comes from the trial's present worker, that worker runs the trial again.
        """
        if trial.trial_id in self.end_order:
            return
        if trial.status == TrialStatus.INVALID and self.reassigned[trial.trial_id]:
            self.reassigned[trial.trial_id] -= 1
            return
        if trial.status == TrialStatus.INVALID:
            self.errors.append(trial.trial_id)
        if trial.trial_id in self.requeued:
            self.requeued.remove(trial.trial_id)
        super().end_trial(trial)
        self.on_trial_end(self.trials[trial.trial_id])

    @synchronized
    def record_worker_death(self, tuner_id: str, reason: str) -> None:
        """Record that a worker died; a trial during which three workers died has failed.

        Args:
            tuner_id: id of the worker.
            reason: cause of death, for the message of a failed trial.
        """
        trial = self.ongoing_trials.get(tuner_id)
        if trial is None:
            return
        self.last_seen[trial.trial_id] = time.monotonic()  # time for its successor to start
        self.worker_deaths[trial.trial_id] = self.worker_deaths.get(trial.trial_id, 0) + 1
        if self.worker_deaths[trial.trial_id] >= MAX_WORKER_DEATHS:
            self.reassigned.pop(trial.trial_id, None)
            failed = Trial(trial.hyperparameters, trial.trial_id, TrialStatus.INVALID, reason)
            self.end_trial(failed)

    @synchronized
    def silent_workers(self, timeout: float = WORKER_TIMEOUT) -> list[str]:
        """Return the ids of workers that have a trial and have not responded for some time.

        Args:
            timeout: that time, in seconds.
        """
        now = time.monotonic()
        return [
            tuner_id
            for tuner_id, trial in self.ongoing_trials.items()
            if now - self.last_seen[trial.trial_id] >= timeout
        ]

    @synchronized
    def requeue_trial(self, tuner_id: str) -> None:
        """Queue the trial of a worker that has ended, to be run again by another worker.

        Args:
            tuner_id: id of the worker.
        """
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is not None:
            self.requeued.append(trial.trial_id)
            self.save()

    @synchronized
    def reassign_trial(self, tuner_id: str) -> None:
        """Queue the trial of a worker that does not respond, but may be alive.

        Args:
            tuner_id: id of the worker.
        """
        trial = self.ongoing_trials.get(tuner_id)
        if trial is not None:
            self.reassigned[trial.trial_id] += 1
            self.requeue_trial(tuner_id)


class _GridSearch(keras_tuner.Oracle):
    """Exhaustive search in which the last hyperparameter changes fastest.

    keras-tuner's own grid search loses its position when it is reloaded.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next combination; its index is the number of trials started before."""
        space = self.get_space()
        names = [hyperparameter.name for hyperparameter in space.space]
        values = next(itertools.islice(grid_points(space), len(self.start_order), None), None)
        if values is not None:
            return {"status": TrialStatus.RUNNING, "values": dict(zip(names, values, strict=True))}
        status = TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED
        return {"status": status, "values": None}


def grid_points(space: Any) -> "itertools.product[tuple[Any, ...]]":
    """Return the combinations of a space's values, the default of each hyperparameter first.

    Args:
        space: keras-tuner search space; ten values are taken from a range without a step.
    """
    return itertools.product(*map(_grid_values, space.space))


def grid_size(space: Any) -> int:
    """Return the number of combinations of a space's values.

    Args:
        space: keras-tuner search space.
    """
    return math.prod(len(_grid_values(hyperparameter)) for hyperparameter in space.space)


def _grid_values(hyperparameter: Any) -> list[Any]:
    default = hyperparameter.default
    return [default, *(value for value in hyperparameter.values if value != default)]


class RandomOracle(_ResumableOracle, oracles.RandomSearchOracle):
    """Random search."""


class GridOracle(_ResumableOracle, _GridSearch):
    """Grid search."""


class BayesianOracle(_ResumableOracle, oracles.BayesianOptimizationOracle):
    """Bayesian optimization with a Gaussian process."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of a new trial, without warnings of a process fitted to few trials."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().populate_space(trial_id)


class HyperbandOracle(_ResumableOracle, oracles.HyperbandOracle):
    """Hyperband: many short trials, the best of which are repeated with more epochs."""


class OptunaOracle(_ResumableOracle, OptunaSearch):
    """Search by Optuna."""

    def prepare(self, path: Path, limits: Limits) -> None:
        """Set state file and limits, and load the state and the study if they exist."""
        super().prepare(path, limits)
        self.update_study()


ORACLES = {
    "random": RandomOracle,
    "grid": GridOracle,
    "bayesian": BayesianOracle,
    "hyperband": HyperbandOracle,
}


def make_oracle(plan: Plan, is_limited: bool) -> Any:
    """Build the oracle of a search.

    Args:
        plan: plan of the search.
        is_limited: whether the number of trials or their time is limited; Hyperband then repeats
            its brackets until the limit, and otherwise runs them once.
    """
    space = search_space(plan.model, plan.changes)
    kind: Any = ORACLES[plan.algorithm]
    options: dict[str, Any] = {}
    if plan.engine == "optuna":
        kind, options = OptunaOracle, {"algorithm": plan.algorithm}
    elif plan.algorithm == "hyperband":
        iterations = UNLIMITED if is_limited else 1
        options = {"max_epochs": plan.epochs, "hyperband_iterations": iterations}
    elif plan.algorithm == "bayesian":
        options = {"num_initial_points": max(MIN_INITIAL_POINTS, len(space.space))}
    return kind(
        objective=keras_tuner.Objective(plan.objective, plan.direction),
        hyperparameters=space,
        allow_new_entries=False,
        tune_new_entries=False,
        seed=plan.seed + 1,  # keras-tuner replaces a seed of 0 by a random one
        max_consecutive_failed_trials=UNLIMITED,
        **options,
    )
