"""Checks of values that users pass; imports the standard library only."""

from typing import Any

from zoo.errors import ArgumentValueError


def require_integer(name: str, value: Any, minimum: int, maximum: int) -> None:
    """Raise an error unless a value is an integer in a range.

    Args:
        name: name of the argument.
        value: value received.
        minimum: smallest valid value.
        maximum: largest valid value.

    Raises:
        ArgumentValueError: if the value has another type or is out of range.
    """
    if type(value) is not int or not minimum <= value <= maximum:
        raise ArgumentValueError(
            f"{name}={value!r}: must be an integer from {minimum} to {maximum}."
        )


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise an error unless a value is one of several strings.

    Args:
        name: name of the argument.
        value: value received.
        choices: valid values.

    Raises:
        ArgumentValueError: if the value is not one of them.
    """
    if value not in choices:
        raise ArgumentValueError(f"{name}={value!r}: must be one of {', '.join(choices)}.")


def require_number(name: str, value: Any) -> None:
    """Raise an error unless a value is a finite, non-negative number.

    Args:
        name: name of the argument.
        value: value received.

    Raises:
        ArgumentValueError: if the value has another type or is out of range.
    """
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise ArgumentValueError(f"{name}={value!r}: must be a non-negative finite number.")


def require_fraction(name: str, value: Any) -> None:
    """Raise an error unless a value is a number from 0 up to, but not including, 1.

    Args:
        name: name of the argument.
        value: value received.

    Raises:
        ArgumentValueError: if the value has another type or is out of range.
    """
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ArgumentValueError(f"{name}={value!r}: must be a number in [0, 1).")
