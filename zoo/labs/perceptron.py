"""Lab 1, from the perceptron to digits: its exercises."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

FIRST_INPUT = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], float)
CUBE = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], float)
SHAPES = {"W1": (3, 4), "b1": (4,), "W2": (4, 1), "b2": (1,)}
STEP = 1e-6


@exercise(1, "unit_gradient")
def _unit_gradient(unit_gradient: Answer, rng: np.random.Generator) -> None:
    """Differentiate the squared error of one sigmoid unit, also for the bias."""
    weights, bias = rng.normal(size=3), float(rng.normal())
    for inputs, target in ((rng.normal(size=3), 1.0), (np.zeros(3), 0.0)):

        def error(w: np.ndarray, b: float, x: np.ndarray = inputs, t: float = target) -> float:
            return float((_sigmoid(x @ w + b) - t) ** 2)

        by_weight, by_bias = unit_gradient(weights, bias, inputs, target)
        expected = [_slope(lambda w: error(w, bias), weights, i) for i in range(3)]
        expected_bias = (error(weights, bias + STEP) - error(weights, bias - STEP)) / (2 * STEP)
        expect(
            not is_close(2 * np.asarray(by_weight), expected, 1e-4) or not np.any(inputs),
            "half the gradient of the squared error: where did the factor of the square go?",
        )
        expect(
            is_close(by_weight, expected, 1e-4),
            "the gradient by the weights is not the slope of the squared error",
        )
        expect(
            is_close(by_bias, expected_bias, 1e-4),
            "the gradient by the bias is not the slope of the squared error; it does not vanish "
            "where all inputs are zero",
            mistake="1.1",
        )


@exercise(1, "fit_unit")
def _fit_unit(fit_unit: Answer, rng: np.random.Generator) -> None:
    """Train one unit with a bias: it learns any linearly separable table, and no other."""
    seed = int(rng.integers(1000))
    first = FIRST_INPUT[:, 0]
    for name, targets in (("x0", first), ("NOT x0", 1 - first)):
        outputs = np.asarray(fit_unit(FIRST_INPUT, targets, seed), float)
        expect(outputs.shape == (4,), f"expected four outputs, received shape {outputs.shape}")
        errors = abs(outputs - targets)
        expect(
            errors[3] < 0.15 or errors[:3].max() >= 0.15,
            f"for the targets {name}, row 000 gets {outputs[3]:.2f}: no weight can move it, "
            "whatever the activation; what could?",
            mistake="1.1",
        )
        expect(errors.max() < 0.15, f"for the targets {name}, a row is off by {errors.max():.2f}")
    table = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    exclusive = np.array([0.0, 1, 1, 0])
    errors = abs(np.asarray(fit_unit(table, exclusive, seed), float) - exclusive)
    expect(errors.max() > 0.4, "one unit cannot learn XOR, but yours did: is it one unit?")


@exercise(1, "truth_table")
def _truth_table(truth_table: Answer, rng: np.random.Generator) -> None:
    """Write the eight rows of NOT ((x0 XOR x1) AND x2) and their targets."""
    inputs, targets = (np.asarray(part) for part in truth_table())
    expect(inputs.shape == (8, 3), f"the inputs have shape {inputs.shape}, not (8, 3)")
    expect(targets.shape == (8,), f"the targets have shape {targets.shape}, not (8,)")
    expect(len({tuple(row) for row in inputs.tolist()}) == 8, "a row occurs twice")
    for row, target in zip(inputs.astype(int).tolist(), targets, strict=True):
        expect(
            target == (not ((row[0] ^ row[1]) and row[2])),
            f"row {row} has the target {target}: work it out from the inside",
            mistake="1.8",
        )


@exercise(1, "shapes")
def _shapes(shapes: Answer, rng: np.random.Generator) -> None:
    """Say which shape each weight of the 3-4-1 network has."""
    expect(isinstance(shapes, Mapping), "expected a dict from names to shapes")
    for name, shape in SHAPES.items():
        expect(name in shapes, f"{name} is missing")
        expect(
            tuple(np.atleast_1d(shapes[name])) == shape,
            f"{name} cannot have shape {shapes[name]}: multiply a batch of shape (8, 3) through",
            mistake="1.8",
        )


@exercise(1, "network_gradients")
def _network_gradients(network_gradients: Answer, rng: np.random.Generator) -> None:
    """Backpropagate the mean squared error through the 3-4-1 network with biases."""
    parameters = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    targets = rng.integers(0, 2, size=(8, 1)).astype(float)
    gradients = network_gradients({k: v.copy() for k, v in parameters.items()}, CUBE, targets)
    for name, value in parameters.items():
        expect(name in gradients, f"the gradient of {name} is missing", "1.7" * (name[0] == "b"))

        def loss(moved: np.ndarray, name: str = name) -> float:
            return _network_loss(parameters | {name: moved}, targets)

        expected = np.array([_slope(loss, value, i) for i in range(value.size)])
        expect(
            is_close(gradients[name], expected.reshape(value.shape), 1e-4),
            f"the gradient of {name} is not the slope of the mean squared error: compare it with "
            "a difference quotient",
            "1.7" * (name[0] == "b"),
        )


@exercise(1, "success_rate")
def _success_rate(success_rate: Answer, rng: np.random.Generator) -> None:
    """Count for how many seeds a training run gets every row right."""
    targets = np.array([1, 1, 1, 0, 1, 0, 1, 1], float)
    quality = dict(zip(range(10), rng.permutation(10), strict=True))  # right where it is below 6

    def train(seed: int) -> np.ndarray:
        right = quality[seed] < 6
        tie = np.where(np.arange(8) == 3, 0.5, abs(targets - 0.1))
        return abs(targets - 0.1) if right else tie

    rate = success_rate(train, targets, range(10))
    expect(
        not (is_close(rate, 1.0) or is_close(rate, 0.0)),
        "six of ten seeds succeed here, and you report all or none of them: one seed is an "
        "anecdote, and an output of exactly 0.5 is no answer",
        mistake="1.7",
    )
    expect(is_close(rate, 0.6), f"six of ten seeds succeed here, and you report {rate}")


@exercise(1, "describe")
def _describe(describe: Answer, rng: np.random.Generator) -> None:
    """Measure what a dataset of images is, instead of remembering it."""
    for rows, size, top in ((7, 8, 16), (3, 28, 255), (int(rng.integers(2, 9)), 5, 4)):
        images = rng.integers(0, top, size=(rows, size, size + 1)).astype(float)
        images[0, 0, 0], images[0, 0, 1] = 0, top
        facts = describe(images)
        expected = {"rows": rows, "height": size, "width": size + 1, "darkest": 0, "brightest": top}
        for name, value in expected.items():
            expect(
                facts.get(name) == value,
                f"{name} is {value} for the images that the check passes, not {facts.get(name)}: "
                "read it off the array",
                mistake="1.3",
            )


@exercise(1, "softmax")
def _softmax(softmax: Answer, rng: np.random.Generator) -> None:
    """Turn logits into probabilities: for a batch, row by row, and for logits of any size."""
    logits = rng.normal(size=(5, 10))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expect(is_close(softmax(logits[:1]), expected[:1]), "one row of logits goes wrong")
    expect(
        is_close(softmax(logits), expected),
        "five rows of logits are five distributions: each row must add up to one",
        mistake="1.4",
    )
    large = np.array([[1000.0, 0, -1000], [-1000, -1000, -1000]])
    expect(
        is_close(softmax(large), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]),
        "logits of a thousand overflow: softmax does not change if you subtract what from a row?",
        mistake="1.4",
    )


@exercise(1, "scale")
def _scale(scale: Answer, rng: np.random.Generator) -> None:
    """Standardize pixels by what the training rows say; some pixels are always white."""
    train = rng.normal(8, 4, size=(50, 6))
    train[:, 0] = 0
    test = rng.normal(9, 4, size=(20, 6))
    test[:, 0] = 0
    scaled_train, scaled_test = (np.asarray(part) for part in scale(train.copy(), test.copy()))
    expect(np.isfinite(scaled_train).all(), "a pixel that never changes became NaN or infinite")
    expect(
        not is_close(scaled_train, train) and abs(scaled_train[:, 1:].mean()) < 1,
        "the intensities come back as they were, 0 to 16: one learning rate suits them badly",
        mistake="1.5",
    )
    expect(is_close(scaled_train[:, 1:].mean(axis=0), np.zeros(5)), "the mean is not 0")
    expect(is_close(scaled_train[:, 1:].std(axis=0), np.ones(5)), "the deviation is not 1")
    expected = (test[:, 1:] - train[:, 1:].mean(axis=0)) / train[:, 1:].std(axis=0)
    expect(
        is_close(scaled_test[:, 1:], expected),
        "test rows must be scaled by numbers that were known before the test",
    )


@exercise(1, "epoch_order")
def _epoch_order(epoch_order: Answer, rng: np.random.Generator) -> None:
    """Shuffle the rows anew in each epoch, repeatably."""
    seed = int(rng.integers(1000))
    orders = [list(epoch_order(100, epoch, seed)) for epoch in range(3)]
    for order in orders:
        expect(sorted(order) == list(range(100)), "an epoch visits every row exactly once")
    expect(
        orders[0] != list(range(100)) and orders[0] != orders[1] and orders[1] != orders[2],
        "the epochs visit the rows in the same order",
        mistake="1.5",
    )
    expect(
        list(epoch_order(100, 1, seed)) == orders[1],
        "the same seed and epoch gave two orders: the run cannot be repeated",
    )
    expect(list(epoch_order(100, 1, seed + 1)) != orders[1], "another seed gave the same order")


@measured(1, "fit_digits", "the accuracy on digits held out", higher=True)
def _fit_digits(fit_digits: Answer, seed: int) -> float:
    """Train softmax regression on 1,437 digits, and score it on the other 360."""
    inputs, labels = _load_digits()
    order = np.random.default_rng(seed).permutation(len(inputs))
    train, test = order[:1437], order[1437:]
    predict = fit_digits(inputs[train], labels[train], seed)
    classes = np.asarray(predict(inputs[test]))
    expect(classes.shape == (360,), f"expected 360 classes, received shape {classes.shape}")
    return float((classes == labels[test]).mean())


@exercise(1, "honest_accuracy")
def _honest_accuracy(honest_accuracy: Answer, rng: np.random.Generator) -> None:
    """Measure accuracy on rows that the model has not been trained on."""
    inputs = rng.normal(size=(400, 3))
    labels = rng.integers(0, 10, size=400)
    seen: list[np.ndarray] = []
    asked: list[np.ndarray] = []

    def fit(rows: np.ndarray, row_labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Memorize: the label of the nearest row."""
        rows, row_labels = np.array(rows), np.array(row_labels)
        seen.append(rows)

        def predict(new: np.ndarray) -> np.ndarray:
            asked.append(np.array(new))
            distances = ((np.asarray(new)[:, None] - rows[None]) ** 2).sum(axis=2)
            return row_labels[distances.argmin(axis=1)]

        return predict

    accuracy = honest_accuracy(fit, inputs, labels, int(rng.integers(1000)))
    expect(seen and asked, "fit and predict must both be called")
    fitted = {tuple(row) for row in np.concatenate(seen).tolist()}
    scored = {tuple(row) for row in np.concatenate(asked).tolist()}
    expect(
        not fitted & scored,
        f"labels that mean nothing were predicted with an accuracy of {accuracy:.0%}: "
        f"{len(fitted & scored)} rows were both trained on and scored",
        mistake="1.2",
    )
    expect(len(fitted) >= 200, f"only {len(fitted)} of 400 rows were trained on")
    expect(len(scored) >= 40, f"only {len(scored)} rows were scored: too few to tell")
    expect(0 <= accuracy < 0.35, f"no model predicts coin tosses with {accuracy:.0%}")


