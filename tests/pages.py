"""HTML pages as tests read them."""

import html.parser
import json

MAX_BYTES = 8_000_000
EMBEDDED = ("data:", "#")
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(html.parser.HTMLParser):
    """What a test asks of a page: its ids, links, images, charts and text; nesting is checked."""

    def __init__(self, path):
        super().__init__()
        self.size = path.stat().st_size
        self.open, self.ids, self.links, self.alts, self.charts = [], [], [], [], []
        self.said, self.cells, self.policy = "", {}, ""
        self.feed(path.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self.open.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[key] for key in ("src", "href", "action", "data") if key in given]
        if tag == "img":
            self.alts.append(given["alt"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        table = self.table
        if tag == "tr" and table:
            self.cells.setdefault(table, []).append([])
        if tag in ("td", "th") and table:
            self.cells[table][-1].append("")

    @property
    def table(self):
        names = [given.get("id", "plain") for tag, given in self.open if tag == "table"]
        return names[-1] if names else None

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, given = self.open[-1] if self.open else ("", {})
        if given.get("type") == "application/json":
            self.charts.append(json.loads(data))
        elif tag in ("td", "th"):
            self.cells[self.table][-1][-1] += data
        if tag not in ("script", "style"):
            self.said += data


def require_self_contained(page):
    assert page.size <= MAX_BYTES
    assert not page.open
    assert all(link.startswith(EMBEDDED) for link in page.links)
    assert len(set(page.ids)) == len(page.ids)
    anchors = {link[1:] for link in page.links if link.startswith("#")}
    for chart in page.charts:
        anchors |= {row["link"][1:] for row in chart_rows(chart) if "link" in row}
    assert anchors <= set(page.ids)
    assert "default-src 'none'" in page.policy


def chart_rows(chart):
    return chart["data"]["values"]
