"""Models as they are served: an endpoint of an artifact with its tensors, and rows for it."""

import dataclasses
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from zoo.artifacts import reader
from zoo.errors import ArgumentValueError, InputError
from zoo.serving.rows import CONVERTERS, Values, num_rows

DATATYPES = {"uint8": "UINT8", "int64": "INT64", "float32": "FP32"}
MAX_ROWS = 4096
DUPLICATE = "reconstruct"  # which is what ``serve`` of an autoencoder does


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        name: its name.
        datatype: its type in the Open Inference Protocol.
        shape: its shape, with -1 where any length is allowed; the batch comes first.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """An endpoint of an artifact under the name by which clients call it.

    Attributes:
        name: the name.
        artifact: the artifact.
        endpoint: the endpoint of the artifact.
        inputs: the tensors that it takes.
        outputs: the tensors that it gives.
        executor: thread in which the artifact computes.
    """

    name: str
    artifact: reader.Artifact
    endpoint: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    executor: ThreadPoolExecutor

    @property
    def platform(self) -> str:
        """The format of the artifact, in the words of the Open Inference Protocol."""
        names = {"onnx": "onnxruntime_onnx", "saved_model": "tensorflow_savedmodel"}
        return names.get(self.artifact.facts["format"], self.artifact.facts["format"])

    def compute(self, rows: reader.Arrays) -> reader.Arrays:
        """Compute the outputs of a batch.

        Args:
            rows: inputs by name, as `convert` returns them.
        """
        return self.artifact.ask(self.endpoint, **rows)

    def convert(
        self, values: Mapping[str, Values], max_bytes: int
    ) -> list[tuple[np.ndarray, reader.Arrays]]:
        """Check what was received, and group rows of the same shape.

        Args:
            values: values by the name of the input.
            max_bytes: size in bytes of the largest decoded image.

        Returns:
            For each group the indices of its rows, and the inputs by name.

        Raises:
            InputError: if an input is missing, unknown or invalid.
        """
        known = [tensor.name for tensor in self.inputs]
        if set(values) != set(known):
            raise InputError(
                f"{self.name} takes {' and '.join(known)}; received {_join(values) or 'nothing'}."
            )
        counts = {name: num_rows(rows) for name, rows in values.items()}
        (count, *others) = set(counts.values())
        if others:
            described = ", ".join(f"{name} {rows}" for name, rows in counts.items())
            raise InputError(f"the inputs have different numbers of rows: {described}.")
        if not 1 <= count <= MAX_ROWS:
            raise InputError(f"received {count} rows; expected 1 to {MAX_ROWS}.")
        facts = self.artifact.facts
        columns = {
            tensor.name: CONVERTERS[tensor.name](
                values[tensor.name], tensor.shape[1:], facts, max_bytes
            )
            for tensor in self.inputs
        }
        return list(_group(columns, count))


def _group(columns: Mapping[str, Values], count: int) -> Iterator[tuple[np.ndarray, reader.Arrays]]:
    arrays = {name: rows for name, rows in columns.items() if isinstance(rows, np.ndarray)}
    if len(arrays) == len(columns):
        yield np.arange(count), arrays
        return
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for index in range(count):
        key = tuple(np.shape(rows[index]) for rows in columns.values())
        groups.setdefault(key, []).append(index)
    for indices in groups.values():
        yield (
            np.array(indices),
            {name: np.stack([rows[i] for i in indices]) for name, rows in columns.items()},
        )


def serve_models(artifacts: Mapping[str, reader.Artifact]) -> dict[str, ServedModel]:
    """Return the models that artifacts are served as, by name.

    An artifact is served under its own name; the further endpoints of an autoencoder as
    ``NAME_encode`` and ``NAME_decode``. Random endpoints are not served.

    Args:
        artifacts: artifacts by name.

    Raises:
        ArgumentValueError: if an endpoint of one artifact has the name of another.
    """
    models: dict[str, ServedModel] = {}
    for name, artifact in artifacts.items():
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        for endpoint, tensors in _tensors(artifact).items():
            served = name if endpoint == "serve" else f"{name}_{endpoint}"
            if served in models or (served != name and served in artifacts):
                raise ArgumentValueError(
                    f"{served!r} is both a model and an endpoint of {name!r}: give one of them "
                    "another name, as in NAME=RUN."
                )
            models[served] = ServedModel(served, artifact, endpoint, *tensors, executor)
    return models


def _tensors(
    artifact: reader.Artifact,
) -> dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
    """Return inputs and outputs of the deterministic endpoints, known by their golden rows."""
    with np.load(artifact.folder / reader.GOLDEN) as golden:
        arrays = {key: golden[key] for key in golden}
    described = {}
    for endpoint, spec in artifact.facts["endpoints"].items():
        if endpoint == DUPLICATE or f"{endpoint}/inputs/{spec['inputs'][0]}" not in arrays:
            continue
        inputs, outputs = (
            tuple(_describe(name, arrays[f"{endpoint}/{kind}/{name}"]) for name in spec[kind])
            for kind in ("inputs", "outputs")
        )
        described[endpoint] = inputs, outputs
    return described


def _describe(name: str, rows: np.ndarray) -> Tensor:
    datatype = "BYTES" if rows.dtype.kind in "SU" else DATATYPES[rows.dtype.name]
    is_raw_image = name == "image" and datatype == "UINT8"
    free = (-1, -1, rows.shape[-1]) if is_raw_image else rows.shape[1:]
    return Tensor(name, datatype, (-1, *free))


def _join(names: Mapping[str, Values]) -> str:
    return " and ".join(repr(name) for name in names)
