"""Layers, losses and optimizers that Keras lacks; importing the package registers them."""

from zoo.layers.image import AntialiasedResizing, Grayscale
from zoo.layers.initializers import LogRarity
from zoo.layers.losses import BernoulliLoss, GaussianLoss, SmoothedCrossentropy, kl_divergence
from zoo.layers.optimizers import Muon
from zoo.layers.svd import InverseTruncatedSVD, TruncatedSVD
from zoo.layers.text import MaskedMaxPooling1D, TokenAndPositionEmbedding, TransformerEncoderBlock
from zoo.layers.variational import KLDivergenceAddLoss, Sampling

__all__ = [
    "AntialiasedResizing",
    "BernoulliLoss",
    "GaussianLoss",
    "Grayscale",
    "InverseTruncatedSVD",
    "KLDivergenceAddLoss",
    "LogRarity",
    "MaskedMaxPooling1D",
    "Muon",
    "Sampling",
    "SmoothedCrossentropy",
    "TokenAndPositionEmbedding",
    "TransformerEncoderBlock",
    "TruncatedSVD",
    "kl_divergence",
]
