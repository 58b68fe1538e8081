"""Homework 5: SVD and autoencoders."""

from typing import Any

from zoo.course.definitions import System

_GRAY = "40,000 / 10,000 / 10,000 images in gray; here 45,000 / 5,000 / 10,000"
_ADAM = {"optimizer": "adam", "learning_rate": 5e-3, "batch_size": 512, "schedule": "constant"}
_SIGMOID = _ADAM | {"activation": "sigmoid", "output_activation": "sigmoid"}
_AS_GRAY = "Weights begin as Keras draws them, and rows come in a new order each epoch."


def _gray(name: str, model: str, **facts: Any) -> System:
    known = {"quantity": "test_mse", "mended": _AS_GRAY}
    return System(id=f"hw5.{name}", model=model, dataset="cifar10", protocol=_GRAY, **known | facts)


_DENOISER = _SIGMOID | {"units": 256, "latent_dim": 256, "epochs": 30}
_AS_DENOISER = f"{_AS_GRAY} There is one more layer, before the code, and the code is linear."
SYSTEMS = (
    _gray(
        "svd",
        "truncated_svd",
        taught={"rank": 128},
        ours={"rank": 128, "centered": True},
        parameters=131_072,
        course=0.00353,
        seconds=2.0,
        flaw="Said to see what is not linear, it is the best of all linear maps of its rank.",
        mended="",
    ),
    _gray(
        "linear",
        "linear_autoencoder",
        taught=_ADAM | {"epochs": 25},
        ours={"epochs": 15},
        parameters=525_568,
        course=0.00901,
        seconds=990.6,
        flaw="Not trained to its end, which is the subspace of the same size.",
    ),
    _gray(
        "nonlinear",
        "nonlinear_autoencoder",
        taught=_SIGMOID | {"epochs": 25},
        ours={"epochs": 15},
        parameters=525_568,
        course=0.00689,
        seconds=934.1,
        flaw="Compared with a subspace of half its code.",
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
        flaw="Overfitting was said of a network that still underfitted.",
        mended=f"{_AS_GRAY} The code is linear.",
    ),
    _gray(
        "denoising",
        "denoising_autoencoder",
        taught=_DENOISER | {"noise_stddev": 0.3},
        ours={"noise_stddev": 0.3, "epochs": 12},
        parameters=591_360,
        course=0.01246,
        seconds=1_130.0,
        flaw="Learned noise of 0.3 and was probably tested on 0.1; on validation, 0.3: 0.0149.",
        mended=f"{_AS_DENOISER} Test has the noise that was learned.",
    ),
    _gray(
        "denoising_weak",
        "denoising_autoencoder",
        taught=_DENOISER | {"noise_stddev": 0.1},
        ours={"noise_stddev": 0.1, "epochs": 8},
        parameters=591_360,
        course=0.00936,
        seconds=None,
        flaw="About what the noisy image itself costs, which nobody computed.",
        mended=_AS_DENOISER,
    ),
)
