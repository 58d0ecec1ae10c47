"""Write an exported ONNX file as a page that computes in the browser: one HTML file."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from sceneparse import factory
from sceneparse.artifacts.onnx_file import OnnxModel, read_metadata, read_onnx
from sceneparse.artifacts.writing import write_bytes
from sceneparse.data.io.image_reading import DEFAULT_READING
from sceneparse.errors import InputError
from sceneparse.exporters.browser_graph import browser_graph
from sceneparse.exporters.web_runtime import VERSION, WebRuntime
from sceneparse.inference.settings import NoRefinement
from sceneparse.viewer.single_file import LocalModel, single_file

_LARGER = 1.5


class HtmlFile(NamedTuple):
    """An exported page.

    Attributes:
        size: Bytes of the file.
        notes: What it does not compute, one sentence each.
    """

    size: int
    notes: tuple[str, ...]


class PageSetting(NamedTuple):
    """A way to use the model, which the page offers.

    Attributes:
        id: For the page.
        name: For people.
        description: What it does, and for what it is good.
        scale: Factor on the size at which the network sees images.
        views: 1 for the image alone, 2 for the mirrored image too.
    """

    id: str
    name: str
    description: str
    scale: float
    views: int


def export_html(
    source: Path,
    path: Path,
    *,
    name: str,
    runtime: WebRuntime,
    license_text: str | None = None,
    max_bytes: int | None = None,
) -> HtmlFile:
    """Write a page with a model inside.

    Args:
        source: An ONNX file that sceneparse exported.
        path: The file to write.
        name: Name of the model, for the title.
        runtime: What computes in the page.
        license_text: Terms of the weights; none for those in the metadata of the model.
        max_bytes: Maximum size of the file.

    Raises:
        InputError: If the source is no such file, or takes other images than a page reads; or if
            the page would be too large or cannot be written.
    """
    contents = read_onnx(source)
    _check_images(contents)
    metadata = read_metadata(source)
    facts: dict[str, Any] = {
        "classes": [
            {"id": raw_id, "name": class_name, "color": color}
            for raw_id, class_name, color in zip(
                contents.labels.raw_ids,
                contents.labels.class_names,
                contents.labels.colors,
                strict=True,
            )
        ],
        "settings": [setting._asdict() for setting in page_settings(contents)],
        "resize": {
            "kind": contents.config.inference.resize,
            "size": contents.config.inference.size,
            "stride": contents.input_stride,
        },
        "notices": _notices(license_text or metadata.get("license", "not stated")),
    }
    model = LocalModel(
        script=runtime.script,
        loader=runtime.loader,
        binary=runtime.binary,
        model=browser_graph(onnx.load(source)).SerializeToString(),
        facts=facts,
    )
    content = single_file(f"{name} – sceneparse", model).encode()
    if max_bytes is not None and len(content) > max_bytes:
        raise InputError(
            f"{path}: the file would have {len(content) / 1e6:.2f} MB, more than "
            f"{max_bytes / 1e6:g} MB; nothing was written; store the model in fp16, or train a "
            "smaller network",
            "max_mb",
        )
    write_bytes(path, content)
    return HtmlFile(len(content), tuple(_notes(contents)))


def page_settings(contents: OnnxModel) -> list[PageSetting]:
    """List the ways to use a model that its page offers, that of the training first."""
    inference = contents.config.inference
    views = 2 if inference.flip and _is_mirrored_exactly(contents) else 1
    size = str(factory.resize(inference)).partition(", windows")[0].capitalize()
    averaged = "; the mean with the mirrored image" if views == 2 else ""
    settings = [PageSetting("trained", "As trained", f"{size}{averaged}.", 1, views)]
    if views == 2:
        text = f"{size}, without the mirrored image: half the time."
        settings.append(PageSetting("plain", "Faster", text, 1, 1))
    elif _is_mirrored_exactly(contents):
        text = f"{size}; the mean with the mirrored image: twice the time."
        settings.append(PageSetting("mirrored", "Mirrored too", text, 1, 2))
    text = (
        f"The model sees images {_LARGER:g} times as large as in its training, so that it may find "
        "smaller things, and err more in large ones."
    )
    return [*settings, PageSetting("larger", "Larger", text, _LARGER, views)]


def _is_mirrored_exactly(contents: OnnxModel) -> bool:
    """Return whether images have no padding, which would be on the other side of mirrored ones."""
    inference = contents.config.inference
    return inference.resize != "stretch" or inference.size % contents.input_stride == 0


def _check_images(contents: OnnxModel) -> None:
    """Refuse a model for other images than those that a browser reads."""
    reading = factory.image_reading(contents.config)
    if reading.value_range != DEFAULT_READING.value_range or reading.bands is not None:
        what = "chosen bands" if reading.bands is not None else "a range of values"
        raise InputError(
            f"{contents.path}: its images have {what} (data.bands, data.image_range), which "
            "browsers do not read; export it to ONNX, or use `sceneparse predict`"
        )


def _notes(contents: OnnxModel) -> list[str]:
    inference = contents.config.inference
    missing = [
        name
        for name, is_missing in (
            ("windows", inference.resize == "window"),
            ("other scales", tuple(inference.scales) != (1.0,)),
            ("the mirrored view", inference.flip and not _is_mirrored_exactly(contents)),
            ("refinement", inference.refine != NoRefinement()),
        )
        if is_missing
    ]
    return [f"the page computes without {', '.join(missing)}"] if missing else []


def _notices(license_text: str) -> list[dict[str, str]]:
    """Return the terms of the parts of a page."""
    # The extra `onnx` installs the same sources for Python, with their terms.
    spec = find_spec("onnxruntime")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    parts = [
        ("The weights of the model", license_text),
        ("sceneparse: Apache License 2.0", _own_license()),
        (f"ONNX Runtime {VERSION}: MIT License", _read(folder / "LICENSE")),
        ("Parts of ONNX Runtime", _read(folder / "ThirdPartyNotices.txt")),
    ]
    return [{"title": title, "text": text} for title, text in parts]


def _own_license() -> str:
    try:
        text = distribution("sceneparse").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    return text or "See http://www.apache.org/licenses/LICENSE-2.0"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff")
    except OSError:
        raise InputError(
            f"{path}: not found; a page has to contain it; install ONNX Runtime again: "
            "`pip install --force-reinstall onnxruntime`"
        ) from None
