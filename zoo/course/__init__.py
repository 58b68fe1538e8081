"""The homeworks of a deep learning course, redone with the zoo.

definitions.py   metrics, experiments and systems: the data classes of the package
systems/         the systems that the course built: settings, results and flaws, by homework
exercises.py     the questions of the homeworks, with answers and the experiments behind them
experiments.py   trains the experiments
stopping.py      the early stopping rule of the course
metrics.py       metrics and learning curves of a training run
results.py       reads and writes the results file, and compares results with the course's
report.py        writes the report and its figures
datasets.py      TFDS builders of the subsets that the course trained on
"""
