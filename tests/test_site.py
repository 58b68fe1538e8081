"""The documentation: its links, its site, and every block of code in it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data import DATASETS
from zoo.serving.server import listen

ROOT = Path(__file__).parents[1]
DOCS = sorted(path for path in (ROOT / "docs").glob("**/*.md") if path.parent.name != "pages")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>\w+)\n(?P<code>(?s:.*?))^```", re.M
)
LOADED = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"|<link[^>]*\bhref="([^"]+)"')
RUN = ("sh", "python")
NOT_CODE = ("text", "toml", "json")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMANDS = {
    "zoo": f'exec "{sys.executable}" -m zoo "$@"',
    "python": f'exec "{sys.executable}" "$@"',
    "pip": 'echo "$@" >> "$PIP_LOG"',  # the packages are installed; the test checks the extras
}
SERVE = re.compile(r"^(zoo serve .*)$", re.M)
SECONDS_TO_START = 60


def blocks(path):
    return [
        match for match in BLOCK.finditer(path.read_text()) if match["language"] not in NOT_CODE
    ]


def anchors(path):
    """The anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


def identify(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=identify)
def test_local_links_lead_somewhere(path):
    for link in LINK.findall(path.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(_included(target)), link


def _included(path):
    """The document that a page of the site consists of, if it includes one."""
    match = re.match(r"```\{include\} (\S+)", path.read_text())
    return (path.parent / match[1]).resolve() if match else path


def test_every_model_and_dataset_has_its_place():
    models = (ROOT / "docs" / "models" / "index.md").read_text()
    datasets = (ROOT / "docs" / "reference" / "datasets.md").read_text()
    assert all(f"`{name}`" in models for name in zoo.list_models())
    assert all(f"`{name}`" in datasets for name in DATASETS)
    assert {p.stem for p in (ROOT / "docs" / "equations").iterdir()} <= set(zoo.list_models())


@pytest.mark.parametrize("path", PAGES, ids=identify)
def test_every_block_is_run_or_says_why_not(path):
    fences = re.findall(r"^ *```(?!\{)(\w+)", path.read_text(), re.M)
    assert len(fences) == len(BLOCK.findall(path.read_text())), "a block that is indented"
    assert set(fences) <= {*RUN, *NOT_CODE}


def test_the_readme_fits_on_one_screen():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Environment of somebody's shell: commands, a data directory, and no `pip` that installs."""
    folder = tmp_path_factory.mktemp("shell")
    for name, line in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TFDS_DATA_DIR": str(folder / "data"),
        "PIP_LOG": str(folder / "pip.log"),
    }


@pytest.fixture
def materials(tmp_path, reviews):
    """The files of a user's own that pages speak of."""
    shutil.copy(reviews, tmp_path / "reviews.csv")
    rows = [
        f"{kind} match,the {kind} news of day {day},{kind}" for day in range(60) for kind in "ab"
    ]
    (tmp_path / "news.csv").write_text("\n".join(["title,body,topic", *rows]))
    random = np.random.default_rng(0)
    for name in ("photos/cat", "photos/dog", "pictures"):
        (tmp_path / name).mkdir(parents=True)
        for number in range(24):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    shutil.copy(tmp_path / "pictures" / "0.png", tmp_path / "seven.png")
    return tmp_path


def in_background(match):
    """A server that is started, waited for, and named in a file."""
    return (
        f"{match[1]} --port $PORT > serve.log 2>&1 &\n"
        "echo $! > serve.pid\n"
        f"for i in $(seq {SECONDS_TO_START}); do\n"
        "    curl -fs localhost:$PORT/v2/health/ready && break\n"
        "    kill -0 $!; sleep 1\n"
        "done\n"
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [p for p in PAGES if blocks(p)], ids=identify)
def test_every_block_runs(path, prepared, materials):
    if "zoo serve" in path.read_text() and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
    try:
        for block in blocks(path):
            if not block["reason"]:
                run(block, materials, prepared | {"PORT": port})
    finally:
        pid = materials / "serve.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)


def run(block, folder, environment):
    code = block["code"].replace("localhost:8000", f"localhost:{environment['PORT']}")
    if block["language"] == "sh":
        command = ["bash", "-euo", "pipefail", "-c", SERVE.sub(in_background, code)]
    else:
        command = [sys.executable, "-c", code]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{code}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
    assert "error" not in ended.stdout.lower()[:200]


def test_extras_that_pages_install_exist():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra
        for path in PAGES
        for extras in re.findall(r"\[([a-z,]+)\]['\"]", path.read_text())
        for extra in extras.split(",")
    }
    assert {"serve", "test", "docs"} <= named <= set(settings["optional-dependencies"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with warnings as errors."""
    for module in ("sphinx", "myst_parser", "furo", "sphinx_click", "sphinx_copybutton"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    ended = subprocess.run(
        [*command, "-d", folder / "doctrees", ROOT / "docs", folder / "html"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return folder / "html"


@pytest.mark.exhaustive
def test_the_site_has_a_page_for_every_model(site):
    for name in zoo.list_models():
        page = (site / "models" / "pages" / f"{name}.html").read_text()
        assert f"{zoo.get_spec(name).parameters:,} parameters" in page
        assert "doi.org" in page or "https://" in page
        assert (site / "_images" / f"{name}.svg").exists()


@pytest.mark.exhaustive
def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.glob("**/*.html"):
        for link in ("".join(found) for found in LOADED.findall(page.read_text())):
            assert not link.startswith(("http:", "https:", "//")), (page, link)


@pytest.mark.exhaustive
def test_links_within_the_site_lead_somewhere(site):
    pages = {page: page.read_text() for page in site.glob("**/*.html")}
    names = {page: set(re.findall(r"\bid=\"([^\"]+)\"", text)) for page, text in pages.items()}
    for page, text in pages.items():
        for link in re.findall(r"<a [^>]*href=\"([^\"]+)\"", text):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), (page, link)
            if anchor and target in names:
                assert anchor in names[target], (page, link)
