"""The addresses of the server, their answers and errors."""

import base64
import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from sceneparse import __version__
from sceneparse.data.io.images import image_array
from sceneparse.inference.prediction import Prediction
from sceneparse.serving.app import create_app
from sceneparse.serving.service import SegmentationService
from sceneparse.viewer import asset
from tests.serving.servers import MeanColors, file_of, photo, predictor_of, service_of

PNG = {"Content-Type": "image/png"}


@pytest.fixture
def service() -> Iterator[SegmentationService]:
    with service_of(MeanColors(), MeanColors(), max_body_mb=0.3, max_megapixels=0.1) as service:
        yield service


@pytest.fixture
def client(service: SegmentationService) -> Iterator[TestClient]:
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client


def layer(document: dict[str, Any], name: str) -> NDArray[Any]:
    found = document["layers"][name]
    packed = zlib.decompress(base64.b64decode(found["data"]))
    return np.frombuffer(packed, found["dtype"]).reshape(found["shape"])


def assert_is(document: dict[str, Any], expected: Prediction) -> None:
    np.testing.assert_array_equal(layer(document, "labels"), expected.mask)
    rounded = np.rint(expected.confidence * 255).astype(np.uint8)
    np.testing.assert_array_equal(layer(document, "confidence"), rounded)


def test_json_is_the_prediction_of_the_predictor(client: TestClient) -> None:
    image = file_of(photo())
    answer = client.post("/v1/segment?layers=labels,confidence", content=image, headers=PNG)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document, expected = answer.json(), predictor_of()(image)
    assert_is(document, expected)
    assert (document["model"], document["width"], document["height"]) == ("first", 56, 40)
    assert document["seconds"] >= 0
    colors = {3: [250, 0, 0], 1: [0, 240, 0], 2: [0, 0, 230]}
    with_colors = [{**each, "color": colors[each["id"]]} for each in expected.classes()]
    assert [dict(sorted(each.items())) for each in document["classes"]] == [
        dict(sorted(each.items())) for each in with_colors
    ]


def test_layers_come_only_if_they_are_asked_for(client: TestClient) -> None:
    image = file_of(photo())
    assert "layers" not in client.post("/v1/segment", content=image).json()
    document = client.post("/v1/segment?layers=confidence", content=image).json()
    assert list(document["layers"]) == ["confidence"]


def test_the_layer_image_is_the_upright_image_that_browsers_can_show(client: TestClient) -> None:
    image = file_of(photo(), "TIFF", tiffinfo={0x0112: 6})
    layers = client.post("/v1/segment?layers=image", content=image).json()["layers"]
    assert layers["image"]["type"] == "image/jpeg"
    with Image.open(BytesIO(base64.b64decode(layers["image"]["data"]))) as shown:
        assert shown.size == (40, 56)
        difference = np.asarray(shown).astype(int) - image_array(image)
    # JPEG blurs colours of noise by about 13; the stripes turned wrongly differ by 60 and more.
    assert abs(difference).mean() < 20


def test_a_mask_is_a_png_in_the_ids_of_the_data_set(client: TestClient) -> None:
    image = file_of(photo())
    answer = client.post("/v1/segment", content=image, headers={"Accept": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    expected = np.array([3, 1, 2], np.uint8)[predictor_of()(image).mask]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(answer.content))), expected)


@pytest.mark.parametrize(("query", "opacity"), [("", 0.5), ("?opacity=0.9", 0.9)])
def test_an_overlay_is_that_of_the_prediction(
    client: TestClient, query: str, opacity: float
) -> None:
    image = file_of(photo())
    answer = client.post(f"/v1/segment{query}", content=image, headers={"Accept": "image/jpeg"})
    assert answer.headers["content-type"] == "image/jpeg"
    made_by = {"model": "the first", "inference": "stretched to 64×64"}
    expected = predictor_of()(image).encode("overlay", more=made_by, opacity=opacity)
    assert answer.content == expected


def test_a_form_has_the_answer_of_the_bytes_alone(client: TestClient) -> None:
    image = file_of(photo())
    form = client.post("/v1/segment?layers=labels", files={"image": ("é.png", image)})
    alone = client.post("/v1/segment?layers=labels", content=image)
    assert form.status_code == 200
    assert form.json()["layers"] == alone.json()["layers"]


def test_bytes_in_chunks_without_a_length_are_an_image(client: TestClient) -> None:
    image = file_of(photo())
    pieces = (image[at : at + 100] for at in range(0, len(image), 100))
    assert client.post("/v1/segment", content=pieces).status_code == 200


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_of(photo(), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "image",
    [
        turned(),
        file_of(photo()[..., 0].astype(np.uint16) * 257),
        file_of(Image.fromarray(photo()).convert("CMYK"), "JPEG"),
        file_of(Image.fromarray(photo()).quantize(8), "GIF"),
        file_of(photo(), "TIFF", compression="tiff_lzw"),
    ],
    ids=["EXIF orientation", "16-bit PNG", "CMYK JPEG", "GIF", "TIFF"],
)
def test_images_are_read_as_everywhere(client: TestClient, image: bytes) -> None:
    document = client.post("/v1/segment?layers=labels,confidence", content=image).json()
    expected = predictor_of()(image)
    assert_is(document, expected)
    assert (document["height"], document["width"]) == image_array(image).shape[:2]


