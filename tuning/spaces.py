"""Default search spaces: one function per model, named after it.

Each function takes keras-tuner's ``hp`` and the ``default`` of every hyperparameter, and returns
the values of a trial: arguments of the model's builder and fields of its recipe, such as the batch
size. The defaults are those of builder and recipe, which makes the first trial of any search the
model with its default settings.
"""

from collections.abc import Mapping
from typing import Any


def perceptron(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the loss, learning rate and batch size."""
    return {
        **_optimization(hp, default),
        "loss": hp.Choice(
            "loss", ["binary_crossentropy", "mean_squared_error"], default=default["loss"]
        ),
    }


def two_layer_perceptron(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the hidden units and activation, and what a perceptron varies."""
    return {
        "units": hp.Int("units", 2, 16, default=default["units"]),
        "activation": hp.Choice("activation", ["sigmoid", "tanh"], default=default["activation"]),
        **perceptron(hp, default),
    }


def softmax_regression(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the L2 penalty, learning rate and batch size."""
    return {
        **_optimization(hp, default),
        "l2": hp.Float("l2", 1e-6, 1e-1, sampling="log", default=default["l2"]),
    }


def mlp(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, width, activation, regularization, learning rate and batch size."""
    return {
        "num_layers": hp.Int("num_layers", 1, 4, default=default["num_layers"]),
        "units": hp.Int("units", 32, 1024, sampling="log", default=default["units"]),
        "activation": hp.Choice(
            "activation", ["relu", "gelu", "tanh"], default=default["activation"]
        ),
        "batch_normalization": hp.Boolean(
            "batch_normalization", default=default["batch_normalization"]
        ),
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1, default=default["dropout"]),
        **_optimization(hp, default),
    }


def simple_cnn(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, width and its growth, kernel size, head and what every CNN varies."""
    return {
        "num_layers": hp.Int("num_layers", 2, 4, default=default["num_layers"]),
        "filters": hp.Int("filters", 16, 64, sampling="log", default=default["filters"]),
        "filter_growth": hp.Float("filter_growth", 1.0, 2.0, default=default["filter_growth"]),
        "kernel_size": hp.Choice("kernel_size", [3, 5], default=default["kernel_size"]),
        "head": hp.Choice("head", ["flatten", "average", "max"], default=default["head"]),
        **_convolutional(hp, default),
    }


def deep_cnn(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the widths, head and what every CNN varies."""
    widths = ["32-64-64-128-128-128", default["filters"], "64-128-128-256-256-256"]
    return {
        "filters": hp.Choice("filters", widths, default=default["filters"]),
        "head": hp.Choice("head", ["average", "max"], default=default["head"]),
        **_convolutional(hp, default),
    }


def fast_cnn(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the widths, activation, regularization, learning rate and batch size."""
    widths = ["32-64-128", default["filters"], "64-256-256"]
    return {
        "filters": hp.Choice("filters", widths, default=default["filters"]),
        "activation": hp.Choice(
            "activation", ["relu", "gelu", "silu"], default=default["activation"]
        ),
        **_optimization(hp, default),
        **_regularization(hp, default),
    }


def resnet18(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the width, regularization, learning rate and batch size."""
    return {
        "filters": hp.Choice("filters", [16, 32, 64], default=default["filters"]),
        **_optimization(hp, default),
        **_regularization(hp, default),
    }


def text_mlp(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, width, activation, regularization, learning rate and batch size."""
    return {
        "num_layers": hp.Int("num_layers", 1, 4, default=default["num_layers"]),
        "units": hp.Int("units", 32, 512, sampling="log", default=default["units"]),
        "activation": hp.Choice(
            "activation", ["relu", "gelu", "tanh"], default=default["activation"]
        ),
        "word_dropout": _word_dropout(hp, default),
        "dropout": hp.Float("dropout", 0.0, 0.7, step=0.1, default=default["dropout"]),
        **_optimization(hp, default),
    }


def fasttext(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the pooling, word dropout and what every model with word embeddings varies."""
    return {
        "pooling": hp.Choice("pooling", ["average", "weighted"], default=default["pooling"]),
        "word_dropout": _word_dropout(hp, default),
        **_embedding_classifier(hp, default),
    }


def text_cnn(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the filters, kernel sizes and what every model with word embeddings varies."""
    return {
        "filters": hp.Choice("filters", [32, 64, 128], default=default["filters"]),
        "kernel_size": hp.Choice(
            "kernel_size", ["2-3", "3-4-5", "2-3-4-5"], default=default["kernel_size"]
        ),
        **_embedding_classifier(hp, default),
    }


def simple_rnn(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, width, pooling and what every model with word embeddings varies."""
    return {
        "num_layers": hp.Int("num_layers", 1, 2, default=default["num_layers"]),
        "units": hp.Choice("units", [16, 32, 64], default=default["units"]),
        "pooling": hp.Choice("pooling", ["last", "max", "average"], default=default["pooling"]),
        "word_dropout": _word_dropout(hp, default),
        **_embedding_classifier(hp, default),
    }


lstm = gru = bilstm = simple_rnn


def transformer(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, heads, width and what every model with word embeddings varies."""
    return {
        "num_layers": hp.Int("num_layers", 1, 3, default=default["num_layers"]),
        "num_heads": hp.Choice("num_heads", [2, 4, 8], default=default["num_heads"]),
        "intermediate_dim": hp.Choice(
            "intermediate_dim", [64, 128, 256], default=default["intermediate_dim"]
        ),
        "word_dropout": _word_dropout(hp, default),
        **_embedding_classifier(hp, default),
    }


def truncated_svd(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the rank and whether the data are centered."""
    return {
        "rank": hp.Int("rank", 2, 512, sampling="log", default=default["rank"]),
        "centered": hp.Boolean("centered", default=default["centered"]),
    }


def linear_autoencoder(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the optimizer, learning rate and batch size."""
    return {
        "optimizer": hp.Choice("optimizer", ["adam", "muon"], default=default["optimizer"]),
        **_optimization(hp, default),
    }


def nonlinear_autoencoder(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the activations and what a linear autoencoder varies."""
    return {
        "activation": hp.Choice(
            "activation", ["sigmoid", "tanh", "relu", "gelu"], default=default["activation"]
        ),
        "output_activation": _output_activation(hp, default),
        **linear_autoencoder(hp, default),
    }


def deep_autoencoder(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the hidden widths, activations and what a linear autoencoder varies."""
    return {
        "units": hp.Choice(
            "units", ["256-128-96", "512-256-128", "768-512-256"], default=default["units"]
        ),
        "activation": _smooth_activation(hp, default),
        "output_activation": _output_activation(hp, default),
        **linear_autoencoder(hp, default),
    }


def denoising_autoencoder(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, widths, activations and what a linear autoencoder varies."""
    return {
        "num_layers": hp.Int("num_layers", 1, 3, default=default["num_layers"]),
        "units": hp.Int("units", 256, 2048, sampling="log", default=default["units"]),
        "latent_dim": hp.Int("latent_dim", 64, 512, sampling="log", default=default["latent_dim"]),
        "activation": _smooth_activation(hp, default),
        "output_activation": _output_activation(hp, default),
        **linear_autoencoder(hp, default),
    }


def conv_autoencoder(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the depth, filters, kernel size, latent maps, activation and learning rate."""
    return {
        "num_convs": hp.Int("num_convs", 1, 2, default=default["num_convs"]),
        "batch_normalization": hp.Boolean(
            "batch_normalization", default=default["batch_normalization"]
        ),
        "filters": hp.Choice("filters", ["16-32", "32-64", "64-128"], default=default["filters"]),
        "kernel_size": hp.Choice("kernel_size", [3, 5], default=default["kernel_size"]),
        "latent_dim": hp.Int("latent_dim", 8, 128, sampling="log", default=default["latent_dim"]),
        "activation": _smooth_activation(hp, default),
        **_optimization(hp, default),
    }


def vae(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the hidden widths and what every variational autoencoder varies."""
    return {
        "units": hp.Choice("units", ["256-128", "512-256", "1024-512"], default=default["units"]),
        **_variational(hp, default),
    }


def conv_vae(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary the filters, dense units and what every variational autoencoder varies."""
    return {
        "filters": hp.Choice("filters", ["16-32", "32-64", "64-128"], default=default["filters"]),
        "units": hp.Int("units", 32, 512, sampling="log", default=default["units"]),
        **_variational(hp, default),
    }


def cvae(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary what a dense variational autoencoder varies."""
    return vae(hp, default)


def _variational(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """Vary all but ``beta``, which weights a term of the objective itself."""
    return {
        "latent_dim": hp.Int("latent_dim", 2, 64, sampling="log", default=default["latent_dim"]),
        "activation": _smooth_activation(hp, default),
        **_optimization(hp, default),
    }


def _smooth_activation(hp: Any, default: Mapping[str, Any]) -> str:
    return hp.Choice(
        "activation", ["relu", "leaky_relu", "gelu", "silu"], default=default["activation"]
    )


def _output_activation(hp: Any, default: Mapping[str, Any]) -> str:
    return hp.Choice(
        "output_activation", ["linear", "sigmoid"], default=default["output_activation"]
    )


def _convolutional(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "activation": hp.Choice(
            "activation", ["relu", "elu", "silu"], default=default["activation"]
        ),
        "dropout": hp.Float("dropout", 0.0, 0.4, step=0.1, default=default["dropout"]),
        **_optimization(hp, default),
        **_regularization(hp, default),
    }


def _word_dropout(hp: Any, default: Mapping[str, Any]) -> float:
    return hp.Float("word_dropout", 0.0, 0.7, step=0.1, default=default["word_dropout"])


def _embedding_classifier(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "embedding_dim": hp.Choice(
            "embedding_dim", [16, 32, 64, 128], default=default["embedding_dim"]
        ),
        "dropout": hp.Float("dropout", 0.0, 0.7, step=0.1, default=default["dropout"]),
        **_optimization(hp, default),
    }


def _regularization(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label_smoothing": hp.Float(
            "label_smoothing", 0.0, 0.2, step=0.05, default=default["label_smoothing"]
        ),
        "weight_decay": hp.Float(
            "weight_decay", 1e-5, 2e-2, sampling="log", default=default["weight_decay"]
        ),
    }


def _optimization(hp: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    rate, batch_size = default["learning_rate"], default["batch_size"]
    return {
        "learning_rate": hp.Float(
            "learning_rate", rate / 10, rate * 10, sampling="log", default=rate
        ),
        "batch_size": hp.Choice(
            "batch_size", [max(1, batch_size // 2), batch_size, batch_size * 2], default=batch_size
        ),
    }
