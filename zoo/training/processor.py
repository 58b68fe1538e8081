"""What the machine's processor is and can do."""

import hashlib
import os
import platform
from pathlib import Path

import keras
import tensorflow as tf

from zoo.process import usable_cores
from zoo.specs import Recipe

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def multiplies_bfloat16() -> bool:
    """Return whether the machine has instructions for it; without them, float32 is faster."""
    if keras.config.backend() == "jax":  # which has no kernels of that type for a CPU
        return device_types() != ["CPU"]
    if tf.config.list_physical_devices("GPU"):
        return True
    return not BFLOAT16_FLAGS.isdisjoint(_cpu_facts().get("flags", "").split())


def is_compiled(recipe: Recipe) -> bool:
    """Return whether the steps of a recipe are compiled by XLA: on JAX all are.

    Args:
        recipe: the recipe.
    """
    return keras.config.backend() == "jax" or recipe.jit_compile


def thread_count() -> int:
    """Return the number of threads that an operation may use, on which its last bits depend."""
    limit = int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))
    return limit or tf.config.threading.get_intra_op_parallelism_threads() or usable_cores()


def device_types() -> list[str]:
    """Return the type of each device of the backend, such as ``"CPU"``."""
    if keras.config.backend() == "jax":
        return [name.partition(":")[0].upper() for name in keras.distribution.list_devices()]
    return [device.device_type for device in tf.config.list_physical_devices()]


def describe_processor() -> str:
    """Return the name of the processor, a digest of its instruction sets, threads, and devices."""
    facts = _cpu_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    flags = hashlib.sha256(facts.get("flags", "").encode()).hexdigest()[:8]
    devices = "+".join(device_types())
    return f"{name} ({flags}), {thread_count()} threads, {devices}"


def _cpu_facts() -> dict[str, str]:
    """Return what Linux says of the first core, by name; on ARM, features are called flags."""
    if not CPUINFO.exists():
        return {}
    first, *_ = CPUINFO.read_text("utf-8").split("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    return {"flags": facts.get("Features", ""), **facts}
