"""The playground: what its views show, against `zoo.predict` and what follows from it."""

import asyncio
import base64
import io
import itertools
import json
import os
import re
import signal
import time

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from starlette.exceptions import HTTPException

import zoo
from zoo.data.preprocessing import apply_preprocessor
from zoo.data.text import vocabulary
from zoo.errors import InputError
from zoo.evaluation.inspection import hidden_states
from zoo.evaluation.occlusion import MAX_PARTS, occlude_patches, occlude_words
from zoo.playground import catalog, denoise, drawing, film, images, latent, worker
from zoo.playground.app import Playground
from zoo.serving.app import build_app
from zoo.serving.limits import Limits

REVIEW = "the film was not bad but the music was boring ."


def decode_png(source):
    head, content = source.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def as_input(image, drawn=False):
    return {"image": {"content": images.to_png(image).partition(",")[2], "drawn": drawn}}


def draw_seven(size=280):
    """What a hand draws: a bar, and a leg that leans."""
    canvas = Image.new("L", (size, size))
    strokes = np.array([(80, 70), (190, 75), (120, 220)]) * size / 280
    ImageDraw.Draw(canvas).line(
        [tuple(point) for point in strokes], fill=255, width=round(22 * size / 280), joint="curve"
    )
    return np.asarray(canvas)[..., None]


def shown(run, view, **inputs):
    """The panels of a view by kind, which are JSON."""
    panels = json.loads(json.dumps(catalog.show(run, view, inputs), allow_nan=False))
    return {panel["kind"]: panel for panel in reversed(panels)}


def first_inputs(run, view):
    """The values of the controls before anyone touches them."""
    values = {}
    for control in view.controls(run):
        values[control["name"]] = (
            {"content": control["examples"][0].partition(",")[2], "drawn": False}
            if control["kind"] == "image"
            else control["value"]
        )
    return values


@pytest.fixture(scope="module")
def runs(digits_run, cnn_run, text_run, vae_run, denoiser_run, svd_run, table_run):
    return {
        "digits": digits_run, "cnn": cnn_run, "text": text_run, "vae": vae_run, "svd": svd_run,
        "denoiser": denoiser_run, "table": table_run,
    }  # fmt: skip


VIEWS_OF = {
    "digits": ["image"],
    "cnn": ["image", "features"],
    "text": ["text", "states"],
    "vae": ["walk", "reconstruct"],
    "svd": ["reconstruct"],
    "denoiser": ["denoise", "reconstruct"],
    "table": ["surface", "film"],
}


@pytest.mark.exhaustive
def test_every_kind_of_run_has_its_views(runs):
    for name, run in runs.items():
        description = catalog.describe(run)
        assert [view["name"] for view in description["views"]] == VIEWS_OF[name]
        json.dumps(description, allow_nan=False)
    names = [view.name for view in catalog.VIEWS]
    assert len(set(names)) == len(names)
    assert set(names) == {"attention", *itertools.chain(*VIEWS_OF.values())}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", VIEWS_OF)
def test_every_view_shows_something_for_the_first_values_of_its_controls(name, runs):
    for view in catalog.VIEWS:
        if view.suits(runs[name]) and view.name != "film":
            assert shown(runs[name], view.name, **first_inputs(runs[name], view))


@pytest.mark.exhaustive
def test_probabilities_of_an_image_are_those_of_predict(digits_run, cnn_run):
    for run in (digits_run, cnn_run):
        for raw in run.predictions["raw"][:3]:
            (answer,) = zoo.predict(run, [raw])
            panels = shown(run, "image", **as_input(raw))
            assert panels["bars"]["values"] == answer["probabilities"]
            assert panels["bars"]["title"] == f"Answer: {answer['label']}"
            received = panels["pictures"]["pictures"][0]
            np.testing.assert_array_equal(decode_png(received["source"]), raw[..., 0])


def test_occlusion_of_patches_is_the_mean_drop_over_the_squares_that_cover_a_pixel(digits_run):
    image = digits_run.predictions["raw"][3]
    drops = occlude_patches(digits_run, image)
    (whole_answer,) = zoo.predict(digits_run, [image])
    label = whole_answer["label"]
    covered = {place: image.copy() for place in itertools.product(range(7), range(7))}
    for (top, left), copy in covered.items():  # a square of 2 that moves by 1
        copy[top : top + 2, left : left + 2] = np.median(image)
    answers = zoo.predict(digits_run, list(covered.values()))
    sums, counts = np.zeros((8, 8)), np.zeros((8, 8))
    for (top, left), answer in zip(covered, answers, strict=True):
        drop = whole_answer["probability"] - answer["probabilities"][label]
        sums[top : top + 2, left : left + 2] += drop
        counts[top : top + 2, left : left + 2] += 1
    np.testing.assert_allclose(drops, sums / counts, atol=1e-6)


