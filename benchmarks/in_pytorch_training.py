"""An idiomatic training loop in PyTorch, with the zoo's losses and optimizers."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.in_pytorch import NETWORKS

Batch = tuple[Any, np.ndarray]


def binary_loss(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross-entropy of two classes."""
    return F.binary_cross_entropy_with_logits(logits.squeeze(1), labels.float())


def multiclass_loss(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross-entropy of several classes."""
    return F.cross_entropy(logits, labels)


def smoothed_loss(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross-entropy of several classes with label smoothing."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def penalized_loss(network: nn.Module, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross-entropy of several classes with an L2 penalty on the last kernel."""
    return F.cross_entropy(logits, labels) + 1e-4 * network[-1].weight.square().sum()


def squared_loss(network: nn.Module, pixels: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared error."""
    return F.mse_loss(pixels, image)


def negative_elbo(
    network: nn.Module, outputs: tuple[torch.Tensor, ...], image: torch.Tensor
) -> torch.Tensor:
    """Compute the negative ELBO with a Bernoulli likelihood, in nats per image."""
    logits, mean, log_var = outputs
    nats = F.binary_cross_entropy_with_logits(logits, image, reduction="sum")
    divergence = (log_var.exp() + mean.square() - 1 - log_var).sum() / 2
    return (nats + divergence) / len(image)


TASK_LOSSES = {
    "binary_classification": binary_loss,
    "multiclass_classification": multiclass_loss,
    "reconstruction": squared_loss,
    "generation": negative_elbo,
    "conditional_generation": negative_elbo,
}
MODEL_LOSSES = {"softmax_regression": penalized_loss} | dict.fromkeys(
    ("simple_cnn", "deep_cnn", "fast_cnn", "resnet18"), smoothed_loss
)


def build_optimizers(network: nn.Module, name: str) -> list[torch.optim.Optimizer]:
    """Build the equivalent of the zoo's optimizer of that name."""
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
    """A network, its optimizers and its batches; a call trains one epoch.

    Attributes:
        network: the network.
        forward: the network, or a compiled version of it.
        loss: function of the network, its outputs and the targets.
        optimizers: optimizers, each of which updates some of the parameters.
        batches: inputs and targets.
        precision: ``"mixed_bfloat16"`` for autocasting, ``"float32"`` for none.
        has_accuracy: whether to count correct predictions, as Keras does for ``accuracy``.
    """

    network: nn.Module
    forward: Callable[..., Any]
    loss: Callable[..., torch.Tensor]
    optimizers: list[torch.optim.Optimizer]
    batches: list[tuple[tuple[torch.Tensor, ...], torch.Tensor]]
    precision: str
    has_accuracy: bool

    def __call__(self) -> float:
        """Take a training step for each batch, and return the mean loss."""
        total, correct = 0.0, 0
        self.network.train()
        for inputs, targets in self.batches:
            for optimizer in self.optimizers:
                optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, self.precision == "mixed_bfloat16"):
                outputs = self.forward(*inputs)
                loss = self.loss(self.network, outputs, targets)
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
            total += loss.item()
            if self.has_accuracy:
                correct += int((predicted_classes(outputs) == targets).sum())
        return total / len(self.batches)


def predicted_classes(logits: torch.Tensor) -> torch.Tensor:
    """Return the class of the largest logit; of a single logit, whether it is above zero."""
    return logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()


def count_params(network: nn.Module) -> int:
    """Count parameters and running statistics as Keras does, without redundant biases."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    redundant = "bias_hh" if any(isinstance(m, nn.LSTM | nn.RNN) for m in network.modules()) else ""
    return sum(
        value.numel()
        for name, value in tensors.items()
        if not name.endswith("num_batches_tracked") and not (redundant and redundant in name)
    )


def prepare_training(
    model: str,
    task: str,
    optimizer: str,
    batches: Sequence[Batch],
    *,
    precision: str = "float32",
    is_compiled: bool = False,
) -> Training:
    """Build a model's network, and convert batches to the tensors that it takes."""
    network = NETWORKS[model]()
    is_convolutional = any(isinstance(layer, nn.Conv2d) for layer in network.modules())
    if is_convolutional:
        network = network.to(memory_format=torch.channels_last)

    def to_tensor(rows: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(rows)
        if tensor.ndim == 4:
            tensor = tensor.permute(0, 3, 1, 2)  # in memory this is channels_last already
            return tensor if is_convolutional else tensor.contiguous()
        return tensor

    def to_tensors(inputs: Any) -> tuple[torch.Tensor, ...]:
        return tuple(map(to_tensor, inputs)) if isinstance(inputs, tuple) else (to_tensor(inputs),)

    return Training(
        network,
        torch.compile(network) if is_compiled else network,
        MODEL_LOSSES.get(model) or TASK_LOSSES[task],
        build_optimizers(network, optimizer),
        [(to_tensors(inputs), to_tensor(targets)) for inputs, targets in batches],
        precision,
        "classification" in task,
    )
