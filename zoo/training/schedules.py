"""Learning rate schedules, one step an epoch."""

import math

WARM_UP = 0.2


def learning_rate_at(epoch: int, rate: float, schedule: str, epochs: int) -> float:
    """Return the learning rate of an epoch.

    Args:
        epoch: number of the epoch, from 0.
        rate: the base learning rate.
        schedule: ``"constant"``, ``"cosine"`` or ``"one_cycle"``.
        epochs: total number of epochs.

    Returns:
        The learning rate; with ``"cosine"`` it would be zero at ``epoch == epochs``, and with
        ``"one_cycle"`` it is the value in the middle of the epoch.

    Example:
        >>> from zoo.training.schedules import learning_rate_at
        >>> learning_rate_at(10, 0.1, "cosine", 20)
        0.05
    """
    if schedule == "constant":
        return rate
    if schedule == "cosine":
        return rate * (1 + math.cos(math.pi * epoch / epochs)) / 2
    done = (epoch + 0.5) / epochs
    return rate * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
