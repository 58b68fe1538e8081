"""Sphinx extension: equations as MathML, which browsers draw without a script or a network."""

from docutils.nodes import NodeVisitor, SkipNode, math, math_block
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer.

    Args:
        app: the build.
    """
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator: NodeVisitor, node: math) -> None:
    """Write an equation within a line."""
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise SkipNode


def visit_block(translator: NodeVisitor, node: math_block) -> None:
    """Write an equation of its own."""
    translator.body.append(f"<div class='math'>{tex2mathml(node.astext(), as_block=True)}</div>")
    raise SkipNode
