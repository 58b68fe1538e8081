"""Which devices train a model, and how training is spread over several of them.

Data parallelism: each batch is that of the recipe, and each device, of this process and of the
others of its cluster, computes an equal part of its rows; where the rows do not divide, as in the
last batch of an epoch, every device computes all of them. Gradients are averaged, so the weights
are those of one device, up to rounding. On JAX the step is the same program, partitioned.
TensorFlow runs a step per device: there, batch normalization sees the rows of its device, random
numbers differ between devices, and the rows of a batch that does not divide count several times in
the training metrics.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ArgumentValueError, did_you_mean
from zoo.specs import Recipe
from zoo.training.cluster import ONE_PROCESS, Cluster, join

KINDS = {"tensorflow": ("cpu", "gpu"), "jax": ("cpu", "gpu", "tpu")}


@dataclasses.dataclass(frozen=True)
class Placement:
    """The devices that train a model.

    Attributes:
        kind: their type, such as ``"cpu"``; empty for the default device of the backend.
        count: their number in each process.
        cluster: the processes.
    """

    kind: str = ""
    count: int = 1
    cluster: Cluster = ONE_PROCESS

    @property
    def is_parallel(self) -> bool:
        """Whether there is more than one device."""
        return self.count * self.cluster.processes > 1

    @property
    def names(self) -> list[str]:
        """The names of the devices of this process, such as ``"cpu:0"``."""
        return [f"{self.kind}:{number}" for number in range(self.count)]

    @property
    def jax_devices(self) -> list[Any]:
        """The devices of all processes, in the order in which they share the rows of a batch."""
        import jax

        return [
            device
            for process in range(self.cluster.processes)
            for device in jax.local_devices(process, self.kind)[: self.count]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what ``config.json`` of a run holds of it: nothing for the default device."""
        devices = {"devices": f"{self.kind}:{self.count}"} if self.kind else {}
        return devices | self.cluster.to_json()

    def adapt(self, recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
        """Return a recipe as these devices execute it.

        TensorFlow can neither compile a step on several devices by XLA nor do several steps there
        in one execution: Keras' loop of steps fails under its strategy.

        Args:
            recipe: the recipe.
            given: the settings that the user has chosen.

        Raises:
            ArgumentValueError: if the user asks for XLA nevertheless.
        """
        if not self.is_parallel or keras.config.backend() == "jax":
            return recipe
        if given.get("jit_compile"):
            raise ArgumentValueError(
                f"jit_compile=True: TensorFlow cannot compile a step on {self.count} devices: "
                "leave it out, or train with KERAS_BACKEND=jax."
            )
        return recipe.replace(jit_compile=False, steps_per_execution=1)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which a model for these devices is built and trained."""
        if not self.kind:
            return contextlib.nullcontext()
        if not self.is_parallel:
            return keras.device(self.names[0])
        if keras.config.backend() == "jax":
            names = [f"{device.platform}:{device.id}" for device in self.jax_devices]
            return _ReplicatedBatches(devices=names, auto_shard_dataset=False).scope()
        return strategy_of(self).scope()


class _ReplicatedBatches(keras.distribution.DataParallel):
    """Every device is given all rows of a batch: the step decides which of them it computes."""

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        """Return the layout of an input.

        Args:
            data_shape: shape of the input.
        """
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


DEFAULT_DEVICE = Placement()


@functools.cache
def strategy_of(placement: Placement) -> tf.distribute.MirroredStrategy:
    """Return TensorFlow's strategy for several devices.

    Args:
        placement: the devices.
    """
    return tf.distribute.MirroredStrategy(placement.names)


def place(devices: str | int | None) -> Placement:
    """Choose the devices that train a model.

    Args:
        devices: ``"all"``, a number of devices of the default type, or a type and a number, such as
            ``"gpu:2"``; ``"cpu:2"`` divides the CPU into two logical devices, unless this process
            has already computed on it. The default device if None.

    Returns:
        The devices. If the environment names several processes, this one has joined the others,
        and each has devices as if it were the only one.

    Raises:
        ArgumentValueError: if there are not as many devices, or the backend cannot use several
            processes.
        ClusterError: if the processes that the environment names do not find each other.

    Example:
        >>> from zoo.training.devices import place
        >>> place("two")
        Traceback (most recent call last):
        ...
        zoo.errors.ArgumentValueError: devices=two: must be all, a number such as 2, or a type and \
a number such as cpu:2.
    """
    kind, count = ("", 1) if devices is None else _parse(devices)
    if kind == "cpu" and count:
        _divide_cpu(count)
    cluster = join()
    if devices is None and cluster is ONE_PROCESS:
        return DEFAULT_DEVICE
    kind, available = _available(kind)
    if count is not None and count > available:
        hint = f"; cpu:{count} in a fresh process divides the CPU" if kind == "cpu" else ""
        raise ArgumentValueError(
            f"devices={devices}: there are {available} of type {kind}, not {count}{hint}."
        )
    return Placement(kind, count or available, cluster)


def _parse(devices: str | int) -> tuple[str, int | None]:
    """Return the type, empty for the default one, and the number, None for all."""
    if devices == "all":
        return "", None
    kind, colon, number = str(devices).rpartition(":")
    is_number = number.isdecimal() and int(number) > 0 and not isinstance(devices, bool)
    if not is_number or bool(colon) != bool(kind):
        raise ArgumentValueError(
            f"devices={devices}: must be all, a number such as 2, or a type and a number such as "
            "cpu:2."
        )
    allowed = KINDS[keras.config.backend()]
    if kind and kind not in allowed:
        raise ArgumentValueError(
            f"devices={devices}: the type must be {' or '.join(allowed)}."
            f"{did_you_mean(kind, allowed)}"
        )
    return kind, int(number)


def _divide_cpu(count: int) -> None:
    with contextlib.suppress(RuntimeError):  # the process has computed: those there are must do
        if keras.config.backend() == "jax":
            import jax

            jax.config.update("jax_num_cpu_devices", count)
        else:
            (cpu,) = tf.config.list_physical_devices("CPU")
            logical = [tf.config.LogicalDeviceConfiguration()] * count
            tf.config.set_logical_device_configuration(cpu, logical)


def _available(kind: str) -> tuple[str, int]:
    """Return a type of devices, the default one if empty, and how many of it there are."""
    if keras.config.backend() == "jax":
        import jax

        with contextlib.suppress(RuntimeError):  # JAX knows no device of that type
            kind = kind or keras.distribution.list_devices()[0].partition(":")[0]
            return kind, len(jax.local_devices(backend=kind))
        return kind, 0
    kind = kind or ("gpu" if tf.config.list_logical_devices("GPU") else "cpu")
    return kind, len(tf.config.list_logical_devices(kind.upper()))
