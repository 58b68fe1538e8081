"""Many runs at once: jobs, spread over processes and over machines that share a directory.

jobs.py        `run_jobs`, which everything that trains many times calls
claims.py      which machine runs which job: files in the shared directory
pool.py        the worker processes of a machine, which are replaced when they die
processes.py   how a process is started with its share of the cores, watched and ended
__main__.py    what a worker process does
"""

from typing import Protocol


class Job(Protocol):
    """A piece of work that can be pickled, and resumes where it stopped if it is run again."""

    @property
    def name(self) -> str:
        """Name, unique in its directory, and part of a file's name."""

    @property
    def kind(self) -> str:
        """What it has in common with the jobs that take about as long."""

    def is_finished(self) -> bool:
        """Return whether its results are stored."""

    def run(self, progress: bool) -> None:
        """Do the work and store its results.

        Args:
            progress: whether to show progress on standard error.
        """
