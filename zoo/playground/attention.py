"""View: which words a transformer attends to."""

import numpy as np

from zoo.data.preprocessing import apply_preprocessor
from zoo.data.text import decode
from zoo.evaluation.inspection import attention_scores, transformer_block_names
from zoo.evaluation.prediction import predict
from zoo.playground import panels
from zoo.playground.classify_text import first_text
from zoo.playground.controls import choice_control, read_choice, read_text, text_control
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run

MAX_WORDS = 40


def suits(run: Run) -> bool:
    """Return whether a run has Transformer blocks.

    Args:
        run: the run.
    """
    return run.dataset.kind == "text" and bool(transformer_block_names(run.model))


def controls(run: Run) -> list[Control]:
    """Return the controls for the text and the block.

    Args:
        run: the run.
    """
    blocks = transformer_block_names(run.model)
    text = text_control(f"Type a text; the first {MAX_WORDS} words are shown", first_text(run))
    return [text, choice_control("block", "Block", blocks, blocks[0])]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Show the attention scores of each head.

    Args:
        run: the run.
        inputs: the text and the block.

    Raises:
        InputError: if one of them is invalid.
    """
    text = " ".join(read_text(inputs).split()[:MAX_WORDS])
    block = read_choice(inputs, "block", transformer_block_names(run.model))
    (answer,) = predict(run, [text])
    tokens = apply_preprocessor(run.preprocessor, np.array([text], object))[0]
    tokens = tokens[tokens != 0][:MAX_WORDS]
    words = [decode(run.preprocessor, [token]) for token in tokens]
    heads = attention_scores(run.model, tokens)[block]
    return [
        panels.bars(f"Answer: {answer['label']}", answer["probabilities"]),
        *(
            panels.matrix(f"Head {number}: queries in rows, keys in columns", words, words, scores)
            for number, scores in enumerate(heads, 1)
        ),
    ]


VIEW = View(
    name="attention",
    title="Attention",
    notice="Some columns are dark: words that everyone attends to. A high score is not a reason: "
    "compare with the occlusion of the same text.",
    origin="Softmax scores of the network, from zoo.evaluation.inspection; each row sums to 1.",
    suits=suits,
    controls=controls,
    show=show,
)
