"""View: a text is typed, and classified with each letter."""

from zoo.evaluation.occlusion import occlude_words
from zoo.evaluation.prediction import predict
from zoo.playground import panels
from zoo.playground.controls import read_text, text_control
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run

EXAMPLES = {
    "imdb_reviews": "The plot is thin and the middle drags, but the cast is wonderful and I would "
    "watch it again.",
    "ag_news_subset": "Shares of the chip maker fell after it said that demand for its new "
    "processors was weaker than expected.",
    "toy_reviews": "the film was not bad but the music was boring .",
}
MAX_EXAMPLE_CHARACTERS = 300


def suits(run: Run) -> bool:
    """Return whether a run classifies texts.

    Args:
        run: the run.
    """
    return run.dataset.kind == "text"


def first_text(run: Run) -> str:
    """Return a text to begin with: one for the dataset, or the shortest of its stored test texts.

    Args:
        run: the run.
    """
    if run.dataset.name in EXAMPLES:
        return EXAMPLES[run.dataset.name]
    shortest = min(run.predictions["raw"], key=len).decode("utf-8", "replace")
    return " ".join(shortest.split())[:MAX_EXAMPLE_CHARACTERS]


def controls(run: Run) -> list[Control]:
    """Return the control for the text.

    Args:
        run: the run.
    """
    return [text_control("Type or paste a text", first_text(run))]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Classify a text, and show which words mattered.

    Args:
        run: the run.
        inputs: the text.

    Raises:
        InputError: if it is not a text.
    """
    text = read_text(inputs)
    (answer,) = predict(run, [text])
    title = f"Which words speak for {answer['label']} (red) and against (blue): occlusion"
    return [
        panels.bars(f"Answer: {answer['label']}", answer["probabilities"]),
        panels.words(title, occlude_words(run, text)),
    ]


VIEW = View(
    name="text",
    title="Classify a text",
    notice="Watch the bars while you type: a single word may turn the answer, and a negation often "
    "does not.",
    origin="Probabilities are those of zoo.predict. Occlusion: the probability of the answer minus "
    "that without the word.",
    suits=suits,
    controls=controls,
    show=show,
)
