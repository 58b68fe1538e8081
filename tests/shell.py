"""A shell in which `zoo` costs no import of TensorFlow, as it is the fork of a process that has it.

Commands that read standard input, that go on in the background, or that start processes or a
backend of their own are started as they are elsewhere.
"""

import contextlib
import os
import subprocess
import sys
import threading
from multiprocessing.connection import Listener

from fresh import ForkServer

IMPORTED = (
    "keras", "tensorflow", "tensorflow_datasets", "matplotlib.figure", "sklearn.datasets",
    "zoo.artifacts.export", "zoo.evaluation.prediction", "zoo.plots", "zoo.training",
)  # fmt: skip
RUN_ZOO = "import runpy; runpy.run_module('zoo', run_name='__main__')"
ZOO = """#!/bin/sh
case "$KERAS_BACKEND $*" in
    " serve "* | *--workers* | *--devices* | *"--lines -"* | [!\\ ]*) exec "{python}" -m zoo "$@" ;;
esac
exec "{python}" -SE "{client}" "$@"
"""
CLIENT = """
import os, sys
from multiprocessing.connection import Client
with Client({address!r}, authkey=b"tests") as connection:
    connection.send((os.getcwd(), sys.argv[1:]))
    out, err, code = connection.recv()
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
PYTHON = '#!/bin/sh\nexec "{python}" "$@"\n'
PIP = "#!/bin/sh\n"  # whatever pages install is there already


class Shell:
    """A folder of commands, and the process that is forked for them."""

    def __init__(self, folder, environment):
        self.address = str(folder / "socket")
        client = folder / "client.py"
        client.write_text(CLIENT.format(address=self.address))
        for name, text in (("zoo", ZOO), ("python", PYTHON), ("pip", PIP)):
            (folder / name).write_text(text.format(python=sys.executable, client=client))
            (folder / name).chmod(0o755)
        self.environment = os.environ | environment
        self.environment["PATH"] = f"{folder}{os.pathsep}{self.environment['PATH']}"
        self.server = ForkServer(*IMPORTED, environment=self.environment)
        self.listener = Listener(self.address, authkey=b"tests")
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self):
        with contextlib.suppress(OSError):  # after `close`
            while True:
                with self.listener.accept() as connection:
                    folder, argv = connection.recv()
                    ended = self.server.run(RUN_ZOO, folder, ["zoo", *argv])
                    connection.send((ended.stdout, ended.stderr, ended.returncode))

    def python(self, code, folder):
        """Run Python code in a folder; return a `subprocess.CompletedProcess`."""
        return self.server.run(code, folder)

    def sh(self, code, folder, **variables):
        """Run commands in a folder, until one fails; return a `subprocess.CompletedProcess`."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=folder, env=self.environment | variables,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def close(self):
        """End the process."""
        self.listener.close()
        self.server.close()
