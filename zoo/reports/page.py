"""The page of a report: sections, figures and Markdown, written as one HTML file.

Charts are those of Vega-Altair, which Vega draws as SVG in the browser. Its scripts, the charts'
data and the pictures are embedded, and the page's content security policy forbids any request.
"""

import base64
import dataclasses
import functools
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ReportError
from zoo.runs.files import atomic_write

if TYPE_CHECKING:
    import jinja2

PACKAGES = {
    "altair": "altair", "jinja2": "jinja2", "markdown_it": "markdown-it-py",
    "vl_convert": "vl-convert-python",
}  # fmt: skip
SNIPPET = "window.vegaEmbed = vegaEmbed;"
CLOSING_SCRIPT = re.compile("</(?=script)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of a report.

    Attributes:
        name: unique name, which is its anchor.
        title: title, which is also the alternative text of the picture.
        picture: PNG file.
        charts: interactive charts that show the same.
        note: sentence below the charts.
        body: HTML below the note.
    """

    name: str
    title: str
    picture: Path
    charts: Sequence[Any] = ()
    note: str = ""
    body: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a report: its anchor, its title, and its content as HTML."""

    anchor: str
    title: str
    body: str

    @property
    def short_title(self) -> str:
        """The title up to a colon, a semicolon or a parenthesis, for the table of contents."""
        return re.split(r"[:;]| \(", self.title)[0]


@dataclasses.dataclass(frozen=True)
class Document:
    """A Markdown document: its title, and as HTML what comes before its sections, and these."""

    title: str
    introduction: str
    sections: Sequence[Section]


def require_packages() -> None:
    """Check that what HTML reports require is installed.

    Raises:
        ReportError: if a package is missing.
    """
    missing = [name for key, name in PACKAGES.items() if importlib.util.find_spec(key) is None]
    if missing:
        raise ReportError(
            f"an HTML report requires {', '.join(missing)}: pip install 'keras-model-zoo[html]'."
        )


def write_page(path: Path, title: str, introduction: str, sections: Sequence[Section]) -> Path:
    """Write a report, atomically.

    Args:
        path: HTML file.
        title: title of the page.
        introduction: HTML below the title.
        sections: sections of the page.

    Returns:
        The path.
    """
    text = render("page.html", title=title, introduction=introduction, sections=sections)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_text(text, "utf-8")
    return path


def figure_section(figure: Figure) -> Section:
    """Return a section that contains a figure.

    Args:
        figure: the figure, whose title becomes that of the section.
    """
    return Section(figure.name, figure.title, render_figure(figure))


def render_figure(figure: Figure, heading: str = "") -> str:
    """Return the HTML of a figure.

    Args:
        figure: the figure.
        heading: heading of the third level above it.
    """
    specs = [chart.to_dict() for chart in figure.charts]
    picture = data_uri(figure.picture.read_bytes(), "image/png")
    return render("figure.html", figure=figure, heading=heading, specs=specs, picture=picture)


def split_markdown(text: str, figures: Mapping[str, Figure] | None = None) -> Document:
    r"""Convert Markdown to HTML, and divide it at its headings of the second level.

    Args:
        text: Markdown with a heading of the first level at the top; HTML in it is escaped.
        figures: figures that replace an image, by its path.

    Example:
        >>> from zoo.reports.page import split_markdown
        >>> split_markdown("# Title\n\n## Results\n\n*good*").sections
        [Section(anchor='results', title='Results', body='<p><em>good</em></p>\n')]
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    titles, bodies = [""], [""]
    start = 0
    while start < len(tokens):
        token = tokens[start]
        end = _end_of_block(tokens, start)
        content = tokens[start + 1].content if end - start == 3 else ""
        image = re.fullmatch(r"!\[[^]]*\]\(([^)]*)\)", content)
        if token.type == "heading_open" and token.tag == "h1":
            titles[0] = _plain_text(tokens[start + 1])
        elif token.type == "heading_open" and token.tag == "h2":
            titles.append(_plain_text(tokens[start + 1]))
            bodies.append("")
        elif image and image[1] in (figures or {}):
            figure = (figures or {})[image[1]]
            bodies[-1] += render_figure(figure, heading=figure.title)
        else:
            bodies[-1] += parser.renderer.render(tokens[start:end], parser.options, {})
        start = end
    sections = [
        Section(_anchor(title), title, body)
        for title, body in zip(titles[1:], bodies[1:], strict=True)
    ]
    return Document(titles[0], bodies[0], sections)


def render(template: str, **values: Any) -> str:
    """Render a template of this folder.

    Args:
        template: its file name.
        **values: values of its variables.
    """
    return _environment().get_template(template).render(values)


def data_uri(content: bytes, media_type: str) -> str:
    """Return a URI that contains a file.

    Args:
        content: content of the file.
        media_type: its type, such as ``"image/png"``.

    Example:
        >>> from zoo.reports.page import data_uri
        >>> data_uri(b"zoo", "text/plain")
        'data:text/plain;base64,em9v'
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


@functools.cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zoo.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["vega_script"] = _vega_script
    return environment


@functools.cache
def _vega_script() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, in the versions that Altair's charts are for."""
    import altair
    import vl_convert

    version = "_".join(altair.SCHEMA_VERSION.split(".")[:2])
    return CLOSING_SCRIPT.sub(r"<\\/", vl_convert.javascript_bundle(SNIPPET, version))


def _end_of_block(tokens: Sequence[Any], start: int) -> int:
    """Return the index after the block of Markdown tokens that begins at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth == 0:
            return index + 1
    return len(tokens)


def _plain_text(inline: Any) -> str:
    return "".join(token.content for token in inline.children)


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
