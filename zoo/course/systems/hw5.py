"""Homework 5: SVD and autoencoders."""

from typing import Any

from zoo.course.definitions import System

_GRAY = "40,000 / 10,000 / 10,000 grayscale images; here 45,000 / 5,000 / 10,000"
_ADAM = {"optimizer": "adam", "learning_rate": 5e-3, "batch_size": 512, "schedule": "constant"}
_SIGMOID = _ADAM | {"activation": "sigmoid", "output_activation": "sigmoid"}
_INITIALIZATION = "Weights have Keras' default initialization; rows are shuffled every epoch."


def _gray(name: str, model: str, **facts: Any) -> System:
    defaults = {"metric": "test_mse", "differences": _INITIALIZATION}
    return System(
        id=f"hw5.{name}", model=model, dataset="cifar10", protocol=_GRAY, **defaults | facts
    )


_DENOISER = _SIGMOID | {"units": 256, "latent_dim": 256, "epochs": 30}
_DENOISER_DIFFERENCES = (
    f"{_INITIALIZATION} There is one more layer before the latent code, which is linear."
)
SYSTEMS = (
    _gray(
        "svd",
        "truncated_svd",
        taught={"rank": 128},
        ours={"rank": 128, "centered": True},
        parameters=131_072,
        course=0.00353,
        seconds=2.0,
        flaw="Claimed to capture non-linear structure; it is the best linear map of its rank.",
        differences="",
    ),
    _gray(
        "linear",
        "linear_autoencoder",
        taught=_ADAM | {"epochs": 25},
        ours={"epochs": 15},
        parameters=525_568,
        course=0.00901,
        seconds=990.6,
        flaw="Not trained to convergence, which is the principal subspace of the same size.",
    ),
    _gray(
        "nonlinear",
        "nonlinear_autoencoder",
        taught=_SIGMOID | {"epochs": 25},
        ours={"epochs": 15},
        parameters=525_568,
        course=0.00689,
        seconds=934.1,
        flaw="Compared with a principal subspace of half its latent dimension.",
    ),
    _gray(
        "deep",
        "deep_autoencoder",
        taught=_ADAM
        | {
            "learning_rate": 1e-3,
            "activation": "leaky_relu",
            "output_activation": "sigmoid",
            "epochs": 50,
            "augmentation": "none",
        },
        ours={"epochs": 12},
        parameters=1_395_520,
        course=0.01523,
        seconds=1_922.1,
        flaw="Said to overfit while it was still underfitting.",
        differences=f"{_INITIALIZATION} The latent code is linear.",
    ),
    _gray(
        "denoising",
        "denoising_autoencoder",
        taught=_DENOISER | {"noise_stddev": 0.3},
        ours={"noise_stddev": 0.3, "epochs": 12},
        parameters=591_360,
        course=0.01246,
        seconds=1_130.0,
        flaw="Trained with noise of 0.3, probably tested with 0.1; validation with 0.3: 0.0149.",
        differences=f"{_DENOISER_DIFFERENCES} The test noise is that of training.",
    ),
    _gray(
        "denoising_weak",
        "denoising_autoencoder",
        taught=_DENOISER | {"noise_stddev": 0.1},
        ours={"noise_stddev": 0.1, "epochs": 8},
        parameters=591_360,
        course=0.00936,
        seconds=None,
        flaw="Hardly better than the noisy image itself, whose error was not computed.",
        differences=_DENOISER_DIFFERENCES,
    ),
)
