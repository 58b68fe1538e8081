"""Serving: clients of the field against the model itself, batches, limits, and hostile requests."""

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import jsonschema
import numpy as np
import psutil
import pytest
import tritonclient.http as triton
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

import zoo
from zoo.artifacts.reader import Artifact
from zoo.errors import ArgumentValueError, ArtifactError, RunError
from zoo.serving import batching
from zoo.serving.app import build_app
from zoo.serving.batching import Batcher, OverloadedError
from zoo.serving.limits import Limits
from zoo.serving.models import serve_models
from zoo.serving.server import build_server, listen
from zoo.serving.sources import open_sources

MAX_BODY = 2**16
V2, V1 = "/v2/models/digits/infer", "/v1/models/digits:predict"


@contextlib.contextmanager
def serving(artifacts, timeout=30.0, max_body=MAX_BODY):
    """Serves artifacts in a thread; gives host and port."""
    with listen("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        app = build_app(serve_models(artifacts), Limits(max_body, timeout))
        server = build_server(app, timeout)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def artifacts(request, digits_run, table_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    runs = {"digits": digits_run, "table": table_run}
    return {
        name: Artifact(zoo.export(run, folder / name, format="onnx")) for name, run in runs.items()
    }


@pytest.fixture(scope="module")
def address(artifacts):
    with serving(artifacts) as address:
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url="http://{}:{}".format(*address)) as client:
        yield client


def infer(address, name, inputs, binary=True):
    """Outputs of a model by name, by Triton's client."""
    tensors = []
    for key, rows in inputs.items():
        tensor = triton.InferInput(key, rows.shape, np_to_triton_dtype(rows.dtype))
        tensor.set_data_from_numpy(rows, binary_data=binary)
        tensors.append(tensor)
    with triton.InferenceServerClient("{}:{}".format(*address)) as client:
        outputs = [each["name"] for each in client.get_model_metadata(name)["outputs"]]
        asked = [triton.InferRequestedOutput(output, binary_data=binary) for output in outputs]
        result = client.infer(name, tensors, outputs=None if binary else asked)
        return {output: result.as_numpy(output) for output in outputs}


def require_golden(address, name, artifact):
    """Compares what is served on golden rows with what the model gave; gives the endpoints."""
    endpoints = [name]
    with np.load(artifact.folder / "golden.npz") as golden:
        rows = {key: golden[key] for key in golden}
    for endpoint in {key.partition("/")[0] for key in rows} - {"reconstruct"}:
        served = name if endpoint == "serve" else f"{name}_{endpoint}"
        endpoints.append(served)
        inputs = {k.split("/")[2]: v for k, v in rows.items() if k.startswith(f"{endpoint}/inputs")}
        inputs = {k: v.astype(object) if v.dtype.kind == "S" else v for k, v in inputs.items()}
        outputs = infer(address, served, inputs)
        for key, expected in rows.items():
            if key.startswith(f"{endpoint}/outputs/"):
                given = outputs[key.split("/")[2]]
                if expected.dtype.kind == "U":
                    assert [label.decode() for label in given] == expected.tolist()
                else:
                    assert given.dtype == expected.dtype
                    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-5)
    return set(endpoints)


@pytest.mark.parametrize("name", ["digits", "table"])
def test_triton_client_receives_what_the_model_gives(name, address, artifacts):
    assert require_golden(address, name, artifacts[name]) == {name}


def test_json_and_binary_tensors_are_the_same(address, artifacts):
    rows = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    binary, as_json = (infer(address, "digits", {"image": rows}, each) for each in (True, False))
    np.testing.assert_array_equal(binary["probabilities"], as_json["probabilities"])
    assert [label.decode() for label in binary["label"]] == as_json["label"].tolist()


