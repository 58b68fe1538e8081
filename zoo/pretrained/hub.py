"""Packed runs of the Hugging Face Hub: references to them, and their download.

``hf://USER/NAME`` is the packed run in the repository ``USER/NAME``, and
``hf://USER/NAME@REVISION`` that of a branch, a tag or a commit. A repository is not trusted: only
the files of a packed run are downloaded, and `zoo.load_run` compares them with its record and runs
no code in them.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import HubError, ZooError
from zoo.pretrained.catalog import CARD, FILES, RECORD

SCHEME = "hf://"
SITE = "https://huggingface.co/"
CONNECT_SECONDS = 5

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_REVISION = re.compile(r"\w[\w./-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_reference(name: str | Path) -> bool:
    """Return whether a name is meant to be one of the Hugging Face Hub.

    Args:
        name: what a user passed in place of a run directory.

    Example:
        >>> from zoo.pretrained.hub import is_reference
        >>> is_reference("hf://user/name"), is_reference("runs/mine")
        (True, False)
    """
    return isinstance(name, str) and name.startswith(("hf:", SITE))


def parse_reference(reference: str) -> tuple[str, str | None]:
    """Split a reference into repository and revision.

    Args:
        reference: ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION``.

    Returns:
        The repository, and the revision or None.

    Raises:
        HubError: if it has another form.

    Example:
        >>> from zoo.pretrained.hub import parse_reference
        >>> parse_reference("hf://user/name@v1")
        ('user/name', 'v1')
    """
    repository, at, revision = reference.removeprefix(SCHEME).partition("@")
    is_valid = reference.startswith(SCHEME) and _is_repository(repository)
    if not is_valid or (at and not _REVISION.fullmatch(revision)) or ".." in revision:
        near = SCHEME + re.sub(rf"^(hf:|{SITE})/*|/*$", "", reference)
        hint = f" Did you mean {near!r}?" if _is_repository(near.removeprefix(SCHEME)) else ""
        raise HubError(f"{reference!r}: must be hf://USER/NAME or hf://USER/NAME@REVISION.{hint}")
    return repository, revision or None


def require_repository(repository: str) -> str:
    """Return the name of a repository, without ``hf://``.

    Args:
        repository: ``USER/NAME`` or ``hf://USER/NAME``.

    Raises:
        HubError: if it has another form.
    """
    name = repository.removeprefix(SCHEME)
    if not _is_repository(name):
        raise HubError(
            f"{repository!r}: must be USER/NAME, of letters, digits, '-', '_' and '.', such as "
            "ada/bilstm-imdb."
        )
    return name


def download(reference: str) -> Path:
    """Download a packed run, or find it in the cache of the Hugging Face Hub.

    The hub is asked for the newest commit of a branch. If it cannot be reached within
    `CONNECT_SECONDS`, or if ``HF_HUB_OFFLINE`` is set, the commit in the cache is used.

    Args:
        reference: ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION``.

    Returns:
        Its directory, which is named by the commit and is not to be written to.

    Raises:
        HubError: if `huggingface_hub` is not installed, the hub cannot be reached, or there is no
            such packed run.
    """
    repository, revision = parse_reference(reference)
    hub = import_hub()
    options = {"revision": revision, "allow_patterns": [*FILES, RECORD, CARD]}
    with explain_errors(repository, revision):
        folder = None
        if revision and _COMMIT.fullmatch(revision):  # which never changes
            with contextlib.suppress(FileNotFoundError):
                folder = hub.snapshot_download(repository, local_files_only=True, **options)
        folder = folder or hub.snapshot_download(
            repository, local_files_only=not is_reachable(), **options
        )
    if not (Path(folder) / RECORD).is_file():
        raise HubError(
            f"{reference} is not a packed run: it has no {RECORD}. `zoo push` writes such "
            "repositories."
        )
    return Path(folder)


def pin_revision(reference: str) -> str:
    """Return a reference to the commit that another reference means now.

    Args:
        reference: ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION``.

    Raises:
        HubError: if it cannot be downloaded.
    """
    repository, _ = parse_reference(reference)
    return f"{SCHEME}{repository}@{download(reference).name}"


def import_hub() -> Any:
    """Import `huggingface_hub`.

    Raises:
        HubError: if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise HubError(
            'the Hugging Face Hub requires pip install "keras-model-zoo[pretrained]".'
        ) from None
    return huggingface_hub


def is_reachable() -> bool:
    """Return whether the hub answers within `CONNECT_SECONDS`; its client retries for longer."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=CONNECT_SECONDS)
    except Exception:
        return False
    return True


@contextlib.contextmanager
def explain_errors(repository: str, revision: str | None = None) -> Iterator[None]:
    """Turn the exceptions of `huggingface_hub` in the block into errors of one line.

    Args:
        repository: the repository that the block reads or writes.
        revision: its revision.

    Raises:
        HubError: if the block raises an exception.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise HubError(_explain(error, repository, revision)) from error


def _explain(error: Exception, repository: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    if isinstance(error.__cause__, errors.HfHubHTTPError):
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            f"cannot reach {constants.ENDPOINT}, and {repository}"
            f"{f' at {revision}' if revision else ''} is not in the cache {constants.HF_HUB_CACHE}."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no revision {revision!r}."
    if isinstance(error, errors.GatedRepoError):
        return f"{repository} is gated: ask for access at {constants.ENDPOINT}/{repository}."
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{constants.ENDPOINT} has no repository {repository}, or it is private and you are "
            "not logged in: `hf auth login`, or HF_TOKEN."
        )
    if status in (401, 403):
        return (
            f"{constants.ENDPOINT} does not authorize you for {repository}: log in with `hf auth "
            "login`, or set HF_TOKEN, with a token that may write."
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{repository} on {constants.ENDPOINT}: {reason}"


def _is_repository(name: str) -> bool:
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name
