"""The device and the compiler that execute a layer."""

import keras
import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def is_tensorflow_on_cpu() -> bool:
    """Return whether the backend is TensorFlow and no GPU is visible."""
    return keras.config.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")


def is_within_xla() -> bool:
    """Return whether the current graph is compiled by XLA.

    A nested function with ``jit_compile=True`` would be recompiled at every step.
    """
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
