"""HTML reports in headless Chromium, opened from a file: nothing is requested, and they respond."""

import shutil

import pytest
from browser import requires_chromium, started_chromium

import zoo
from zoo import reports

pytestmark = [pytest.mark.exhaustive, requires_chromium]
TIMEOUT = 120_000  # milliseconds; a loaded machine is slow


@pytest.fixture(scope="module")
def browser():
    with started_chromium() as browser:
        yield browser


@pytest.fixture
def open_report(browser, tmp_path):
    """Opens the report of a run at a width; at the end no request and no message must be left."""
    requests, messages, pages = [], [], []

    def open_path(path, width=1400, **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.set_default_timeout(TIMEOUT)
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function(
            "document.querySelectorAll('.chart svg').length"
            " == document.querySelectorAll('.chart').length"
        )
        pages.append((page, path.as_uri()))
        return page

    def open_run(run, **options):
        path = tmp_path / "run"
        if not path.exists():
            shutil.copytree(run.directory, path)
            reports.write_report(zoo.load_run(path))
        return open_path(path / "figures" / "report.html", **options)

    open_run.path = open_path
    yield open_run
    assert pages
    addresses = {address for _, address in pages}
    asked = {url.partition("#")[0] for url in requests if not url.startswith("data:")}
    assert asked == addresses
    assert messages == []
    for page, _ in pages:
        page.close()


def tooltip(page, target, **position):
    target.scroll_into_view_if_needed()
    target.hover(force=True, **position)
    shown = page.locator("#vg-tooltip-element.visible")
    shown.wait_for()
    return shown


@pytest.mark.parametrize("width", [400, 1400])
def test_a_classifier_is_read_at_any_width(width, digits_run, open_report):
    page = open_report(digits_run, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in page.locator(".chart").all():
        assert chart.bounding_box()["width"] <= width
    assert page.evaluate("[...document.images].every(image => image.alt)")


def test_the_pointer_shows_the_values_of_an_epoch(digits_run, open_report):
    page = open_report(digits_run)
    chart = page.locator("#learning_curves .chart").first
    box = chart.bounding_box()
    shown = tooltip(page, chart, position={"x": box["width"] / 2, "y": 80}).inner_text()
    history = digits_run.history
    (epoch,) = [int(line) for line in shown.split() if line.isdigit()][:1]
    for key in ("loss", "val_loss"):
        assert f"{history[key][epoch - 1]:.5g}"[:5] in shown


def test_a_click_in_the_matrix_leads_to_the_rows_of_the_cell(digits_run, open_report):
    page = open_report(digits_run)
    kept = digits_run.predictions
    guesses = kept["probabilities"].argmax(axis=1)
    row = int((guesses != kept["labels"]).argmax())
    true, predicted = int(kept["labels"][row]), int(guesses[row])
    anchor = f"#rows-{true}-{predicted}"
    table = page.locator(anchor)
    assert not table.is_visible()
    cell = page.locator(f"#confusion_matrix .mark-rect [aria-label$='link: {anchor}']")
    cell.click(force=True)
    table.wait_for()
    assert page.url.endswith(anchor)
    assert page.locator(".cells table:visible").count() == 1
    assert str(row) in table.locator("td:first-child").all_inner_texts()
    assert page.locator(".cells details:visible").count() == 1
    page.locator(".all").click()
    assert page.locator(".cells details:visible").count() > 1


def test_the_pointer_shows_what_is_decoded_from_a_code(vae_run, open_report):
    page = open_report(vae_run)
    point = page.locator("#latent_scatter .mark-symbol path").first
    image = tooltip(page, point).locator("img")
    assert image.get_attribute("src").startswith("data:image/webp")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8


@pytest.mark.parametrize("kind", ["text_run", "table_run", "cnn_run", "denoiser_run", "svd_run"])
def test_every_kind_of_run_opens_without_a_message(kind, request, open_report):
    page = open_report(request.getfixturevalue(kind), color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400


def test_the_printed_report_is_light_and_hides_what_only_a_screen_can_use(
    digits_run, open_report, tmp_path
):
    page = open_report(digits_run, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert not page.locator("#rows").is_visible()
    assert page.locator(".chart svg").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
