"""Lab 6, variational autoencoders: its exercises."""

from typing import Any

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

PIXELS = 784


@exercise(6, "titles")
def _titles(titles: Answer, rng: np.random.Generator) -> None:
    """Write the label of each image above it."""
    labels = rng.integers(0, 10, size=12)
    expect(
        list(titles(labels)) == [str(label) for label in labels.tolist()],
        "an image of a 0 must have the title '0'",
        mistake="6.7",
    )


@exercise(6, "fraction_bent")
def _fraction_bent(fraction_bent: Answer, rng: np.random.Generator) -> None:
    """Count for which of a layer's values ReLU and leaky ReLU differ."""
    inputs = rng.uniform(size=(50, 6))
    for weights in (rng.normal(size=(6, 9)), abs(rng.normal(size=(6, 9)))):
        bias = 0.1 * abs(rng.normal(size=9))
        expected = ((inputs @ weights + bias) < 0).mean()
        value = fraction_bent(inputs, weights, bias)
        expect(
            is_close(value, expected),
            f"{expected:.1%} of these values are bent differently, and you say {float(value):.1%}: "
            "inputs in [0, 1] do not make the sums positive",
            mistake="6.6",
        )


@exercise(6, "sample")
def _sample(sample: Answer, rng: np.random.Generator) -> None:
    """Sample codes from noise: mean plus deviation times noise, without a hidden state."""
    mean, log_variance, noise = rng.normal(size=(3, 7, 2))
    value = sample(mean, log_variance, noise)
    expect(is_close(sample(mean, log_variance, 0 * noise), mean), "without noise, not the mean")
    for wrong in (log_variance, np.exp(log_variance), abs(log_variance) ** 0.5):
        expect(
            not is_close(value, mean + wrong * noise),
            "the log-variance is taken for something else: how does a deviation follow from it?",
            mistake="6.8",
        )
    expect(is_close(value, mean + np.exp(log_variance / 2) * noise), "the deviation is not right")
    expect(
        is_close(sample(mean, log_variance, noise), value),
        "the same noise gave another sample: take the noise from the argument",
        mistake="6.8",
    )


@exercise(6, "kl_divergence")
def _kl_divergence(kl_divergence: Answer, rng: np.random.Generator) -> None:
    """Compute how far the codes' distribution is from the standard normal, in nats per image."""
    mean, log_variance = rng.normal(size=(2, 5, 3))
    terms = (mean**2 + np.exp(log_variance) - log_variance - 1) / 2
    value = kl_divergence(mean, log_variance)
    expect(
        not is_close(value, terms.mean(axis=1)),
        "the dimensions of a code are independent: their divergences add up",
        mistake="6.1",
    )
    as_variance = (mean**2 + log_variance - np.log(abs(log_variance)) - 1) / 2
    expect(
        not is_close(value, as_variance.sum(axis=1)),
        "the log-variance is taken for a variance",
        mistake="6.8",
    )
    rest = kl_divergence(np.zeros((2, 3)), np.zeros((2, 3)))
    expect(is_close(rest, [0, 0]), "the standard normal is not at a distance of 0 from itself")
    expect(is_close(value, terms.sum(axis=1)), "the divergence of a row is not right")


@exercise(6, "negative_elbo")
def _negative_elbo(negative_elbo: Answer, rng: np.random.Generator) -> None:
    """Compute the negative evidence lower bound in nats per image."""
    images = (rng.uniform(size=(6, 20)) < 0.5).astype(float)
    pixels = rng.uniform(0.05, 0.95, size=(6, 20))
    mean, log_variance = rng.normal(size=(2, 6, 2))
    terms = -(images * np.log(pixels) + (1 - images) * np.log(1 - pixels))
    divergence = ((mean**2 + np.exp(log_variance) - log_variance - 1) / 2).sum(axis=1)
    value = negative_elbo(images, pixels, mean, log_variance)
    for wrong in (terms.mean() + divergence.mean(), terms.mean(axis=1) + divergence,
                  terms.mean() + 1e-3 * divergence.mean()):  # fmt: skip
        expect(
            not is_close(value, wrong),
            "the cross-entropy is averaged over the pixels and the divergence summed over the "
            "code: the two are on different scales, and the sum bounds nothing",
            mistake="6.1",
        )
    expect(is_close(value, terms.sum(axis=1) + divergence), "expected a bound for each of 6 images")


