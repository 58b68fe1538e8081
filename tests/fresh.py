"""Fresh Python processes that cost no import of TensorFlow: forks of one that has imported it.

Run as a program, it imports the modules that its arguments name and then forks itself for each line
of JSON that it reads: ``{"code": ..., "folder": ..., "argv": [...]}``. The fork runs the code as
``__main__`` in that folder, and the program answers with its exit code and what it printed.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path


class ForkServer:
    """A process that has imported some modules and forks itself for each piece of code."""

    def __init__(self, *modules, environment=None):
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, __file__, *modules],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip

    def run(self, code, folder, argv=()):
        """Run code in a fork; return a `subprocess.CompletedProcess`."""
        request = {"code": code, "folder": str(folder), "argv": list(map(str, argv))}
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        return subprocess.CompletedProcess(
            ["python"], answer["returncode"], answer["stdout"], answer["stderr"]
        )

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def serve(modules):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def answer(request):
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if not child:
            os._exit(run_here(request, out, err))
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return {
            "returncode": os.waitstatus_to_exitcode(status), "stdout": out.read(),
            "stderr": err.read(),
        }  # fmt: skip


def run_here(request, out, err):
    """Run the code as the main program would be; return the exit code."""
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    sys.stdin = open(os.devnull)  # noqa: SIM115, as long as the process lives
    sys.argv = request["argv"] or ["-c"]
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    code = 0
    try:
        exec(compile(request["code"], "<fresh process>", "exec"), {"__name__": "__main__"})
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    serve(sys.argv[1:])
