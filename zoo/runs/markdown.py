"""Markdown tables."""

import html
from collections.abc import Iterable


def markdown_table(
    head: Iterable[str], rows: Iterable[Iterable[str]], *, text_columns: int | Iterable[int] = 1
) -> str:
    """Return a Markdown table with text aligned to the left and numbers to the right.

    Args:
        head: names of the columns.
        rows: the cells of each row.
        text_columns: indices of the text columns, or their number from the left.

    Example:
        >>> from zoo.runs.markdown import markdown_table
        >>> print(markdown_table(["model", "accuracy"], [["mlp", "0.98"]]))
        | model | accuracy |
        |---|---:|
        | mlp | 0.98 |
    """
    names = list(head)
    texts = set(range(text_columns) if isinstance(text_columns, int) else text_columns)
    marks = "|".join("---" if column in texts else "---:" for column in range(len(names)))
    lines = [f"| {' | '.join(map(_escape, cells))} |" for cells in (names, *rows)]
    return "\n".join([lines[0], f"|{marks}|", *lines[1:]])


def _escape(cell: str) -> str:
    return html.escape(cell, quote=False).replace("|", "&#124;")