def test_metadata_health_and_near_misses_by_triton_client(address):
    with triton.InferenceServerClient("{}:{}".format(*address)) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("digits")
        assert not client.is_model_ready("digit")
        metadata = client.get_model_metadata("digits", "1")
        assert metadata["inputs"][0]["shape"] == [-1, -1, -1, 1]
        assert metadata["platform"] == "onnxruntime_onnx"
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        with pytest.raises(InferenceServerException, match="Did you mean 'digits'"):
            client.get_model_metadata("digitz")


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def test_images_of_any_size_as_arrays_and_files_in_one_request(client, digits_run):
    generator = np.random.default_rng(0)
    images = [
        generator.integers(0, 256, shape, np.uint8)
        for shape in ((8, 8), (11, 5, 3), (8, 8), (1, 2))
    ]
    expected = zoo.predict(digits_run, images)
    encoded = [base64.b64encode(png(image)).decode() for image in images]
    instances = [images[0].tolist(), {"b64": encoded[1]}, {"image": {"b64": encoded[2]}}]
    instances.append(images[3][..., None].tolist())
    given = client.post(V1, json={"instances": instances}).json()["predictions"]
    columns = client.post(V1, json={"inputs": instances[:2] + instances[3:]}).json()["outputs"]
    document = {"inputs": [{"name": "image", "shape": [4], "datatype": "BYTES", "data": encoded}]}
    outputs = {each["name"]: each for each in client.post(V2, json=document).json()["outputs"]}
    assert [row["label"] for row in given] == [row["label"] for row in expected]
    assert outputs["label"]["data"] == [row["label"] for row in expected]
    assert columns["label"] == [expected[index]["label"] for index in (0, 1, 3)]
    truth = np.array([list(row["probabilities"].values()) for row in expected])
    for probabilities in (
        [row["probabilities"] for row in given],
        np.reshape(outputs["probabilities"]["data"], outputs["probabilities"]["shape"]),
    ):
        np.testing.assert_allclose(probabilities, truth, rtol=0, atol=1e-5)


def test_bits_in_every_form(client, table_run):
    path = "/v1/models/table:predict"
    forms = ["110", [1, 1, 0], {"bits": "110"}, {"bits": [1, 1, 0]}]
    predictions = client.post(path, json={"instances": forms}).json()["predictions"]
    (expected,) = zoo.predict(table_run, ["110"])
    assert {row["label"] for row in predictions} == {expected["label"]}
    curl = subprocess.run(
        ["curl", "-s", "-d", '{"instances": ["110"]}', str(client.base_url.join(path))],
        capture_output=True,
        check=True,
    )
    assert json.loads(curl.stdout)["predictions"] == predictions[:1]


def image_input(**changes):
    tensor = {"name": "image", "shape": [1, 1, 1, 1], "datatype": "UINT8", "data": [7]}
    return {"inputs": [tensor | changes]}


