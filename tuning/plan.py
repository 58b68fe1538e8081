"""The plan of a search: its arguments, stored when it starts and compared when it is resumed."""

import dataclasses
import functools
import hashlib
import importlib.util
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from tuning.space import describe_space, read_changes, search_space
from zoo.checks import require_choice, require_integer
from zoo.data import get_dataset, require_readable_by_workers
from zoo.errors import ArgumentValueError, SearchError, unknown_name_message
from zoo.runs import ADDED_DATASET_FIELDS
from zoo.runs.files import write_json
from zoo.specs import MAX_INT, MAX_SEED, DatasetSpec
from zoo.tasks import TASKS
from zoo.training.config import split_overrides
from zoo.training.resuming import DATASET_PROSE

FORMAT = 1
ALGORITHMS = ("random", "grid", "bayesian", "hyperband")
ENGINES = {"keras-tuner": ALGORITHMS, "optuna": ("random", "bayesian")}
DIRECTIONS = ("max", "min")
PLAN_FILE = "search.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The arguments of a search.

    Attributes:
        model: name of the model.
        dataset: fields of the dataset's `zoo.specs.DatasetSpec`.
        data_dir: TFDS data directory; its default if None.
        algorithm: one of `ALGORITHMS`.
        objective: metric of the training history that trials are compared by.
        direction: ``"max"`` or ``"min"``: whether a larger or a smaller objective is better.
        seed: seed of the sampled values and, with a trial's id, of its training runs.
        fixed: hyperparameters that do not vary.
        changes: changes of the model's default space, as `tuning.space.search_space` takes them.
        space: the space, as `tuning.space.describe_space` returns it.
        folds: cross-validation folds, cut from all data but the test split; 1 for the dataset's
            own validation split.
        executions: training runs per trial and fold, under different seeds.
        max_parameters: largest model that is trained; 0 for no limit.
        keep: number of trials, the best ones, whose checkpoints are kept.
        dataset_version: version of the data; empty before they have been read.
        engine: one of `ENGINES`.
    """

    model: str
    dataset: Mapping[str, Any]
    data_dir: str | None
    algorithm: str
    objective: str
    direction: str
    seed: int
    fixed: Mapping[str, Any]
    changes: Mapping[str, Any]
    space: list[dict[str, Any]]
    folds: int
    executions: int
    max_parameters: int
    keep: int
    dataset_version: str = ""
    engine: str = "keras-tuner"

    @property
    def epochs(self) -> int:
        """Number of epochs of a full training run."""
        return self.fixed.get("epochs", zoo.get_spec(self.model).recipe.epochs)

    @property
    def training_runs(self) -> list[tuple[int, tuple[int, int] | None]]:
        """Training runs of a trial: for each, the number of its seed and its fold."""
        folds = [(i, self.folds) for i in range(1, self.folds + 1)] if self.folds > 1 else [None]
        return list(itertools.product(range(self.executions), folds))

    @property
    def varied(self) -> list[str]:
        """Names of the hyperparameters that vary."""
        return [row["name"] for row in self.space if row["kind"] != "Fixed"]

    def training_seed(self, trial_id: str, number: int) -> int:
        """Return the seed of a training run, which the search's seed determines.

        Args:
            trial_id: id of the trial.
            number: number of the seed in the trial, from 0.
        """
        text = f"{self.seed}/{trial_id}/{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def write(self, directory: Path) -> None:
        """Write the plan to the directory of its search.

        Args:
            directory: directory of the search.
        """
        version = {"format": FORMAT}
        write_json(directory / PLAN_FILE, version | dataclasses.asdict(self))

    @functools.cached_property
    def as_json(self) -> dict[str, Any]:
        """The plan's fields after a round trip through JSON."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def make_plan(
    name: str,
    *,
    dataset: str | Path | DatasetSpec | None = None,
    data_dir: str | Path | None = None,
    engine: str = "keras-tuner",
    algorithm: str = "random",
    objective: str | None = None,
    direction: str | None = None,
    space: Mapping[str, Any] | str | Path | None = None,
    seed: int = 0,
    folds: int = 1,
    executions: int = 1,
    max_parameters: int = 0,
    keep: int = 1,
    fixed: Mapping[str, Any] | None = None,
) -> Plan:
    """Validate the arguments of a search and fill in defaults.

    Args:
        name: name of the model.
        dataset: name or spec of the dataset; the model's own if None.
        data_dir: TFDS data directory.
        engine: one of `ENGINES`.
        algorithm: one of `ALGORITHMS`.
        objective: metric to optimize; the one that the model's task monitors if None.
        direction: ``"max"`` or ``"min"``; inferred from the objective if None.
        space: changes of the model's default space, or a file of them.
        seed: seed of the search.
        folds: cross-validation folds.
        executions: training runs per trial and fold.
        max_parameters: largest model that is trained; 0 for no limit.
        keep: number of trials whose checkpoints are kept.
        fixed: hyperparameters that do not vary.

    Returns:
        The plan.

    Raises:
        ZooError: if a name is unknown or a value is invalid.
    """
    _require_integers(
        seed=(seed, 0), folds=(folds, 1), executions=(executions, 1),
        max_parameters=(max_parameters, 0), keep=(keep, 0),
    )  # fmt: skip
    _require_engine(engine, algorithm)
    objective, direction = _objective_and_direction(name, objective, direction)
    fixed = dict(fixed or {})
    changes = _merge_changes(name, space, fixed)
    require_readable_by_workers(dataset)
    chosen = get_dataset(zoo.get_spec(name).dataset if dataset is None else dataset, data_dir)
    return Plan(
        model=name,
        dataset=dataclasses.asdict(chosen),
        data_dir=None if data_dir is None else str(Path(data_dir).resolve()),
        algorithm=algorithm,
        objective=objective,
        direction=direction,
        seed=seed,
        fixed=fixed,
        changes=changes,
        space=describe_space(search_space(name, changes)),
        folds=folds,
        executions=executions,
        max_parameters=max_parameters,
        keep=keep,
        engine=engine,
    )


