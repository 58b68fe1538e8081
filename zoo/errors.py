"""Exceptions for errors that a user can fix, each with a one-line message."""

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """Base class of the exceptions; the message is a single line."""


class UnknownModelError(ZooError, LookupError):
    """A model name that is not registered."""


class UnknownDatasetError(ZooError, LookupError):
    """A dataset name that is not in the zoo, not in TFDS and not a path."""


class UnknownArgumentError(ZooError, TypeError):
    """An argument that the model, the recipe or the function does not accept."""


class ArgumentValueError(ZooError, ValueError):
    """An argument of the wrong type or out of range."""


class DatasetError(ZooError):
    """A dataset that is not prepared, cannot be downloaded, is damaged, empty or unsuitable."""


class InputError(ZooError, ValueError):
    """An input to `predict` that the model cannot take."""


class WeightsError(ZooError):
    """Pretrained weights that cannot be downloaded or read, or do not match the model."""


class HubError(ZooError):
    """A repository of the Hugging Face Hub that cannot be reached, read or written."""


class RunError(ZooError):
    """A run directory that already exists, is missing, is damaged or has another version."""


class SearchError(ZooError):
    """A search directory that already exists or belongs to another search, or a failed trial."""


class WorkerError(ZooError):
    """A job during which one worker process after another died."""


class ClusterError(ZooError):
    """Processes that cannot train together: one is missing, was started differently, or ended."""


class TrainingDivergedError(ZooError, ArithmeticError):
    """A loss that became NaN or infinite."""


class LabError(ZooError):
    """A notebook of a lab that is missing, cannot be read or run, or an unknown lab or exercise."""


class ExportError(ZooError):
    """An artifact that cannot be written or does not reproduce its model."""


class ReportError(ZooError):
    """A report that cannot be written in the format asked for."""


class ArtifactError(ZooError):
    """An artifact that is missing, truncated, modified or in an unknown format."""


def unknown_name_message(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the error message for an unknown name, with the closest match and all valid names.

    Args:
        kind: what the name refers to, for example ``"model"``.
        name: the name received.
        known: all valid names.

    Returns:
        One line.

    Example:
        >>> from zoo.errors import unknown_name_message
        >>> unknown_name_message("model", "mpl", ["gru", "mlp"])
        "unknown model: 'mpl'. Did you mean 'mlp'? Expected one of: gru, mlp."
    """
    names = sorted(known)
    hint = did_you_mean(name, names)
    return f"unknown {kind}: {name!r}.{hint} Expected one of: {', '.join(names)}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that suggests the valid name closest to an unknown one.

    Args:
        name: the name received.
        known: all valid names.

    Returns:
        The question with a leading space, or an empty string if no valid name is similar.

    Example:
        >>> from zoo.errors import did_you_mean
        >>> did_you_mean("mpl", ["gru", "mlp"])
        " Did you mean 'mlp'?"
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
