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
