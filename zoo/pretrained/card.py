"""Cards of packed runs: that of the run, and where its weights come from."""

from pathlib import Path

from zoo.pretrained.catalog import CARD, Record, read_record
from zoo.runs import load_run
from zoo.runs.card import card_facts, render_page, render_sections
from zoo.runs.files import atomic_write


def write_packed_card(directory: Path) -> None:
    """Write the card of a packed run.

    Args:
        directory: its directory, which has a record.
    """
    run, record = load_run(directory), read_record(directory)
    facts = card_facts(run, run.metrics)
    sections = [
        *render_sections(facts),
        ("Provenance", _provenance(record)),
        ("Next steps", _next_steps(record)),
    ]
    with atomic_write(directory / CARD) as partial:
        title = f"{record.model} on {record.trained_on}"
        partial.write_text(render_page(title, facts["summary"], sections), "utf-8")


def _provenance(record: Record) -> str:
    name, plain, rounded = record.metric, record.figures, record.rounded
    commit = f" at commit `{record.commit}`" if record.commit else ""
    processor = f" on {record.processor}" if record.processor else ""
    trained = f"Trained by `{record.command}`{commit}{processor}. " if record.command else ""
    differences = f" {record.differences}" if record.differences else ""
    return (
        f"{trained}The weights are rounded to half precision, with which {name} is "
        f"{rounded[name]:.6g} instead of {plain[name]:.6g}. `record.json` has the SHA-256 digests "
        "of all files, and of the weights before rounding.\n\n"
        f"Training data: {record.dataset_version}.{differences} Terms of use: {record.terms}."
    )


def _next_steps(record: Record) -> str:
    reference = f"{record.model}:{record.trained_on}"
    return (
        "With `pip install keras-model-zoo`:\n\n"
        f"```sh\nzoo verify {reference}\nzoo evaluate {reference}\nzoo report {reference}\n```"
    )
