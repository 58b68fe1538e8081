"""What computes a layer: asked by those that have a faster way of their own."""

import keras
import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def is_tensorflow_on_cpu() -> bool:
    """Tells whether TensorFlow computes, and sees no GPU."""
    return keras.config.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")


def is_within_xla() -> bool:
    """Tells whether XLA compiles what is around.

    A function within it that asks for XLA itself would be compiled anew at every step.
    """
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