REFUSED = [
    (V2, b"", 400, "JSON"),
    (V2, b"{nope", 400, "JSON"),
    (V2, b"[" * 50_000, 400, ""),
    (V2, b'{"inputs": ' + b"9" * 5_000 + b"}", 400, ""),
    (V2, b"\xff\xfe\x00", 400, ""),
    (V2, b"null", 400, ""),
    (V2, {}, 400, "inputs: Field required"),
    (V2, {"inputs": []}, 400, "at least 1"),
    (V2, image_input(name="picture"), 400, "digits takes image; received 'picture'"),
    (V2, image_input(datatype="UINT9"), 400, "Did you mean 'UINT"),
    (V2, image_input(datatype="FP32"), 400, "expected uint8"),
    (V2, image_input(shape=[1, 2, 1, 1]), 400, r"1 elements; the shape \[1, 2, 1, 1\] has 2"),
    (V2, image_input(shape=[-1, 1, 1, 1]), 400, "lengths of at least 1"),
    (V2, image_input(shape=[2**40, 2**40, 0, 1], data=[]), 400, "lengths of at least 1"),
    (V2, image_input(shape=[1] * 40), 400, "at most 8"),
    (V2, image_input(shape=[]), 400, "per row"),
    (V2, image_input(shape=[0, 8, 8, 1], data=[]), 400, "lengths of at least 1"),
    (V2, image_input(shape=[1, 0, 8, 1], data=[]), 400, "lengths of at least 1"),
    (V2, image_input(data=[256]), 400, "outside of the range of uint8"),
    (V2, image_input(data=[-1]), 400, "outside of the range of uint8"),
    (V2, image_input(data=[0.5]), 400, "received float64; expected UINT8"),
    (V2, image_input(data=[[1], [2, 3]]), 400, "different lengths"),
    (V2, image_input(data=["x"]), 400, "expected numbers"),
    (V2, image_input(data=[10**30]), 400, ""),
    (V2, image_input(data=None), 400, "no data"),
    (V2, image_input(datatype="BYTES", shape=[1], data=["no base64!"]), 400, "expected base64"),
    (V2, image_input(datatype="BYTES", shape=[1], data=["AAAA"]), 400, "cannot be read"),
    (V2, image_input(parameters={"binary_data_size": 10**12}), 400, "0 bytes are left"),
    (V2, image_input(parameters={"binary_data_size": -1}), 400, "0 bytes are left"),
    (V2, {**image_input(), "outputs": [{"name": "lable"}]}, 400, "Did you mean 'label'"),
    (V2, {"inputs": image_input()["inputs"] * 2}, 400, "twice"),
    (V2, b'{"inputs": [{"name": "image", "shape": [1, 1, 1, 1], "datatype": "UINT8",'
         b' "data": [NaN]}]}', 400, ""),
    (V1, {"instances": [[[1, 2], [3]]]}, 400, "different lengths"),
    (V1, {"instances": ["picture.png"]}, 400, "b64"),
    (V1, {"instances": ["../../etc/passwd"]}, 400, "b64"),
    (V1, {"instances": [{"b64": "x"}]}, 400, "base64"),
    (V1, {"instances": [[[300]]]}, 400, "0 to 255"),
    (V1, {"instances": [[[0]]] * 5_000}, 400, "5000 rows; expected 1 to 4096"),
    (V1, {"instances": [], "inputs": []}, 400, "either"),
    (V1, {"instances": [{"image": [[0]]}, {"picture": [[0]]}]}, 400, "the same inputs"),
    (V1, {"instances": [{"image": [[0]], "label": 3}]}, 400, "takes image"),
    (V1, {"inputs": {"image": 5}}, 400, "expected a list"),
    (V1, {"signature_name": "server", "instances": [[[0]]]}, 400, "Did you mean 'serve'"),
    ("/v1/models/table:predict", {"instances": ["11"]}, 400, "row of"),
    ("/v1/models/table:predict", {"instances": [[1, 2, 0]]}, 400, "row of"),
    ("/v1/models/digit:predict", {"instances": []}, 404, "Did you mean 'digits'"),
    ("/v2/models/digits/versions/2/infer", image_input(), 404, "no version '2'"),
    ("/v2/models/..%2f..%2fetc%2fpasswd/infer", image_input(), 404, ""),
    ("/v2/models/%00/infer", image_input(), 404, ""),
    ("/v2/models/%ff%fe/infer", image_input(), 404, ""),
    ("/v2/models/" + "x" * 9_000 + "/infer", image_input(), 404, "unknown model"),
    ("/v2/models/digits", {}, 405, "received POST; expected GET"),
    (V2, b"0" * (MAX_BODY + 1), 413, f"at most {MAX_BODY}"),
    ("/v2/models/../../../etc/passwd", {}, 404, ""),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSED)
def test_an_invalid_request_is_answered_with_what_is_allowed(path, body, status, message, client):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert len(response.text) < 700
    assert re.search(message, response.json()["error"])


