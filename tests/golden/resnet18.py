"""Makes resnet18.npz: what torchvision's ResNet18 answers with weights that anyone can draw again.

    pip install torch==2.13.0 torchvision && python tests/golden/resnet18.py

The weights are not kept, only how they are drawn: `draw`, by name and shape, which the test does
again. PyTorch is needed to make the file and not to read it.
"""

import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_suffix(".npz")


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draws an array that its name decides: kernels of unit gain, statistics far from trivial."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    values = generator.normal(size=shape)
    if len(shape) > 1:
        return (values / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    if name.endswith(("weight", "running_var")):
        return np.exp(values / 4).astype(np.float32)
    return (values / 4).astype(np.float32)


def images() -> np.ndarray:
    """Draws four standardized images whose sides differ."""
    return np.random.default_rng(0).normal(size=(4, 96, 80, 3)).astype(np.float32)


def main() -> None:
    import torch

    stub = torch.library.Library("torchvision", "DEF")  # a CPU build has no compiled operators
    for name in ("nms", "qnms"):
        stub.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    import torchvision

    model = torchvision.models.resnet18().eval()
    state = {
        name: torch.from_numpy(draw(name, tuple(value.shape)))
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    model.load_state_dict(state, strict=False)
    with torch.inference_mode():
        logits = model(torch.from_numpy(images().transpose(0, 3, 1, 2))).numpy()
    shapes = [str(tuple(value.shape)) for value in state.values()]
    np.savez_compressed(GOLDEN, names=list(state), shapes=shapes, logits=logits)
    print(GOLDEN, logits.shape, float(np.abs(logits).max()))


if __name__ == "__main__":
    main()