def test_a_square_that_covers_reaches_every_edge(digits_run):
    for shape in ((8, 8, 1), (13, 9, 1), (4, 30, 1), (1, 1, 1)):
        image = np.full(shape, 7, np.uint8)
        assert occlude_patches(digits_run, image).shape == shape[:2]


@pytest.mark.exhaustive
def test_occlusion_of_words_is_what_predict_says_without_each(text_run):
    (answer,) = zoo.predict(text_run, [REVIEW])
    words = REVIEW.split()
    parts = occlude_words(text_run, REVIEW)
    assert [part.text for part in parts] == words
    without = [" ".join(words[:index] + words[index + 1 :]) for index in range(len(words))]
    for part, other in zip(parts, zoo.predict(text_run, without), strict=True):
        drop = answer["probability"] - other["probabilities"][answer["label"]]
        assert part.drop == pytest.approx(drop, abs=1e-6)
    panels = shown(text_run, "text", text=REVIEW)
    assert panels["bars"]["values"] == pytest.approx(answer["probabilities"], abs=1e-6)
    assert [word["text"] for word in panels["words"]["words"]] == words


@pytest.mark.exhaustive
def test_a_long_text_is_left_out_several_words_at_a_time_and_an_empty_one_not_at_all(text_run):
    words = [f"word{number}" for number in range(2 * MAX_PARTS + 1)]
    parts = occlude_words(text_run, " ".join(words))
    assert len(parts) <= MAX_PARTS
    assert " ".join(part.text for part in parts).split() == words
    assert occlude_words(text_run, " ") == []
    assert shown(text_run, "text", text="")["words"]["words"] == []


@pytest.mark.parametrize("name", ["mlp", "softmax_regression"])
def test_a_drawn_seven_is_a_seven(name):
    run = zoo.load(name)
    panels = shown(run, "image", **as_input(draw_seven(), drawn=True))
    assert panels["bars"]["title"] == "Answer: 7"
    fitted = [
        drawing.fit_drawing(draw_seven(size), run.predictions["raw"]) for size in (140, 60, 280)
    ]
    answers = zoo.predict(run, fitted)
    assert {answer["label"] for answer in answers} == {"7"}
    assert panels["bars"]["values"] == pytest.approx(answers[-1]["probabilities"], abs=1e-6)


def test_a_drawing_gets_the_size_and_the_place_of_the_examples():
    examples = np.zeros((3, 28, 28, 1), np.uint8)
    examples[:, 4:24, 10:18] = 255
    rows, columns = np.indices((280, 280))
    for top, left in ((0, 0), (100, 30), (20, 200)):
        canvas = np.zeros((280, 280, 1), np.uint8)
        canvas[(rows >= top) & (rows < top + 100) & (columns >= left) & (columns < left + 50)] = 255
        fitted = drawing.fit_drawing(canvas, examples)[..., 0]
        assert fitted.shape == (28, 28)
        ink = np.argwhere(fitted > 127)
        np.testing.assert_allclose(np.ptp(ink, axis=0) + 1, (20, 10), atol=1)
        weights = fitted / fitted.sum()
        center = [(weights * axis).sum() for axis in np.indices((28, 28))]
        np.testing.assert_allclose(center, (13.5, 13.5), atol=0.1)
    assert not drawing.fit_drawing(np.zeros((9, 9, 1), np.uint8), examples).any()


def test_a_drawing_is_placed_by_its_box_where_the_examples_are():
    examples = np.zeros((2, 12, 12, 1), np.uint8)
    examples[0, 1:11, 2:8] = 255
    examples[1, 1:11, 2:8] = 40  # the same box, another center of mass
    examples[1, 1:3, 2:8] = 255
    canvas = np.zeros((60, 60, 1), np.uint8)
    canvas[20:60, 10:34] = 255
    fitted = drawing.fit_drawing(canvas, examples)
    np.testing.assert_array_equal(fitted, examples[0])


def test_a_place_in_the_plane_shows_what_the_decoder_gives(vae_run):
    for code in ([0.0, 0.0], [1.25, -0.5], [-3, 2]):
        (source,) = shown(vae_run, "walk", code=code)["pictures"]["pictures"]
        decoder = vae_run.model.get_layer("decoder")
        expected = decoder.predict(np.array([code], np.float32), verbose=0)[0, ..., 0]
        np.testing.assert_array_equal(decode_png(source["source"]), np.round(255 * expected))