def test_other_types_and_methods_are_refused(client):
    for headers in ({"content-type": "text/xml"}, {"content-encoding": "gzip"}):
        response = client.post(V2, content=b"<a/>", headers=headers)
        assert response.status_code == 415
        assert "expected" in response.json()["error"]
    response = client.delete("/v2/models/digits/infer")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.get("/favicon.ico").status_code == 404


@pytest.mark.parametrize("length", ["7", "999999", "x", "-1", "9" * 5_000])
def test_a_wrong_header_length_is_refused(length, client):
    headers = {"inference-header-content-length": length}
    response = client.post(V2, content=json.dumps(image_input()), headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x05\0\0\0ab", b"\0\0", b""])
def test_binary_strings_that_end_too_early_are_refused(data, client):
    tensor = image_input(datatype="BYTES", shape=[1], parameters={"binary_data_size": len(data)})
    head = json.dumps(tensor).encode()
    headers = {"inference-header-content-length": str(len(head))}
    assert client.post(V2, content=head + data, headers=headers).status_code == 400


def test_an_image_that_would_be_too_large_is_not_decoded(client):
    bomb = base64.b64encode(png(np.zeros((1_000, 1_000), np.uint8))).decode()
    response = client.post(V1, json={"instances": [{"b64": bomb}]})
    assert response.status_code == 400
    assert "1000 x 1000 pixels; expected at most 16384" in response.json()["error"]


def test_a_chunked_body_has_the_same_limit(client):
    response = client.post(V2, content=(b"0" * 10_000 for _ in range(10)))
    assert response.status_code == 413
    assert client.post(V1, json={"instances": [[[0]]]}).status_code == 200


def test_metrics_count_what_was_answered(client):
    def count():
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (sample.name, sample.labels["model"], sample.labels.get("status")): sample.value
            for family in families
            for sample in family.samples
            if "model" in sample.labels and sample.labels.get("handler") in (None, "predict")
        }

    before = count()
    for body in ({"instances": [[[0]]] * 3}, {"instances": 5}):
        client.post(V1, json=body)
    client.post("/v1/models/unheard-of:predict", json={})
    after = count()
    for status in ("200", "400"):
        key = ("zoo_requests_total", "digits", status)
        assert after[key] == before.get(key, 0) + 1
    assert (
        after[("zoo_batch_rows_sum", "digits", None)]
        == before[("zoo_batch_rows_sum", "digits", None)] + 3
    )
    assert {model for _, model, _ in after} == {"", "digits", "table"}


def test_answers_and_requests_are_as_the_openapi_document_says(client):
    document = client.get("/openapi.json").json()
    resources = {"components": document["components"]}

    def check(value, name):
        jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", **resources})

    check(image_input(), "InferenceRequest")
    check(client.post(V2, json=image_input()).json(), "InferenceResponse")
    check(client.post(V1, json={"instances": [[[0]]]}).json(), "PredictResponse")
    check(client.post(V1, json={}).json(), "ErrorResponse")
    for path, operations in document["paths"].items():
        for method in operations:
            response = client.request(method, path.replace("{name}", "digits"))
            assert response.status_code == (200 if method == "get" else 400), path


def doubled(rows):
    return {"out": 2 * rows["x"]}


def submit_all(batcher, arrays):
    async def submit():
        return await asyncio.gather(*(batcher.submit({"x": array}) for array in arrays))

    return asyncio.run(submit())


def test_requests_of_one_moment_are_one_batch_and_each_receives_its_own_rows():
    sizes, arrays = [], [np.full((rows, 2), rows) for rows in (1, 3, 2)]
    with ThreadPoolExecutor(1) as executor:
        outputs = submit_all(Batcher(doubled, executor, sizes.append), arrays)
    assert sizes == [6]
    for array, output in zip(arrays, outputs, strict=True):
        np.testing.assert_array_equal(output["out"], 2 * array)


