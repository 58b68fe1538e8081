"""How a process that trains is run: commands ask for it before TensorFlow loads."""

import contextlib
import os


def as_batch_job() -> None:
    """Lets Linux schedule this process, and what it starts, as work that nobody waits for.

    Threads that hand each other many short pieces of work are otherwise, now and then, kept on one
    core for seconds while another idles.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    with contextlib.suppress(OSError):  # a container may forbid it
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def with_wide_vectors() -> None:
    """Lets XLA compute with vectors of 512 bits where it prefers half of that.

    ``XLA_FLAGS`` of the user's own stay as they are.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_prefer_vector_width=512")
