"""`push` uploads a model with a card, to a fake of the Hub, from where it is loaded again."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image
from tests.conftest import rectangles
from tests.fake_hub import READER, FakeHub, Repository
from tests.hub_session import connected_hub
from tests.local_page import require_npm

from sceneparse.artifacts.weights import read_weights
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.push import Pushed, push
from sceneparse.tasks.train import train

IMAGE = rectangles(0)[0]


class Shared(NamedTuple):
    """A run of one epoch, what `push` returned for it, its messages and the Hub."""

    run: Path
    pushed: Pushed
    messages: list[str]
    hub: FakeHub

    @property
    def repository(self) -> Repository:
        return self.hub.repositories["me/rectangles"]

    @property
    def files(self) -> dict[str, bytes]:
        return self.repository.commits[self.repository.head]

    @property
    def card(self) -> ModelCard:
        return ModelCard(self.files["README.md"].decode())


@pytest.fixture(scope="module")
def run(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("push") / "run"
    train(rectangles_config, out=folder, overrides=("training.epochs=1", "model.width=4"))
    return folder


@pytest.fixture(scope="module")
def shared(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Shared]:
    folder = tmp_path_factory.mktemp("hub")
    evaluate(run, device="cpu").write(run / "scores.json")
    (folder / "page.html").write_text("<title>demo</title>")
    messages: list[str] = []
    with connected_hub(folder) as hub:
        pushed = push(
            run,
            "hf://me/rectangles",
            license="CC-BY-4.0",
            datasets=["me/drawn"],
            demo=folder / "page.html",
            callback=lambda event: messages.append(str(event)),
        )
        yield Shared(run, pushed, messages, hub)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["torch:fp32", "onnxruntime:fp32"])
def test_a_model_that_was_pushed_predicts_like_its_run(shared: Shared, runtime: str) -> None:
    assert shared.pushed.address == f"hf://me/rectangles@{shared.repository.head}"
    for address in ("hf://me/rectangles", str(shared.pushed.address)):
        labels = load(address, "cpu", runtime=runtime).label_map(IMAGE)
        assert np.array_equal(labels, load(shared.run, "cpu").label_map(IMAGE))


@pytest.mark.slow
def test_a_push_is_one_commit_to_a_private_repository(shared: Shared) -> None:
    assert shared.repository.private
    assert len(shared.repository.commits) == 2  # the first one is that of the Hub
    names = {"README.md", "demo.html", "model.onnx", "model.safetensors"}
    assert set(shared.pushed.files) == names
    assert set(shared.files) == {*names, ".gitattributes"}
    (listed,) = [text for text in shared.messages if text.startswith("uploading to")]
    assert all(name in listed for name in names)


@pytest.mark.slow
def test_a_push_names_no_path_of_this_machine(shared: Shared) -> None:
    for content in shared.files.values():
        for path in (shared.run, shared.run.parent, Path.cwd()):
            assert str(path).encode() not in content


@pytest.mark.slow
def test_a_card_states_scores_with_their_intervals(shared: Shared) -> None:
    scores = json.loads((shared.run / "scores.json").read_text(encoding="utf-8"))
    data: Any = shared.card.data
    assert data.license == "cc-by-4.0"
    assert data.library_name == "sceneparse"
    assert data.pipeline_tag == "image-segmentation"
    assert data.datasets == ["me/drawn"]
    assert data.eval_results[0].dataset_name == "Own images"
    miou, accuracy = data.eval_results[:2]
    assert (miou.metric_type, miou.metric_value) == ("mean_iou", round(scores["miou"], 4))
    assert miou.metric_args == {
        "interval_95": [round(bound, 4) for bound in scores["interval_95"]["miou"]]
    }
    assert accuracy.metric_value == round(scores["pixel_accuracy"], 4)
    text = shared.card.text
    assert "Scores at the size of each mask, over 6 images of the split `validation`." in text
    low, high = scores["interval_95"]["miou"]
    assert f"| mIoU | {scores['miou']:.4f} ({low:.4f} to {high:.4f}) |" in text


@pytest.mark.slow
def test_a_card_states_data_recipe_and_use(shared: Shared) -> None:
    text = shared.card.text
    for part in (
        "Own images: 24 training images, 6 validation images.",
        "| network | unet of width 4 |",
        "| started from | random weights |",
        "| epochs | 1 |",
        "| optimizer | Adam, learning rate 0.01 |",
        "minutes, with validation |",
        "sceneparse predict image.jpg --model hf://me/rectangles --out predictions",
        "[`demo.html`](https://huggingface.co/me/rectangles/resolve/main/demo.html?download=true)",
        "background, red, green, blue",
    ):
        assert part in text, part
    assert "Probabilities are not calibrated." in text


@pytest.mark.slow
def test_a_run_is_fine_tuned_from_the_hub(
    shared: Shared, rectangles_config: Path, tmp_path: Path
) -> None:
    overrides = ("training.epochs=1", "model.width=4", "model.weights=hf://me/rectangles")
    messages: list[str] = []
    train(
        rectangles_config,
        out=tmp_path / "next",
        overrides=overrides,
        callback=lambda event: messages.append(str(event)),
    )
    assert any("head rows of 4 of 4 classes loaded" in text for text in messages)
    config = read_weights(tmp_path / "next" / "model.safetensors").config
    assert config.model.weights == "hf://me/rectangles"


@pytest.mark.slow
def test_a_model_from_the_hub_is_evaluated_and_names_its_commit(
    shared: Shared, rectangles_root: Path
) -> None:
    report = evaluate("hf://me/rectangles", data=rectangles_root, device="cpu", runtime="torch")
    head = shared.repository.head
    assert report.source["model"] == f"hf://me/rectangles@{head}/model.safetensors"


@pytest.mark.slow
def test_another_push_replaces_the_files(shared: Shared, run: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(IMAGE).save(image)
    with connected_hub(tmp_path) as hub:
        old = hub.repositories["me/rectangles"] = Repository(private=True)
        old.commit({"demo.html": b"of another model", "notes.txt": b"mine"})
        push(run, "me/rectangles", license="only for tests", preview=image, demo="none")
        files = old.commits[old.head]
    assert set(files) == {
        "README.md",
        "model.onnx",
        "model.safetensors",
        "notes.txt",
        "preview.jpg",
    }
    card = ModelCard(files["README.md"].decode())
    assert card.data.to_dict()["license"] == "other"
    assert "only for tests" in card.text
    assert "![A prediction](preview.jpg)" in card.text


@pytest.mark.slow
def test_what_would_be_uploaded_can_be_written_to_a_folder(
    hub: FakeHub, run: Path, tmp_path: Path
) -> None:
    # Scores of other weights are not this model's.
    scores = run / "scores.json"
    document = {"weights": "0123456789abcdef", "miou": 1.0, "per_class": []}
    scores.write_text(json.dumps(document))
    require_npm()
    pushed = push(run, "me/other", license="mit", out=tmp_path / "ready", precision="fp16")
    assert pushed.folder == tmp_path / "ready"
    page = (tmp_path / "ready" / "demo.html").read_text(encoding="utf-8")
    assert "createEngine" in page
    assert "mit" in page
    assert hub.requests == []
    text = (tmp_path / "ready" / "README.md").read_text(encoding="utf-8")
    assert "Scores of the validation during training, in the epoch that is kept" in text
    assert "nothing was" in str(pushed)
    with pytest.raises(InputError, match="not an empty folder"):
        push(run, "me/other", license="mit", out=tmp_path / "ready")


def test_a_push_that_must_fail_fails_before_the_export(
    hub: FakeHub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["me/open"] = Repository()
    hub.repositories["me/open"].commit({})

    def says(expected: str, repo: str = "me/rooms", **options: str) -> None:
        with pytest.raises(InputError, match=expected):
            push(run, repo, **{"license": "mit", **options})  # pyright: ignore[reportArgumentType]

    says("its terms are not known, .*state them", license="")
    says("rooms: not a repository, expected owner/name", repo="rooms")
    says("no such file; give an existing one", demo="nowhere.html")
    says("no such file; give an existing one", scores="nowhere.json")
    says("me/open: everyone can see this repository", repo="me/open")
    (tmp_path / "wrong.json").write_text("[]")
    says("not a score file", scores=str(tmp_path / "wrong.json"))
    says("does not know this access token", token="hf_old")  # noqa: S106
    monkeypatch.setenv("HF_TOKEN", READER)
    says("found an access token that only reads; log in")
    monkeypatch.delenv("HF_TOKEN")
    says("me/rooms: found no access token; log in")
    hub.broken = 403
    says("this access token does not permit it", token="hf_writer")  # noqa: S106
    hub.close()
    says("the Hub cannot be reached", token="hf_writer")  # noqa: S106
    with pytest.raises(InputError, match="none: no such weights file or run folder"):
        push(tmp_path / "none", "me/rooms", license="mit")
    with pytest.raises(InputError, match="is an ONNX file; give the run"):
        push("model.onnx", "me/rooms", license="mit")
    assert "me/rooms" not in hub.repositories