def test_labels_lists_models_and_classes_by_train_id(client: TestClient) -> None:
    first, second = client.get("/v1/labels").json()["models"]
    assert (first["id"], first["name"]) == ("first", "the first")
    assert first["description"] == "stretched to 64×64"
    assert first["void_id"] == 255
    assert [each["id"] for each in first["classes"]] == [3, 1, 2]
    assert first["classes"][1] == {"id": 1, "name": "green", "color": [0, 240, 0]}
    assert second["id"] == "second"


def test_a_request_chooses_a_model(client: TestClient) -> None:
    answer = client.post("/v1/segment?model=second", content=file_of(photo()))
    assert answer.json()["model"] == "second"


IMAGE = file_of(photo())
BROKEN: list[tuple[int, str, dict[str, Any]]] = [
    (400, "empty body", {"content": b""}),
    (400, "broken or truncated", {"content": IMAGE[:200]}),
    (400, "opacity: found '2', expected 0..1", {"params": {"opacity": "2"}}),
    (400, "opacity: found 'nan'", {"params": {"opacity": "nan"}}),
    (
        400,
        "layers: found 'all', expected labels, confidence or image",
        {"params": {"layers": "all"}},
    ),
    (400, "did you mean layers?", {"params": {"layer": "labels"}}),
    (400, "model: found twice", {"params": {"model": ["first", "second"]}}),
    (400, "without a whole file field `image`", {"files": {"image": (None, "text")}}),
    (400, "other files than one field `image`", {"files": {"photo": ("a.png", IMAGE)}}),
    (400, "other files", {"files": [("image", ("a", IMAGE)), ("image", ("b", IMAGE))]}),
    (400, "more than 8 parts", {"files": {f"text{n}": (None, "x") for n in range(9)}}),
    (400, "broken multipart", {"headers": {"Content-Type": "multipart/form-data"}}),
    (404, "model: found 'third', expected first or second", {"params": {"model": "third"}}),
    (406, "expected application/json, image/png or", {"headers": {"Accept": "text/html"}}),
    (413, "more than 0.3 MB", {"content": bytes(300_001)}),
    (413, "more than 0.3 MB", {"content": (bytes(1000) for _ in range(301))}),
    (
        413,
        "400×300 pixels, expected at most 0.1 million",
        {"content": file_of(np.zeros((300, 400), np.uint8))},
    ),
    (413, "at most 120 million pixels", {"content": b"P6 100000 100000 255\n" + bytes(100)}),
    (415, "not an image of a known format", {"content": b"hello"}),
    (415, "EPS, which is a program", {"content": file_of(photo(), "EPS")}),
    (415, "content type 'text/plain'", {"headers": {"Content-Type": "text/plain"}}),
    (415, "curl's --data-binary", {"data": {"image": "x"}, "content": None}),
    (415, "content encoding 'gzip'", {"headers": {"Content-Encoding": "gzip"}}),
]


