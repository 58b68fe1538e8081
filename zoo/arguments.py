"""The types of the builders' arguments, and the check that every call gets."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import pydantic

from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown

PositiveInt = Annotated[int, pydantic.Field(ge=1, le=2**31 - 1)]
Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, pydantic.Field(ge=0, lt=1)]
Shape = tuple[PositiveInt, ...]
NumClasses = Annotated[int, pydantic.Field(ge=2)]

Activation = Literal[
    "elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"
]
BinaryLoss = Literal["binary_crossentropy", "mean_squared_error"]
Optimizer = Literal["adam", "adamw", "nadam", "rmsprop", "sgd"]

P = ParamSpec("P")
R = TypeVar("R")


def checked(builder: Callable[P, R]) -> Callable[P, R]:
    """Holds every call of a builder to the names and types of its signature.

    Args:
        builder: a function of keyword-only arguments with annotations from this module.

    Returns:
        The same function. It raises `UnknownArgumentError` for a name that the signature does
        not have, with the near miss, and `ArgumentValueError` for a value of another type or out
        of range. Nothing is converted but an int to a float.
    """
    names = list(inspect.signature(builder).parameters)
    validated = pydantic.validate_call(config=pydantic.ConfigDict(strict=True))(builder)

    @functools.wraps(builder)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in names:
                raise UnknownArgumentError(unknown(f"argument of {builder.__name__}", name, names))
        try:
            return validated(*args, **kwargs)
        except pydantic.ValidationError as error:
            raise ArgumentValueError(_one_line(builder.__name__, error)) from None

    return call


def _one_line(builder: str, error: pydantic.ValidationError) -> str:
    def describe(problem: Any) -> str:
        name = ".".join(str(part) for part in problem["loc"])
        expected = problem["msg"].removeprefix("Input should be ")
        return f"{name}={problem['input']!r}: must be {expected}"

    return f"{builder}: {'; '.join(describe(problem) for problem in error.errors())}."
