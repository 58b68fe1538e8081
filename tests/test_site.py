"""The documentation: its links, its site, and every block of code in it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import Shell

import zoo
from zoo.cli import cli
from zoo.data import DATASETS
from zoo.serving.server import listen

ROOT = Path(__file__).parents[1]
NO_PAGES = ("pages", "mistakes", "solutions")  # of the build; cells, run by test_labs.py
DOCS = sorted(path for path in (ROOT / "docs").glob("**/*.md") if path.parent.name not in NO_PAGES)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>\w+)\n(?P<code>(?s:.*?))^```", re.M
)
LOADED = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"|<link[^>]*\bhref="([^"]+)"')
RUN = ("sh", "python")
NOT_CODE = ("text", "toml", "json")
LINK = re.compile(r"\]\(([^)\s]+)\)")
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


@pytest.mark.parametrize("path", PAGES, ids=identify)
def test_every_command_is_understood(path):
    for block in blocks(path):
        if block["language"] == "sh":
            for argv in commands(block["code"]):
                with cli.make_context("zoo", argv) as context:
                    name, command, rest = cli.resolve_command(context, argv)
                    command.make_context(name, rest, parent=context).close()


def commands(code):
    """The arguments of each call of `zoo` in a block, run or not."""
    for line in code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        parts = [[]]
        for token in lexer:
            if set(token) <= set("();<>|&"):
                parts.append([])
            else:
                parts[-1].append(token)
        yield from (part[part.index("zoo") + 1 :] for part in parts if "zoo" in part)


def test_the_readme_fits_on_one_screen():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A reader's shell; its data directory starts empty."""
    folder = tmp_path_factory.mktemp("shell")
    opened = Shell(folder, {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": str(folder / "data")})
    yield opened
    opened.close()


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


FIRST_STEPS = ("README", "get_started")
TO_DATA = ("own_table", "own_images", "own_python")
TO_TRAINING = ("train", "fine_tune", "tune", "scale", "backends")
TO_RESULTS = ("report", "export", "serve")
GROUPED = {*FIRST_STEPS, *TO_DATA, *TO_TRAINING, *TO_RESULTS}
OTHERS = {path.stem for path in PAGES} - GROUPED


def pages(names):
    """Parametrizes a test by the pages of these names that have something to run."""
    found = [path for path in PAGES if path.stem in names and is_run(path)]
    return pytest.mark.parametrize("path", found, ids=identify)


def is_run(path):
    return any(not block["reason"] for block in blocks(path))


@pytest.mark.exhaustive
@pages(FIRST_STEPS)
def test_blocks_of_the_first_steps_run(path, shell, materials):
    run_page(path, shell, materials)


@pytest.mark.exhaustive
@pages(TO_DATA)
def test_blocks_of_guides_to_data_run(path, shell, materials):
    run_page(path, shell, materials)


@pytest.mark.exhaustive
@pages(TO_TRAINING)
def test_blocks_of_guides_to_training_run(path, shell, materials):
    run_page(path, shell, materials)


@pytest.mark.exhaustive
@pages(TO_RESULTS)
def test_blocks_of_guides_to_results_run(path, shell, materials):
    run_page(path, shell, materials)


@pytest.mark.exhaustive
@pages(OTHERS)
def test_blocks_of_other_pages_run(path, shell, materials):
    run_page(path, shell, materials)


def run_page(path, shell, materials):
    if "zoo serve" in path.read_text() and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
    try:
        for block in blocks(path):
            if not block["reason"]:
                run(block, shell, materials, port)
    finally:
        pid = materials / "serve.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)


def run(block, shell, folder, port):
    code = block["code"].replace("localhost:8000", f"localhost:{port}")
    if block["language"] == "sh":
        ended = shell.sh(SERVE.sub(in_background, code), folder, PORT=port)
    else:
        ended = shell.python(code, folder)
    assert ended.returncode == 0, f"{code}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
    assert '{"error"' not in ended.stdout


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
