"""Write the files of a model as they lie on the Hugging Face Hub."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from PIL import Image

from sceneparse.artifacts.hub import GRAPH_FILE, is_hub_address
from sceneparse.artifacts.run_folder import WEIGHTS_FILE
from sceneparse.artifacts.weights import StoredModel
from sceneparse.artifacts.writing import write_text
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.factory.torch_loading import find_weights, segmenter_of
from sceneparse.labels import ade20k_labels
from sceneparse.recording.events import Callback, Message
from sceneparse.reports.model_card import CARD_FILE, CardFacts, CardLicense, model_card
from sceneparse.scenes import draw_scene
from sceneparse.system.paths import expand_user
from sceneparse.tasks.card_facts import card_scores, data_in_words, data_name, recipe
from sceneparse.tasks.export import export
from sceneparse.tasks.export_onnx import without_local_paths

DEMO_FILE, PREVIEW_FILE = "demo.html", "preview.jpg"
_PREVIEW_SIDE = 1024
_WHAT = {
    WEIGHTS_FILE: "weights with config and classes, for prediction and fine-tuning with PyTorch",
    GRAPH_FILE: "the same model for ONNX Runtime and OpenVINO, from pixels to labels",
    PREVIEW_FILE: "an example",
    DEMO_FILE: "a page that runs the model in a browser",
}


@dataclass(frozen=True)
class HubContents:
    """What shall lie on the Hub beside the model.

    Attributes:
        repo: Owner and name of the repository.
        license: Terms of the weights.
        datasets: Names of data sets on the Hub that the model was trained on.
        scores: A score file; none to look for one in the run folder.
        preview: An image to segment as an example; none for a generated scene.
        demo: A page that runs the model; `auto` to make one, `none` for none.
    """

    repo: str
    license: CardLicense
    datasets: tuple[str, ...] = ()
    scores: Path | None = None
    preview: Path | None = None
    demo: Path | Literal["auto", "none"] = "auto"


def write_hub_folder(
    folder: Path,
    model: str | Path,
    contents: HubContents,
    precision: Literal["fp32", "fp16"],
    callback: Callback,
) -> dict[str, int]:
    """Write weights, ONNX file, card, example and demo, and return their sizes in bytes.

    Args:
        folder: An empty folder.
        model: A run folder, a weights file, `bundled`, or an address on the Hub.
        contents: What shall lie beside the model.
        precision: How weights are stored.
        callback: Called with each event.

    Raises:
        InputError: If the model cannot be read or exported, or a file names a path of this machine.
    """
    stored = find_weights(model)
    is_own = model != "bundled" and not is_hub_address(model)
    own = expand_user(model) if is_own else None
    # A wrong score file should fail before the export.
    scores = card_scores(own, stored.labels, contents.scores)
    terms = contents.license.terms or contents.license.identifier
    for name in (WEIGHTS_FILE, GRAPH_FILE):
        exported = export(
            model, out=folder / name, precision=precision, license_text=terms, callback=callback
        )
        for note in exported.notes:
            callback(Message(f"{name}: {note}"))
    preview = _write_preview(folder, contents.preview)
    has_demo = _write_demo(folder / DEMO_FILE, model, contents.demo, terms, callback)
    facts = CardFacts(
        repo=contents.repo,
        config=without_local_paths(stored.config),
        labels=stored.labels,
        parameters=sum(tensor.numel() for tensor in segmenter_of(stored).parameters()),
        license=contents.license,
        data_name=data_name(stored.config),
        data=data_in_words(stored.config),
        datasets=contents.datasets,
        recipe=recipe(stored.config, own),
        scores=scores,
        files={path.name: _WHAT[path.name] for path in sorted(folder.iterdir())},
        preview=PREVIEW_FILE if preview else None,
        preview_text=preview,
        demo=DEMO_FILE if has_demo else None,
        own_card=_card_of_bundled() if model == "bundled" else None,
    )
    write_text(folder / CARD_FILE, model_card(facts))
    paths = sorted(folder.iterdir())
    _refuse_local_paths(paths, list(_local_paths(stored, own)))
    return {path.name: path.stat().st_size for path in paths}


def _write_demo(
    path: Path, model: str | Path, demo: Path | str, terms: str, callback: Callback
) -> bool:
    """Write the page that runs the model, if there shall be one and it can be made."""
    if isinstance(demo, Path):
        shutil.copyfile(demo, path)
    elif demo == "auto":
        try:
            export(model, out=path, license_text=terms, callback=callback)
        except InputError as error:
            callback(Message(f"without a page that runs the model: {error}"))
    return path.is_file()


def _write_preview(folder: Path, image: Path | None) -> str:
    """Draw an example, and return what it shows; draw none of classes that no scene has."""
    predictor = load(folder / WEIGHTS_FILE, "cpu")
    is_of_scenes = predictor.labels.class_names == ade20k_labels().class_names
    if image is None and (not is_of_scenes or predictor.reading.channels != 3):
        return ""
    prediction = predictor(draw_scene(0, 0, 384, 512)[0] if image is None else image)
    overlay = prediction.scaled(_PREVIEW_SIDE).overlay(legend=True)
    Image.fromarray(overlay).save(folder / PREVIEW_FILE, quality=90)
    return "A prediction for a generated scene" if image is None else "A prediction"


def _card_of_bundled() -> str:
    card = resources.files("sceneparse") / "assets" / "MODEL_CARD.md"
    return card.read_text(encoding="utf-8")


def _local_paths(stored: StoredModel, own: Path | None) -> Iterator[str]:
    """Yield paths of this machine that nobody else should see."""
    paths = [Path.home(), Path(sys.prefix)]
    if own is not None:
        paths.append(own.absolute())
    if not isinstance(stored.config.data, SyntheticData):
        paths.append(stored.config.data.root.absolute())
    # `/data` may stand in a file by chance.
    return (str(path) for path in paths if len(path.parts) > 2)


def _refuse_local_paths(files: Sequence[Path], local: Sequence[str]) -> None:
    """Refuse to publish files that name paths of this machine.

    Raises:
        InputError: If a file does.
    """
    for path in files:
        content = path.read_bytes()
        for text in local:
            if text.encode() in content:
                raise InputError(
                    f"{path.name}: names {text}, a path of this machine, which should not be "
                    "published; nothing was uploaded; report this, or remove it from the file"
                )
