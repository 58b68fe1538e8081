"""Pretrained weights from safetensors files, torchvision's `.pth` files and `.keras` files.

A file is first read into arrays with torchvision's names, such as ``"layer1.0.conv1.weight"``, and
then loaded into a model, all of them or none. No file can execute code: `.pth` files are read by an
unpickler that builds nothing but tensors.
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
IGNORED = "num_batches_tracked"

Variables = dict[str, tuple[keras.Variable, tuple[int, ...]]]

# Keras' variable name, torch's name, and the axes of torch's array in Keras' order.
_TORCH_NAMES: dict[Any, dict[str, tuple[str, tuple[int, ...]]]] = {
    keras.layers.Conv2D: {"kernel": ("weight", (2, 3, 1, 0))},
    keras.layers.Dense: {"kernel": ("weight", (1, 0)), "bias": ("bias", (0,))},
    keras.layers.BatchNormalization: {
        "gamma": ("weight", (0,)),
        "beta": ("bias", (0,)),
        "moving_mean": ("running_mean", (0,)),
        "moving_variance": ("running_var", (0,)),
    },
}
_STORAGE_DTYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
}


def load(model: keras.Model, source: str, *, keep_head: bool) -> None:
    """Load weights into a model whose layers have torchvision's names.

    Args:
        model: the model; it is left unchanged if an error is raised.
        source: ``"imagenet"``, or the path of a ``.safetensors``, ``.pth`` or ``.keras`` file.
        keep_head: whether to load the classifier's weights, too.

    Raises:
        WeightsError: if the weights cannot be downloaded or read, or do not fit the model.
    """
    arrays = read(fetch(source) if source in HUB else Path(source))
    wanted = {
        torch_name: (variable, axes)
        for torch_name, (variable, axes) in _variables(model).items()
        if keep_head or not torch_name.startswith(f"{HEAD}.")
    }
    _check_names(model, source, arrays, wanted)
    _check_arrays(source, arrays, wanted)
    values = {name: arrays[name].transpose(axes) for name, (_, axes) in wanted.items()}
    for name, (variable, _) in wanted.items():
        variable.assign(values[name])


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a weights file.

    Args:
        path: a ``.safetensors``, ``.pth`` or ``.keras`` file.

    Returns:
        The arrays by torchvision's names, with torch's order of axes.

    Raises:
        WeightsError: if the file does not exist, is damaged or has another format.
    """
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"weights={str(path)!r}: must be random, {', '.join(HUB)}, or a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    if not os.path.isfile(path):  # False where Path.is_file raises
        raise WeightsError(f"weights={str(path)!r}: there is no such file.")
    readers = {".safetensors": _read_safetensors, ".pth": _read_pth, ".keras": _read_keras}
    try:
        return readers[path.suffix](path)
    except WeightsError:
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path} is not a readable weights file: {reason}") from error


def fetch(name: str) -> Path:
    """Download weights from the Hugging Face Hub, unless they are in its cache.

    Args:
        name: key of `HUB`.

    Returns:
        The path of the file in the cache.

    Raises:
        WeightsError: if the hub cannot be reached, or `huggingface_hub` is not installed.
    """
    repository, file = HUB[name]
    workaround = (
        f"download {file} from https://huggingface.co/{repository} elsewhere, and pass its path as "
        "weights, with scaling=imagenet, image_size=224 and augmentation=none"
    )
    try:
        import huggingface_hub
        from huggingface_hub.constants import ENDPOINT
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        raise WeightsError(
            f'weights={name!r} requires pip install "keras-model-zoo[pretrained]"; or {workaround}.'
        ) from None
    with contextlib.suppress(LocalEntryNotFoundError):
        return Path(huggingface_hub.hf_hub_download(repository, file, local_files_only=True))
    try:
        requests.head(ENDPOINT, timeout=CONNECT_SECONDS)  # hf_hub_download retries for 30 seconds
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except Exception as error:
        raise WeightsError(
            f"cannot reach the Hugging Face Hub ({type(error).__name__}): {workaround}."
        ) from error


def _variables(model: keras.Model) -> Variables:
    """Return a model's variables, and the axes of torch's arrays, by torchvision's names."""
    return {
        f"{layer.name}.{torch_name}": (getattr(layer, keras_name), axes)
        for layer in model.layers
        for layer_type, names in _TORCH_NAMES.items()
        if isinstance(layer, layer_type)
        for keras_name, (torch_name, axes) in names.items()
        if getattr(layer, keras_name) is not None
    }


