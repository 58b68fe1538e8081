"""Homework 1: perceptrons and handwritten digits."""

from zoo.course.definitions import System

_TABLE = "trained and evaluated on all rows of the truth table"
_INITIALIZATION = (
    "Weights have Keras' default initialization, and rows are shuffled every epoch. The learning "
    "rate is half the course's, whose gradient omitted the factor 2 of the squared error."
)
_NEURON = {
    "use_bias": False,
    "loss": "mean_squared_error",
    "optimizer": "sgd",
    "learning_rate": 0.25,
    "batch_size": 1,
}
SYSTEMS = (
    System(
        id="hw1.perceptron",
        model="perceptron",
        dataset="first_input",
        protocol=f"4 rows, {_TABLE}",
        taught=_NEURON | {"epochs": 1_000},
        ours={},
        parameters=3,
        metric="test_mse",
        course=0.06398,
        seconds=1.0,
        flaw="Without a bias, the output for 000 stays at 0.5; vanishing gradients were blamed.",
        differences=_INITIALIZATION,
    ),
    System(
        id="hw1.single_layer",
        model="perceptron",
        dataset="xor_nand",
        protocol=f"8 rows, {_TABLE}",
        taught=_NEURON | {"epochs": 10_000},
        ours={},
        parameters=3,
        metric="test_mse",
        course=0.1565,
        seconds=2.5,
        flaw="No single unit can compute this function, with or without a bias.",
        differences=_INITIALIZATION,
    ),
    System(
        id="hw1.two_layer",
        model="two_layer_perceptron",
        dataset="xor_nand",
        protocol=f"8 rows, {_TABLE}",
        taught=_NEURON | {"epochs": 2_000},
        ours={},
        parameters=16,
        metric="test_mse",
        course=0.00282,
        seconds=1.0,
        flaw="Only one initialization was tried; networks without biases fail from some.",
        differences=_INITIALIZATION,
    ),
    System(
        id="hw1.digits",
        model="softmax_regression",
        dataset="digits",
        protocol="the course trained and evaluated on all 1,797 digits; here 1,294 / 143 / 360",
        taught={
            "l2": 0.0,
            "optimizer": "sgd",
            "learning_rate": 0.128,
            "epochs": 50,
            "batch_size": 1,
            "schedule": "constant",
        },
        ours={"l2": 0.0, "batch_size": 16},
        parameters=650,
        metric="train_accuracy",
        course=0.9978,
        seconds=11.6,
        flaw="No rows were held out, so this is training accuracy; and the dataset is not MNIST.",
        differences=(
            "Rows are held out. Pixels are scaled to [0, 1] instead of 0 to 16, so the learning "
            "rate of 5e-4 is multiplied by 16 squared; rows are shuffled every epoch."
        ),
        rows=1_797,
    ),
)
