"""Weights from files: safetensors, torchvision's `.pth`, and Keras' own.

Everything is first read into arrays by torchvision's names, ``"layer1.0.conv1.weight"``, and only
then put into a model, all of them or none. No file can make this process run its code: a `.pth` is
read by an unpickler that builds tensors and nothing else.
"""

import contextlib
import dataclasses
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np
import requests

from zoo.errors import WeightsError

HUB = {"imagenet": ("timm/resnet18.tv_in1k", "model.safetensors")}
CONNECT_SECONDS = 5
HEAD = "fc"
SUFFIXES = (".keras", ".pth", ".safetensors")
COUNTERS = "num_batches_tracked"

# Keras' name of a variable, torch's, and the axes of torch's array in Keras' order.
_NAMES: dict[type, dict[str, tuple[str, tuple[int, ...]]]] = {
    keras.layers.Conv2D: {"kernel": ("weight", (2, 3, 1, 0))},
    keras.layers.Dense: {"kernel": ("weight", (1, 0)), "bias": ("bias", (0,))},
    keras.layers.BatchNormalization: {
        "gamma": ("weight", (0,)),
        "beta": ("bias", (0,)),
        "moving_mean": ("running_mean", (0,)),
        "moving_variance": ("running_var", (0,)),
    },
}
_STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
}


def load(model: keras.Model, source: str, *, keep_head: bool) -> None:
    """Puts weights into a model whose layers bear torchvision's names.

    Args:
        model: the model; nothing of it changes unless all goes well.
        source: ``"imagenet"``, or the path of a ``.safetensors``, ``.pth`` or ``.keras`` file.
        keep_head: whether the classifier's weights are taken, too.

    Raises:
        WeightsError: if they cannot be fetched or read, or are another network's.
    """
    arrays = read(fetch(source) if source in HUB else Path(source))
    wanted = {
        torch_name: (variable, axes)
        for torch_name, (variable, axes) in _variables(model).items()
        if keep_head or not torch_name.startswith(f"{HEAD}.")
    }
    _require_match(model, source, arrays, wanted)
    values = {name: arrays[name].transpose(axes) for name, (_, axes) in wanted.items()}
    for name, (variable, _) in wanted.items():
        variable.assign(values[name])


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads a file of weights.

    Args:
        path: a ``.safetensors``, ``.pth`` or ``.keras`` file.

    Returns:
        The arrays by torchvision's names, in torch's order of axes.

    Raises:
        WeightsError: if there is no such file, or it is damaged, or of another kind.
    """
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"weights={str(path)!r}: must be random, {', '.join(HUB)}, or a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    if not os.path.isfile(path):  # which says no where Path.is_file raises
        raise WeightsError(f"weights={str(path)!r}: there is no such file.")
    readers = {".safetensors": _read_safetensors, ".pth": _read_pth, ".keras": _read_keras}
    try:
        return readers[path.suffix](path)
    except WeightsError:
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path} is no readable file of weights: {reason}") from error


def fetch(name: str) -> Path:
    """Fetches weights from the Hugging Face hub, or finds them in its cache.

    Args:
        name: key of `HUB`.

    Returns:
        The file.

    Raises:
        WeightsError: if the hub cannot be reached, or its library is not installed.
    """
    repository, file = HUB[name]
    by_hand = (
        f"fetch {file} of https://huggingface.co/{repository} elsewhere, and give its path as "
        "weights, with scaling=imagenet, image_size=224 and augmentation=none"
    )
    try:
        import huggingface_hub
        from huggingface_hub.constants import ENDPOINT
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        raise WeightsError(
            f'weights={name!r} needs pip install "keras-model-zoo[pretrained]"; or {by_hand}.'
        ) from None
    with contextlib.suppress(LocalEntryNotFoundError):
        return Path(huggingface_hub.hf_hub_download(repository, file, local_files_only=True))
    try:
        requests.head(ENDPOINT, timeout=CONNECT_SECONDS)  # its own library tries half a minute
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:
        raise WeightsError(
            f"the Hugging Face hub cannot be reached ({type(error).__name__}): {by_hand}."
        ) from error


def _variables(model: keras.Model) -> dict[str, tuple[keras.Variable, tuple[int, ...]]]:
    return {
        f"{layer.name}.{torch_name}": (getattr(layer, keras_name), axes)
        for layer in model.layers
        for keras_name, (torch_name, axes) in _NAMES.get(type(layer), {}).items()
        if getattr(layer, keras_name) is not None
    }


def _require_match(
    model: keras.Model,
    source: str,
    arrays: Mapping[str, np.ndarray],
    wanted: Mapping[str, tuple[keras.Variable, tuple[int, ...]]],
) -> None:
    missing = [name for name in wanted if name not in arrays]
    known = _variables(model)
    strange = [
        str(name) for name in arrays if name not in known and not str(name).endswith(COUNTERS)
    ]
    if missing or strange:
        which = [f"lacks {name}" for name in missing[:1]] + [f"has {name}" for name in strange[:1]]
        raise WeightsError(
            f"weights={source!r} are not those of a {model.name}: the file "
            f"{' and '.join(which)} ({len(missing)} missing, {len(strange)} unknown)."
        )
    for name, (variable, axes) in wanted.items():
        array = arrays[name]
        of_torch = tuple(np.array(variable.shape)[np.argsort(axes)].tolist())
        if array.shape != of_torch:
            raise WeightsError(
                f"weights={source!r} do not fit: {name} has the shape {array.shape}, and this "
                f"model's {of_torch}; other weights, or another stem, filters, num_classes or "
                "number of color channels?"
            )
        sound = np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()
        if not sound or (name.endswith("running_var") and (array < 0).any()):
            raise WeightsError(f"weights={source!r} are damaged: {name} has values that cannot be.")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise WeightsError(
            f'{path}: .safetensors files need pip install "keras-model-zoo[pretrained]".'
        ) from None
    return load_file(path)


def _read_keras(path: Path) -> dict[str, np.ndarray]:
    model = keras.saving.load_model(path, compile=False)
    return {
        name: np.transpose(variable.numpy(), np.argsort(axes))
        for name, (variable, axes) in _variables(model).items()
    }


def _read_pth(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path} is no readable file of weights: it is truncated, or of before torch 1.6."
        )
    with zipfile.ZipFile(path) as archive:
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(index) as pickled:
            state = _TensorUnpickler(archive, pickled).load()
    return {name: value for name, value in state.items() if type(value) is np.ndarray}


@dataclasses.dataclass(frozen=True, slots=True)
class _NumberType:
    """Names a type of numbers, and can be neither called nor changed by a pickle."""

    name: str


class _Storage:
    """Numbers as they lie in the file: only `persistent_load` makes one."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers


