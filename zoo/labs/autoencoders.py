"""Lab 5, autoencoders and the singular value decomposition: its exercises."""

import itertools

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

NOISE = 0.3


@exercise(5, "preload")
def _preload(preload: Answer, rng: np.random.Generator) -> None:
    """Read each image once, and serve the epochs from memory, shuffled."""
    images = rng.uniform(size=(12, 5))
    reads: list[int] = []

    def read(index: int) -> np.ndarray:
        reads.append(index)
        return images[index].copy()

    epoch = preload(read, 12, 7)
    served = [np.asarray(epoch(number), float) for number in (0, 1, 0)]
    for rows in served:
        expect(rows.shape == (12, 5), f"an epoch has shape {rows.shape}, expected (12, 5)")
        expect(
            is_close(np.sort(rows[:, 0]), np.sort(images[:, 0])), "an epoch must have every image"
        )
    expect(
        len(reads) == 12,
        f"12 images were read {len(reads)} times in three epochs",
        mistake="5.8",
    )
    expect(
        not is_close(served[0], served[1]) and not is_close(served[0], images),
        "two epochs come in the same order",
        mistake="5.8",
    )
    expect(is_close(served[0], served[2]), "the same epoch came in two orders")


@exercise(5, "principal_subspace")
def _principal_subspace(principal_subspace: Answer, rng: np.random.Generator) -> None:
    """Find mean and basis of the subspace that is closest to the rows."""
    rows = rng.normal(size=(60, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 20 * rng.normal(size=6)
    mean, basis = (np.asarray(part, float) for part in principal_subspace(rows.copy(), 2))
    expect(basis.shape == (6, 2), f"the basis has shape {basis.shape}, expected (6, 2)")
    centered = rows - rows.mean(axis=0)
    best = (np.linalg.svd(centered, compute_uv=False)[2:] ** 2).sum()
    error = _projection_error(rows, mean, basis)
    expect(
        error <= best * (1 + 1e-6) + 1e-9,
        f"the squared error is {error:.4g}, and {best:.4g} is possible: what does the first "
        "direction spend itself on if the mean is far from zero?",
        mistake="5.9",
    )
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    scales = np.array([1.0, 1e-9, 1e-13, 1e-13, 1e-13, 1e-13])
    faint = (rng.normal(size=(60, 6)) * scales) @ rotation.T
    mean, basis = (np.asarray(part, float) for part in principal_subspace(faint.copy(), 2))
    error = _projection_error(faint, mean, basis)
    expect(
        error <= 1e-20,
        "a direction a billion times fainter than the first is lost: squaring the data squares "
        "the ratio, and takes it below the precision of a number",
        mistake="5.9",
    )


def _projection_error(rows: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> float:
    centered = rows - mean
    return float(((centered - centered @ basis @ basis.T) ** 2).sum())


@exercise(5, "error_by_code_size")
def _error_by_code_size(error_by_code_size: Answer, rng: np.random.Generator) -> None:
    """Measure the error of the best subspace for each size of the code."""
    train = rng.normal(size=(80, 8)) * np.arange(1, 9) + 3
    test = rng.normal(size=(30, 8)) * np.arange(1, 9) + 3
    sizes = (1, 2, 4, 8)
    errors = dict(error_by_code_size(train.copy(), test.copy(), sizes))
    expect(tuple(errors) == sizes, f"expected the sizes {sizes}, received {tuple(errors)}")
    expect(
        len({round(float(error), 9) for error in errors.values()}) == len(sizes),
        "codes of different sizes have the same error: two methods can be compared only at the "
        "size that both have",
        mistake="5.4",
    )
    mean = train.mean(axis=0)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2]
    for size in sizes:
        expected = _projection_error(test, mean, directions[:size].T) / test.size
        expect(
            is_close(errors[size], expected),
            f"a code of {size} has the error {errors[size]:.4g} on the test rows: fit the "
            "subspace to the training rows alone, and average over all pixels",
        )


@exercise(5, "explain")
def _explain(explain: Answer, rng: np.random.Generator) -> None:
    """Judge a linear autoencoder by the bound of Eckart and Young for its own code size."""
    rows = rng.normal(size=(80, 10)) * np.arange(1, 11)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    for size in (2, 5, 8):
        bound = float((values[size:] ** 2).sum() / rows.size)
        cases = {"optimal": bound * 1.001, "undertrained": bound * 1.3, "impossible": bound * 0.9}
        for expected, error in cases.items():
            value = explain(rows.copy(), size, error)
            expect(
                value == expected,
                f"with a code of {size}, no linear map has a training error below {bound:.4g}; "
                f"you call {error:.4g} {value!r}",
                mistake="5.1",
            )


@exercise(5, "diagnose")
def _diagnose(diagnose: Answer, rng: np.random.Generator) -> None:
    """Name what two learning curves show."""
    epochs = np.arange(50)
    noise = 1 + 1e-4 * rng.normal(size=50)
    falling = np.exp(-epochs / 40)
    flat = 0.2 + 0.8 * np.exp(-epochs / 4)
    rising = flat + 0.01 * np.maximum(epochs - 20, 0)
    cases = {
        "the course's deep autoencoder: both curves still falling at the end":
            ("still learning", falling, falling * 1.01),
        "validation at its lowest in epoch 20, then rising while training falls":
            ("overfitting", 0.9 * falling, rising),
        "both curves flat, and close": ("converged", flat, flat * 1.02),
    }  # fmt: skip
    for name, (expected, train, validation) in cases.items():
        value = diagnose(train * noise, validation * noise)
        expect(
            value == expected,
            f"{name}: you call this {value!r}; that validation is above training proves nothing",
            mistake="5.6",
        )


@exercise(5, "layer_sizes")
def _layer_sizes(layer_sizes: Answer, rng: np.random.Generator) -> None:
    """Read the architecture off the trained weights, not off a cell of the notebook."""
    for _ in range(3):
        sizes = [int(n) for n in rng.integers(2, 30, size=5)]
        weights = []
        for before, after in itertools.pairwise(sizes):
            weights += [np.zeros((before, after)), np.zeros(after)]
        value = list(layer_sizes(weights))
        expect(
            value == sizes,
            f"these weights are those of {sizes}, and you report {value}: a cell can be edited "
            "after the training run, weights cannot",
            mistake="5.5",
        )


@exercise(5, "add_noise")
def _add_noise(add_noise: Answer, rng: np.random.Generator) -> None:
    """Add Gaussian noise to images, within black and white, repeatably."""
    images = np.full((40, 100), 0.5)
    seed = int(rng.integers(1000))
    noisy = np.asarray(add_noise(images.copy(), 0.1, seed), float)
    expect(noisy.shape == images.shape, f"expected shape {images.shape}, received {noisy.shape}")
    expect(
        np.array_equal(noisy, add_noise(images.copy(), 0.1, seed)),
        "the same seed gave other noise: no error measured on it can be repeated",
        mistake="5.9",
    )
    expect(
        not np.array_equal(noisy, add_noise(images.copy(), 0.1, seed + 1)),
        "another seed gave the same noise",
    )
    expect(abs(noisy.std() - 0.1) < 0.01, f"the deviation is {noisy.std():.3f}, not 0.1")
    strong = np.asarray(add_noise(images.copy(), 2.0, seed), float)
    expect(strong.min() >= 0 and strong.max() <= 1, "intensities leave the range from 0 to 1")


@exercise(5, "noisy_variant")
def _noisy_variant(noisy_variant: Answer, rng: np.random.Generator) -> None:
    """Derive a denoising autoencoder that differs from the plain one in the noise alone."""
    settings = {"encoder": [256], "decoder": [1024], "activation": "sigmoid", "noise": 0.0}
    before = {name: list(v) if isinstance(v, list) else v for name, v in settings.items()}
    variant = dict(noisy_variant(settings, NOISE))
    expect(settings == before, "the plain autoencoder's settings were changed, too", "5.7")
    differing = [name for name in {*variant, *before} if variant.get(name) != before.get(name)]
    expect(
        differing == ["noise"],
        f"the two differ in {', '.join(sorted(differing)) or 'nothing'}: a comparison of noise "
        "needs the same network on both sides",
        mistake="5.7",
    )
    expect(variant["noise"] == NOISE, f"the noise is {variant['noise']}, expected {NOISE}")


@exercise(5, "denoising_table")
def _denoising_table(denoising_table: Answer, rng: np.random.Generator) -> None:
    """Score a denoiser at each noise level, beside doing nothing."""
    images = rng.uniform(0.4, 0.6, size=(50, 64))
    seen: list[float] = []

    def denoise(noisy: np.ndarray) -> np.ndarray:
        noisy = np.asarray(noisy)
        seen.append(float(noisy.std()))
        return (noisy + 0.5) / 2

    def add_noise(rows: np.ndarray, sigma: float, seed: int) -> np.ndarray:
        return rows + sigma * np.random.default_rng(seed).normal(size=rows.shape)

    rows = [dict(row) for row in denoising_table(denoise, images.copy(), (0.1, 0.3), add_noise)]
    expect([row.get("sigma") for row in rows] == [0.1, 0.3], "expected a row for each noise level")
    for row in rows:
        missing = {"mse", "identity"} - set(row)
        expect(
            not missing,
            f"{', '.join(sorted(missing))} is missing: is the denoiser better than the noisy "
            "image itself?",
            mistake="5.3",
        )
    deviations = sorted(seen)
    expect(
        len(seen) == 2 and deviations[1] > 2 * deviations[0],
        "the denoiser was given the same noise at both levels: the table claims more than was "
        "measured",
        mistake="5.2",
    )
    for row in rows:
        expect(
            abs(row["identity"] / row["sigma"] ** 2 - 1) < 0.1,
            f"doing nothing at sigma {row['sigma']} costs about its square, not "
            f"{row['identity']:.4g}",
            mistake="5.3",
        )
        expect(
            0.2 * row["identity"] < row["mse"] < 0.6 * row["identity"],
            f"the denoiser of the check halves each deviation: its error at {row['sigma']} is not "
            f"{row['mse']:.4g}; compare its output with the clean images",
        )


@measured(5, "fit_denoiser", "the mean squared error of denoised digits", higher=False)
def _fit_denoiser(fit_denoiser: Answer, seed: int) -> float:
    """Train a denoiser on 1,437 digits, and score it on the other 360, all with fresh noise."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    images = load_digits().data[rng.permutation(1797)] / 16
    denoise = fit_denoiser(images[:1437], NOISE, seed)
    clean = images[1437:]
    noisy = np.clip(clean + NOISE * rng.normal(size=clean.shape), 0, 1)
    denoised = np.asarray(denoise(noisy), float)
    expect(denoised.shape == clean.shape, f"expected {clean.shape}, received {denoised.shape}")
    return float(((denoised - clean) ** 2).mean())


@exercise(5, "probe_accuracy")
def _probe_accuracy(probe_accuracy: Answer, rng: np.random.Generator) -> None:
    """Use codes for something: the class of the nearest training code."""
    labels, test_labels = rng.integers(0, 4, size=120), rng.integers(0, 4, size=60)
    train, test = rng.normal(size=(120, 9)), rng.normal(size=(60, 9))
    train[:, 0], test[:, 0] = 50 * labels, 50 * test_labels
    encoders = {
        "keeps the classes": lambda rows: np.asarray(rows)[:, :2],
        "loses them": lambda rows: np.asarray(rows)[:, 1:3],
    }
    for name, encode in encoders.items():
        codes, test_codes = encode(train), encode(test)
        distances = ((test_codes[:, None] - codes[None]) ** 2).sum(axis=2)
        expected = (labels[distances.argmin(axis=1)] == test_labels).mean()
        value = probe_accuracy(encode, train, labels, test, test_labels)
        expect(
            is_close(value, expected),
            f"of a code that {name}, the nearest neighbor is right in {expected:.0%}, and you "
            f"report {float(value):.3g}: what is a code good for, and not the image?",
            mistake="5.10",
        )