def _check_names(
    model: keras.Model, source: str, arrays: Mapping[str, np.ndarray], wanted: Variables
) -> None:
    missing = [name for name in wanted if name not in arrays]
    expected = _variables(model)
    unexpected = [
        str(name) for name in arrays if name not in expected and not str(name).endswith(IGNORED)
    ]
    if missing or unexpected:
        examples = [f"lacks {name}" for name in missing[:1]]
        examples += [f"has {name}" for name in unexpected[:1]]
        raise WeightsError(
            f"weights={source!r} do not fit {model.name}: the file {' and '.join(examples)} "
            f"({len(missing)} missing, {len(unexpected)} unexpected)."
        )


def _check_arrays(source: str, arrays: Mapping[str, np.ndarray], wanted: Variables) -> None:
    for name, (variable, axes) in wanted.items():
        array = arrays[name]
        expected = tuple(np.array(variable.shape)[np.argsort(axes)].tolist())
        if array.shape != expected:
            raise WeightsError(
                f"weights={source!r} do not fit: {name} has shape {array.shape}, expected "
                f"{expected}; check stem, filters, num_classes and the number of color channels."
            )
        is_valid = np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()
        if not is_valid or (name.endswith("running_var") and (array < 0).any()):
            raise WeightsError(f"weights={source!r} are damaged: {name} has invalid values.")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise WeightsError(
            f'{path}: .safetensors files require pip install "keras-model-zoo[pretrained]".'
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
            f"{path} is not a readable weights file: it is truncated, or older than torch 1.6."
        )
    with zipfile.ZipFile(path) as archive:
        (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(index) as pickled:
            state = _TensorUnpickler(archive, pickled).load()
    return {name: value for name, value in state.items() if type(value) is np.ndarray}


@dataclasses.dataclass(frozen=True, slots=True)
class _StorageType:
    """Name of a storage class; a pickle can neither call nor modify it."""

    name: str


class _Storage:
    """Flat array of a file; only `persistent_load` creates one."""

    __slots__ = ("values",)

    def __init__(self, values: np.ndarray) -> None:
        self.values = values


class _TensorUnpickler(pickle.Unpickler):
    """Unpickler of a state dict's tensors that refuses to import anything else."""

    def __init__(self, archive: zipfile.ZipFile, pickled: IO[bytes]) -> None:
        super().__init__(pickled)
        self.archive = archive
        self.folder = pickled.name.removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:
        """Return a new substitute for one of the few classes and functions of a state dict."""
        if (module, name) == ("collections", "OrderedDict"):
            return type("OrderedDict", (OrderedDict,), {})
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: _rebuild_tensor(*arguments)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, requires_grad, hooks: data
        if module == "torch" and name.endswith("Storage"):
            return _StorageType(name)
        raise WeightsError(
            f"{self.archive.filename} would run {module}.{name} when unpickled: refused, since "
            "weights do not need it."
        )

    def persistent_load(self, reference: Any) -> _Storage:
        """Return a storage of the file."""
        _, storage_type, key, _, size = reference
        if type(storage_type) is not _StorageType or storage_type.name not in _STORAGE_DTYPES:
            raise ValueError(f"storage type {storage_type} is not supported")
        dtype = np.dtype(_STORAGE_DTYPES[storage_type.name])
        entry = self.archive.getinfo(f"{self.folder}data/{key}")
        is_uncompressed = entry.compress_type == zipfile.ZIP_STORED
        if not is_uncompressed or entry.file_size != size * dtype.itemsize:
            raise ValueError(f"storage {key} does not have the declared size")
        return _Storage(np.frombuffer(self.archive.read(entry), dtype))


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    """Copy a tensor out of a storage, which it may neither exceed in size nor reach beyond."""
    if type(storage) is not _Storage or len(shape) != len(strides):
        raise ValueError("a tensor has no storage, or not as many strides as axes")
    integers = (offset, *shape, *strides)
    if not all(type(number) is int and 0 <= number < 2**40 for number in integers):
        raise ValueError(f"a tensor has offset {offset}, shape {shape} and strides {strides}")
    values = storage.values
    last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if 0 in shape or offset + last >= len(values) or math.prod(shape) > len(values):
        raise ValueError(f"a tensor of shape {shape} lies outside its storage")
    byte_strides = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, byte_strides).copy()
