"""A Hugging Face Space: a folder that serves a run with its playground.

app.py               starts the server
requirements.txt     what the package requires
Dockerfile           how the Space is built
README.md            the card of the run, below the settings of the Space
run/                 the run
zoo/, tuning/, ...   the package, since no index has it
"""

import importlib.metadata
import re
import shutil
import sys
import tempfile
from pathlib import Path

import zoo
from zoo.errors import ExportError
from zoo.pretrained.catalog import CARD, RECORD, RUNS
from zoo.pretrained.packing import without_places
from zoo.runs import PACKED_WEIGHTS, Run
from zoo.runs.files import PARTIAL, write_json

DISTRIBUTION = "keras-model-zoo"
EXTRAS = ("serve", "onnx")
PORT = 7860
RUN_FILES = (
    "config.json", "history.csv", "metrics.json", "model.keras", PACKED_WEIGHTS,
    "preprocessor.keras", "predictions.npz", RECORD, CARD,
)  # fmt: skip
REQUIREMENT = re.compile(r"""(?P<package>[^;]+?) *(?:; *extra == ["'](?P<extra>\w+)["'])?""")

APP = '''"""Serve the run in this folder: its playground at /, and the protocols of `zoo serve`."""

import os
import sys
from pathlib import Path

from zoo.cli import main

if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    port = os.environ.get("PORT", "{port}")
    sys.argv = ["zoo", "serve", "{name}=run", "--host", "0.0.0.0", "--port", port]
    main()
'''

DOCKERFILE = """FROM python:{python}-slim
RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
COPY --chown=user requirements.txt .
RUN pip install --no-cache-dir --user -r requirements.txt
COPY --chown=user . .
CMD ["python", "app.py"]
"""

SETTINGS = """---
title: {title}
sdk: docker
app_port: {port}
tags:
- keras-model-zoo
---

"""


def export_space(run: Run, directory: Path) -> Path:
    """Write a folder that runs as a Hugging Face Space, and by ``python app.py`` anywhere.

    Some raw rows of the test split are among the files of the run.

    Args:
        run: a finished run.
        directory: folder to create.

    Returns:
        The folder.

    Raises:
        RunError: if the run is unfinished or damaged.
        ExportError: if the folder exists.

    Example:
        >>> import zoo
        >>> from zoo.playground.space import export_space
        >>> space = export_space(zoo.load("perceptron"), tmp / "space")
        >>> (space / "app.py").exists(), (space / "run" / "metrics.json").exists()
        (True, True)
    """
    run.file("metrics.json")  # raises if the run is unfinished
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ExportError(f"{directory} already exists: choose another --space.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=PARTIAL) as temporary:
        folder = Path(temporary) / "space"
        folder.mkdir()
        _copy_run(run, folder / "run")
        _copy_package(folder)
        name, dataset = run.config["model"], Path(run.dataset.name).name
        version = ".".join(map(str, sys.version_info[:2]))
        settings = SETTINGS.format(title=f"{name} on {dataset}", port=PORT)
        card = run.directory / CARD
        text = card.read_text("utf-8") if card.exists() else f"# {name} on {dataset}\n"
        (folder / "app.py").write_text(APP.format(name=name, port=PORT), "utf-8")
        (folder / "Dockerfile").write_text(DOCKERFILE.format(python=version), "utf-8")
        (folder / "requirements.txt").write_text("\n".join(_requirements()) + "\n", "utf-8")
        (folder / CARD).write_text(settings + text, "utf-8")
        folder.rename(directory)
    return directory


def _copy_run(run: Run, folder: Path) -> None:
    """Copy the files of a run, without what says on which machine it was trained."""
    folder.mkdir()
    for name in RUN_FILES:
        if (run.directory / name).exists():
            shutil.copy(run.directory / name, folder / name)
    if not run.is_packed:
        write_json(folder / "config.json", without_places(run.config))


def _copy_package(folder: Path) -> None:
    """Copy the package without its trained models, and its metadata, where Python finds them."""
    root = Path(zoo.__file__).parent

    def ignore(parent: str, names: list[str]) -> set[str]:
        return {name for name in names if name == "__pycache__" or Path(parent, name) == RUNS}

    for package in (root, root.parent / "tuning"):
        shutil.copytree(package, folder / package.name, ignore=ignore)
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    metadata = folder / f"{DISTRIBUTION.replace('-', '_')}-{distribution.version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(str(distribution.metadata), "utf-8")


def _requirements() -> list[str]:
    """Return what the package and the extras of the server require."""
    matches = map(REQUIREMENT.fullmatch, importlib.metadata.requires(DISTRIBUTION) or ())
    return [
        match["package"]
        for match in matches
        if match
        and match["extra"] in (None, *EXTRAS)
        and not match["package"].startswith(DISTRIBUTION)
    ]
