"""What the solutions of the labs reach over seeds, and how often a correct one fails.

    python -m benchmarks.labs [EXERCISE...]   # all of them, if none is named

Where an exercise trains a model, its threshold is three standard deviations (at least one percent
of the mean each) worse than the mean over seeds 0 to 9: ``results/labs_scores.csv`` has the scores,
``zoo/labs/thresholds.csv`` the thresholds. Then every solution is graded with 20 other seeds, of
the check's inputs and of what it trains: ``results/labs_alarms.csv``. Results that are in the files
are not measured again.
"""

import csv
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.labs import EXERCISES, exercises_of
from zoo.labs.grading import DEVIATIONS, THRESHOLDS, Exercise, grade
from zoo.labs.sheets import Lab, list_labs, read_answers, read_notebook

ROOT = Path(__file__).parents[1]
SCORES = ROOT / "benchmarks" / "results" / "labs_scores.csv"
ALARMS = ROOT / "benchmarks" / "results" / "labs_alarms.csv"
THRESHOLD_SEEDS = range(10)
ALARM_SEEDS = range(100, 120)
SMALLEST_DEVIATION = 0.01  # of the mean


def main() -> None:
    """Measure the exercises named on the command line, or all."""
    names = sys.argv[1:] or list(EXERCISES)
    chosen = [(e, namespace) for e, namespace in solved_exercises() if e.name in names]
    for exercise, namespace in chosen:
        if exercise.score is not None:
            for seed in _seeds_left(SCORES, exercise, THRESHOLD_SEEDS):
                score = exercise.score(namespace[exercise.name], seed)
                _append(SCORES, (exercise.name, seed, f"{score:.6g}"))
    write_thresholds()
    for exercise, namespace in chosen:
        for seed in _seeds_left(ALARMS, exercise, ALARM_SEEDS):
            _append(ALARMS, (exercise.name, seed, grade(exercise, namespace, seed).passed))


def write_thresholds() -> None:
    """Compute the thresholds from the scores."""
    lines = ["exercise,seeds,mean,deviation,threshold"]
    for exercise in EXERCISES.values():
        scores = [float(value) for name, _, value in _read(SCORES) if name == exercise.name]
        if exercise.score is not None and len(scores) > 1:
            mean = statistics.mean(scores)
            deviation = max(statistics.stdev(scores), SMALLEST_DEVIATION * mean)
            limit = mean - (1 if exercise.higher else -1) * DEVIATIONS * deviation
            lines.append(f"{exercise.name},{len(scores)},{mean:.5g},{deviation:.5g},{limit:.5g}")
    THRESHOLDS.write_text("\n".join(lines) + "\n")


def solved_exercises() -> Iterable[tuple[Exercise, dict[str, Any]]]:
    """Yield every exercise with what its lab's cells of setup and the solutions define."""
    for lab in list_labs():
        namespace = _solve(lab)
        for exercise in exercises_of(lab.number):
            yield exercise, namespace


def _solve(lab: Lab) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for cell in read_notebook(lab.source).cells:
        if "setup" in cell.metadata.get("tags", ()):
            exec(cell.source, namespace)
    for _, source in read_answers(ROOT / "docs" / "labs" / "solutions" / lab.source.name):
        exec(source, namespace)
    return namespace


def _read(path: Path) -> list[list[str]]:
    """Return the rows of a file of results, without the header."""
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def _seeds_left(path: Path, exercise: Exercise, seeds: Iterable[int]) -> list[int]:
    done = {int(row[1]) for row in _read(path) if row[0] == exercise.name}
    return [seed for seed in seeds if seed not in done]


def _append(path: Path, row: tuple) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main()
