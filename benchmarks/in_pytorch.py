"""The zoo's architectures in PyTorch, written as its users write them.

The same layers in the same order with the zoo's default settings, so that both have the same number
of parameters, which `benchmarks.throughput` checks. Two things differ: PyTorch's LSTM and RNN hold
two biases, one of which is redundant, and outputs are logits.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

TEXT_CLASSES, IMAGE_CLASSES = 2, 10


def dense(*widths: int, activation: type[nn.Module], dropout: float = 0.0) -> list[nn.Module]:
    """Build hidden layers."""
    layers: list[nn.Module] = []
    for in_features, out_features in itertools.pairwise(widths):
        layers += [nn.Linear(in_features, out_features), activation()]
        layers += [nn.Dropout(dropout)] * bool(dropout)
    return layers


def convolutions(filters: Sequence[int], pools: Sequence[int], channels: int = 3) -> nn.Sequential:
    """Build an image classifier of repeated convolution, pooling, normalization, activation."""
    layers: list[nn.Module] = []
    for in_channels, out_channels, pool in zip((channels, *filters), filters, pools, strict=False):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding="same", bias=False)]
        layers += [nn.MaxPool2d(pool)] * (pool > 1)
        layers += [nn.BatchNorm2d(out_channels), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters[-1], IMAGE_CLASSES)
    )


class Scaled(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        return x * self.factor


def fast_cnn() -> nn.Sequential:
    """Build the CNN with fixed kernels of 2x2 pixels and three stages of two convolutions."""
    whitening = nn.Conv2d(3, 24, 2, padding="same", bias=False).requires_grad_(requires_grad=False)
    stages = convolutions((64, 64, 128, 128, 256, 256), (2, 1, 2, 1, 2, 1), 24)[:-3]
    return nn.Sequential(
        whitening, nn.ReLU(), *stages, nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(256, IMAGE_CLASSES, bias=False), Scaled(0.125),
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Residual block of two convolutions."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the feature maps."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18() -> nn.Sequential:
    """Build ResNet-18 with the stem for small images."""
    widths = (64, 64, 64, 128, 128, 256, 256, 512, 512)
    blocks = [
        BasicBlock(in_channels, out_channels, 1 if in_channels == out_channels else 2)
        for in_channels, out_channels in itertools.pairwise(widths)
    ]
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, IMAGE_CLASSES),
    )


def drop_tokens(x: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """Drop whole tokens of ``(batch, time, channels)``."""
    return x * F.dropout(torch.ones_like(x[:, :, :1]), rate, training)


def drop_channels(x: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """Drop whole channels of ``(batch, time, channels)``."""
    return x * F.dropout(torch.ones_like(x[:, :1]), rate, training)


class FastText(nn.Module):
    """Weighted mean of the embeddings of words and word pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100_000, 32)
        self.word_weights = nn.Embedding(100_000, 1)
        self.output = nn.Linear(32, TEXT_CLASSES)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        is_padding = token_ids[..., None] == 0
        weights = self.word_weights(token_ids).masked_fill(is_padding, -1e9).softmax(1)
        mean = (weights.transpose(1, 2) @ self.embedding(token_ids)).squeeze(1)
        return self.output(F.dropout(mean, 0.3, self.training))


