"""Models are loaded from the Hub by their address, from a fake of its HTTP side."""

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image
from tests.conftest import rectangles
from tests.fake_hub import READER, FakeHub, Repository

import sceneparse
from sceneparse.artifacts import hub_client
from sceneparse.artifacts.hub import HubAddress, hub_address
from sceneparse.errors import InputError
from sceneparse.factory import runtime_choice
from sceneparse.factory.model_files import BUNDLED

WEIGHTS = Path(str(BUNDLED))
IMAGE = rectangles(0)[0]


@pytest.fixture
def shared(hub: FakeHub) -> Repository:
    """The bundled weights as me/rooms."""
    repository = hub.repositories["me/rooms"] = Repository()
    repository.commit({"model.safetensors": WEIGHTS.read_bytes(), "pytorch_model.bin": b"code"})
    return repository


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf://me/rooms", HubAddress("me/rooms")),
        ("hf://me/rooms/", HubAddress("me/rooms")),
        (Path("hf://me/rooms"), HubAddress("me/rooms")),
        ("hf://me/rooms@v1.0", HubAddress("me/rooms", "v1.0")),
        ("hf://me/rooms@refs/pr/1", HubAddress("me/rooms", "refs/pr/1")),
        ("hf://me/rooms@a%2Fb/sub/x.onnx", HubAddress("me/rooms", "a/b", "sub/x.onnx")),
    ],
)
def test_an_address_has_a_revision_and_a_file(text: str | Path, expected: HubAddress) -> None:
    address = hub_address(text)
    assert address == expected
    assert hub_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hf://rooms", "expected hf://owner/name"),
        ("hf://me/rooms/model.bin", "expected one ending in .safetensors or .onnx; other files"),
        ("hf://me/rooms/../x.onnx", "expected one ending in"),
    ],
)
def test_an_address_of_something_else_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        hub_address(text)


@pytest.mark.slow
def test_a_model_on_the_hub_predicts_like_its_file(hub: FakeHub, shared: Repository) -> None:
    labels = sceneparse.load("hf://me/rooms", "cpu").label_map(IMAGE)
    assert np.array_equal(labels, sceneparse.load(WEIGHTS, "cpu").label_map(IMAGE))
    assert not any("pytorch_model.bin" in request for request in hub.requests)
    known = len(hub.requests)
    sceneparse.load("hf://me/rooms", "cpu")
    assert not any(request.startswith("GET /me") for request in hub.requests[known:])


@pytest.mark.slow
def test_a_model_is_loaded_from_the_cache_without_a_connection(
    hub: FakeHub, shared: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sceneparse.load("hf://me/rooms", "cpu").label_map(IMAGE)
    hub.broken = 503
    assert np.array_equal(sceneparse.load("hf://me/rooms", "cpu").label_map(IMAGE), first)
    hub.close()
    assert np.array_equal(sceneparse.load("hf://me/rooms", "cpu").label_map(IMAGE), first)
    with pytest.raises(InputError, match=r"hf://me/other: the Hub cannot be reached"):
        sceneparse.load("hf://me/other")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sceneparse.load("hf://me/rooms", "cpu")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set; unset it"):
        sceneparse.load("hf://me/other")


def test_a_commit_stays_as_it_was(hub: FakeHub, shared: Repository) -> None:
    first = shared.head
    shared.commit({"model.safetensors": b"of another version"})
    model = sceneparse.load(f"hf://me/rooms@{first}", "cpu")
    assert model.label_map(IMAGE).shape == IMAGE.shape[:2]
    with pytest.raises(InputError, match="not a safetensors file, or broken"):
        sceneparse.load("hf://me/rooms", "cpu")
    # What is known of a commit needs no request.
    hub.close()
    sceneparse.load(f"hf://me/rooms@{first}/model.safetensors", "cpu")


def test_predictions_name_the_commit(shared: Repository, tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "image.png")
    out = tmp_path / "out"
    messages: list[str] = []
    sceneparse.predict(
        tmp_path / "image.png",
        out=out,
        model="hf://me/rooms",
        formats="json",
        device="cpu",
        callback=lambda event: messages.append(str(getattr(event, "text", ""))),
    )
    address = f"hf://me/rooms@{shared.head}/model.safetensors"
    assert address in (out / "image.json").read_text(encoding="utf-8")
    assert messages[0] == "downloading hf://me/rooms/model.safetensors: 11.93 MB"


def test_what_cannot_be_loaded_is_explained(
    hub: FakeHub, shared: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["me/empty"] = Repository()
    hub.repositories["me/empty"].commit({"pytorch_model.bin": b"code"})
    hub.repositories["me/secret"] = Repository({"0" * 40: {}}, private=True)
    hub.repositories["me/gated"] = Repository(gated=True)
    hub.repositories["me/gated"].commit({"model.safetensors": b"x"})
    hub.repositories["me/huge"] = Repository(sizes={"model.safetensors": 10**10})
    hub.repositories["me/huge"].commit({"model.safetensors": b"x"})
    monkeypatch.setenv("HF_TOKEN", READER)
    for address, says in {
        "hf://me/none": "no such repository, or it is private; correct the name, or log in",
        "hf://me/empty": "found no safetensors or ONNX file, expected .*model.safetensors",
        "hf://me/rooms/other.onnx": "found only model.safetensors, expected other.onnx",
        "hf://me/rooms@v7": "no such revision",
        "hf://me/gated": "access is granted on request; ask for it on the page",
        "hf://me/huge": r"found a file of 10.0 GB, expected at most 4.3 GB; nothing was downloaded",
        "hf://-/rooms": "no valid name of a repository",
    }.items():
        with pytest.raises(InputError, match=says) as raised:
            sceneparse.load(address)
        assert str(raised.value).startswith(address)
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    with pytest.raises(InputError, match="does not know this access token; log in"):
        sceneparse.load("hf://me/rooms")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="no such repository, or it is private"):
        sceneparse.load("hf://me/secret")
    hub.broken = 200  # as the page of a hotel's network
    with pytest.raises(InputError, match="the answer is not one of the Hub; check the connection"):
        sceneparse.load("hf://me/rooms")
    hub.broken = 500
    with pytest.raises(InputError, match="the Hub answered with status 500; try again later"):
        sceneparse.load("hf://me/rooms")


def test_a_model_without_a_file_for_the_installed_runtime_is_refused(
    shared: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"onnxruntime": True}
    monkeypatch.setattr(runtime_choice, "find_spec", found.get)
    with pytest.raises(InputError, match=r"found only model.safetensors, expected model.onnx; ins"):
        sceneparse.load("hf://me/rooms")


def test_a_cache_that_cannot_be_written_is_named(
    shared: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    with pytest.raises(InputError, match=r"cannot be kept \(Not a directory: .*set HF_HOME"):
        sceneparse.load("hf://me/rooms")


def test_a_damaged_file_in_the_cache_is_refused(shared: Repository, tmp_path: Path) -> None:
    sceneparse.load("hf://me/rooms", "cpu")
    (blob,) = (tmp_path / "hub" / "models--me--rooms" / "blobs").iterdir()
    blob.write_bytes(blob.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged, found 1,000 bytes, expected 11,9"):
        sceneparse.load("hf://me/rooms", "cpu")


def test_the_package_of_the_hub_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_client, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "sceneparse\[hub\]"'):
        sceneparse.load("hf://me/rooms")
