"""What can go wrong by a user's hand: one class a kind of input, one line a message."""

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Base of every error that a user can cause and mend; its message is one line."""


class UnknownModelError(ZooError, LookupError):
    """A model name that the registry does not hold."""


class UnknownDatasetError(ZooError, LookupError):
    """A data set name that neither the zoo nor TFDS knows, and that is no folder either."""


class UnknownArgumentError(ZooError, TypeError):
    """An argument that the model, the recipe or the function does not take."""


class ArgumentValueError(ZooError, ValueError):
    """An argument of the wrong type or out of its range."""


class DatasetError(ZooError):
    """A data set that cannot be read: unprepared, unreachable, damaged, empty or unfit."""


class InputError(ZooError, ValueError):
    """An input to `predict` that is no input of the run's model."""


class WeightsError(ZooError):
    """Weights that cannot be fetched or read, or that are another network's."""


class RunError(ZooError):
    """A run directory that exists already, is missing, damaged or of another version."""


class UnknownSystemError(ZooError, LookupError):
    """A system that the course does not have."""


class CourseError(ZooError):
    """Results of the course that have other settings, or are of another version."""


class OutOfReachError(CourseError):
    """Systems of the course whose data or weights could not be had."""


class SearchError(ZooError):
    """A search whose directory exists already or is another's, or one of whose trials broke."""


class TrainingDivergedError(ZooError, ArithmeticError):
    """A loss that stopped being a finite number."""


class ExportError(ZooError):
    """An artifact that cannot be written, or does not reproduce its model."""


class ArtifactError(ZooError):
    """An artifact that is missing, cut, altered or none of the zoo's."""


def unknown_name_message(kind: str, name: str, known: Iterable[str]) -> str:
    """Words an unknown name: what was received, the near miss, and what there is.

    Args:
        kind: what is being named, for example ``"model"``.
        name: the name received.
        known: every name allowed.

    Returns:
        One line.
    """
    names = sorted(known)
    return f"unknown {kind} {name!r}.{did_you_mean(name, names)} There is: {', '.join(names)}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Asks whether the nearest of the names known was meant.

    Args:
        name: the name received.
        known: every name allowed.

    Returns:
        The question, after a space; empty if no name is near.
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