@exercise(6, "in_nats")
def _in_nats(in_nats: Answer, rng: np.random.Generator) -> None:
    """Convert a loss of pixel means and weighted divergence to nats per image, and to its beta."""
    cases = [(0.16810, 0.00708, 1e-3), *(tuple(row) for row in rng.uniform(0.01, 0.3, size=(4, 3)))]
    for reconstruction, weighted, weight in cases:
        bound, beta = in_nats(reconstruction, weighted, weight, PIXELS)
        expect(
            is_close(bound, PIXELS * reconstruction + weighted / weight, 1e-4),
            f"{reconstruction:.4f} per pixel and {weighted:.4f} of divergence, weighted by "
            f"{weight:g}, are not {bound:.4g} nats per image",
            mistake="6.1",
        )
        expect(
            is_close(beta, PIXELS * weight, 1e-4),
            "multiply the loss by the number of pixels: what is the divergence's weight?",
            mistake="6.1",
        )


@exercise(6, "scores")
def _scores(scores: Answer, rng: np.random.Generator) -> None:
    """Evaluate the bound on training and on test images; only both can show overfitting."""
    for gap in (0.0, float(rng.uniform(2, 8))):
        bounds = {"train": rng.normal(100, 5, size=2000), "test": rng.normal(100, 5, size=1000)}
        bounds["test"] += gap - bounds["test"].mean() + bounds["train"].mean()
        asked: list[str] = []

        def evaluate(split: str, bounds: dict = bounds, asked: list[str] = asked) -> np.ndarray:
            asked.append(split)
            return bounds[split]

        value = dict(scores(evaluate))
        expect(
            {"train", "test"} <= set(asked) and {"train", "test"} <= set(value),
            "only images it was trained on were looked at: that says nothing about others",
            mistake="6.2",
        )
        for split, rows in bounds.items():
            expect(is_close(value[split], rows.mean()), f"the mean bound on {split} is not right")
        expect(
            bool(value.get("overfits")) == (gap > 0),
            f"the bound is {gap:.2f} nats worse on test images, with a standard error of "
            f"{np.hypot(5 / 2000**0.5, 5 / 1000**0.5):.2f}: is that overfitting?",
            mistake="6.2",
        )


@exercise(6, "beta_at")
def _beta_at(beta_at: Answer, rng: np.random.Generator) -> None:
    """Warm the weight of the divergence up, in equal steps."""
    for warmup, beta in ((10, 1.0), (4, float(rng.uniform(1, 5)))):
        values = [beta_at(epoch, warmup, beta) for epoch in range(15)]
        expect(
            values[0] < values[warmup],
            "the weight is the same from the first epoch: the code may be given up before the "
            "decoder has learned to use it",
            mistake="6.3",
        )
        expected = [beta * min(1, epoch / warmup) for epoch in range(15)]
        expect(
            is_close(values, expected), f"expected 0 in epoch 0, and {beta:.3g} from {warmup} on"
        )


@exercise(6, "sweep")
def _sweep(sweep: Answer, rng: np.random.Generator) -> None:
    """Train for each combination of weight and code size, and tabulate."""
    betas, sizes = (0.5, 1.0, 4.0), (2, 8)
    calls: list[tuple[float, int]] = []

    def train(beta: float, size: int) -> dict[str, float]:
        calls.append((beta, size))
        return {"reconstruction": 100 - size + beta, "divergence": size / beta}

    rows = [dict(row) for row in sweep(train, betas, sizes)]
    expected = {(beta, size) for beta in betas for size in sizes}
    expect(
        set(calls) == expected and len(rows) == len(expected),
        f"{len(set(calls))} of {len(expected)} combinations were trained, {len(rows)} reported: a "
        "sentence about the others is a guess",
        mistake="6.3",
    )
    for row in rows:
        result = train(row["beta"], row["size"])
        expect(
            all(is_close(row[name], value) for name, value in result.items()),
            f"the row of beta {row['beta']} and size {row['size']} has other results",
        )


@exercise(6, "cloud")
def _cloud(cloud: Answer, rng: np.random.Generator) -> None:
    """Compute mean and variance of the codes of all images together."""
    means = rng.normal(1, 2, size=(500, 2))
    log_variances = rng.normal(-1, 0.3, size=(500, 2))
    mean, variance = cloud(means, log_variances)
    expected = means.var(axis=0) + np.exp(log_variances).mean(axis=0)
    expect(is_close(mean, means.mean(axis=0)), "the mean of the cloud is that of the means")
    expect(
        not is_close(variance, [1, 1], 1e-3),
        "the cloud was declared standard normal; measure it",
        mistake="6.5",
    )
    expect(
        is_close(variance, expected, 1e-4),
        "the variance of the cloud has two parts: how far the means lie apart, and how wide each "
        "image's own distribution is",
        mistake="6.5",
    )


