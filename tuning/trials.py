"""One trial: its values become runs that are trained, and left before the test split is read."""

import contextlib
import gc
import logging
import statistics
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import psutil
from keras_tuner import errors
from keras_tuner.engine.base_tuner import BaseTuner

from tuning.plan import Plan
from tuning.space import space_of
from zoo.data.pipeline import Data
from zoo.errors import TrainingDivergedError
from zoo.runs.files import atomic_write
from zoo.training.config import RunConfig, load_run_data, resolve_config, seed_and_build
from zoo.training.loop import fit_in

RUNS = "trials"
FAILURE = "failure.txt"
WEIGHTS = "checkpoint.npz"
HEARTBEAT = 5.0
MOST_GROWTH = 200 * 2**20
POLL = 0.05
EPOCHS = "tuner/epochs"
TENSORFLOW = logging.getLogger("tensorflow")


class GrownError(Exception):
    """A process that has trained many models, and is to be followed by a fresh one."""


class ZooTuner(BaseTuner):
    """Trains what an oracle proposes.

    A trial of Hyperband begins anew with more epochs, rather than going on where an earlier one
    was stopped: the learning rate falls over the epochs that it has, so that short trainings are
    compared at their end, too.

    Args:
        plan: of the search.
        directory: of the search; all its workers see it.
        oracle: gives the trials; keras-tuner puts its client in place of it in a worker.
    """

    def __init__(self, plan: Plan, directory: Path, oracle: Any) -> None:
        super().__init__(oracle, directory=str(directory), project_name=RUNS)
        self.plan = plan
        self.runs = directory / RUNS
        self.data: dict[Any, Data] = {}
        self.prepared: Any = None
        self.failure = ""
        self.held = 0
        self.most_growth = MOST_GROWTH

    def save(self) -> None:
        """Leaves it to the oracle to keep its state."""

    def on_search_begin(self) -> None:
        """Keeps TensorFlow from wondering at the many functions that many models make."""
        self.level = TENSORFLOW.level
        TENSORFLOW.setLevel(logging.ERROR)

    def on_search_end(self) -> None:
        """Lets TensorFlow say again what it had to say."""
        TENSORFLOW.setLevel(self.level)

    def pre_create_trial(self) -> None:
        """Waits a little, since a worker without a trial asks again at once.

        Raises:
            GrownError: if the process has grown too much since its first trial; TensorFlow never
                gives back some of what each model costs.
        """
        threading.Event().wait(POLL)
        held = psutil.Process().memory_info().rss
        if self.most_growth and self.held and held - self.held > self.most_growth:
            raise GrownError

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Trains what a trial proposes, as often as the plan says.

        Args:
            trial: keras-tuner's.

        Returns:
            The mean of the objective, and what it cost.
        """
        values, folder = trial.hyperparameters.values, self.folder_of(trial)
        self.failure = ""
        try:
            with self._heartbeat(trial.trial_id):
                found = [
                    self._train(
                        values, self.plan.seed_of(trial.trial_id, repetition), fold, folder / str(i)
                    )
                    for i, (repetition, fold) in enumerate(self.plan.trainings, start=1)
                ]
        except (TrainingDivergedError, errors.FailedTrialError) as error:
            self.failure = str(error)
            raise errors.FailedTrialError(self.failure) from error
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self.failure = f"{type(error).__name__}: {reason}\n\n{traceback.format_exc()}"
            raise
        finally:
            keras.utils.clear_session()
            gc.collect()
        return _together(found, self.plan.objective)

    def on_trial_end(self, trial: Any) -> None:
        """Ends a trial, and says why if it failed.

        Args:
            trial: keras-tuner's.
        """
        if self.failure:
            with atomic_write(self.folder_of(trial) / FAILURE) as partial:
                partial.write_text(self.failure)
            trial.message = self.failure.splitlines()[0]
        super().on_trial_end(trial)
        self.held = self.held or psutil.Process().memory_info().rss

    def folder_of(self, trial: Any) -> Path:
        """Gives a trial's folder, and makes it if need be.

        Args:
            trial: keras-tuner's.
        """
        return Path(self.get_trial_dir(trial.trial_id))

    def _train(
        self, values: Mapping[str, Any], seed: int, fold: Any, place: Path
    ) -> dict[str, float]:
        settings = settings_of(self.plan, values, seed)
        model = seed_and_build(settings)
        size, most = model.count_params(), self.plan.max_parameters
        if most and size > most:
            raise errors.FailedTrialError(f"{size:,} parameters, and {most:,} are allowed")
        data = self._data_for(settings, fold)
        return {**fit_in(place, settings, model, data, fold), "parameters": size}

    def know(self, data: Data) -> None:
        """Takes data that have been read already, as the first training needs them.

        Args:
            data: the data.
        """
        recipe = default_settings(self.plan).recipe
        self.prepared = (recipe.images, recipe.text)
        self.data[self.plan.trainings[0][1]] = data

    def _data_for(self, settings: RunConfig, fold: Any) -> Data:
        recipe = settings.recipe
        prepared = (recipe.images, recipe.text)
        if prepared != self.prepared:
            self.data.clear()
            self.prepared = prepared
        if fold not in self.data:
            self.data[fold] = load_run_data(settings, self.plan.data_dir, fold)
        return self.data[fold].rebatched(recipe.batch_size, settings.seed)

    @contextlib.contextmanager
    def _heartbeat(self, trial_id: str) -> Iterator[None]:
        """Asks for the trial now and then, by which its oracle knows that this process lives."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(HEARTBEAT):
                with contextlib.suppress(Exception):  # who asks for the next trial will be told
                    self.oracle.get_trial(trial_id)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def settings_of(plan: Plan, values: Mapping[str, Any], seed: int) -> RunConfig:
    """Settles a training of a search.

    Args:
        plan: of the search.
        values: of the trial, with what Hyperband adds to them.
        seed: of the training.

    Returns:
        What `zoo.training.resolve_config` gives.

    Raises:
        ZooError: if the model does not take the values.
    """
    overrides = {**plan.fixed, **without_notes(values)}
    if EPOCHS in values:
        overrides["epochs"] = values[EPOCHS]
    return resolve_config(plan.model, plan.dataset["name"], plan.data_dir, seed, overrides)


def default_settings(plan: Plan) -> RunConfig:
    """Settles a training with the defaults of the search's space.

    Args:
        plan: of the search.
    """
    return settings_of(plan, space_of(plan.model, plan.changes).values, plan.seed)


def without_notes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out of a trial's values what an algorithm has noted there for itself.

    Args:
        values: of the trial.

    Returns:
        The rest, without the crumbs that steps of 0.1 leave behind.
    """
    return {
        key: float(f"{value:.12g}") if isinstance(value, float) else value
        for key, value in values.items()
        if not key.startswith("tuner/")
    }


def _together(found: list[dict[str, float]], objective: str) -> dict[str, float]:
    scores = [row[objective] for row in found]
    return {
        objective: statistics.fmean(scores),
        **({"spread": statistics.stdev(scores)} if len(scores) > 1 else {}),
        "epochs": statistics.fmean(row["epochs"] for row in found),
        "parameters": found[0]["parameters"],
        "seconds": sum(row["seconds"] for row in found),
    }
