"""Homework 6: a variational autoencoder."""

from zoo.course.definitions import System

SYSTEMS = (
    System(
        id="hw6.vae",
        model="vae",
        dataset="mnist",
        protocol="60,000 training images, none held out; here 54,000 / 6,000 / 10,000",
        taught={
            "units": "256-128",
            "activation": "leaky_relu",
            "beta": 0.784,
            "learning_rate": 1e-3,
            "epochs": 30,
            "batch_size": 128,
            "schedule": "constant",
        },
        ours={},
        parameters=469_268,
        metric="train_nats",
        course=138.9,
        seconds=353.7,
        flaw="Averaging over pixels but summing over the latent code made the weight of 0.001 "
        "meaningless, and nothing was evaluated on the test split.",
        differences="The loss is in nats per image: a weight of 0.784 corresponds to the course's "
        "0.001. Leaky ReLUs have a slope of 0.2 instead of 0.01; rows are held out.",
    ),
)