def test_a_batch_has_one_shape_and_at_most_so_many_rows():
    generator, shapes = np.random.default_rng(0), []
    arrays = [generator.random((rows, width)) for rows in (1, 70, 5) for width in (2, 3)]

    def compute(rows):
        shapes.append(rows["x"].shape)
        return doubled(rows)

    with ThreadPoolExecutor(1) as executor:
        outputs = submit_all(Batcher(compute, executor, lambda rows: None), arrays)
    assert all(rows <= batching.MAX_BATCH_ROWS for rows, _ in shapes)
    assert sum(rows for rows, _ in shapes) == 2 * 76
    for array, output in zip(arrays, outputs, strict=True):
        np.testing.assert_array_equal(output["out"], 2 * array)


def test_an_error_reaches_every_request_of_the_batch_and_the_next_is_answered():
    calls = []

    def compute(rows):
        calls.append(rows)
        if len(calls) == 1:
            raise ValueError("broken")
        return doubled(rows)

    async def submit(executor):
        batcher = Batcher(compute, executor, lambda rows: None)
        row = {"x": np.ones((1, 1))}
        failed = await asyncio.gather(
            *(batcher.submit(row) for _ in range(2)), return_exceptions=True
        )
        return failed, await batcher.submit(row)

    with ThreadPoolExecutor(1) as executor:
        failed, answered = asyncio.run(submit(executor))
    assert [str(error) for error in failed] == ["broken", "broken"]
    assert answered["out"] == [[2]]


def test_cancelled_rows_are_not_computed_and_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(batching, "MAX_PENDING_ROWS", 3)
    sizes = []

    async def submit(executor):
        batcher = Batcher(doubled, executor, sizes.append)
        cancelled = asyncio.ensure_future(batcher.submit({"x": np.ones((2, 1))}))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="2 rows are waiting"):
            await batcher.submit({"x": np.ones((2, 1))})
        cancelled.cancel()
        await batcher.submit({"x": np.ones((1, 1))})

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(submit(executor))
    assert sizes == [1]


def test_what_takes_too_long_is_answered_with_504_and_serving_resumes(artifacts, monkeypatch):
    release, artifact, ask = threading.Event(), artifacts["table"], artifacts["table"].ask

    def wait(*args, **inputs):
        assert release.wait(60)
        return ask(*args, **inputs)

    monkeypatch.setattr(artifact, "ask", wait)
    with serving({"table": artifact}, timeout=1.0) as address:
        url = "http://{}:{}/v1/models/table:predict".format(*address)
        response = httpx.post(url, json={"instances": ["110"]})
        assert response.status_code == 504
        release.set()
        assert httpx.post(url, json={"instances": ["110"]}).status_code == 200


def receive_all(connection):
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_slow_senders_are_dropped(artifacts):
    head = b"POST /v1/models/table:predict HTTP/1.1\r\nhost: x\r\n"
    with serving({"table": artifacts["table"]}, timeout=0.2) as address:
        for start in (b"", b"POST ", head, head + b"x: " + b"y" * 100):
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(start)
                assert receive_all(connection) == b""
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(head + b"content-length: 50\r\n\r\n{")
            assert receive_all(connection).startswith(b"HTTP/1.1 408 ")


