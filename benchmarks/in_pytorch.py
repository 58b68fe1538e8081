"""The zoo's networks written in PyTorch, as its users write them, and an idiomatic training loop.

The same layers in the same order at the zoo's default settings, so that both have equally many
parameters, which `benchmarks.throughput` checks. What is not the same: PyTorch's LSTM and RNN hold
two biases, of which one is redundant, and losses take logits.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

Batch = tuple[Any, np.ndarray]
CLASSES_OF_TEXT, CLASSES = 2, 10


def dense(*widths: int, activation: type[nn.Module], dropout: float = 0.0) -> list[nn.Module]:
    """Makes hidden layers."""
    parts: list[nn.Module] = []
    for narrow, wide in itertools.pairwise(widths):
        parts += [nn.Linear(narrow, wide), activation(), *([nn.Dropout(dropout)] * bool(dropout))]
    return parts


def convolutions(filters: Sequence[int], pools: Sequence[int]) -> nn.Sequential:
    """Makes a classifier of images: convolution, pooling, normalization, activation, and so on."""
    parts: list[nn.Module] = []
    for narrow, wide, pool in zip((3, *filters), filters, pools, strict=False):
        parts += [nn.Conv2d(narrow, wide, 3, padding="same", bias=False)]
        parts += [nn.MaxPool2d(pool)] * (pool > 1)
        parts += [nn.BatchNorm2d(wide), nn.ReLU()]
    return nn.Sequential(
        *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters[-1], CLASSES)
    )


class BasicBlock(nn.Module):
    """Two convolutions, and what they were given added to what they made of it."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, wide, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(narrow, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18() -> nn.Sequential:
    """Makes the network of 18 layers, with the stem for small images."""
    widths = (64, 64, 64, 128, 128, 256, 256, 512, 512)
    blocks = [
        BasicBlock(narrow, wide, 1 if narrow == wide else 2)
        for narrow, wide in itertools.pairwise(widths)
    ]
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, CLASSES),
    )


def without_words(x: torch.Tensor, share: float, training: bool) -> torch.Tensor:
    """Drops whole words of ``(batch, time, channels)``."""
    return x * F.dropout(torch.ones_like(x[:, :, :1]), share, training)


def without_channels(x: torch.Tensor, share: float, training: bool) -> torch.Tensor:
    """Drops whole channels of ``(batch, time, channels)``."""
    return x * F.dropout(torch.ones_like(x[:, :1]), share, training)


class FastText(nn.Module):
    """The weighted mean of the vectors of words and pairs of words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100_000, 32)
        self.word_weights = nn.Embedding(100_000, 1)
        self.output = nn.Linear(32, CLASSES_OF_TEXT)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Computes."""
        weights = self.word_weights(words).masked_fill(words[..., None] == 0, -1e9).softmax(1)
        mean = (weights.transpose(1, 2) @ self.embedding(words)).squeeze(1)
        return self.output(F.dropout(mean, 0.3, self.training))


class TextCNN(nn.Module):
    """Convolutions over windows of three widths."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 64)
        self.convs = nn.ModuleList(nn.Conv1d(64, 64, width, padding="same") for width in (3, 4, 5))
        self.output = nn.Linear(3 * 64, CLASSES_OF_TEXT)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Computes."""
        is_word = (words != 0)[:, None]
        x = without_channels(self.embedding(words), 0.5, self.training).transpose(1, 2) * is_word
        maps = [F.relu(conv(x)).masked_fill(~is_word, 0).amax(2) for conv in self.convs]
        return self.output(F.dropout(torch.cat(maps, 1), 0.5, self.training))