@pytest.mark.exhaustive
def test_a_class_conditional_model_decodes_a_code_under_each_class(small_run):
    run = small_run("cvae")
    panels = catalog.show(run, "walk", {"code": [0.5, -1.0], "label": "3"})
    decoder = run.model.get_layer("decoder")
    codes, labels = np.full((10, 2), (0.5, -1.0), np.float32), np.arange(10)
    expected = np.round(255 * decoder.predict([codes, labels], verbose=0)[..., 0])
    given = [decode_png(each["source"]) for each in panels[1]["pictures"]]
    np.testing.assert_allclose(given, expected, atol=1)
    assert panels[0]["pictures"][0]["source"] == panels[1]["pictures"][3]["source"]


def test_an_encoded_image_is_marked_at_its_code(vae_run):
    raw = vae_run.predictions["raw"][4]
    (answer,) = zoo.predict(vae_run, [raw])
    panels = shown(vae_run, "reconstruct", **as_input(raw))
    order = latent.informative_dimensions(vae_run)
    assert panels["points"]["mark"] == pytest.approx([answer["code"][axis] for axis in order[:2]])
    values = panels["numbers"]["values"]
    assert values["mean squared error"] == answer["mse"]
    assert values["PSNR [dB]"] == answer["psnr"]
    reconstruction = decode_png(panels["pictures"]["pictures"][1]["source"])
    expected = np.round(255 * np.array(answer["reconstruction"])[..., 0])
    np.testing.assert_array_equal(reconstruction, expected)


def test_the_outputs_of_a_truth_table_are_those_of_predict(table_run):
    panels = catalog.show(table_run, "surface", {"x0": 1, "x1": 0, "x2": 0})
    (answer,) = zoo.predict(table_run, ["100"])
    assert panels[0]["values"]["of this input"] == pytest.approx(answer["probabilities"]["1"])
    rows = panels[2]["values"]
    answers = zoo.predict(table_run, [row[:3] for row in rows])
    for value, answer in zip(rows.values(), answers, strict=True):
        assert value == pytest.approx(answer["probabilities"]["1"], abs=1e-6)