def test_names_of_what_is_served(artifacts, tmp_path):
    folder = str(artifacts["table"].folder)
    assert list(open_sources([folder, f"other={folder}"])) == ["table", "other"]
    with pytest.raises(ArgumentValueError, match="would both be served as 'table'"):
        open_sources([folder, f"table={folder}"])
    with pytest.raises(ArgumentValueError, match="is not a name for a model"):
        open_sources([f"a/b={folder}"])
    with pytest.raises(RunError, match="neither a run nor an artifact"):
        open_sources([str(tmp_path / "nothing")])
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    (damaged / "serve.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match="modified"):
        open_sources([str(damaged)])


def test_an_address_in_use_is_refused():
    with listen("127.0.0.1", 0) as listener, pytest.raises(ArgumentValueError, match="Choose"):
        listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_model_is_served_as_it_predicts(name, small_run, tmp_path):
    artifact = Artifact(zoo.export(small_run(name), tmp_path / "artifact", format="onnx"))
    with serving({name: artifact}) as address:
        endpoints = require_golden(address, name, artifact)
    is_autoencoder = "encode" in artifact.facts["endpoints"]
    further = {f"{name}_encode", f"{name}_decode"} if is_autoencoder else set()
    assert endpoints == {name} | further


@pytest.mark.exhaustive
def test_texts_and_codes_are_served_and_wrong_ones_refused(text_run, vae_run, tmp_path):
    runs = {"text": text_run, "vae": vae_run}
    artifacts = {
        name: Artifact(zoo.export(run, tmp_path / name, format="onnx"))
        for name, run in runs.items()
    }
    texts = ["the film was not bad .", "", "\U0001f600 great", "a" * 2_000]
    with serving(artifacts) as address:
        url = "http://{}:{}/v1/models/".format(*address)
        rows = httpx.post(f"{url}text:predict", json={"instances": texts}).json()["predictions"]
        labels = [row["label"] for row in zoo.predict(text_run, texts)]
        assert [row["label"] for row in rows] == labels
        rows = np.array([text.encode() for text in texts], object)
        assert infer(address, "text", {"text": rows})["label"].tolist() == [
            label.encode() for label in labels
        ]
        image = vae_run.predictions["raw"][:1]
        (expected,) = zoo.predict(vae_run, image)
        encoded = {"signature_name": "encode", "instances": [image[0].tolist()]}
        (code,) = httpx.post(f"{url}vae:predict", json=encoded).json()["predictions"]
        np.testing.assert_allclose(code, expected["code"], rtol=0, atol=1e-5)
        decode = {"signature_name": "decode", "instances": [code]}
        (decoded,) = httpx.post(f"{url}vae:predict", json=decode).json()["predictions"]
        np.testing.assert_allclose(decoded, expected["reconstruction"], rtol=0, atol=1e-5)
        for number in (np.nan, np.inf):
            codes = np.full((1, len(code)), number, np.float32)
            with pytest.raises(InferenceServerException, match="NaN or infinite"):
                infer(address, "vae_decode", {"code": codes})
        for name, inputs, message in (
            ("text", {"inputs": [5]}, "expected a string"),
            ("text", {"inputs": [None]}, "expected a string"),
            ("vae_decode", {"inputs": [[1.0]]}, "numbers of shape"),
            ("vae_decode", {"inputs": [[1e300] * len(code)]}, "NaN or infinite"),
        ):
            response = httpx.post(f"{url}{name}:predict", json=inputs)
            assert response.status_code == 400
            assert message in response.json()["error"]


@contextlib.contextmanager
def command(*words, folder):
    """Starts ``zoo serve``; gives the process and what it printed."""
    words = [sys.executable, "-m", "zoo", "serve", *map(str, words), "--port", "0", "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.exhaustive
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_trained_models_are_exported_once_served_and_stopped(stop, tmp_path):
    names = ["softmax_regression", "vae"]
    with command(*names, folder=tmp_path) as (process, document):
        assert document["models"] == [*names, "vae_encode", "vae_decode"]
        url = httpx.URL(document["url"])
        exported = sorted(tmp_path.glob("keras-model-zoo/serving/*/zoo.json"))
        for path in exported:
            artifact = Artifact(path.parent)
            model = artifact.facts["model"]
            require_golden((url.host, url.port), model, artifact)
        loaded = {file.path for file in psutil.Process(process.pid).memory_maps()}
        assert not [path for path in loaded if "tensorflow" in path]
        process.send_signal(stop)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err.splitlines()[-1]) == (0, "stopped")
    assert len(exported) == len(names)
    before = [path.stat().st_mtime_ns for path in exported]
    with command(names[0], folder=tmp_path):
        assert [path.stat().st_mtime_ns for path in exported] == before


@pytest.mark.exhaustive
def test_a_request_in_progress_is_answered_after_sigterm(artifacts, tmp_path):
    with command(f"table={artifacts['table'].folder}", folder=tmp_path) as (process, document):
        url = httpx.URL(document["url"])
        body = json.dumps({"instances": ["110"]}).encode()
        head = f"POST /v1/models/table:predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
        with socket.create_connection((url.host, url.port), timeout=60) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body[:5])
            httpx.get(url.join("/v2")).raise_for_status()
            process.send_signal(signal.SIGTERM)
            while True:  # until it no longer accepts connections
                try:
                    socket.create_connection((url.host, url.port), timeout=60).close()
                except OSError:
                    break
            connection.sendall(body[5:])
            assert receive_all(connection).startswith(b"HTTP/1.1 200 OK")
        assert process.wait(60) == 0


