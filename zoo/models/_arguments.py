"""Types of builder arguments, and their validation."""

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


def _validate_per_layer(value: Any) -> Any:
    numbers = str(value).split("-")
    valid_type = isinstance(value, int | str) and not isinstance(value, bool)
    if not valid_type or not all(n.isdecimal() and 0 < int(n) < 2**31 for n in numbers):
        raise pydantic_core.PydanticCustomError(
            "per_layer", "a positive integer, or one per layer joined by '-', such as '64-64-32'"
        )
    return value


PerLayer = Annotated[int | str, pydantic.PlainValidator(_validate_per_layer)]

P = ParamSpec("P")
R = TypeVar("R")


def expand_per_layer(name: str, value: int | str, num_layers: int) -> list[int]:
    """Return the value of a hyperparameter for each layer.

    Args:
        name: name of the argument.
        value: one number for all layers, or one per layer, such as ``"64-64-32"``.
        num_layers: number of layers.

    Returns:
        A list of `num_layers` numbers.

    Raises:
        ArgumentValueError: if the value has another number of layers.

    Example:
        >>> from zoo.models._arguments import expand_per_layer
        >>> expand_per_layer("filters", "64-64-32", 3), expand_per_layer("kernel_size", 3, 3)
        ([64, 64, 32], [3, 3, 3])
    """
    numbers = [int(number) for number in str(value).split("-")]
    if len(numbers) == 1:
        return numbers * num_layers
    if len(numbers) != num_layers:
        raise ArgumentValueError(
            f"{name}={value!r} has values for {len(numbers)} layers, but num_layers={num_layers}."
        )
    return numbers


def downsampled_shape(input_shape: tuple[int, ...], num_layers: int) -> tuple[int, int, int]:
    """Return the shape of an image after several layers with stride 2.

    Args:
        input_shape: shape of the image, ``(height, width, channels)``.
        num_layers: number of layers.

    Returns:
        ``(height / 2 ** num_layers, width / 2 ** num_layers, channels)``.

    Raises:
        ArgumentValueError: if there are not three dimensions, or ``2 ** num_layers`` does not
            divide height and width.

    Example:
        >>> from zoo.models._arguments import downsampled_shape
        >>> downsampled_shape((32, 48, 3), 4)
        (2, 3, 3)
    """
    if len(input_shape) != 3:
        raise ArgumentValueError(f"input_shape={input_shape}: must be (height, width, channels).")
    height, width, channels = input_shape
    factor = 2**num_layers
    if height % factor or width % factor:
        raise ArgumentValueError(
            f"num_layers={num_layers}: {factor} must divide height and width, and the images have "
            f"{height}x{width} pixels."
        )
    return height // factor, width // factor, channels


def validate_arguments(builder: Callable[P, R]) -> Callable[P, R]:
    """Decorate a builder to check its arguments against the annotations.

    Args:
        builder: function of keyword-only arguments with annotations from this module.

    Returns:
        The function with validation. It raises `UnknownArgumentError` for an unknown argument and
        suggests the closest name, and `ArgumentValueError` for a value that has the wrong type or
        is out of range. Only integers are converted, where a float is expected.
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
            raise ArgumentValueError(_summarize_errors(builder.__name__, error)) from None

    return call


def _summarize_errors(builder: str, error: pydantic.ValidationError) -> str:
    def describe(problem: Any) -> str:
        name = ".".join(str(part) for part in problem["loc"])
        expected = problem["msg"].removeprefix("Input should be ")
        return f"{name}={problem['input']!r}: must be {expected}"

    return f"{builder}: {'; '.join(describe(problem) for problem in error.errors())}."