@exercise(1, "fool")
def _fool(fool: Answer, rng: np.random.Generator) -> None:
    """Find the smallest change that makes a linear classifier see another digit."""
    for _ in range(5):
        weights, bias = rng.normal(size=(64, 10)), rng.normal(size=10)
        image = rng.uniform(0, 16, size=64)
        logits = image @ weights + bias
        label = int(logits.argmax())
        changed = np.asarray(fool(image.copy(), weights, bias, label), float)
        expect(changed.shape == (64,), f"expected 64 pixels, received shape {changed.shape}")
        others = [k for k in range(10) if k != label]
        reach = min(
            (logits[label] - logits[k]) / np.linalg.norm(weights[:, k] - weights[:, label])
            for k in others
        )
        new_label = int((changed @ weights + bias).argmax())
        expect(
            new_label != label,
            f"the classifier still says {label}: nobody has been fooled",
            mistake="1.6",
        )
        size = np.linalg.norm(changed - image)
        expect(
            size <= 1.1 * reach + 1e-6,
            f"your change has length {size:.2f}, and {reach:.2f} is enough: which boundary is "
            "nearest, and in which direction does it lie?",
            mistake="1.6" if size > 3 * reach else "",
        )


def _load_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    return inputs, labels


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _slope(function: Callable[[np.ndarray], float], at: np.ndarray, index: int) -> float:
    step = np.zeros(at.shape)
    step.flat[index] = STEP
    return (function(at + step) - function(at - step)) / (2 * STEP)


def _network_loss(parameters: Mapping[str, np.ndarray], targets: np.ndarray) -> float:
    hidden = _sigmoid(CUBE @ parameters["W1"] + parameters["b1"])
    outputs = _sigmoid(hidden @ parameters["W2"] + parameters["b2"])
    return float(((outputs - targets) ** 2).mean())