class TextCNN(nn.Module):
    """Convolutions over windows of three, four and five words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 64)
        self.convs = nn.ModuleList(nn.Conv1d(64, 64, width, padding="same") for width in (3, 4, 5))
        self.output = nn.Linear(3 * 64, TEXT_CLASSES)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        mask = (token_ids != 0)[:, None]
        x = drop_channels(self.embedding(token_ids), 0.5, self.training).transpose(1, 2) * mask
        maps = [F.relu(conv(x)).masked_fill(~mask, 0).amax(2) for conv in self.convs]
        return self.output(F.dropout(torch.cat(maps, 1), 0.5, self.training))


class Recurrent(nn.Module):
    """Recurrent layer over word embeddings, with its states pooled over time.

    Texts are padded on the right: a layer that reads from the left needs no packing, as its states
    on padding are masked in pooling.
    """

    def __init__(
        self, layer: nn.RNNBase, pooling: str, dropout: float, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 32)
        self.layer = layer
        self.pooling, self.dropout, self.word_dropout = pooling, dropout, word_dropout
        self.output = nn.Linear(32 * (1 + layer.bidirectional), TEXT_CLASSES)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        mask = token_ids != 0
        x = self.embedding(token_ids)
        if self.word_dropout:
            x = drop_tokens(x, self.word_dropout, self.training)
        x = drop_channels(x, self.dropout, self.training)
        if self.layer.bidirectional:
            packed = nn.utils.rnn.pack_padded_sequence(
                x, mask.sum(1), batch_first=True, enforce_sorted=False
            )
            states = nn.utils.rnn.pad_packed_sequence(
                self.layer(packed)[0], batch_first=True, total_length=token_ids.shape[1]
            )[0]
        else:
            states = self.layer(x)[0]
        if self.pooling == "max":
            pooled = states.masked_fill(~mask[..., None], -1e9).amax(1)
        else:
            pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.output(F.dropout(pooled, self.dropout, self.training))


class Transformer(nn.Module):
    """Transformer encoder of one block, with token and position embeddings and mean pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(5_000, 32), nn.Embedding(500, 32)
        self.attention_norm, self.network_norm = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.network = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 32))
        self.normalization = nn.LayerNorm(32)
        self.output = nn.Linear(32, TEXT_CLASSES)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        is_padding = token_ids == 0
        x = self.tokens(token_ids) + self.positions.weight[: token_ids.shape[1]]
        x = drop_channels(x, 0.5, self.training)
        y = self.attention_norm(x)
        y = self.attention(y, y, y, key_padding_mask=is_padding, need_weights=False)[0]
        x = x + F.dropout(y, 0.5, self.training)
        x = x + F.dropout(self.network(self.network_norm(x)), 0.5, self.training)
        x = self.normalization(x).masked_fill(is_padding[..., None], 0)
        mean = x.sum(1) / (~is_padding).sum(1, keepdim=True)
        return self.output(F.dropout(mean, 0.5, self.training))


class Autoencoder(nn.Module):
    """Autoencoder of images, on flattened ones if `flat`."""

    def __init__(self, *layers: nn.Module, flat: bool = True) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.flat = flat

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Compute the reconstruction."""
        pixels = self.layers(image.flatten(1) if self.flat else image)
        return pixels.reshape(image.shape)


def conv_autoencoder() -> Autoencoder:
    """Build a convolutional autoencoder."""
    return Autoencoder(
        *(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()),
        nn.Conv2d(64, 64, 1),
        *(nn.ConvTranspose2d(64, 64, 3, 2, 1, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU()),
        *(nn.Conv2d(32, 1, 3, padding=1), nn.Sigmoid()),
        flat=False,
    )


class VariationalAutoencoder(nn.Module):
    """Variational autoencoder; class-conditional if `classes` is not 0.

    Returns the logits of the pixels, and the mean and log-variance of the latent code.
    """

    def __init__(self, encoder: nn.Module, width: int, decoder: nn.Module, classes: int = 0):
        super().__init__()
        self.encoder, self.decoder, self.classes = encoder, decoder, classes
        self.z_mean, self.z_log_var = nn.Linear(width, 2), nn.Linear(width, 2)

    def append_label(self, x: torch.Tensor, label: Sequence[torch.Tensor]) -> torch.Tensor:
        """Concatenate the one-hot label, if there is one."""
        return torch.cat([x, *(F.one_hot(part, self.classes) for part in label)], 1)

    def forward(self, image: torch.Tensor, *label: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the logits, the mean and the log-variance."""
        x = self.append_label(image.flatten(1), label) if self.classes else image
        encoded = self.encoder(x)
        mean, log_var = self.z_mean(encoded), self.z_log_var(encoded)
        code = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
        logits = self.decoder(self.append_label(code, label) if self.classes else code)
        return logits.reshape(image.shape), mean, log_var


