"""How an answer becomes a line: exercises, what they expect, and results.

An exercise is a function that takes a student's answers and a random generator, and raises
`WrongAnswerError` by way of `expect`. Answers are functions wherever possible, so that a check
calls them on inputs of its own and compares with what it derives itself.
"""

import contextlib
import csv
import dataclasses
import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

THRESHOLDS = Path(__file__).parent / "thresholds.csv"
DEVIATIONS = 3
Answer = Any
Check = Callable[..., None]
Score = Callable[[Answer, int], float]


class WrongAnswerError(Exception):
    """An answer that does not meet an expectation; the message is a hint.

    Args:
        message: what is wrong, without the answer.
        mistake: number of the mistake that it is, such as ``"1.4"``; empty if it is a new one.
    """

    def __init__(self, message: str, mistake: str = "") -> None:
        super().__init__(message)
        self.mistake = mistake


@dataclasses.dataclass(frozen=True)
class Exercise:
    """An exercise of a lab.

    Attributes:
        name: its name, which is that of the first answer.
        lab: number of the lab.
        answers: names that the notebook must define.
        check: takes the answers and a random generator; raises `WrongAnswerError`.
        score: of an answer that trains a model: the result of one training run with a seed.
        higher: whether a higher score is better.
    """

    name: str
    lab: int
    answers: tuple[str, ...]
    check: Check
    score: Score | None = None
    higher: bool = True


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of one exercise.

    Attributes:
        exercise: its name.
        passed: whether every expectation was met.
        message: ``"passed"``, or what is wrong.
        mistake: number of the mistake recognized, or an empty string.
    """

    exercise: str
    passed: bool
    message: str
    mistake: str = ""

    def __str__(self) -> str:
        number = f" (mistake {self.mistake})" if self.mistake else ""
        return f"{self.exercise}: {self.message}{number}"


EXERCISES: dict[str, Exercise] = {}


def exercise(lab: int, *answers: str) -> Callable[[Check], Check]:
    """Register a check as an exercise of a lab.

    Args:
        lab: number of the lab.
        *answers: names that the notebook must define; the first is the exercise's name.

    Returns:
        A decorator that returns the check unchanged.
    """

    def register(check: Check) -> Check:
        EXERCISES[answers[0]] = Exercise(answers[0], lab, answers, check)
        return check

    return register


def measured(lab: int, name: str, what: str, higher: bool) -> Callable[[Score], Score]:
    """Register an exercise whose answer trains a model, which must reach a threshold.

    The threshold is three standard deviations worse than the mean of our solution over seeds:
    ``python -m benchmarks.labs thresholds`` measures it.

    Args:
        lab: number of the lab.
        name: name of the answer and of the exercise.
        what: what is measured, for the hint.
        higher: whether more is better.

    Returns:
        A decorator of the function that trains with a seed and returns the result.
    """

    def register(score: Score) -> Score:
        def check(answer: Answer, rng: np.random.Generator) -> None:
            value = score(answer, int(rng.integers(2**31)))
            limit = read_thresholds()[name]
            reached = value >= limit if higher else value <= limit
            bound = "at least" if higher else "at most"
            expect(reached, f"{what} is {value:.4g}; our answer reaches {bound} {limit:.4g}")

        EXERCISES[name] = Exercise(name, lab, (name,), check, score, higher)
        return score

    return register


def read_thresholds() -> dict[str, float]:
    """Return the threshold of each exercise that trains a model."""
    with THRESHOLDS.open(newline="") as file:
        return {row["exercise"]: float(row["threshold"]) for row in csv.DictReader(file)}


def expect(condition: object, message: str, mistake: str = "") -> None:
    """Raise `WrongAnswerError` unless a condition holds.

    Args:
        condition: what must be true.
        message: what is wrong otherwise: a hint that does not give the answer away.
        mistake: number of the mistake that this expectation catches.

    Raises:
        WrongAnswerError: if the condition is false.

    Example:
        >>> from zoo.labs.grading import expect
        >>> expect(1 + 1 == 2, "arithmetic is broken")
    """
    if not condition:
        raise WrongAnswerError(message, mistake)


def is_close(value: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Return whether a value has the expected shape and numbers.

    Args:
        value: an answer: anything that NumPy takes as an array.
        expected: an array, or nested numbers.
        tolerance: relative and absolute.

    Example:
        >>> from zoo.labs.grading import is_close
        >>> is_close([1, 2], [1.0, 2.0]), is_close([1, 2], [[1, 2]])
        (True, False)
    """
    try:
        received = np.asarray(value, float)
    except (TypeError, ValueError):
        return False
    target = np.asarray(expected, float)
    return received.shape == target.shape and np.allclose(
        received, target, rtol=tolerance, atol=tolerance
    )


def grade(exercise: Exercise, namespace: Mapping[str, Answer], seed: int = 0) -> Result:
    """Return the result of an exercise.

    Args:
        exercise: the exercise.
        namespace: the names that the notebook has defined.
        seed: seed of what the check draws at random.
    """
    missing = [name for name in exercise.answers if namespace.get(name, ...) in (None, ...)]
    if missing:
        return Result(exercise.name, False, f"not answered yet: `{missing[0]}` is not defined")
    answers = [namespace[name] for name in exercise.answers]
    try:
        with _silence():
            exercise.check(*answers, np.random.default_rng(seed))
    except WrongAnswerError as error:
        return Result(exercise.name, False, str(error), error.mistake)
    except NotImplementedError:
        return Result(exercise.name, False, "not answered yet")
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return Result(exercise.name, False, f"raised {type(error).__name__}: {first_line}")
    return Result(exercise.name, True, "passed")


@contextlib.contextmanager
def _silence() -> Any:
    """Hide what an answer prints, and warnings about its arithmetic: the check will speak."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield
