"""Shell completion of model names, datasets, systems of the course, and run directories."""

import glob
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from zoo.data import DATASETS
from zoo.pretrained.catalog import list_pretrained
from zoo.registry import get_spec, list_models

RUN_FILES = ("config.json",)
SOURCE_FILES = (*RUN_FILES, "zoo.json")
RUNS = "runs/"


def complete_models(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a model.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    return [
        CompletionItem(name, help=get_spec(name).summary)
        for name in _matching(list_models(), incomplete)
    ]


def complete_tasks(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a task.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    tasks = {get_spec(name).task for name in list_models()}
    return [CompletionItem(task) for task in _matching(sorted(tasks), incomplete)]


def complete_datasets(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a dataset, or else a file or folder.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    items = [
        CompletionItem(name, help=DATASETS[name].summary)
        for name in _matching(DATASETS, incomplete)
    ]
    return items or [CompletionItem(incomplete, type="file")]


def complete_systems(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the id of a system of the course.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    from zoo.course.systems import SYSTEMS

    return [CompletionItem(system) for system in _matching(SYSTEMS, incomplete)]


def complete_runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a run directory or a trained model, or else any directory.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    return _complete_directories(incomplete, RUN_FILES)


def complete_sources(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a run directory, a trained model or an artifact, or else any directory.

    Args:
        context: context of the command.
        parameter: the parameter to complete.
        incomplete: the part typed so far.
    """
    return _complete_directories(incomplete, SOURCE_FILES)


def _complete_directories(incomplete: str, files: Iterable[str]) -> list[CompletionItem]:
    """Return the directories that hold one of the files, here or in ``runs/``, and models."""
    prefixes = [incomplete] if "/" in incomplete else [incomplete, RUNS + incomplete]
    directories = {
        str(Path(path).parent)
        for prefix in prefixes
        for file in files
        for path in glob.glob(f"{glob.escape(prefix)}*/{file}")
    }
    trained = [record.model for record in list_pretrained()]
    items = [
        CompletionItem(name) for name in (*sorted(directories), *_matching(trained, incomplete))
    ]
    return items or [CompletionItem(incomplete, type="dir")]


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