def dense_vae(classes: int = 0) -> VariationalAutoencoder:
    """Build a variational autoencoder of dense layers."""
    return VariationalAutoencoder(
        nn.Sequential(nn.Flatten(), *dense(784 + classes, 512, 256, activation=nn.GELU)),
        256,
        nn.Sequential(*dense(2 + classes, 256, 512, activation=nn.GELU), nn.Linear(512, 784)),
        classes,
    )


def conv_vae() -> VariationalAutoencoder:
    """Build a convolutional variational autoencoder."""
    return VariationalAutoencoder(
        nn.Sequential(
            *(nn.Conv2d(1, 16, 3, 2, 1), nn.GELU(), nn.Conv2d(16, 32, 3, 2, 1), nn.GELU()),
            nn.Flatten(),
            *dense(32 * 7 * 7, 256, activation=nn.GELU),
        ),
        256,
        nn.Sequential(
            *dense(2, 256, 32 * 7 * 7, activation=nn.GELU),
            nn.Unflatten(1, (32, 7, 7)),
            *(nn.ConvTranspose2d(32, 32, 3, 2, 1, 1), nn.GELU()),
            *(nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.GELU()),
            nn.Conv2d(16, 1, 3, padding=1),
        ),
    )


def rnn(layer: type[nn.RNNBase], **options: Any) -> nn.RNNBase:
    """Build a recurrent layer of 32 units."""
    return layer(32, 32, batch_first=True, **options)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: nn.Linear(3, 1),
    "two_layer_perceptron": lambda: nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1)),
    "softmax_regression": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, IMAGE_CLASSES)),
    "mlp": lambda: nn.Sequential(
        nn.Flatten(),
        *dense(784, 512, 512, activation=nn.ReLU, dropout=0.2),
        nn.Linear(512, IMAGE_CLASSES),
    ),
    "simple_cnn": lambda: convolutions((32, 64, 128), (2, 2, 2)),
    "deep_cnn": lambda: convolutions((48, 96, 96, 192, 192, 192), (2, 1, 2, 1, 2, 1)),
    "fast_cnn": fast_cnn,
    "resnet18": resnet18,
    "text_mlp": lambda: nn.Sequential(
        nn.Dropout(0.5),
        *dense(1_000, 64, 64, activation=nn.GELU, dropout=0.5),
        nn.Linear(64, 4),
    ),
    "fasttext": FastText,
    "text_cnn": TextCNN,
    "simple_rnn": lambda: Recurrent(rnn(nn.RNN), "max", 0.4),
    "lstm": lambda: Recurrent(rnn(nn.LSTM), "average", 0.5, 0.4),
    "gru": lambda: Recurrent(rnn(nn.GRU), "average", 0.5, 0.4),
    "bilstm": lambda: Recurrent(rnn(nn.LSTM, bidirectional=True), "average", 0.5, 0.4),
    "transformer": Transformer,
    "linear_autoencoder": lambda: Autoencoder(nn.Linear(1024, 256), nn.Linear(256, 1024)),
    "nonlinear_autoencoder": lambda: Autoencoder(
        nn.Linear(1024, 256), nn.Sigmoid(), nn.Linear(256, 1024)
    ),
    "deep_autoencoder": lambda: Autoencoder(
        *dense(1024, 512, 256, 128, activation=nn.GELU),
        nn.Linear(128, 64),
        *dense(64, 128, 256, 512, activation=nn.GELU),
        nn.Linear(512, 1024),
    ),
    "denoising_autoencoder": lambda: Autoencoder(
        *dense(1024, 512, activation=nn.GELU),
        nn.Linear(512, 256),
        *dense(256, 512, activation=nn.GELU),
        nn.Linear(512, 1024),
    ),
    "conv_autoencoder": conv_autoencoder,
    "vae": dense_vae,
    "conv_vae": conv_vae,
    "cvae": lambda: dense_vae(IMAGE_CLASSES),
}
