"""Sphinx extension: the names of models in tables lead to their pages."""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

import zoo


class LinkModels(SphinxTransform):
    """Turns a model's name, alone in the cell of a table, into a link to its page."""

    default_priority = 500

    def apply(self) -> None:
        """Change the document."""
        names = set(zoo.list_models())
        for literal in list(self.document.findall(nodes.literal)):
            in_cell = isinstance(literal.parent.parent, nodes.entry)
            if in_cell and len(literal.parent) == 1 and literal.astext() in names:
                literal.replace_self(_link(literal, self.env.docname))


def _link(literal: nodes.literal, page: str) -> addnodes.pending_xref:
    link = addnodes.pending_xref(
        "",
        refdomain="std",
        reftype="doc",
        reftarget=f"/models/pages/{literal.astext()}",
        refdoc=page,
        refexplicit=True,
        refwarn=True,
    )
    link += literal.deepcopy()
    return link


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform.

    Args:
        app: the build.
    """
    app.add_transform(LinkModels)
    return {"parallel_read_safe": True}
