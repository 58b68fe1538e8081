"""Pictures of the playground for the documentation.

    python -m benchmarks.pictures [VIEW...] [--directory DIR]

Serves trained models of the package, opens them in headless Chromium, and writes one PNG file per
view to ``docs/playground``. Requires the extra ``serve``, and playwright with Chromium.
"""

import contextlib
import dataclasses
import io
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from zoo.playground.app import Playground
from zoo.runs import find_run
from zoo.serving.app import build_app
from zoo.serving.limits import Limits
from zoo.serving.server import build_server, listen, url_of

MODELS = ("mlp", "simple_cnn", "gru", "vae", "two_layer_perceptron")
WIDTH, HEIGHT = 1180, 600
TIMEOUT = 300.0
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of a view.

    Attributes:
        place: model and view, as in the address of the page.
        act: does with the page what a person would do.
    """

    place: str
    act: Callable[[Any], None] = lambda page: None


def draw_seven(page: Any) -> None:
    """Draw a seven with the pointer."""
    page.get_by_role("button", name="Clear").click()
    box = page.locator("canvas.pad").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 70)
    page.mouse.down()
    page.mouse.move(box["x"] + 190, box["y"] + 75, steps=10)
    page.mouse.move(box["x"] + 120, box["y"] + 220, steps=10)
    page.mouse.up()
    page.wait_for_selector("figcaption:text('Answer: 7')")


PICTURES = {
    "draw": Picture("mlp/image", draw_seven),
    "image": Picture("simple_cnn/image"),
    "text": Picture("gru/text"),
    "states": Picture("gru/states"),
    "encode": Picture("vae/reconstruct"),
    "surface": Picture("two_layer_perceptron/surface"),
}


@contextlib.contextmanager
def serving(runs: Mapping[str, Path]) -> Iterator[str]:
    """Serve the playground of runs in a thread; yield its address."""
    limits = Limits(2**20, TIMEOUT)
    with listen("127.0.0.1", 0) as listener, Playground(runs, limits) as playground:
        server = build_server(build_app({}, limits, playground.routes), TIMEOUT)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()


def take(page: Any, url: str, picture: Picture, path: Path) -> None:
    """Open a view, and write a picture of it."""
    from PIL import Image

    page.goto("about:blank")
    page.goto(f"{url}/#{picture.place}")
    page.wait_for_selector("#panels figure")
    picture.act(page)
    page.wait_for_timeout(200)
    page.wait_for_selector("body:not([aria-busy])")
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    image.save(path, optimize=True)


@click.command(help=__doc__)
@click.argument("views", nargs=-1, type=click.Choice(list(PICTURES)))
@click.option("--directory", type=click.Path(path_type=Path), default=Path("docs/playground"))
def main(views: tuple[str, ...], directory: Path) -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    directory.mkdir(parents=True, exist_ok=True)
    runs = {name: find_run(name) for name in MODELS}
    with serving(runs) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(1000 * TIMEOUT)
        for name in views or PICTURES:
            take(page, url, PICTURES[name], directory / f"{name}.png")
            click.echo(directory / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