@pytest.mark.parametrize(("status", "message", "request_"), BROKEN, ids=range(len(BROKEN)))
def test_a_wrong_request_is_told_what_is_wrong(
    client: TestClient, status: int, message: str, request_: dict[str, Any]
) -> None:
    if not {"content", "files"} & request_.keys():
        request_ = {"content": IMAGE, **request_}
    answer = client.post("/v1/segment", **request_)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert message in answer.json()["error"]
    assert list(answer.json()) == ["error"]
    assert "/work" not in answer.text
    # Nothing is held for a request that has failed.
    text = client.get("/metrics").text
    for gauge in ("body_bytes", "queue_length", "pixels_in_memory"):
        assert f"sceneparse_{gauge} 0.0" in text


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "application/json"),
        ("image/*", "image/png"),
        ("image/jpeg, image/png;q=0.5", "image/jpeg"),
        ("text/html, image/png;q=0.3, */*;q=0.1", "image/png"),
        ("application/json;q=0, */*;q=0.1", "image/png"),
        ("application/json;q=nothing, image/jpeg", "image/jpeg"),
        ("APPLICATION/JSON", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_type(client: TestClient, accept: str, expected: str) -> None:
    answer = client.post("/v1/segment", content=IMAGE, headers={"Accept": accept})
    assert answer.headers["content-type"] == expected
    assert answer.headers["vary"] == "Accept"


def test_unknown_addresses_and_methods_are_errors_in_json(client: TestClient) -> None:
    assert "/v1/segment" in client.get("/nothing").json()["error"]
    answer = client.get("/v1/segment")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "method" in answer.json()["error"]
    # FastAPI's own pages load scripts from other hosts.
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_a_token_guards_images_and_metrics_alone(service: SegmentationService) -> None:
    with TestClient(create_app(service, token="s3cret")) as client:  # noqa: S106
        check_token(client)


def check_token(client: TestClient) -> None:
    for path in ("/v1/labels", "/metrics", "/v1/nothing"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "found no token" in answer.json()["error"]
        wrong = client.get(path, headers={"Authorization": "Bearer s3cres"})
        assert wrong.status_code == 401
        assert "a wrong token" in wrong.json()["error"]
    assert client.post("/v1/segment", content=IMAGE).status_code == 401
    for kind in ("Bearer", "bearer"):
        right = {"Authorization": f"{kind} s3cret"}
        assert client.get("/v1/labels", headers=right).status_code == 200
        assert client.post("/v1/segment", content=IMAGE, headers=right).status_code == 200
    for path in ("/", "/healthz", "/openapi.json", "/assets/page.html"):
        assert client.get(path).status_code == 200


def test_pages_of_other_sites_may_ask_if_they_are_named(service: SegmentationService) -> None:
    site, other = "https://example.org", "https://example.com"
    client = TestClient(
        create_app(service, token="s3cret", cors=[site])  # noqa: S106
    )
    asked = {"Access-Control-Request-Method": "POST", "Origin": site}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    permission = client.options("/v1/segment", headers=asked)
    assert permission.status_code == 200
    assert permission.headers["access-control-allow-origin"] == site
    # The error of a missing token can be read too.
    assert client.get("/v1/labels", headers={"Origin": site}).headers["access-control-allow-origin"]
    refused = client.get("/v1/labels", headers={"Origin": other})
    assert "access-control-allow-origin" not in refused.headers
    plain = TestClient(create_app(service))
    assert "access-control-allow-origin" not in plain.get("/", headers={"Origin": site}).headers


def test_the_page_loads_nothing_from_other_hosts(client: TestClient) -> None:
    page = client.get("/")
    assert page.content == asset("page.html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert page.headers["x-content-type-options"] == "nosniff"
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    assert client.head("/").status_code == 200
    script = client.get("/assets/http_engine.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "no-cache"
    for name in ("nothing.js", "../page_routes.py", "%2e%2e%2fapp.py"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_health_says_version_and_models_until_the_server_stops(
    service: SegmentationService, client: TestClient
) -> None:
    health = client.get("/healthz").json()
    assert health == {"status": "ok", "version": __version__, "models": ["first", "second"]}
    service.is_stopping = True
    for answer in (client.get("/healthz"), client.post("/v1/segment", content=IMAGE)):
        assert answer.status_code == 503
        assert "being stopped" in answer.json()["error"]
        assert answer.headers["retry-after"]


def test_metrics_count_requests_images_and_stages(client: TestClient) -> None:
    for _ in range(3):
        client.post("/v1/segment?model=second", content=IMAGE)
    client.post("/v1/segment", content=b"broken")
    client.get("/favicon.ico")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'sceneparse_requests_total{path="/v1/segment",status="200"} 3.0',
        'sceneparse_requests_total{path="/v1/segment",status="415"} 1.0',
        'sceneparse_requests_total{path="other",status="404"} 1.0',
        'sceneparse_images_total{model="second"} 3.0',
        "sceneparse_batch_size_count 3.0",
        *(
            f'sceneparse_stage_seconds_count{{stage="{stage}"}} 3.0'
            for stage in ("decode", "wait", "compute", "encode")
        ),
    ):
        assert line in answer.text


def test_a_mistake_of_the_server_is_an_error_without_a_traceback() -> None:
    network = MeanColors()
    network.poison = 200
    with (
        service_of(network) as service,
        TestClient(create_app(service), raise_server_exceptions=False) as client,
    ):
        answer = client.post("/v1/segment", content=file_of(np.full((8, 8, 3), 200, np.uint8)))
        assert answer.status_code == 500
        assert answer.json() == {"error": "the server made a mistake; its log tells more"}
        assert 'path="/v1/segment",status="500"} 1.0' in client.get("/metrics").text
        assert client.post("/v1/segment", content=IMAGE).status_code == 200


def test_the_description_has_examples_that_follow_it(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/segment"]["post"]
    assert set(operation["responses"]) >= {"200", "400", "408", "413", "415", "429", "504"}
    assert "422" not in json.dumps(document["paths"])
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
    found = layer(examples["with layers"]["value"], "labels")
    assert np.bincount(found.ravel()).tolist() == [0, 0, 9, 0, 0, 0, 3]
    assert "multipart/form-data" in operation["requestBody"]["content"]
