"""keras-tuner's tuner for the zoo: trains the models that an oracle proposes."""

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
from tuning.space import search_space
from zoo.data.pipeline import Data
from zoo.errors import TrainingDivergedError
from zoo.runs.files import atomic_write
from zoo.training.building import seed_and_build
from zoo.training.config import RunConfig, load_run_data, resolve_config
from zoo.training.loop import fit_in

TRIALS_FOLDER = "trials"
FAILURE_FILE = "failure.txt"
CHECKPOINT_FILE = "checkpoint.npz"
EPOCHS_KEY = "tuner/epochs"
HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 0.05
MAX_MEMORY_GROWTH = 200 * 2**20
TENSORFLOW_LOGGER = logging.getLogger("tensorflow")


class MemoryGrowthError(Exception):
    """The process has grown by more than its limit, and should be replaced by a new one."""


class ZooTuner(BaseTuner):
    """A tuner that trains each trial's model as `zoo.train` would, without the test split.

    A Hyperband trial with more epochs is trained from scratch instead of resuming an earlier
    trial: the learning rate schedule spans all epochs of a trial, which makes short trials
    comparable at their ends.

    Args:
        plan: plan of the search.
        directory: directory of the search, which all workers share.
        oracle: oracle that proposes the trials; keras-tuner replaces it by a client in a worker.
    """

    def __init__(self, plan: Plan, directory: Path, oracle: Any) -> None:
        super().__init__(oracle, directory=str(directory), project_name=TRIALS_FOLDER)
        self.plan = plan
        self.data: dict[Any, Data] = {}
        self.preprocessing: Any = None
        self.failure = ""
        self.trials_run = 0
        self.initial_memory = 0
        self.max_memory_growth = MAX_MEMORY_GROWTH

    def save(self) -> None:
        """Do nothing: the oracle saves its own state."""

    def on_search_begin(self) -> None:
        """Silence TensorFlow's warnings about retracing, which many models cause."""
        self.log_level = TENSORFLOW_LOGGER.level
        TENSORFLOW_LOGGER.setLevel(logging.ERROR)

    def on_search_end(self) -> None:
        """Restore TensorFlow's log level."""
        TENSORFLOW_LOGGER.setLevel(self.log_level)

    def pre_create_trial(self) -> None:
        """Pause before asking for a trial, since a worker without one asks again at once.

        Raises:
            MemoryGrowthError: if the process has grown by more than `max_memory_growth` bytes
                since its first trial; TensorFlow does not release all memory of a deleted model.
        """
        threading.Event().wait(POLL_SECONDS)
        if self.max_memory_growth and self.initial_memory:
            growth = psutil.Process().memory_info().rss - self.initial_memory
            if growth > self.max_memory_growth:
                raise MemoryGrowthError

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Train the model of a trial once per seed and fold.

        Args:
            trial: keras-tuner trial.

        Returns:
            The mean of the objective, and the cost of the trial.
        """
        values, directory = trial.hyperparameters.values, self.trial_directory(trial)
        self.failure = ""
        try:
            with self._heartbeat(trial.trial_id):
                results = [
                    self._train_once(
                        values,
                        self.plan.training_seed(trial.trial_id, repetition),
                        fold,
                        directory / str(number),
                    )
                    for number, (repetition, fold) in enumerate(self.plan.training_runs, start=1)
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
        return _aggregate(results, self.plan.objective)

    def on_trial_end(self, trial: Any) -> None:
        """Report the end of a trial to the oracle, and write the reason if it failed.

        Args:
            trial: keras-tuner trial.
        """
        if self.failure:
            with atomic_write(self.trial_directory(trial) / FAILURE_FILE) as partial:
                partial.write_text(self.failure)
            trial.message = self.failure.splitlines()[0]
        super().on_trial_end(trial)
        self.trials_run += 1
        self.initial_memory = self.initial_memory or psutil.Process().memory_info().rss

    def trial_directory(self, trial: Any) -> Path:
        """Return the directory of a trial, which is created if missing.

        Args:
            trial: keras-tuner trial.
        """
        return Path(self.get_trial_dir(trial.trial_id))

    def preload_data(self, data: Data) -> None:
        """Provide data that have been loaded already, to be used by the first training run.

        Args:
            data: data of the first fold, prepared as the defaults of the search space require.
        """
        recipe = default_config(self.plan).recipe
        self.preprocessing = (recipe.images, recipe.text)
        self.data[self.plan.training_runs[0][1]] = data

    def _train_once(
        self, values: Mapping[str, Any], seed: int, fold: Any, run_dir: Path
    ) -> dict[str, float]:
        config = trial_config(self.plan, values, seed)
        model = seed_and_build(config)
        size, limit = model.count_params(), self.plan.max_parameters
        if limit and size > limit:
            raise errors.FailedTrialError(
                f"the model has {size:,} parameters; at most {limit:,} are allowed"
            )
        data = self._load_data(config, fold)
        return {**fit_in(run_dir, config, model, data, fold), "parameters": size}

    def _load_data(self, config: RunConfig, fold: Any) -> Data:
        recipe = config.recipe
        preprocessing = (recipe.images, recipe.text)
        if preprocessing != self.preprocessing:
            self.data.clear()
            self.preprocessing = preprocessing
        if fold not in self.data:
            self.data[fold] = load_run_data(config, self.plan.data_dir, fold)
        return self.data[fold].rebatched(recipe.batch_size, config.seed)

    @contextlib.contextmanager
    def _heartbeat(self, trial_id: str) -> Iterator[None]:
        """Request the trial at intervals, which shows the oracle that this process is alive."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(HEARTBEAT_SECONDS):
                with contextlib.suppress(Exception):  # the request for the next trial reports it
                    self.oracle.get_trial(trial_id)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def trial_config(plan: Plan, values: Mapping[str, Any], seed: int) -> RunConfig:
    """Return the configuration of a training run of a trial.

    Args:
        plan: plan of the search.
        values: hyperparameters of the trial, with the entries that Hyperband adds.
        seed: seed of the training run.

    Raises:
        ZooError: if a value is invalid; builder arguments are checked by
            `zoo.training.building.seed_and_build`.
    """
    overrides = {**plan.fixed, **clean_values(values)}
    if EPOCHS_KEY in values:
        overrides["epochs"] = values[EPOCHS_KEY]
    return resolve_config(plan.model, plan.dataset["name"], plan.data_dir, seed, overrides)


def default_config(plan: Plan) -> RunConfig:
    """Return the configuration of a training run with the defaults of the search space.

    Args:
        plan: plan of the search.
    """
    return trial_config(plan, search_space(plan.model, plan.changes).values, plan.seed)


def clean_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's hyperparameters without the entries that an algorithm adds for itself.

    Args:
        values: hyperparameters of the trial.

    Returns:
        The hyperparameters; floats are rounded to 12 digits, which removes the rounding errors of
        steps such as 0.1.
    """
    return {
        key: float(f"{value:.12g}") if isinstance(value, float) else value
        for key, value in values.items()
        if not key.startswith("tuner/")
    }


def _aggregate(results: list[dict[str, float]], objective: str) -> dict[str, float]:
    scores = [row[objective] for row in results]
    return {
        objective: statistics.fmean(scores),
        **({"spread": statistics.stdev(scores)} if len(scores) > 1 else {}),
        "epochs": statistics.fmean(row["epochs"] for row in results),
        "parameters": results[0]["parameters"],
        "seconds": sum(row["seconds"] for row in results),
    }