def read_plan(directory: Path) -> Plan:
    """Read the plan of a search.

    Args:
        directory: directory of the search.

    Returns:
        The plan.

    Raises:
        SearchError: if there is no plan, or it is damaged or of another format.
    """
    path = directory / PLAN_FILE
    damaged = SearchError(f"{path} is damaged, or is not a search of this zoo.")
    try:
        fields = json.loads(path.read_text())
        file_format = fields.pop("format")
    except FileNotFoundError:
        raise SearchError(
            f"{directory} is not the directory of a search: it has no {PLAN_FILE}."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged from None
    if file_format != FORMAT:
        raise SearchError(f"{path} has format {file_format}; this version reads format {FORMAT}.")
    try:
        fields["dataset"] = {**ADDED_DATASET_FIELDS, **fields["dataset"]}
        return Plan(**fields)
    except (TypeError, KeyError):
        raise damaged from None


def require_same(plan: Plan, stored: Plan, directory: Path) -> None:
    """Raise an error unless two plans are equal but for the data directory.

    Args:
        plan: plan of the search to resume, from the arguments of this call.
        stored: plan that the search was started with.
        directory: directory of the search.

    Raises:
        SearchError: if they differ; the message lists each difference.
    """
    now, then = plan.as_json, stored.as_json
    now["dataset"] |= {key: then["dataset"][key] for key in DATASET_PROSE}
    differences = [
        f"{key}: {_describe_difference(then[key], now[key])}"
        for key in now
        if now[key] != then[key] and key != "data_dir"
    ]
    if differences:
        raise SearchError(f"{directory} holds a different search: {'; '.join(differences)}.")


def _require_integers(**bounds: tuple[int, int]) -> None:
    for key, (value, minimum) in bounds.items():
        require_integer(key, value, minimum, MAX_SEED if key == "seed" else MAX_INT)


def _require_engine(engine: str, algorithm: str) -> None:
    if engine not in ENGINES:
        raise ArgumentValueError(unknown_name_message("engine", engine, ENGINES))
    if algorithm not in ALGORITHMS:
        raise ArgumentValueError(unknown_name_message("algorithm", algorithm, ALGORITHMS))
    if algorithm not in ENGINES[engine]:
        raise ArgumentValueError(
            f"algorithm={algorithm!r}: engine {engine} has {' and '.join(ENGINES[engine])}."
        )
    if engine == "optuna" and importlib.util.find_spec("optuna") is None:
        raise ArgumentValueError("engine='optuna' requires pip install 'keras-model-zoo[optuna]'.")


def _objective_and_direction(
    name: str, objective: str | None, direction: str | None
) -> tuple[str, str]:
    task = TASKS[zoo.get_spec(name).task]
    objective = objective or task.monitor
    if direction is None:
        direction = task.direction if objective == task.monitor else _infer_direction(objective)
    require_choice("direction", direction, DIRECTIONS)
    return objective, direction


def _infer_direction(objective: str) -> str:
    return "max" if objective.endswith(("accuracy", "auc", "psnr")) else "min"


def _merge_changes(
    name: str, space: Mapping[str, Any] | str | Path | None, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the changes of a space, with the fixed values of what would vary by default."""
    split_overrides(zoo.get_spec(name), fixed)
    changes = read_changes(Path(space)) if isinstance(space, str | Path) else dict(space or {})
    for key in fixed.keys() & changes.keys():
        raise ArgumentValueError(f"{key}: it cannot be both fixed and in the search space.")
    defaults = search_space(name).values
    return changes | {key: value for key, value in fixed.items() if key in defaults}


def _describe_difference(then: Any, now: Any) -> str:
    if isinstance(then, list):
        then, now = ({row["name"]: row for row in rows} for rows in (then, now))
    if isinstance(then, Mapping):
        keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
        parts = (f"{key} was {then.get(key)!r} and is {now.get(key)!r}" for key in keys)
        return ", ".join(parts)
    return f"was {then!r} and is {now!r}"