@exercise(6, "prior_samples")
def _prior_samples(prior_samples: Answer, rng: np.random.Generator) -> None:
    """Draw images from the model: decode codes of the prior."""
    codes: list[np.ndarray] = []

    def decode(rows: np.ndarray) -> np.ndarray:
        codes.append(np.asarray(rows, float))
        return np.tanh(codes[-1]).sum(axis=1, keepdims=True)

    images = np.asarray(prior_samples(decode, 2000, 2, int(rng.integers(1000))), float)
    expect(
        codes and codes[-1].shape == (2000, 2), "expected 2,000 codes of size 2, decoded at once"
    )
    expect(
        is_close(images, np.tanh(codes[-1]).sum(axis=1, keepdims=True)), "return what is decoded"
    )
    drawn = codes[-1]
    expect(
        abs(drawn.mean()) < 0.1 and abs(drawn.std() - 1) < 0.1 and abs(drawn).max() > 2.5,
        f"the codes have mean {drawn.mean():.2f}, deviation {drawn.std():.2f} and reach "
        f"{abs(drawn).max():.1f}: the prior is a normal distribution",
        mistake="6.4",
    )


@exercise(6, "interpolate")
def _interpolate(interpolate: Answer, rng: np.random.Generator) -> None:
    """Walk from one code to another in equal steps, both ends included."""
    first, last = rng.normal(size=(2, 3))
    expected = np.linspace(first, last, 7)
    value = np.asarray(interpolate(first, last, 7), float)
    expect(value.shape == (7, 3), f"expected shape (7, 3), received {value.shape}", mistake="6.4")
    expect(
        is_close(value[[0, -1]], [first, last]),
        "the walk does not begin at the first code and end at the last",
        mistake="6.4",
    )
    expect(is_close(value, expected), "the steps are not equal")


@exercise(6, "latent_grid")
def _latent_grid(latent_grid: Answer, rng: np.random.Generator) -> None:
    """Lay out a grid of codes, each of which stands for as much of the prior."""
    from scipy.stats import norm

    for size in (5, 12):
        grid = np.asarray(latent_grid(size), float)
        expect(
            grid.shape == (size, size, 2),
            f"expected shape ({size}, {size}, 2), received {grid.shape}",
        )
        steps = np.diff(np.sort(np.unique(grid[..., 0].round(9))))
        expect(
            len(steps) and steps.max() > 1.05 * steps.min(),
            "the grid has equal steps: it shows the rim, where codes are rare, as large as the "
            "middle, where most are",
            mistake="6.5",
        )
        quantiles = norm.ppf((np.arange(size) + 0.5) / size)
        for axis in (0, 1):
            lines = grid[..., 0] if axis == 0 else grid[..., 1]
            constant = is_close(np.sort(np.unique(lines.round(9))), quantiles, 1e-4)
            expect(constant, "the lines are not at the quantiles (i + 1/2) / size of the normal")
        expect(len({tuple(code) for code in grid.reshape(-1, 2).round(9)}) == size**2,
               "a code occurs twice")  # fmt: skip


@measured(6, "fit_vae", "the negative ELBO on digits held out, in nats per image,", higher=False)
def _fit_vae(fit_vae: Answer, seed: int) -> float:
    """Train a VAE with a code of two numbers on 1,437 digits, and bound the other 360."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    images = load_digits().data[rng.permutation(1797)] / 16
    encode, decode = fit_vae(images[:1437], seed)
    held_out: Any = images[1437:]
    mean, log_variance = (np.asarray(part, float) for part in encode(held_out))
    expect(mean.shape == (360, 2), f"expected codes of shape (360, 2), received {mean.shape}")
    bounds = []
    for _ in range(8):
        codes = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        pixels = np.clip(np.asarray(decode(codes), float), 1e-6, 1 - 1e-6)
        expect(pixels.shape == (360, 64), f"expected images of shape (360, 64): {pixels.shape}")
        terms = held_out * np.log(pixels) + (1 - held_out) * np.log(1 - pixels)
        divergence = (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1) / 2
        bounds.append(divergence - terms.sum(axis=1))
    return float(np.mean(bounds))
