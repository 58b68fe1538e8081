"""Models of the zoo in scikit-learn's hands."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuning.estimators import ZooClassifier
from zoo.errors import ArgumentValueError, UnknownArgumentError

ROWS, LABELS = load_digits(return_X_y=True)
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


@pytest.mark.exhaustive
def test_a_grid_search_over_a_pipeline_finds_the_wider_network_and_refits_it():
    pipeline = make_pipeline(StandardScaler(), ZooClassifier("mlp", epochs=8, batch_size=32))
    grid = GridSearchCV(pipeline, {"zooclassifier__units": [1, 64]}, cv=3)
    grid.fit(ROWS[:1200], NAMES[LABELS[:1200]])
    assert grid.best_params_ == {"zooclassifier__units": 64}
    assert grid.score(ROWS[1200:], NAMES[LABELS[1200:]]) > 0.9
    assert set(grid.predict(ROWS[1200:])) <= set(NAMES)
    fitted = grid.best_estimator_[-1]
    assert len(fitted.history_.epoch) == 8
    probabilities = grid.predict_proba(ROWS[:5])
    assert probabilities.shape == (5, 10)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.exhaustive
def test_clones_and_changes_keep_every_setting_and_seeds_repeat():
    first = ZooClassifier("softmax_regression", epochs=2, seed=3, learning_rate=0.1)
    assert clone(first).get_params() == first.get_params()
    changed = clone(first).set_params(learning_rate=0.2, epochs=4)
    assert (changed.get_params()["learning_rate"], changed.get_params()["epochs"]) == (0.2, 4)
    assert changed.get_params()["seed"] == 3
    again = ZooClassifier(**first.get_params())
    assert again.get_params() == first.get_params()
    first_answers = first.fit(ROWS / 16, LABELS).predict_proba(ROWS[:5] / 16)
    for same in (again, again.set_params(**first.get_params())):
        answers = same.fit(ROWS / 16, LABELS).predict_proba(ROWS[:5] / 16)
        np.testing.assert_array_equal(answers, first_answers)
    scores = cross_val_score(first, ROWS / 16, LABELS, cv=2)
    assert np.array_equal(scores, cross_val_score(first, ROWS / 16, LABELS, cv=2))


def test_what_is_no_classifier_of_rows_is_refused():
    for name in ("gru", "vae", "perceptron"):
        with pytest.raises(
            ArgumentValueError, match="not a multiclass classifier of numeric features"
        ):
            ZooClassifier(name)
    with pytest.raises(ArgumentValueError, match="input_shape is inferred from the data"):
        ZooClassifier("mlp", input_shape=(8, 8, 1))
    with pytest.raises(UnknownArgumentError, match="Did you mean 'units'"):
        ZooClassifier("mlp").set_params(unit=3)
