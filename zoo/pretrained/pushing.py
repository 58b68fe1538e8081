"""The verb `zoo.push`: a packed run with its card becomes a repository of the Hugging Face Hub.

README.md            the card of the run, with the metadata of the hub
record.json          see `zoo.pretrained`; and the files that it lists
onnx/                the model as an ONNX artifact, see `zoo.artifacts.export`
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from zoo.artifacts.export import export
from zoo.errors import ExportError, HubError
from zoo.pretrained.catalog import CARD, FILES, RECORD
from zoo.pretrained.hub import explain_errors, import_hub, is_reachable, require_repository
from zoo.pretrained.hub_card import write_hub_card
from zoo.pretrained.packing import pack
from zoo.runs import Run, load_run

ARTIFACT = "onnx"
MADE_BY_HUB = ".gitattributes"


def push(
    run: Run | str | Path,
    repository: str,
    *,
    private: bool = False,
    license: str | None = None,
    message: str = "Push a run of keras-model-zoo",
    onnx: bool = True,
    data_dir: str | Path | None = None,
    token: str | None = None,
) -> str:
    """Push a finished run to the Hugging Face Hub, from where `zoo.load` reads it.

    The run is packed: its weights are stored in half precision, with a record of where they come
    from. Some raw rows of the test split are among its files. The repository is created if it does
    not exist; one that holds anything but a packed run is not overwritten.

    Args:
        run: a run, or what `zoo.load_run` takes. A packed run is pushed as it is.
        repository: ``USER/NAME`` or ``ORGANIZATION/NAME``.
        private: whether others may not read the repository; if not, that is as its owner has it set
            for new ones.
        license: license of the weights, as the hub names it, such as ``"apache-2.0"``.
        message: message of the commit.
        onnx: whether to add the model as an ONNX artifact.
        data_dir: TFDS data directory, to evaluate the packed run; that of the run if None.
        token: token of the hub; that of ``hf auth login`` or ``HF_TOKEN`` if None.

    Returns:
        URL of the repository.

    Raises:
        RunError: if the run is unfinished or damaged.
        HubError: if the hub cannot be reached or refuses, or the repository holds something else.
        ExportError: if the model cannot be exported as ONNX.
        DatasetError: if the test split cannot be read.

    Example:
        >>> import zoo
        >>> zoo.push("mlp", "mlp-mnist")
        Traceback (most recent call last):
        ...
        zoo.errors.HubError: 'mlp-mnist': must be USER/NAME, of letters, digits, '-', '_' and '.', \
such as ada/bilstm-imdb.
    """
    repository = require_repository(repository)
    run = run if isinstance(run, Run) else load_run(run)
    run.file("metrics.json")  # raises if the run is unfinished
    hub = import_hub()
    _require_access(hub, token)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        _write_files(run, folder, onnx, data_dir)
        write_hub_card(folder, repository, license=license, artifact=ARTIFACT if onnx else None)
        with explain_errors(repository):
            return _upload(hub.HfApi(token=token), folder, repository, private, message)


def _require_access(hub: Any, token: str | None) -> None:
    """Check what can be checked before the run is packed."""
    if not is_reachable():
        raise HubError(f"cannot reach {hub.constants.ENDPOINT}.")
    if not (token or hub.get_token()):
        raise HubError(
            "you are not logged in to the Hugging Face Hub: `hf auth login`, or set HF_TOKEN."
        )


def _write_files(run: Run, folder: Path, onnx: bool, data_dir: str | Path | None) -> None:
    if run.is_packed:
        folder.mkdir()
        for name in (*FILES, RECORD, CARD):
            shutil.copy(run.file(name), folder / name)
    else:
        pack(run, folder, data_dir=data_dir)
    if onnx:
        try:
            export(load_run(folder), folder / ARTIFACT, format="onnx")
        except ExportError as error:
            raise ExportError(f"{error} Without it: onnx=False, or --no-onnx.") from error


def _upload(api: Any, folder: Path, repository: str, private: bool, message: str) -> str:
    """Upload all files in one commit, which also deletes an artifact of earlier weights."""
    url = api.create_repo(repository, private=private or None, exist_ok=True)
    found = api.model_info(repository)
    names = {file.rfilename for file in found.siblings or ()}
    if RECORD not in names and names - {MADE_BY_HUB, CARD}:
        raise HubError(f"{url} holds no packed run, so it is not overwritten: choose another name.")
    if private and not found.private:
        raise HubError(f"{url} is public: make it private in its settings, or choose another name.")
    api.upload_folder(
        repo_id=repository,
        folder_path=folder,
        commit_message=message,
        delete_patterns=[f"{ARTIFACT}/*"],
    )
    return str(url)
