"""Memory that TensorFlow keeps after training, given back."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tensorflow.python.framework import ops


@contextlib.contextmanager
def released_gradients() -> Iterator[None]:
    """Forget the custom gradients that are registered within the block.

    TensorFlow registers each for the lifetime of the process, and with it the graph that it was
    made in: https://github.com/tensorflow/tensorflow/issues/97697. No graph of the block may be
    differentiated after it.
    """
    registry: dict[str, Any] = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in registry.keys() - before:
            if name.startswith("CustomGradient-"):
                del registry[name]