class Recurrent(nn.Module):
    """A recurrent layer over words, and its states pooled over time.

    Texts are padded on the right, so that a layer which reads from the left needs no packing: what
    it makes of padding is left out afterwards.
    """

    def __init__(
        self, layer: nn.RNNBase, pooling: str, dropout: float, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 32)
        self.layer = layer
        self.pooling, self.dropout, self.word_dropout = pooling, dropout, word_dropout
        self.output = nn.Linear(32 * (1 + layer.bidirectional), CLASSES_OF_TEXT)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Computes."""
        is_word = words != 0
        x = self.embedding(words)
        if self.word_dropout:
            x = without_words(x, self.word_dropout, self.training)
        x = without_channels(x, self.dropout, self.training)
        if self.layer.bidirectional:
            packed = nn.utils.rnn.pack_padded_sequence(
                x, is_word.sum(1), batch_first=True, enforce_sorted=False
            )
            states = nn.utils.rnn.pad_packed_sequence(
                self.layer(packed)[0], batch_first=True, total_length=words.shape[1]
            )[0]
        else:
            states = self.layer(x)[0]
        if self.pooling == "max":
            pooled = states.masked_fill(~is_word[..., None], -1e9).amax(1)
        else:
            pooled = (states * is_word[..., None]).sum(1) / is_word.sum(1, keepdim=True)
        return self.output(F.dropout(pooled, self.dropout, self.training))


class Transformer(nn.Module):
    """One block of self-attention over words with their places, and the mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(5_000, 32), nn.Embedding(500, 32)
        self.attention_norm, self.network_norm = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.network = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 32))
        self.normalization = nn.LayerNorm(32)
        self.output = nn.Linear(32, CLASSES_OF_TEXT)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Computes."""
        is_padding = words == 0
        x = self.tokens(words) + self.positions.weight[: words.shape[1]]
        x = without_channels(x, 0.5, self.training)
        y = self.attention_norm(x)
        y = self.attention(y, y, y, key_padding_mask=is_padding, need_weights=False)[0]
        x = x + F.dropout(y, 0.5, self.training)
        x = x + F.dropout(self.network(self.network_norm(x)), 0.5, self.training)
        x = self.normalization(x).masked_fill(is_padding[..., None], 0)
        mean = x.sum(1) / (~is_padding).sum(1, keepdim=True)
        return self.output(F.dropout(mean, 0.5, self.training))


class Autoencoder(nn.Module):
    """An image to a code and back."""

    def __init__(self, *parts: nn.Module, flat: bool = True) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)
        self.flat = flat

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Computes."""
        pixels = self.parts(image.flatten(1) if self.flat else image)
        return pixels.reshape(image.shape)


