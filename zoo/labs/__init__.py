"""Six labs that grade themselves: notebooks kept as text, and the checks of their exercises.

Example:
    >>> from zoo.labs import check
    >>> check("shapes", {"W1": (3, 4), "b1": (4,), "W2": (3, 1), "b2": (1,)})
    shapes: W2 cannot have shape (3, 1): multiply a batch of shape (8, 3) through (mistake 1.8)
"""

from zoo.errors import LabError, unknown_name_message
from zoo.labs import autoencoders, convolution, perceptron, sequences, text, variational
from zoo.labs.grading import EXERCISES, Answer, Exercise, grade

TOPICS = (perceptron, text, convolution, sequences, autoencoders, variational)


def get_exercise(name: str) -> Exercise:
    """Return an exercise.

    Args:
        name: its name.

    Raises:
        LabError: if there is none of this name.
    """
    if name not in EXERCISES:
        raise LabError(unknown_name_message("exercise", name, EXERCISES))
    return EXERCISES[name]


def exercises_of(lab: int) -> list[Exercise]:
    """Return the exercises of a lab.

    Args:
        lab: its number.
    """
    return [exercise for exercise in EXERCISES.values() if exercise.lab == lab]


def check(name: str, *answers: Answer) -> None:
    """Print one line about an answer: passed, or what is wrong with it.

    Args:
        name: name of the exercise.
        *answers: what it asks for, as a rule one function.

    Raises:
        LabError: if there is no such exercise, or it takes another number of answers.
    """
    exercise = get_exercise(name)
    if len(answers) != len(exercise.answers):
        raise LabError(f"{name} takes {', '.join(exercise.answers)}; received {len(answers)}.")
    print(grade(exercise, dict(zip(exercise.answers, answers, strict=True))))