class _TensorUnpickler(pickle.Unpickler):
    """Builds the tensors of a state dict, and refuses to import anything else."""

    def __init__(self, archive: zipfile.ZipFile, pickled: IO[bytes]) -> None:
        super().__init__(pickled)
        self.archive = archive
        self.folder = pickled.name.removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:
        """Gives the few things that a state dict is made of, made anew each time."""
        if (module, name) == ("collections", "OrderedDict"):
            return type("OrderedDict", (OrderedDict,), {})
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: _rebuild_tensor(*arguments)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, requires_grad, hooks: data
        if module == "torch" and name.endswith("Storage"):
            return _NumberType(name)
        raise WeightsError(
            f"{self.archive.filename} would run {module}.{name} when it is read, which weights "
            "have no need of: refused, and not run."
        )

    def persistent_load(self, reference: Any) -> _Storage:
        """Gives the numbers of a storage."""
        _, number_type, key, _, size = reference
        if type(number_type) is not _NumberType or number_type.name not in _STORAGES:
            raise ValueError(f"numbers of the type {number_type} are not read")
        dtype = np.dtype(_STORAGES[number_type.name])
        entry = self.archive.getinfo(f"{self.folder}data/{key}")
        stored_as_they_are = entry.compress_type == zipfile.ZIP_STORED
        if not stored_as_they_are or entry.file_size != size * dtype.itemsize:
            raise ValueError(f"storage {key} is not of the size told")
        return _Storage(np.frombuffer(self.archive.read(entry), dtype))


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    """Cuts a tensor out of a storage; it may neither leave it nor be larger than it."""
    places = (offset, *shape, *strides)
    if type(storage) is not _Storage or len(shape) != len(strides):
        raise ValueError("a tensor is not made of a storage")
    if not all(type(place) is int and 0 <= place < 2**40 for place in places):
        raise ValueError(f"a tensor has the shape {shape} and the strides {strides}")
    numbers = storage.numbers
    last = sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if 0 in shape or offset + last >= len(numbers) or math.prod(shape) > len(numbers):
        raise ValueError(f"a tensor of shape {shape} lies outside its storage")
    steps = [stride * numbers.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()
