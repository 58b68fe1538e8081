"""HTML reports: one file with all pictures, no link out of it, and the numbers of its run."""

import importlib.util
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from pages import Page, chart_rows, require_self_contained
from PIL import Image

import zoo
from zoo import plots, reports
from zoo.errors import ReportError
from zoo.reports import page as report_page
from zoo.reports.page import split_markdown


def copied(run, tmp_path):
    return zoo.load_run(shutil.copytree(run.directory, tmp_path / "run"))


def reported(run, tmp_path):
    path, *pictures = reports.write_report(copied(run, tmp_path))
    return Page(path), pictures


@pytest.fixture(scope="module")
def digits_report(digits_run, tmp_path_factory):
    return reported(digits_run, tmp_path_factory.mktemp("digits"))


def charts_of(page, key):
    return [chart for chart in page.charts if any(key in row for row in chart_rows(chart))]


def require_all_figures(page, run):
    """Every figure is a section with its title, and its picture is in it."""
    titles = [drawing.title for drawing in plots.draw_figures(run)]
    assert [alt for alt in page.alts if alt in titles] == titles
    for title in titles:
        assert " ".join(title.split()) in " ".join(page.said.split())


def test_the_report_of_a_classifier_is_one_file_with_every_picture(digits_report):
    page, pictures = digits_report
    require_self_contained(page)
    assert [path.stem for path in pictures] == [
        "learning_curves", "confusion_matrix", "samples", "mistakes", "weights",
    ]  # fmt: skip
    assert len([alt for alt in page.alts if not alt.startswith("test row")]) == 5
    for text in ("Multinomial logistic regression", "Limitations", "The test split has 360 rows"):
        assert text in page.said  # the card
    assert "`" not in page.said


def test_curves_and_counts_of_charts_are_those_of_the_run(digits_run, digits_report):
    page, _ = digits_report
    loss, accuracy = charts_of(page, "curve")
    history = digits_run.history
    for chart, key, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        for name, column in (("training", key), ("validation", f"val_{key}")):
            drawn = [row["value"] for row in chart_rows(chart) if row["curve"] == name]
            np.testing.assert_allclose(drawn, scale * np.array(history[column]))
    kept = digits_run.predictions
    guesses = kept["probabilities"].argmax(axis=1)
    (matrix,) = charts_of(page, "predicted")
    drawn = {(row["true"], row["predicted"]): row["rows"] for row in chart_rows(matrix)}
    expected = {}
    for pair in zip(kept["labels"].tolist(), guesses.tolist(), strict=True):
        names = tuple(digits_run.dataset.class_names[number] for number in pair)
        expected[names] = expected.get(names, 0) + 1
    assert drawn == expected


def test_a_cell_of_the_matrix_leads_to_its_rows(digits_run, digits_report):
    page, _ = digits_report
    kept, names = digits_run.predictions, digits_run.dataset.class_names
    guesses = kept["probabilities"].argmax(axis=1)
    (matrix,) = charts_of(page, "link")
    assert chart_rows(matrix)
    for cell in chart_rows(matrix):
        true, predicted = names.index(cell["true"]), names.index(cell["predicted"])
        _, *rows = page.cells[cell["link"][1:]]
        numbers = [int(row[0]) for row in rows]
        assert all(kept["labels"][numbers] == true)
        assert all(guesses[numbers] == predicted)
        assert len(numbers) == min(cell["rows"], 50)
        of_truth = kept["probabilities"][numbers, true]
        assert all(np.diff(of_truth) >= 0)
        assert [row[1] for row in rows] == [
            f"{100 * value:.1f}" for value in kept["probabilities"][numbers, predicted]
        ]


@pytest.mark.exhaustive
def test_texts_are_shown_as_they_are_and_their_markup_is_not(text_run, tmp_path):
    run = copied(text_run, tmp_path)
    kept = run.predictions
    row = kept["index"][0]
    kept["labels"][row] = 1 - kept["probabilities"][row].argmax()  # a mistake
    hostile = b"</script><script>alert(1)</script> <b>bold</b> & \xff {{ 7 * 7 }}"
    kept["raw"] = kept["raw"].astype("S80")
    kept["raw"][0] = hostile
    np.savez_compressed(run.directory / "predictions.npz", **kept)
    path, *_ = reports.write_report(run)
    page = Page(path)
    require_self_contained(page)
    assert hostile.decode("utf-8", "replace") in page.said
    assert "<b>bold" not in path.read_text()
    require_all_figures(page, run)


@pytest.mark.exhaustive
def test_points_of_the_latent_scatter_show_what_is_decoded_there(vae_run, tmp_path):
    page, _ = reported(vae_run, tmp_path)
    require_self_contained(page)
    (scatter,) = charts_of(page, "image")
    kept, points = vae_run.predictions, chart_rows(scatter)
    rows = [point["row"] for point in points]
    assert sorted(rows) == list(range(len(kept["codes"])))
    order = np.argsort(-kept["divergences"])[:2]
    drawn = np.array([(point["x"], point["y"]) for point in points])
    np.testing.assert_allclose(drawn, kept["codes"][rows][:, order], atol=1e-4)
    decoder = vae_run.model.get_layer("decoder")
    for point in points[:5]:
        with urllib.request.urlopen(point["image"]) as file, Image.open(file) as image:
            pixels = np.asarray(image.convert("L")) / 255
        expected = decoder.predict(kept["codes"][point["row"]][None], verbose=0)[0, ..., 0]
        np.testing.assert_allclose(pixels, expected, atol=0.5 / 255 + 1e-6)


def test_markdown_becomes_sections_and_html_in_it_is_text():
    table = "| a | b |\n|---|---:|\n| <i>2</i> | 3 |"
    text = f"# A &lt; b\n\nIntro\n\n## One `x`\n\n{table}\n\n## Two\n"
    document = split_markdown(text)
    assert document.title == "A < b"
    assert document.introduction == "<p>Intro</p>\n"
    assert [section.title for section in document.sections] == ["One x", "Two"]
    assert [section.anchor for section in document.sections] == ["one-x", "two"]
    assert "<table>" in document.sections[0].body
    assert "&lt;i&gt;2&lt;/i&gt;" in document.sections[0].body


@pytest.mark.parametrize("words", ["report {run}", "tune mlp --directory new", "course"])
def test_a_missing_package_is_one_line_and_nothing_is_written(
    words, command, digits_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run = copied(digits_run, tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "altair" else found(name, *rest),
    )
    before = sorted(tmp_path.rglob("*"))
    code, out, err = command(*words.format(run=run.directory).split(), "--html")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "requires altair: pip install 'keras-model-zoo[html]'" in err
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(ReportError):
        report_page.require_packages()


@pytest.mark.exhaustive
def test_the_command_names_the_report_and_the_pictures(answer, digits_run, tmp_path):
    run = copied(digits_run, tmp_path)
    document = answer("report", run.directory, "--html")
    assert document["report"] == str(run.figures_directory / "report.html")
    assert all(Path(path).exists() for path in [document["report"], *document["figures"]])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_model_has_a_report_with_every_picture(name, small_run, tmp_path):
    run = copied(small_run(name), tmp_path)
    path, *_ = reports.write_report(run)
    page = Page(path)
    require_self_contained(page)
    require_all_figures(page, run)
    assert "limitations" in page.ids
    if "probabilities" in run.predictions:
        assert "rows" in page.ids
