"""Cores, scheduling policy and oneDNN of the process, and suppression of standard error."""

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def enable_batch_scheduling() -> None:
    """Set the scheduling policy of this process and its children to SCHED_BATCH on Linux.

    Under the default policy, threads that exchange many short work items are sometimes kept on one
    core for seconds while another core idles. Must be called before TensorFlow is imported, since
    threads inherit the policy when they start.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    with contextlib.suppress(OSError):  # not permitted in some containers
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def enable_onednn() -> None:
    """Enable TensorFlow's oneDNN operations on every x86-64 processor, unless the user chose.

    By default TensorFlow uses them only on processors with neural-network instructions such as
    AVX512_VNNI. Must be called before TensorFlow is imported. To disable them, set the environment
    variable ``TF_ENABLE_ONEDNN_OPTS`` to 0; the bits of a trained model then differ.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def mute_stderr() -> contextlib.AbstractContextManager[None]:
    """Suppress output to file descriptor 2, including that of C++ code, unless an error is raised.

    If the body raises an exception, the suppressed output is written after all.
    """
    return _mute(2)


def mute_stdout() -> contextlib.AbstractContextManager[None]:
    """Suppress output to file descriptor 1 as `mute_stderr` does that to 2."""
    return _mute(1)


@contextlib.contextmanager
def _mute(descriptor: int) -> Iterator[None]:
    stream = sys.stderr if descriptor == 2 else sys.stdout
    stream.flush()
    original = os.dup(descriptor)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), descriptor)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            stream.flush()
            os.dup2(original, descriptor)
            os.close(original)
