"""What a view of the playground consists of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from zoo.runs import Run

Control = dict[str, Any]
Panel = dict[str, Any]
Inputs = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class View:
    """A view of a run.

    Attributes:
        name: its name in addresses.
        title: its title.
        notice: one line that says what one should notice.
        origin: one line that says where the numbers come from.
        suits: returns whether it exists for a run.
        controls: returns the controls for a run; see `zoo.playground.controls`.
        show: returns what is shown for the values of the controls by name; see
            `zoo.playground.panels`. Raises `InputError` for a value that is invalid.
    """

    name: str
    title: str
    notice: str
    origin: str
    suits: Callable[[Run], bool]
    controls: Callable[[Run], list[Control]]
    show: Callable[[Run, Inputs], list[Panel]]

    def describe(self, run: Run) -> dict[str, Any]:
        """Return what the page needs to offer the view.

        Args:
            run: a run that it suits.
        """
        words = {key: getattr(self, key) for key in ("name", "title", "notice", "origin")}
        return {**words, "controls": self.controls(run)}
