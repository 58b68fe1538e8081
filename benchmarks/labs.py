"""What the solutions of the labs reach over seeds, and how often a correct one fails.

    python -m benchmarks.labs thresholds   # zoo/labs/thresholds.csv, from results/labs_scores.csv
    python -m benchmarks.labs alarms       # results/labs_alarms.csv

Thresholds are set three standard deviations (at least one percent of the mean each) worse than the
mean over seeds 0 to 9; false alarms are counted over 20 other seeds.
"""

import csv
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.labs import exercises_of
from zoo.labs.grading import DEVIATIONS, THRESHOLDS, Exercise, grade
from zoo.labs.sheets import Lab, list_labs, read_answers, read_notebook

RESULTS = Path(__file__).parent / "results"
SOLUTIONS = Path(__file__).parents[1] / "labs" / "solutions"
THRESHOLD_SEEDS = range(10)
ALARM_SEEDS = range(100, 120)
SMALLEST_DEVIATION = 0.01  # of the mean


def main() -> None:
    """Run one of the two measurements."""
    stages = {"thresholds": measure_thresholds, "alarms": count_alarms}
    if sys.argv[1:2] == [] or sys.argv[1] not in stages:
        raise SystemExit(f"usage: python -m benchmarks.labs {'|'.join(stages)}")
    stages[sys.argv[1]]()


def measure_thresholds() -> None:
    """Train each solution that trains a model with ten seeds, and set its threshold."""
    rows = []
    for exercise, namespace in solved_exercises():
        if exercise.score is not None:
            answer = namespace[exercise.name]
            values = [exercise.score(answer, seed) for seed in THRESHOLD_SEEDS]
            mean = statistics.mean(values)
            deviation = max(statistics.stdev(values), SMALLEST_DEVIATION * mean)
            sign = -1 if exercise.higher else 1
            rows.append((exercise.name, mean, deviation, mean + sign * DEVIATIONS * deviation))
            _append(
                RESULTS / "labs_scores.csv",
                [(exercise.name, seed, v) for seed, v in zip(THRESHOLD_SEEDS, values, strict=True)],
                ("exercise", "seed", "score"),
            )
    THRESHOLDS.unlink()
    lines = [(name, *(f"{value:.5g}" for value in values)) for name, *values in rows]
    _append(THRESHOLDS, lines, ("exercise", "mean", "deviation", "threshold"))


def count_alarms() -> None:
    """Grade each solution with 20 seeds, of the check's inputs and of what it trains."""
    for exercise, namespace in solved_exercises():
        results = [grade(exercise, namespace, seed) for seed in ALARM_SEEDS]
        _append(
            RESULTS / "labs_alarms.csv",
            [(r.exercise, s, r.passed) for r, s in zip(results, ALARM_SEEDS, strict=True)],
            ("exercise", "seed", "passed"),
        )


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
    for _, source in read_answers(SOLUTIONS / lab.source.name):
        exec(source, namespace)
    return namespace


def _append(path: Path, rows: Iterable[tuple], header: tuple[str, ...]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *rows] if is_new else rows)


if __name__ == "__main__":
    main()