@pytest.mark.exhaustive
def test_a_film_ends_with_the_weights_of_the_run_and_passes_through_its_history(table_run):
    history = table_run.history
    last = len(history["epoch"])
    while len(weights := film.record_weights(table_run.directory)) <= last:
        continue
    for mine, theirs in zip(weights[-1], table_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    model = zoo.build("perceptron", use_bias=False)
    bits = np.array([[1, 1, 0]], np.float32)
    for epoch in (1, last // 2, last):
        model.set_weights(weights[epoch])
        output = np.asarray(model(bits))[0, 0]
        assert output == pytest.approx(history["output_110"][epoch - 1], abs=1e-6)
    assert shown(table_run, "film", epoch=last)["surface"]["title"].startswith(
        f"After epoch {last}"
    )


@pytest.mark.exhaustive
def test_noise_is_what_was_asked_for_and_the_network_is_given_what_is_shown(denoiser_run):
    raw = denoiser_run.predictions["raw"][0]
    for stddev in (0.0, 0.3):
        panels = shown(denoiser_run, "denoise", stddev=stddev, **as_input(raw))
        pictures = {each["caption"]: each["source"] for each in panels["pictures"]["pictures"]}
        noisy = decode_png(pictures["with noise"])
        (answer,) = zoo.predict(denoiser_run, [noisy])
        expected = np.clip(np.round(255 * np.array(answer["reconstruction"])[..., 0]), 0, 255)
        np.testing.assert_array_equal(decode_png(pictures["network"]), expected)
        clean = raw[..., 0] / 255
        values = panels["numbers"]["values"]
        error = np.mean((noisy / 255 - clean) ** 2)
        assert values["with noise: mean squared error"] == pytest.approx(error, abs=1e-6)
        error = np.mean((np.array(answer["reconstruction"])[..., 0] - clean) ** 2)
        assert values["network: mean squared error"] == pytest.approx(error, abs=1e-6)
    assert values["linear filter: mean squared error"] > 0
    assert values["network, mean over the test split"] == denoiser_run.metrics["test_mse"]


@pytest.mark.exhaustive
def test_without_the_training_images_there_is_no_linear_filter(denoiser_run, monkeypatch):
    def refuse(*_):
        raise zoo.errors.DatasetError("digits: not here.")

    monkeypatch.setattr(denoise, "load_run_data", refuse)
    denoise._read_training_images.cache_clear()
    denoise._fit_linear.cache_clear()
    raw = denoiser_run.predictions["raw"][0]
    panels = shown(denoiser_run, "denoise", stddev=0.2, **as_input(raw))
    assert panels["numbers"]["values"]["linear filter"] == "not fitted: digits: not here."
    denoise._read_training_images.cache_clear()


@pytest.mark.exhaustive
def test_hidden_states_lead_to_the_answer(text_run):
    tokens = apply_preprocessor(text_run.preprocessor, np.array([REVIEW], object))[0]
    tokens = tokens[tokens != 0]
    states = hidden_states(text_run.model, "recurrent_1", tokens)
    kernel, bias = text_run.model.get_layer("output").get_weights()
    logits = states.max(axis=0) @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum()
    (answer,) = zoo.predict(text_run, [REVIEW])
    np.testing.assert_allclose(probabilities, list(answer["probabilities"].values()), atol=1e-5)
    panels = shown(text_run, "states", text=REVIEW, layer="recurrent_1")
    np.testing.assert_allclose(np.transpose(panels["matrix"]["values"]), states, atol=1e-4)
    words = vocabulary(text_run.preprocessor)
    expected = [word if word in words else "[UNK]" for word in REVIEW.replace(" .", "").split()]
    assert panels["matrix"]["columns"] == expected


@pytest.mark.exhaustive
def test_the_answer_after_a_word_is_that_of_the_text_up_to_it(text_run):
    words = REVIEW.split()
    panels = shown(text_run, "states", text=REVIEW, layer="recurrent_1")
    answers = zoo.predict(text_run, [" ".join(words[: end + 1]) for end in range(len(words))])
    for index, answer in enumerate(answers):
        for name, values in panels["lines"]["series"].items():
            assert values[index] == pytest.approx(answer["probabilities"][name], abs=1e-6)


def test_states_of_a_layer_that_returns_the_last_are_those_of_each_beginning():
    model = zoo.build("lstm", vocab_size=20, embedding_dim=4, units=3, pooling="last")
    every = zoo.build("lstm", vocab_size=20, embedding_dim=4, units=3, pooling="max")
    every.set_weights(model.get_weights())
    tokens = np.array([5, 7, 2, 19, 3])
    np.testing.assert_allclose(
        hidden_states(model, "recurrent_1", tokens),
        hidden_states(every, "recurrent_1", tokens),
        atol=1e-6,
    )


@pytest.mark.exhaustive
def test_attention_scores_of_a_query_sum_to_one(small_run):
    run = small_run("transformer")
    assert [view["name"] for view in catalog.describe(run)["views"]] == ["text", "attention"]
    panels = catalog.show(run, "attention", {"text": REVIEW, "block": "block_1"})
    heads = [panel for panel in panels if panel["kind"] == "matrix"]
    assert len(heads) == 2
    for head in heads:
        np.testing.assert_allclose(np.sum(head["values"], axis=1), 1, atol=1e-2)


INVALID = [
    ("digits", "image", {}, "expected"),
    ("digits", "image", {"image": {"content": "no base64!"}}, "base64"),
    ("digits", "image", {"image": {"content": "AAAA"}}, "cannot be read"),
    ("digits", "pictures", {}, "Expected one of: image"),
    ("text", "text", {"text": 5}, "expected a string"),
    ("text", "text", {"text": "x" * 10_001}, "at most 10000"),
    ("text", "states", {"text": "a", "layer": "recurrent_2"}, "expected one of recurrent_1"),
    ("vae", "walk", {"code": [1]}, "shape"),
    ("vae", "walk", {"code": [1, float("nan")]}, "finite"),
    ("vae", "walk", {"code": "zero"}, "expected numbers"),
    ("vae", "walk", {}, "expected numbers"),
    ("table", "surface", {"x0": 0, "x1": 0}, "x2: received 'None'; expected a number from"),
    ("table", "surface", {"x0": 0, "x1": True, "x2": 0}, "x1"),
    ("table", "surface", {"x0": 0, "x1": 5, "x2": 0}, "x1"),
    ("denoiser", "denoise", {"stddev": "0.3"}, "stddev"),
]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "view", "inputs", "message"), INVALID)
def test_an_invalid_value_is_refused(name, view, inputs, message, runs):
    with pytest.raises(InputError, match=message):
        catalog.show(runs[name], view, inputs)


