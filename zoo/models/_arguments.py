"""The types of the builders' arguments, and the check that every call gets."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import pydantic
import pydantic_core

from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown_name_message

PositiveInt = Annotated[int, pydantic.Field(ge=1, le=2**31 - 1)]
Positive = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, pydantic.Field(ge=0, lt=1)]
Shape = tuple[PositiveInt, ...]
NumClasses = Annotated[int, pydantic.Field(ge=2, le=2**31 - 1)]
NumLayers = Annotated[int, pydantic.Field(ge=1, le=200)]
VocabSize = Annotated[int, pydantic.Field(ge=3, le=2**31 - 1)]
NonNegativeInt = Annotated[int, pydantic.Field(ge=0, le=2**31 - 1)]


Activation = Literal[
    "elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"
]
BinaryLoss = Literal["binary_crossentropy", "mean_squared_error"]
Optimizer = Literal["adam", "adamw", "muon", "nadam", "nesterov", "rmsprop", "sgd"]


def _of_layers(value: Any) -> Any:
    words = str(value).split("-")
    whole = isinstance(value, int | str) and not isinstance(value, bool)
    if not whole or not all(word.isdecimal() and 0 < int(word) < 2**31 for word in words):
        raise pydantic_core.PydanticCustomError(
            "per_layer", "a positive integer, or one for each layer joined by '-', as in '64-64-32'"
        )
    return value


PerLayer = Annotated[int | str, pydantic.PlainValidator(_of_layers)]

P = ParamSpec("P")
R = TypeVar("R")


def by_layer(name: str, value: int | str, num_layers: int) -> list[int]:
    """Gives one number a layer of what stands for all.

    Args:
        name: of the argument.
        value: a number for every layer, or ``"64-64-32"``.
        num_layers: how many layers there are.

    Returns:
        That many numbers.

    Raises:
        ArgumentValueError: if the value names another number of layers.

    Example:
        >>> from zoo.models._arguments import by_layer
        >>> by_layer("filters", "64-64-32", 3), by_layer("kernel_size", 3, 3)
        ([64, 64, 32], [3, 3, 3])
    """
    numbers = [int(word) for word in str(value).split("-")]
    if len(numbers) == 1:
        return numbers * num_layers
    if len(numbers) != num_layers:
        raise ArgumentValueError(
            f"{name}={value!r} is for {len(numbers)} layers, and num_layers={num_layers}."
        )
    return numbers


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
                raise UnknownArgumentError(
                    unknown_name_message(f"argument of {builder.__name__}", name, names)
                )
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
