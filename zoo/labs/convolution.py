"""Lab 3, convolutional networks and transfer: its exercises."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

# The ten networks of the course: filters, kernel sizes, pool sizes, and parameters on 32x32x3.
NETWORKS = (
    ((32,), (3,), (2,), 82_826),
    ((32, 16), (3, 2), (2, 2), 13_210),
    ((64, 32, 16), (3, 3, 2), (2, 2, 2), 24_890),
    ((16, 32, 64, 128), (3, 3, 3, 3), (2, 2, 2, 2), 102_570),
    ((32, 64, 32), (3, 3, 3), (2, 2, 2), 42_986),
    ((32, 16), (3, 2), (5, 3), 3_610),
    ((32, 64, 32), (3, 2, 3), (1, 2, 2), 48_106),
    ((64, 64, 32), (3, 3, 3), (2, 2, 2), 62_314),
    ((32, 64, 128, 256), (3, 3, 3, 3), (2, 2, 2, 2), 398_666),
)


@exercise(3, "convolve")
def _convolve(convolve: Answer, rng: np.random.Generator) -> None:
    """Slide a kernel over an image, and add up products."""
    image, kernel = rng.normal(size=(7, 9, 3)), rng.normal(size=(3, 2, 3))
    expected = np.zeros((5, 8))
    for row in range(5):
        for column in range(8):
            expected[row, column] = (image[row : row + 3, column : column + 2] * kernel).sum()
    value = np.asarray(convolve(image, kernel), float)
    expect(
        value.shape == (5, 8),
        f"expected shape (5, 8), received {value.shape}: in how many places does the kernel fit?",
    )
    expect(is_close(value, expected), "the shape is right, and a sum of products is not")


@exercise(3, "count_parameters")
def _count_parameters(count_parameters: Answer, rng: np.random.Generator) -> None:
    """Count the parameters of a convolutional network: convolutions, and the classifier."""
    for filters, kernels, pools, expected in NETWORKS:
        value = count_parameters(filters, kernels, pools)
        expect(
            value == expected,
            f"filters {filters}, kernels {kernels}, pools {pools}: you count {value:,}; most of "
            "them are in the classifier, whose inputs shrink with each pooling",
            mistake="3.5",
        )


@exercise(3, "matched_filters")
def _matched_filters(matched_filters: Answer, rng: np.random.Generator) -> None:
    """Find the one-layer network with as many parameters as a deeper one."""
    for budget in (13_210, 48_106, int(rng.integers(10_000, 90_000))):
        sizes = {n: 28 * n + (16 * 16 * n + 1) * 10 for n in range(1, 64)}
        expected = min(sizes, key=lambda n: abs(sizes[n] - budget))
        value = matched_filters(budget)
        expect(
            value == expected,
            f"one layer with {value} filters has {sizes.get(value, 0):,} parameters, and "
            f"the budget is {budget:,}: another width comes nearer",
            mistake="3.5",
        )


@exercise(3, "filter_images")
def _filter_images(filter_images: Answer, rng: np.random.Generator) -> None:
    """Make pictures of kernels, and leave the kernels as they are."""
    kernels = rng.normal(size=(3, 3, 3, 8)).astype("float32")
    before = kernels.copy()
    images = np.asarray(filter_images(kernels), float)
    expect(
        np.array_equal(kernels, before),
        "the kernels have changed: the network is no longer the one that was trained",
        mistake="3.6",
    )
    expect(
        images.shape == (8, 3, 3, 3),
        f"expected 8 pictures of 3x3 pixels in color, received shape {images.shape}",
        mistake="3.6",
    )
    expect(images.min() >= 0 and images.max() <= 1, "intensities must be in [0, 1]")
    scaled = (before - before.min()) / (before.max() - before.min())
    expect(
        is_close(images, np.moveaxis(scaled, -1, 0), 1e-4),
        "expected one scale for all kernels: the smallest weight black, the largest white",
    )


@exercise(3, "cross_entropy")
def _cross_entropy(cross_entropy: Answer, rng: np.random.Generator) -> None:
    """Compute the cross-entropy of each row from logits, of any size."""
    logits, labels = 4 * rng.normal(size=(6, 10)), rng.integers(0, 10, size=6)
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), labels]
    value = cross_entropy(logits, labels)
    once = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    twice = np.log(np.exp(once).sum(axis=1)) - once[np.arange(6), labels]
    expect(
        not is_close(value, twice),
        "softmax was applied twice: the loss has one in it already, so that no network, however "
        "sure, gets below 1.46",
        mistake="3.9",
    )
    expect(
        np.shape(value) == (6,),
        f"expected a loss for each of 6 rows, received shape {np.shape(value)}: a mean of means "
        "counts a small batch as much as a large one",
        mistake="3.9",
    )
    expect(is_close(value, expected), "this is not -log of the label's probability")
    large = cross_entropy(np.array([[2000.0, 0], [0, 2000.0]]), np.array([0, 0]))
    expect(is_close(large, [0, 2000]), "logits of 2,000 overflow")


@exercise(3, "epoch_batches")
def _epoch_batches(epoch_batches: Answer, rng: np.random.Generator) -> None:
    """Cut an epoch into batches of the size that the settings have now."""
    settings = {"batch_size": 256}
    for size in (256, 64, int(rng.integers(10, 40))):
        settings["batch_size"] = size
        batches = [list(batch) for batch in epoch_batches(1000, settings)]
        expect(
            max(map(len, batches)) == size,
            f"the batch size is set to {size}, and the largest batch has {max(map(len, batches))} "
            "rows: when was the loader made?",
            mistake="3.1",
        )
        visited = sorted(itertools.chain(*batches))
        expect(visited == list(range(1000)), "an epoch visits every row once")


@exercise(3, "one_change")
def _one_change(one_change: Answer, rng: np.random.Generator) -> None:
    """Vary one thing at a time."""
    base = {"depth": 2, "activation": "relu", "learning_rate": 1e-3, "pool": 2}
    before = dict(base)
    changes = {"depth": 3, "activation": "elu", "learning_rate": 1e-2}
    variants = [dict(variant) for variant in one_change(base, changes)]
    expect(base == before, "the base itself was changed, and with it every later variant", "3.3")
    expect(len(variants) == 3, f"expected 3 variants, received {len(variants)}")
    for variant, (name, value) in zip(variants, changes.items(), strict=True):
        differing = [key for key in before if variant.get(key) != before[key]]
        expect(
            len(differing) == 1,
            f"a variant differs from the base in {', '.join(differing) or 'nothing'}: which of "
            "these would the result be due to?",
            mistake="3.3",
        )
        expect(variant == before | {name: value}, f"the variant of {name} has another setting")


@exercise(3, "keep_best")
def _keep_best(keep_best: Answer, rng: np.random.Generator) -> None:
    """Keep the weights of the best epoch, while training writes over them."""
    for _ in range(5):
        losses = rng.permutation(12).astype(float)
        kept = np.asarray(keep_best(_train_in_place(losses)), float)
        best = int(losses.argmin())
        expect(
            best == 11 or not is_close(kept, np.full(3, 11.0)),
            "these are the weights of the last epoch; if you did keep the best ones, something "
            "has written over them since",
            mistake="3.4",
        )
        expect(is_close(kept, np.full(3, best)), f"these are not the weights of epoch {best}")


def _train_in_place(losses: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    weights = np.zeros(3)
    for epoch, loss in enumerate(losses):
        weights[:] = epoch
        yield weights, float(loss)


@exercise(3, "report_best")
def _report_best(report_best: Answer, rng: np.random.Generator) -> None:
    """Choose a network by validation, and report its test accuracy."""
    for _ in range(10):
        table = {
            f"M{i}": {"validation": float(v), "test": float(t)}
            for i, (v, t) in enumerate(zip(rng.permutation(8), rng.permutation(8), strict=True))
        }
        best = max(table, key=lambda name: table[name]["validation"])
        luckiest = max(table, key=lambda name: table[name]["test"])
        name, accuracy = report_best({key: dict(row) for key, row in table.items()})
        expect(
            name != luckiest or best == luckiest,
            f"{name} has the highest test accuracy, and was chosen for it",
            mistake="3.2",
        )
        expect(name == best, f"{name} is not the best on validation")
        expect(accuracy == table[best]["test"], "the figure is not the test accuracy of the chosen")


@exercise(3, "is_better")
def _is_better(is_better: Answer, rng: np.random.Generator) -> None:
    """Tell a real difference of two accuracies from luck."""
    cases = [(0.73, 2000, 0.7225, 10_000), (0.7225, 10_000, 0.6381, 10_000)]
    cases += [(*rng.uniform(0.6, 0.8, 1), 2000, *rng.uniform(0.6, 0.8, 1), 10_000)
              for _ in range(20)]  # fmt: skip
    for first, rows, second, other_rows in cases:
        error = np.sqrt(first * (1 - first) / rows + second * (1 - second) / other_rows)
        expected = bool(first - second > 2 * error)
        expect(
            bool(is_better(first, rows, second, other_rows)) == expected,
            f"{first:.2%} of {rows:,} rows against {second:.2%} of {other_rows:,}: the difference "
            f"has a standard error of {error:.2%}",
            mistake="3.7",
        )


@exercise(3, "freeze")
def _freeze(freeze: Answer, rng: np.random.Generator) -> None:
    """Freeze a backbone, batch normalization included, and put a new head on it."""
    import keras

    inputs = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(4, 3)(inputs)
    maps = keras.layers.BatchNormalization(momentum=0.5)(maps)
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(maps))
    backbone = keras.Model(inputs, features)
    model = freeze(backbone, 3)
    before = [value.copy() for value in backbone.get_weights()]
    sizes = [int(np.prod(weight.shape)) for weight in model.trainable_weights]
    expect(
        sum(sizes) == 4 * 3 + 3,
        f"{sum(sizes)} parameters are trainable; a head from 4 features to 3 classes has 15",
        mistake="3.7",
    )
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    images = rng.normal(3, 2, size=(16, 8, 8, 1))
    model.train_on_batch(images, rng.integers(0, 3, size=16))
    moved = [
        variable.path for variable, old in zip(backbone.weights, before, strict=True)
        if not np.array_equal(variable.numpy(), old)
    ]  # fmt: skip
    expect(
        not moved,
        f"after one step of training, {len(moved)} arrays of the frozen backbone have changed, "
        f"among them {moved[0] if moved else ''}: not only gradients change a layer",
        mistake="3.7",
    )


@exercise(3, "train_head")
def _train_head(train_head: Answer, rng: np.random.Generator) -> None:
    """Compute frozen features once, and train the head on them for some epochs."""
    images = rng.normal(size=(30, 4))
    passed: list[np.ndarray] = []
    steps: list[np.ndarray] = []

    def backbone(rows: np.ndarray) -> np.ndarray:
        passed.append(np.array(rows))
        return np.asarray(rows) * 2

    train_head(backbone, images, lambda features: steps.append(np.array(features)), 7)
    expect(len(steps) == 7, f"the head saw {len(steps)} epochs, expected 7")
    expect(all(is_close(features, images * 2) for features in steps), "the head saw other features")
    rows = sum(map(len, passed))
    expect(
        rows == len(images),
        f"{rows} images went through the backbone for {len(images)} images: frozen layers answer "
        "the same every time",
        mistake="3.8",
    )


@measured(3, "fit_few", "the accuracy after ten examples of each digit", higher=True)
def _fit_few(fit_few: Answer, seed: int) -> float:
    """Learn from ten images of each digit, given features of another network."""
    features, labels = digit_features()
    order = np.random.default_rng(seed).permutation(len(labels))
    shown = np.concatenate([order[labels[order] == digit][:10] for digit in range(10)])
    rest = np.setdiff1d(order, shown)
    predict = fit_few(features[shown], labels[shown], seed)
    classes = np.asarray(predict(features[rest]))
    expect(classes.shape == rest.shape, f"expected {len(rest)} classes, received {classes.shape}")
    return float((classes == labels[rest]).mean())


def digit_features() -> tuple[np.ndarray, np.ndarray]:
    """Return what the zoo's CNN, trained on photographs, makes of 1,797 digits.

    Returns:
        The features ``(1797, 256)``, means of the maps after its second convolution over the
        quarters of an image, and the labels ``(1797,)``.
    """
    import keras
    from sklearn.datasets import load_digits

    import zoo

    if not _FEATURES:
        images, labels = load_digits(return_X_y=True)
        gray = images.reshape(-1, 8, 8, 1).repeat(4, axis=1).repeat(4, axis=2)
        pictures = (gray.repeat(3, axis=3) * 15.9).astype("uint8")
        run = zoo.load("simple_cnn")
        backbone = keras.Model(run.model.inputs, run.model.get_layer("activation_2").output)
        maps = backbone.predict(run.preprocessor(pictures), batch_size=256, verbose=0)
        quarters = maps.reshape(-1, 2, 4, 2, 4, maps.shape[-1]).mean(axis=(2, 4))
        _FEATURES.update(features=quarters.reshape(len(labels), -1), labels=labels)
    return _FEATURES["features"], _FEATURES["labels"]


_FEATURES: dict[str, Any] = {}


def course_table() -> Mapping[str, Mapping[str, float]]:
    """Return validation and test accuracy of the eight networks that the course tried, percent."""
    validation = (65.70, 62.70, 71.78, 71.34, 52.68, 70.18, 72.46, 72.64)
    test = (67.15, 63.06, 70.81, 71.36, 53.38, 71.01, 72.25, 71.73)
    return {
        f"M{number}": {"validation": v, "test": t}
        for number, (v, t) in enumerate(zip(validation, test, strict=True), start=1)
    }