def test_a_space_has_the_run_the_package_and_what_it_requires(digits_run, tmp_path, command):
    code, out, _ = command("export", digits_run.directory, "--space", tmp_path / "space")
    assert (code, out) == (0, f"python {tmp_path / 'space' / 'app.py'}\n")
    space = tmp_path / "space"
    assert (space / "README.md").read_text().startswith("---\ntitle: softmax_regression on digits")
    requirements = (space / "requirements.txt").read_text().splitlines()
    names = {re.match(r"[\w.-]+", line)[0] for line in requirements}
    assert {"tensorflow", "starlette", "uvicorn", "onnxruntime", "numpy"} <= names
    assert not names & {"pytest", "keras-model-zoo", "jax"}
    config = json.loads((space / "run" / "config.json").read_text())
    assert config["data_dir"] is None
    assert "platform" not in config["environment"]
    assert not list(space.glob("zoo/pretrained/runs/*"))
    copy = zoo.load_run(space / "run")
    raw = digits_run.predictions["raw"][:2]
    assert zoo.predict(copy, raw) == zoo.predict(digits_run, raw)
    code, _, err = command("export", digits_run.directory, "--space", space)
    assert (code, "already exists" in err) == (2, True)
    code, _, err = command("export", digits_run.directory, "--space", space, "--overwrite")
    assert (code, "cannot be combined" in err) == (2, True)


def test_one_task_too_many_is_refused(digits_run):
    tasks = worker.Worker({"digits": digits_run.directory}, 30.0)
    tasks._num_pending = worker.MAX_PENDING
    with pytest.raises(HTTPException, match="try again later") as refusal:
        asyncio.run(tasks.compute(worker.describe, "digits"))
    assert refusal.value.status_code == 503


@pytest.mark.exhaustive
def test_a_process_that_dies_or_takes_too_long_is_no_end(digits_run):
    tasks = worker.Worker({"digits": digits_run.directory}, 120.0)
    try:
        expected = catalog.describe(digits_run)
        assert asyncio.run(tasks.compute(worker.describe, "digits")) == expected
        os.kill(asyncio.run(tasks.compute(os.getpid)), signal.SIGKILL)
        assert asyncio.run(tasks.compute(worker.describe, "digits")) == expected
        tasks._timeout = 0.2
        with pytest.raises(HTTPException, match="within 0.2 seconds") as refusal:
            asyncio.run(tasks.compute(time.sleep, 1))
        assert refusal.value.status_code == 504
        tasks._timeout = 120.0
        with pytest.raises(InputError, match="unknown view"):
            asyncio.run(tasks.compute(worker.show, "digits", "none", {}))
    finally:
        tasks.close()


def ask(app, method, path, **options):
    async def request():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://zoo") as client:
            return await client.request(method, path, **options)

    return asyncio.run(request())


@pytest.fixture
def app(digits_run):
    with Playground({"digits": digits_run.directory}, Limits(2**16, 30.0)) as playground:

        async def compute_here(function, name, *rest):
            assert name == "digits"
            return getattr(catalog, function.__name__)(digits_run, *rest)

        playground.worker.compute = compute_here
        yield build_app({}, Limits(2**16, 30.0), playground.routes)


def test_the_page_and_its_files_are_sent_and_may_load_nothing_from_elsewhere(app):
    page = ask(app, "GET", "/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "://" not in page.text
    for name in ("app.js", "controls.js", "panels.js", "elements.js", "style.css", "icon.svg"):
        answer = ask(app, "GET", f"/page/{name}")
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert ask(app, "GET", "/page/../app.py").status_code == 404


def test_what_the_page_asks_for(app, digits_run):
    assert ask(app, "GET", "/playground").json() == {"models": ["digits"]}
    assert ask(app, "GET", "/playground/digits").json() == catalog.describe(digits_run)
    inputs = as_input(digits_run.predictions["raw"][0])
    answer = ask(app, "POST", "/playground/digits/image", json=inputs)
    assert answer.json() == {"panels": catalog.show(digits_run, "image", inputs)}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/playground/digit/image", b"{}", 404, "Did you mean 'digits'"),
        ("/playground/digits/imago", b"{}", 400, "Did you mean 'image'"),
        ("/playground/digits/image", b"", 400, "not JSON"),
        ("/playground/digits/image", b"[" * 50_000, 400, ""),
        ("/playground/digits/image", b"[]", 400, "JSON object"),
        ("/playground/digits/image", b"0" * (2**16 + 1), 413, "at most"),
    ],
)
def test_an_invalid_request_is_answered_in_one_line(path, body, status, message, app):
    answer = ask(app, "POST", path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert message in answer.json()["error"]
