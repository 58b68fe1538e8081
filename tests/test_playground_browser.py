"""The playground in a real browser: every view, by pointer and by keyboard alone, on two widths."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import httpx
import numpy as np
import pytest
from browser import requires_chromium, started_chromium

import zoo
from benchmarks.pictures import serving
from zoo.playground import catalog
from zoo.playground.space import export_space
from zoo.serving.server import listen

pytestmark = [pytest.mark.exhaustive, requires_chromium]
TIMEOUT = 300.0
WIDTHS = (1400, 400)
REVIEW = "the film was not bad but the music was boring ."


@pytest.fixture(scope="module")
def runs(cnn_run, text_run, vae_run, denoiser_run, table_run, small_run):
    return {
        "mlp": zoo.load("mlp"), "cnn": cnn_run, "text": text_run, "vae": vae_run,
        "denoiser": denoiser_run, "table": table_run, "transformer": small_run("transformer"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def url(runs):
    """Serves the runs in a thread; views are computed in a process of their own."""
    with serving({name: run.directory for name, run in runs.items()}) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with started_chromium() as browser:
        yield browser


class Visitor:
    """A page in the browser, with what it was shown and what it complained about."""

    def __init__(self, page, url):
        self.page = page
        self.url = url
        self.complaints = []
        page.set_default_timeout(1000 * TIMEOUT)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", self._check_address)

    def _note(self, kind, text):
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _check_address(self, request):
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"left the machine: {request.url}")

    def open(self, place):
        self.page.goto(f"{self.url}/#{place}")
        self.wait()

    def wait(self):
        """Waits until what is shown belongs to the values of the controls."""
        self.page.wait_for_selector("#panels figure")
        self.page.wait_for_timeout(50)
        self.page.wait_for_selector("body:not([aria-busy])")

    def values(self, panel="figure"):
        """The exact values behind the bars or the table of a panel, by name."""
        rows = self.page.locator(f"{panel} tr[data-name]")
        pairs = rows.evaluate_all("rows => rows.map(row => [row.dataset.name, row.dataset.value])")
        return {name: json.loads(value) for name, value in pairs}

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, selector):
        """Presses Tab until an element has the focus, as one must without a pointer."""
        for _ in range(60):
            if self.page.locator(f"{selector}:focus").count():
                return
            self.press("Tab")
        raise AssertionError(f"{selector} is not reached by Tab")

    def is_too_wide(self):
        return self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


@pytest.fixture(params=WIDTHS)
def visitor(request, browser, url):
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    visitor = Visitor(page, url)
    yield visitor
    assert visitor.complaints == []
    assert page.locator("#error").inner_text() == ""
    assert not visitor.is_too_wide()
    page.close()


def test_every_view_of_every_model_opens(visitor, runs):
    for name, run in runs.items():
        for view in catalog.describe(run)["views"]:
            visitor.open(f"{name}/{view['name']}")
            page = visitor.page
            assert page.locator("#title").inner_text() == view["title"]
            assert page.locator("#notice").inner_text() == view["notice"]
            assert page.locator("#origin").inner_text() == view["origin"]
            assert not visitor.is_too_wide()


def drag(page, points):
    box = page.locator("canvas.pad").bounding_box()
    places = [
        (box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def test_a_drawn_seven_is_a_seven(visitor):
    visitor.open("mlp/image")
    visitor.page.get_by_role("button", name="Clear").click()
    visitor.wait()
    drag(visitor.page, [(80, 70), (190, 75), (120, 220)])
    visitor.page.wait_for_selector("figcaption:text('Answer: 7')")
    visitor.wait()
    values = visitor.values(".bars")
    assert max(values, key=values.get) == "7"
    assert sum(values.values()) == pytest.approx(1, abs=1e-5)


def test_a_seven_drawn_by_keyboard_is_a_seven(visitor):
    visitor.open("mlp/image")
    visitor.tab_to("canvas.pad")
    visitor.press("Delete", *["ArrowLeft"] * 6, *["ArrowUp"] * 7, "Space")
    visitor.press(*["ArrowRight"] * 11)
    for _ in range(7):
        visitor.press("ArrowDown", "ArrowDown", "ArrowLeft")
    visitor.press("Space")
    visitor.page.wait_for_selector("figcaption:text('Answer: 7')")


def test_an_image_is_chosen_by_keyboard_and_from_a_file(visitor, runs, tmp_path):
    from PIL import Image

    raw = runs["cnn"].predictions["raw"]
    answers = zoo.predict(runs["cnn"], raw[[2, 5]])
    visitor.open("cnn/image")
    visitor.page.locator("button.example").nth(2).focus()
    visitor.press("Enter")
    visitor.wait()
    assert visitor.values(".bars") == pytest.approx(answers[0]["probabilities"], abs=1e-6)
    Image.fromarray(raw[5][..., 0]).save(tmp_path / "digit.png")
    visitor.page.set_input_files("input[type=file]", tmp_path / "digit.png")
    visitor.page.wait_for_timeout(300)
    visitor.wait()
    assert visitor.values(".bars") == pytest.approx(answers[1]["probabilities"], abs=1e-6)


def test_probabilities_move_while_one_types(visitor, runs):
    visitor.open("text/text")
    visitor.tab_to("textarea")
    visitor.press("Control+a", "Delete")
    visitor.wait()
    first = visitor.values(".bars")
    visitor.page.keyboard.type(REVIEW)
    visitor.page.wait_for_function(
        "count => document.querySelectorAll('.words span').length === count",
        arg=len(REVIEW.split()),
    )
    visitor.wait()
    (answer,) = zoo.predict(runs["text"], [REVIEW])
    assert visitor.values(".bars") == pytest.approx(answer["probabilities"], abs=1e-5)
    assert first != pytest.approx(answer["probabilities"], abs=1e-3)


def decoded_pixels(page):
    """The gray values of the first picture shown."""
    return page.evaluate(
        """async () => {
          const picture = document.querySelector("#panels img");
          await picture.decode();
          const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
          const context = canvas.getContext("2d");
          context.drawImage(picture, 0, 0);
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          return Array.from(data).filter((_, index) => index % 4 === 0);
        }"""
    )


def decode(run, code):
    decoder = run.model.get_layer("decoder")
    image = decoder.predict(np.array([code], np.float32), verbose=0)[0]
    return np.round(255 * image).ravel()


def walk_code(visitor, run):
    """The code that the sliders show."""
    plane = catalog.describe(run)["views"][0]["controls"][0]
    sliders = visitor.page.locator("input[type=range]")
    code = [0.0, 0.0]
    for index, dimension in enumerate(plane["dimensions"]):
        code[dimension] = float(sliders.nth(index).input_value())
    return code


def test_a_drag_through_the_plane_shows_what_the_decoder_gives(visitor, runs):
    visitor.open("vae/walk")
    drag(visitor.page, [(140, 140), (200, 100), (210, 60)])
    visitor.wait()
    code = walk_code(visitor, runs["vae"])
    assert 0 not in code
    np.testing.assert_allclose(decoded_pixels(visitor.page), decode(runs["vae"], code), atol=1)


def test_a_slider_moved_by_keyboard_shows_what_the_decoder_gives(visitor, runs):
    visitor.open("vae/walk")
    visitor.tab_to("input[type=range]")
    visitor.press(*["ArrowRight"] * 12)
    visitor.wait()
    code = walk_code(visitor, runs["vae"])
    assert sorted(code) == pytest.approx([0, 0.6])
    np.testing.assert_allclose(decoded_pixels(visitor.page), decode(runs["vae"], code), atol=1)


def test_noise_is_turned_up_by_keyboard(visitor):
    visitor.open("denoiser/denoise")
    visitor.tab_to("input[type=range]")
    visitor.press("Home")
    visitor.wait()
    name = "with noise: mean squared error"
    before = visitor.values(".numbers")[name]
    visitor.press("End")
    visitor.wait()
    assert before < 1e-5 < 0.1 < visitor.values(".numbers")[name]


def test_the_film_of_a_training_run_plays(visitor, runs):
    visitor.open("table/film")
    visitor.tab_to(".slider button")
    visitor.press("Enter")
    last = len(runs["table"].history["epoch"])
    visitor.page.wait_for_selector(f"figcaption:text('After epoch {last}')")
    assert visitor.page.locator(".lines polyline").count() == len(runs["table"].predictions["raw"])


def test_views_and_models_are_reached_by_keyboard(visitor):
    visitor.open("text/text")
    visitor.tab_to("#views a:nth-child(2)")
    visitor.press("Enter")
    visitor.page.wait_for_selector("#title:text('Hidden states')")
    visitor.wait()
    visitor.page.locator("#model").focus()
    visitor.page.locator("#model").select_option("table")
    visitor.page.wait_for_selector("#title:text('Decision surface')")
    visitor.wait()


def test_an_error_is_shown_and_goes_away(visitor):
    visitor.open("text/states")
    visitor.page.evaluate("document.querySelector('select:not(#model)').value = null")
    visitor.page.locator("textarea").fill("good")
    visitor.page.wait_for_selector("#error:text('expected one of recurrent_1')")
    visitor.page.locator("select:not(#model)").select_option("recurrent_1")
    visitor.wait()
    visitor.complaints.clear()  # of the request that was refused


@contextlib.contextmanager
def started(folder, port):
    """Starts the Space in a folder, as its Dockerfile does."""
    environment = {**os.environ, "PORT": str(port), "PYTHONSAFEPATH": ""}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert "playground" in process.stdout.readline()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0


def test_a_space_starts_and_answers(digits_run, tmp_path):
    export_space(digits_run, tmp_path / "space")
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with started(tmp_path / "space", port), httpx.Client(timeout=TIMEOUT) as client:
        address = f"http://127.0.0.1:{port}"
        assert "Playground" in client.get(address).text
        assert client.get(f"{address}/playground").json() == {"models": ["softmax_regression"]}
        description = client.get(f"{address}/playground/softmax_regression").json()
        assert [view["name"] for view in description["views"]] == ["image"]
        raw = digits_run.predictions["raw"][0]
        path = f"{address}/v1/models/softmax_regression:predict"
        (answer,) = client.post(path, json={"instances": [raw.tolist()]}).json()["predictions"]
        assert answer["label"] == zoo.predict(digits_run, [raw])[0]["label"]