def hostile_bytes():
    """Bytes that no client should send."""
    post = f"POST {V1} HTTP/1.1\r\nhost: x\r\n".encode()
    yield post + b"content-length: 1000000000\r\n\r\n"
    yield post + b"content-length: 1000000000\r\n\r\n" + b"0" * 10**7
    yield post + b"content-length: 1000000000\r\nexpect: 100-continue\r\n\r\n"
    yield post + b"content-length: 99999999999999999999999\r\n\r\n"
    yield post + b"content-length: -5\r\n\r\n"
    yield post + b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"
    yield post + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    yield post + b"transfer-encoding: chunked\r\n\r\n3b9aca00\r\n" + b"0" * 10**6
    yield post + b"transfer-encoding: chunked\r\n\r\nxyz\r\n"
    yield post + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\n0\r\n" * 10**5
    yield post + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 10**6
    yield post + b"transfer-encoding: gzip\r\n\r\n"
    yield post + b"x: " + b"y" * 10**7
    yield post + b"x: y\r\n" * 10**6
    yield b"GET " + b"/" * 10**7
    yield b"GET /v2 HTTP/9.9\r\n\r\n"
    yield b"GET /v2 HTTP/1.1\r\n\r\n"
    yield b"GET ../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n"
    yield b"GET /v2/models/../../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    yield b"GET http://elsewhere/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    yield b"GET /v2 HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    yield bytes(10**6)
    yield b"\r\n" * 10**5
    yield b"G"
    yield b""
    yield b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n" * 2_000
    yield post + b"content-length: 100\r\n\r\n[[["


@pytest.mark.exhaustive
def test_hostile_requests_are_answered_or_dropped_and_memory_stays_flat(artifacts, tmp_path):
    folders = [f"{name}={artifact.folder}" for name, artifact in artifacts.items()]
    options = ["--max-body", 1, "--timeout", 2]
    with command(*folders, *options, folder=tmp_path) as (process, document):
        url, memory = httpx.URL(document["url"]), psutil.Process(process.pid).memory_info

        def attack(content):
            with socket.create_connection((url.host, url.port), timeout=60) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(content)
                with contextlib.suppress(ConnectionError):
                    answer = connection.recv(2**16)
                    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
                    assert not re.match(rb"HTTP/1.1 5", answer)

        def attack_with_all():
            with ThreadPoolExecutor(16) as executor:
                list(executor.map(attack, hostile_bytes()))
            with httpx.Client(base_url=url) as client:
                for path, body, _, _ in REFUSED:
                    content = body if isinstance(body, bytes) else json.dumps(body).encode()
                    assert client.post(path, content=content).status_code < 500
                right = client.post(V1, json={"instances": [[[0]]]})
                assert right.status_code == 200, right.text
            return memory().rss

        first = attack_with_all()
        for _ in range(3):
            last = attack_with_all()
        assert process.poll() is None
        assert last - first < 2**25
