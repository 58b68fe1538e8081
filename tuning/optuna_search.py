"""Search by Optuna: proposes the values of trials, and keeps a study that Optuna's tools read."""

import functools
import math
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.hyperparameters import Fixed, Int
from keras_tuner.engine.trial import TrialStatus

STUDY_FILE = "optuna.journal"
STUDY_NAME = "search"
TRIAL_KEY = "trial"  # attribute of a trial in the study: its id in the search


class OptunaSearch(keras_tuner.Oracle):
    """A search whose trials a sampler of Optuna proposes.

    Its study is a journal beside the state of the search, ``optuna.journal``. What is sampled
    depends on the seed, the number of the trial and the results of those before, and not on the
    sessions of the search.

    Args:
        algorithm: ``"random"``, or ``"bayesian"`` for the tree-structured Parzen estimator.
        **options: arguments of `keras_tuner.Oracle`.
    """

    path: Path

    def __init__(self, algorithm: str, **options: Any) -> None:
        super().__init__(**options)
        self.algorithm = algorithm

    @functools.cached_property
    def study(self) -> Any:
        """The study."""
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage
        from optuna.study import StudyDirection

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        is_max = self.objective.direction == "max"
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.path.with_name(STUDY_FILE)))),
            study_name=STUDY_NAME,
            direction=StudyDirection.MAXIMIZE if is_max else StudyDirection.MINIMIZE,
            load_if_exists=True,
        )

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of a new trial."""
        from optuna.trial import TrialState

        self.update_study()
        space = self.get_space()
        if not self.start_order and not self.study.get_trials(states=[TrialState.WAITING]):
            self.study.enqueue_trial(_defaults(space))
        self.study.sampler = self._make_sampler()
        trial = self.study.ask()
        trial.set_user_attr(TRIAL_KEY, trial_id)
        return {"status": TrialStatus.RUNNING, "values": suggest_values(trial, space)}

    def end_trial(self, trial: Any) -> None:
        """End a trial, in the study too."""
        super().end_trial(trial)
        self.update_study()

    def update_study(self) -> None:
        """Tell the study which of its trials have ended; those that the search lost have failed."""
        from optuna.trial import TrialState

        for running in self.study.get_trials(states=[TrialState.RUNNING]):
            trial_id = running.user_attrs.get(TRIAL_KEY)
            if trial_id in self.trials and trial_id not in self.end_order:
                continue
            score = self.trials[trial_id].score if trial_id in self.trials else None
            if score is None or math.isnan(score):
                self.study.tell(running.number, state=TrialState.FAIL)
            else:
                self.study.tell(running.number, float(score))

    def _make_sampler(self) -> Any:
        from optuna.samplers import RandomSampler, TPESampler

        kind = {"random": RandomSampler, "bayesian": TPESampler}[self.algorithm]
        seeds = np.random.SeedSequence([self.seed, len(self.start_order)])
        return kind(seed=int(seeds.generate_state(1)[0]))


def suggest_values(trial: Any, space: Any) -> dict[str, Any]:
    """Ask a trial of Optuna for the values of a search space.

    Args:
        trial: Optuna trial.
        space: keras-tuner search space.

    Returns:
        The value of each hyperparameter whose conditions hold.

    Example:
        >>> import keras_tuner, optuna
        >>> from tuning.optuna_search import suggest_values
        >>> space = keras_tuner.HyperParameters()
        >>> kind = space.Choice("kind", ["plain", "deep"])
        >>> with space.conditional_scope("kind", ["deep"]):
        ...     layers = space.Int("layers", 2, 4)
        >>> suggest_values(optuna.trial.FixedTrial({"kind": "plain"}), space)
        {'kind': 'plain'}
        >>> suggest_values(optuna.trial.FixedTrial({"kind": "deep", "layers": 3}), space)
        {'kind': 'deep', 'layers': 3}
    """
    values: dict[str, Any] = {}
    for hyperparameter in space.space:
        if all(condition.is_active(values) for condition in hyperparameter.conditions):
            values[hyperparameter.name] = _suggest(trial, hyperparameter)
    return values


def _suggest(trial: Any, hyperparameter: Any) -> Any:
    name, fields = hyperparameter.name, hyperparameter.get_config()
    if isinstance(hyperparameter, Fixed):
        return hyperparameter.value
    is_log, step = fields.get("sampling") == "log", fields.get("step")
    if "sampling" not in fields or (is_log and step):  # Optuna has no steps that multiply
        return trial.suggest_categorical(name, _choices(hyperparameter))
    low, high = fields["min_value"], fields["max_value"]
    if step:
        high = _choices(hyperparameter)[-1]
    if isinstance(hyperparameter, Int):
        return trial.suggest_int(name, low, high, step=step or 1, log=is_log)
    return trial.suggest_float(name, low, high, step=step, log=is_log)


def _choices(hyperparameter: Any) -> list[Any]:
    """Return the values of a hyperparameter without the rounding errors of steps such as 0.1."""
    return [
        float(f"{value:.12g}") if isinstance(value, float) else value
        for value in hyperparameter.values
    ]


def _defaults(space: Any) -> dict[str, Any]:
    """Return the defaults, but for those that steps pass over."""
    return {
        hyperparameter.name: hyperparameter.default
        for hyperparameter in space.space
        if not hyperparameter.get_config().get("step")
        or hyperparameter.default in _choices(hyperparameter)
    }
