"""The early stopping rule of the course."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.training.callbacks import StopRule

MAX_GAP_EPOCHS = 10


def max_gap_rule(max_gap: float) -> StopRule:
    """Return the early stopping rule of the course.

    Training stops after the tenth epoch, not necessarily in a row, whose validation loss exceeds
    the training loss by more than `max_gap`. The rule serves as a comparison with ``patience``: it
    stops a better network sooner if that network has a wider gap.

    Args:
        max_gap: largest tolerated difference between validation loss and training loss.

    Returns:
        A stop rule for `zoo.train`.

    Example:
        >>> from zoo.course.stopping import max_gap_rule
        >>> should_stop = max_gap_rule(0.1)
        >>> should_stop([{"loss": 0.2, "val_loss": 0.4}] * 9)
        False
        >>> should_stop([{"loss": 0.2, "val_loss": 0.4}] * 10)
        True
    """

    def should_stop(epochs: Sequence[Mapping[str, float]]) -> bool:
        wide = sum(epoch["val_loss"] - epoch["loss"] > max_gap for epoch in epochs)
        return wide >= MAX_GAP_EPOCHS

    return should_stop


def split_stop_rule(settings: Mapping[str, Any]) -> tuple[dict[str, Any], StopRule | None]:
    """Split the setting ``max_gap`` off the settings of an experiment.

    Args:
        settings: settings of an experiment; see `max_gap_rule` for ``max_gap``.

    Returns:
        The other settings, and the stop rule; None if ``max_gap`` is missing or 0.
    """
    others = dict(settings)
    max_gap = others.pop("max_gap", None)
    return others, max_gap_rule(max_gap) if max_gap else None
