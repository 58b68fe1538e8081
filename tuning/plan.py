"""What is asked of a search: written down when it begins, and held against what resumes it."""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from tuning.space import described, read_changes, space_of
from zoo.data import get_dataset
from zoo.errors import ArgumentValueError, SearchError, unknown_name_message
from zoo.runs.files import write_json
from zoo.specs import MOST, MOST_SEED, require_choice, require_integer
from zoo.tasks import TASKS
from zoo.training.config import split_overrides

FORMAT = 1
ALGORITHMS = ("random", "grid", "bayesian", "hyperband")
DIRECTIONS = ("max", "min")
FILE = "search.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """A search, before its first trial.

    Attributes:
        model: whose settings vary.
        dataset: what it is trained on.
        data_dir: where TFDS keeps its data; None for the usual place.
        algorithm: one of `ALGORITHMS`.
        objective: the quantity of the history by which trials are compared.
        direction: ``"max"`` or ``"min"``: which way it improves.
        seed: of the values drawn and, with a trial's number, of its training.
        fixed: settings that do not vary.
        changes: what `tuning.space.space_of` takes.
        space: its answer, in plain data.
        folds: into which the rows that are not for test are cut, each of them validation once;
            1 for the usual cut.
        executions: trainings a trial and fold, under different seeds; the mean counts.
        max_parameters: a larger model is not trained; 0 for any size.
        keep: trials whose weights stay on disk, the best ones.
        dataset_version: of the data; empty before they have been read.
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

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        return self.fixed.get("epochs", zoo.get_spec(self.model).recipe.epochs)

    @property
    def trainings(self) -> list[tuple[int, tuple[int, int] | None]]:
        """What a trial consists of: for each training its seed's number and its fold."""
        folds = [(i, self.folds) for i in range(1, self.folds + 1)] if self.folds > 1 else [None]
        return list(itertools.product(range(self.executions), folds))

    def seed_of(self, trial_id: str, number: int) -> int:
        """Derives the seed of a training.

        Args:
            trial_id: the trial.
            number: of the training in the trial.

        Returns:
            The same for the same search, trial and number.
        """
        text = f"{self.seed}/{trial_id}/{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def write(self, directory: Path) -> None:
        """Writes the plan into the directory of its search.

        Args:
            directory: where.
        """
        version = {"format": FORMAT}
        write_json(directory / FILE, version | dataclasses.asdict(self))

    @functools.cached_property
    def as_json(self) -> dict[str, Any]:
        """The plan as JSON gives it back."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def make_plan(
    name: str,
    *,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
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
    """Checks what is asked of a search, and fills in what is not.

    Args:
        name: the model.
        dataset: the model's own if None.
        data_dir: where TFDS keeps its data.
        algorithm: one of `ALGORITHMS`.
        objective: the monitored quantity of the model's task if None.
        direction: which way it improves; by its name if None.
        space: changes of the model's space, or a file of them.
        seed: of the search.
        folds: for cross-validation.
        executions: trainings a trial and fold.
        max_parameters: the largest model that is trained; 0 for any.
        keep: trials whose weights stay.
        fixed: settings that do not vary.

    Returns:
        The plan.

    Raises:
        ZooError: if anything is unknown, or out of its range.
    """
    spec = zoo.get_spec(name)
    for key, value, least in (
        ("seed", seed, 0),
        ("folds", folds, 1),
        ("executions", executions, 1),
        ("max_parameters", max_parameters, 0),
        ("keep", keep, 0),
    ):
        require_integer(key, value, least, MOST_SEED if key == "seed" else MOST)
    if algorithm not in ALGORITHMS:
        raise ArgumentValueError(unknown_name_message("algorithm", algorithm, ALGORITHMS))
    task = TASKS[spec.task]
    objective = objective or task.monitor
    if direction is None:
        direction = task.direction if objective == task.monitor else _direction(objective)
    require_choice("direction", direction, DIRECTIONS)
    fixed = dict(fixed or {})
    split_overrides(spec, fixed)
    changes = read_changes(Path(space)) if isinstance(space, str | Path) else dict(space or {})
    for key in fixed.keys() & changes.keys():
        raise ArgumentValueError(f"{key}: it cannot both be fixed and vary.")
    changes |= {key: value for key, value in fixed.items() if key in space_of(name).values}
    chosen = get_dataset(spec.dataset if dataset is None else dataset, data_dir)
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
        space=described(space_of(name, changes)),
        folds=folds,
        executions=executions,
        max_parameters=max_parameters,
        keep=keep,
    )


def read_plan(directory: Path) -> Plan:
    """Reads the plan of a search.

    Args:
        directory: of the search.

    Returns:
        The plan.

    Raises:
        SearchError: if there is none, or it is damaged, or of another version.
    """
    path = directory / FILE
    try:
        known = json.loads(path.read_text())
        written_in = known.pop("format")
    except FileNotFoundError:
        raise SearchError(f"{directory} is no directory of a search: it has no {FILE}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SearchError(f"{path} is damaged, or of no search of this zoo.") from None
    if written_in != FORMAT:
        raise SearchError(f"{path} is in format {written_in}, and this zoo reads format {FORMAT}.")
    try:
        return Plan(**known)
    except TypeError:
        raise SearchError(f"{path} is damaged, or of no search of this zoo.") from None


def require_same(plan: Plan, held: Plan, directory: Path) -> None:
    """Refuses to go on with a search that another plan began.

    Args:
        plan: what is asked for now.
        held: what the search began with.
        directory: of the search.

    Raises:
        SearchError: if they differ; names each difference.
    """
    now, then = plan.as_json, held.as_json
    differences = [
        f"{key}: {_brief(then[key], now[key])}"
        for key in now
        if now[key] != then[key] and key != "data_dir"
    ]
    if differences:
        raise SearchError(f"{directory} is another search: {'; '.join(differences)}.")


def _brief(then: Any, now: Any) -> str:
    if isinstance(then, list):
        then, now = ({row["name"]: row for row in rows} for rows in (then, now))
    if isinstance(then, Mapping):
        keys = [key for key in {**then, **now} if then.get(key) != now.get(key)]
        parts = (f"{key} was {then.get(key)!r} and is {now.get(key)!r}" for key in keys)
        return ", ".join(parts)
    return f"was {then!r} and is {now!r}"


def _direction(objective: str) -> str:
    return "max" if objective.endswith(("accuracy", "auc", "psnr")) else "min"
