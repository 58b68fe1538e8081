"""What a person can do on the page, and the values that it sends.

Each control has a ``kind``, which the page renders, and a ``name``, under which its value arrives.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.errors import InputError
from zoo.playground.drawing import fit_drawing
from zoo.playground.images import to_png
from zoo.playground.view import Control, Inputs
from zoo.runs import Run
from zoo.serving.rows import CONVERTERS

MAX_EXAMPLES = 12
MAX_IMAGE_BYTES = 2**26
MAX_CHARACTERS = 10_000


def image_control(run: Run) -> Control:
    """Return a control for an image: upload or paste one, or take a row of the test split.

    Where images are gray, there is a canvas to draw on, too, white on black.

    Args:
        run: the run, some of whose test images are the examples.
    """
    examples = run.predictions["raw"][:MAX_EXAMPLES]
    return {
        "kind": "image",
        "name": "image",
        "drawing": run.dataset.input_shape[2] == 1,
        "examples": [to_png(image) for image in examples],
    }


def text_control(label: str, value: str) -> Control:
    """Return a control for a text.

    Args:
        label: its label.
        value: the text at first.
    """
    return {
        "kind": "text", "name": "text", "label": label, "value": value, "max": MAX_CHARACTERS,
    }  # fmt: skip


def slider_control(
    name: str, label: str, low: float, high: float, step: float, value: float, play: bool = False
) -> Control:
    """Return a control for a number.

    Args:
        name: its name.
        label: its label.
        low: the smallest value.
        high: the largest value.
        step: the distance between values.
        value: the value at first.
        play: whether there is a button that plays all values, as a film.
    """
    return {
        "kind": "slider", "name": name, "label": label, "min": low, "max": high, "step": step,
        "value": value, "play": play,
    }  # fmt: skip


def choice_control(name: str, label: str, options: Sequence[str], value: str) -> Control:
    """Return a control for one of several strings.

    Args:
        name: its name.
        label: its label.
        options: the strings.
        value: the one at first.
    """
    return {
        "kind": "choice", "name": name, "label": label, "options": list(options), "value": value,
    }  # fmt: skip


def read_image(run: Run, inputs: Inputs) -> np.ndarray:
    """Return the image of an image control, a drawing in the size and place of the examples.

    Args:
        run: the run.
        inputs: values by name; an image is ``{"content": BASE64, "drawn": BOOL}``.

    Returns:
        Raw image, uint8 ``(height, width, channels)``, with the channels of the dataset.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    value = inputs.get("image")
    if not isinstance(value, dict) or not isinstance(value.get("content"), str):
        raise InputError('image: expected {"content": "..."}, an image file in base64.')
    try:
        content = base64.b64decode(value["content"], validate=True)
    except (binascii.Error, ValueError):
        raise InputError("image: the content is not base64.") from None
    shape = run.dataset.input_shape
    (image,) = CONVERTERS["image"]([content], shape, {}, MAX_IMAGE_BYTES)
    if value.get("drawn"):
        return fit_drawing(np.asarray(image), run.predictions["raw"])
    return np.asarray(image)


def read_text(inputs: Inputs) -> str:
    """Return the text of a text control.

    Args:
        inputs: values by name.

    Raises:
        InputError: if it is not a text, or too long.
    """
    text = inputs.get("text")
    if not isinstance(text, str):
        raise InputError(f"text: received {str(text)[:40]!r}; expected a string.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"text: received {len(text)} characters; expected at most {MAX_CHARACTERS}."
        )
    return text.encode("utf-8", "replace").decode()


def read_number(inputs: Inputs, name: str, low: float, high: float) -> float:
    """Return the number of a slider.

    Args:
        inputs: values by name.
        name: name of the slider.
        low: the smallest value.
        high: the largest value.

    Raises:
        InputError: if it is not a number in this range.
    """
    value: Any = inputs.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise InputError(
            f"{name}: received {str(value)[:40]!r}; expected a number from {low:g} to {high:g}."
        )
    return float(value)


def read_choice(inputs: Inputs, name: str, options: Sequence[str]) -> str:
    """Return the string of a choice.

    Args:
        inputs: values by name.
        name: name of the choice.
        options: the strings that it may be.

    Raises:
        InputError: if it is not one of them.
    """
    value = inputs.get(name)
    if value not in options:
        raise InputError(
            f"{name}: received {str(value)[:40]!r}; expected one of {', '.join(options)}."
        )
    return str(value)