def conv_autoencoder() -> Autoencoder:
    """Makes convolutions to a code of maps and back."""
    return Autoencoder(
        *(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()),
        nn.Conv2d(64, 64, 1),
        *(nn.ConvTranspose2d(64, 64, 3, 2, 1, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU()),
        *(nn.Conv2d(32, 1, 3, padding=1), nn.Sigmoid()),
        flat=False,
    )


class Variational(nn.Module):
    """An encoder, a code that is drawn, a decoder; gives logits and the code's moments."""

    def __init__(self, encoder: nn.Module, width: int, decoder: nn.Module, classes: int = 0):
        super().__init__()
        self.encoder, self.decoder, self.classes = encoder, decoder, classes
        self.z_mean, self.z_log_var = nn.Linear(width, 2), nn.Linear(width, 2)

    def told(self, x: torch.Tensor, label: Sequence[torch.Tensor]) -> torch.Tensor:
        """Appends the class, where there is one."""
        return torch.cat([x, *(F.one_hot(part, self.classes) for part in label)], 1)

    def forward(self, image: torch.Tensor, *label: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Computes."""
        encoded = self.encoder(self.told(image.flatten(1), label) if self.classes else image)
        mean, log_var = self.z_mean(encoded), self.z_log_var(encoded)
        code = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
        logits = self.decoder(self.told(code, label) if self.classes else code)
        return logits.reshape(image.shape), mean, log_var


def dense_variational(classes: int = 0) -> Variational:
    """Makes a variational autoencoder of dense layers."""
    return Variational(
        nn.Sequential(nn.Flatten(), *dense(784 + classes, 512, 256, activation=nn.GELU)),
        256,
        nn.Sequential(*dense(2 + classes, 256, 512, activation=nn.GELU), nn.Linear(512, 784)),
        classes,
    )


def conv_variational() -> Variational:
    """Makes a variational autoencoder of convolutions."""
    return Variational(
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
    """Makes a recurrent layer of 32 units."""
    return layer(32, 32, batch_first=True, **options)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: nn.Linear(3, 1),
    "two_layer_perceptron": lambda: nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1)),
    "softmax_regression": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES)),
    "mlp": lambda: nn.Sequential(
        nn.Flatten(),
        *dense(784, 512, 512, activation=nn.ReLU, dropout=0.2),
        nn.Linear(512, CLASSES),
    ),
    "simple_cnn": lambda: convolutions((32, 64, 128), (2, 2, 2)),
    "deep_cnn": lambda: convolutions((48, 96, 96, 192, 192, 192), (2, 1, 2, 1, 2, 1)),
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
    "vae": dense_variational,
    "conv_vae": conv_variational,
    "cvae": lambda: dense_variational(CLASSES),
}


def binary(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of two classes."""
    return F.binary_cross_entropy_with_logits(logits.squeeze(1), labels.float())


def multiclass(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of several classes."""
    return F.cross_entropy(logits, labels)


def smoothed(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of several classes, smoothed."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def penalized(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of several classes, and the squared norm of the last layer's kernel."""
    return F.cross_entropy(logits, labels) + 1e-4 * network[-1].weight.square().sum()


def squared(network: nn.Module, pixels: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Squared error."""
    return F.mse_loss(pixels, image)


def bound(
    network: nn.Module, outputs: tuple[torch.Tensor, ...], image: torch.Tensor
) -> torch.Tensor:
    """Minus the evidence lower bound of coins, in nats an image."""
    logits, mean, log_var = outputs
    nats = F.binary_cross_entropy_with_logits(logits, image, reduction="sum")
    divergence = (log_var.exp() + mean.square() - 1 - log_var).sum() / 2
    return (nats + divergence) / len(image)


LOSSES = {
    "binary_classification": binary,
    "multiclass_classification": multiclass,
    "reconstruction": squared,
    "generation": bound,
    "conditional_generation": bound,
}
LOSSES_OF_THEIR_OWN = {"softmax_regression": penalized} | dict.fromkeys(
    ("simple_cnn", "deep_cnn", "resnet18"), smoothed
)


def optimizers(network: nn.Module, name: str) -> list[torch.optim.Optimizer]:
    """Makes what the zoo's optimizer of that name is in PyTorch."""
    weights = list(network.parameters())
    if name == "adam":
        return [torch.optim.Adam(weights, 1e-3)]
    if name == "nesterov":
        return [torch.optim.SGD(weights, 1e-2, 0.9, nesterov=True, weight_decay=5e-4)]
    matrices = [weight for weight in weights if weight.ndim == 2]
    others = [weight for weight in weights if weight.ndim != 2]
    return [
        torch.optim.Muon(matrices, 1e-3, weight_decay=0.004, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, 1e-3, weight_decay=0.004),
    ]


@dataclasses.dataclass
class Training:
    """A network, its optimizers and its batches.

    Attributes:
        network: in PyTorch.
        step: the network, perhaps compiled.
        loss: of what it gives.
        optimizers: all of which take a step.
        batches: inputs and targets.
        precision: ``"mixed_bfloat16"`` for autocasting, ``"float32"`` for none.
        counts: whether right answers are counted, as Keras does for the metric ``accuracy``.
    """

    network: nn.Module
    step: Callable[..., Any]
    loss: Callable[..., torch.Tensor]
    optimizers: list[torch.optim.Optimizer]
    batches: list[tuple[tuple[torch.Tensor, ...], torch.Tensor]]
    precision: str
    counts: bool

    def __call__(self) -> float:
        """Takes a step for each batch; gives the mean loss."""
        total, right = 0.0, 0
        self.network.train()
        for inputs, targets in self.batches:
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, self.precision == "mixed_bfloat16"):
                outputs = self.step(*inputs)
                loss = self.loss(self.network, outputs, targets)
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
            total += loss.item()
            if self.counts:
                right += int((chosen(outputs) == targets).sum())
        return total / len(self.batches)


def chosen(logits: torch.Tensor) -> torch.Tensor:
    """Gives the class of the largest logit; of one logit, whether it is above zero."""
    return logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()


def count_params(network: nn.Module) -> int:
    """Counts parameters and running statistics as Keras does: no redundant bias, no counter."""
    held = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    redundant = "bias_hh" if any(isinstance(m, nn.LSTM | nn.RNN) for m in network.modules()) else ""
    return sum(
        value.numel()
        for name, value in held.items()
        if not name.endswith("num_batches_tracked") and not (redundant and redundant in name)
    )


def training(
    model: str,
    task: str,
    optimizer: str,
    batches: Sequence[Batch],
    *,
    precision: str = "float32",
    compiled: bool = False,
) -> Training:
    """Makes a model's network, and the batches that it takes."""
    network = NETWORKS[model]()
    of_images = any(isinstance(part, nn.Conv2d) for part in network.modules())
    if of_images:
        network = network.to(memory_format=torch.channels_last)

    def tensor(rows: np.ndarray) -> torch.Tensor:
        rows = torch.from_numpy(rows)
        if rows.ndim == 4:
            rows = rows.permute(0, 3, 1, 2)  # as channels_last has it in memory already
            return rows if of_images else rows.contiguous()
        return rows

    def inputs_of(given: Any) -> tuple[torch.Tensor, ...]:
        return tuple(map(tensor, given)) if isinstance(given, tuple) else (tensor(given),)

    return Training(
        network,
        torch.compile(network) if compiled else network,
        LOSSES_OF_THEIR_OWN.get(model) or LOSSES[task],
        optimizers(network, optimizer),
        [(inputs_of(given), tensor(targets)) for given, targets in batches],
        precision,
        "classification" in task,
    )
