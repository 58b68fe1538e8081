"""View: a recurrent network reads a text, word by word."""

import numpy as np

from zoo.data.preprocessing import apply_preprocessor
from zoo.data.text import decode
from zoo.evaluation.inspection import hidden_states, recurrent_layer_names
from zoo.evaluation.prediction import predict
from zoo.playground import panels
from zoo.playground.classify_text import first_text
from zoo.playground.controls import choice_control, read_choice, read_text, text_control
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run

MAX_WORDS = 60
MAX_UNITS = 64


def suits(run: Run) -> bool:
    """Return whether a run has a recurrent network.

    Args:
        run: the run.
    """
    return run.dataset.kind == "text" and bool(recurrent_layer_names(run.model))


def controls(run: Run) -> list[Control]:
    """Return the control for the text, and for the layer if there are several.

    Args:
        run: the run.
    """
    layers = recurrent_layer_names(run.model)
    text = text_control(f"Type a text; the first {MAX_WORDS} words are read", first_text(run))
    return [text, choice_control("layer", "Layer", layers, layers[0])]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Show the answer after each word, and the hidden states.

    Args:
        run: the run.
        inputs: the text and the layer.

    Raises:
        InputError: if one of them is invalid.
    """
    words = read_text(inputs).split()[:MAX_WORDS]
    layer = read_choice(inputs, "layer", recurrent_layer_names(run.model))
    beginnings = [" ".join(words[:end]) for end in range(1, len(words) + 1)] or [""]
    answers = predict(run, beginnings)
    series = {
        name: [answer["probabilities"][name] for answer in answers]
        for name in run.dataset.class_names
    }
    tokens = apply_preprocessor(run.preprocessor, np.array([" ".join(words)], object))[0]
    tokens = tokens[tokens != 0][:MAX_WORDS]
    states = hidden_states(run.model, layer, tokens)[:, :MAX_UNITS].T
    units = [str(number) for number in range(len(states))]
    read = [decode(run.preprocessor, [token]) for token in tokens]
    return [
        panels.lines("Answer after each word", words or [""], series),
        panels.matrix(
            f"State of each unit of {layer} after each word: red above 0, blue below",
            units, read, states, signed=True,
        ),
    ]  # fmt: skip


VIEW = View(
    name="states",
    title="Hidden states",
    notice="Look for units that keep their color over many words, and for the word at which the "
    "answer turns; a unit is rarely about one thing.",
    origin="The answer after a word is that of zoo.predict for the text up to it; the states are "
    "outputs of the recurrent layer.",
    suits=suits,
    controls=controls,
    show=show,
)
