"""Files that a stranger may have written: valid ones with any change, and nonsense."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image

from sceneparse.artifacts.checkpoint import write_checkpoint
from sceneparse.artifacts.weights import StoredModel, encoded_weights
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text
from sceneparse.models.settings import UNetModel
from sceneparse.system.yaml_text import write_yaml

# What parsers of YAML have fallen over: bombs, tags that name Python, numbers without end.
NASTY_TEXTS = (
    "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n",
    "[" * 5000,
    "{a: " * 3000,
    '{"a":' * 20_000,
    "- " * 3000,
    "? " * 2000,
    "!!python/object/apply:os.system ['true']",
    "model: !!python/object/new:sceneparse.errors.InputError [x]",
    "!!python/name:os.system",
    "seed: 0x" + "f" * 5000,
    "seed: " + "9" * 5000,
    "seed: 1e99999",
    "seed: .nan",
    "seed: 2026-99-99",
    "2026-01-01: 2026-01-01",
    "classes: {0x" + "f" * 4000 + ": wall}",
    "classes: [{name: wall, id: 0b" + "1" * 20_000 + "}]",
    "classes: [!!binary aGFsbG8=]",
    "? [a, b]\n: c",
    "? {a: b}\n: c",
    "<<: {model: {kind: unet}}\nmodel: {<<: [1, 2]}",
    "seed: !!float x",
    "seed: !!int ''",
    "!!set {a, b}",
    "!!omap [a: 1, a: 2]",
    "%YAML 9.9\n---\na: 1",
    "--- a\n--- b",
    "\ufeffseed: 1",
    "seed: \u2028 1",
    "a" * 100_000 + ": 1",
    "data: {kind: " + "x" * 100_000 + "}",
    "\x00",
    "classes:\n" + "".join(f"  - c{number}\n" for number in range(3000)),
    "training: {batch_size: -1, epochs: 1e400, threads: [1]}",
    "model: {kind: unet, width: 10000000000000000000000}",
    "model: {kind: encoder_unet, decoder_channels: [[[[[]]]]]}",
    "transform: {size: -0x80000000000000000000}",
)

_NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**30])
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    _NUMBERS,
    st.text(max_size=20),
    st.sampled_from(["auto", "none", "on", "/dev/null", "../../x", "~", "~nobody", "${HOME}", ""]),
)
ANYTHING: SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths_in(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each value in a document."""
    found = [path] if path else []
    inner: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = list(enumerate(document))
    for key, value in inner:
        found += paths_in(value, (*path, key))
    return found


@st.composite
def changed_documents(draw: st.DrawFn, document: Any, values: SearchStrategy[Any]) -> Any:
    """Draw a document of which some values are others, missing, or under other keys."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([(), *paths_in(document)]))
        if not path:
            return draw(values)
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if kind == "remove":
            del parent[path[-1]]
        elif kind == "add" and isinstance(parent, dict):
            parent[draw(st.text(max_size=12))] = draw(values)
        else:
            parent[path[-1]] = draw(values)
    return document


def texts_of(document: Any) -> SearchStrategy[bytes]:
    """Draw text files: changed documents as JSON and YAML, nasty ones, and nonsense."""
    changed = changed_documents(document, ANYTHING)
    return st.one_of(
        changed.map(lambda found: json.dumps(found).encode()),
        changed.map(lambda found: write_yaml(found).encode(errors="surrogatepass")),
        st.sampled_from(NASTY_TEXTS).map(str.encode),
        st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")),
        st.binary(max_size=200),
        changed_bytes(write_yaml(document).encode()),
    )


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a file of which some bytes are others, missing, twice, or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        # Headers decide most; so half of the changes meet the first bytes.
        end = draw(st.sampled_from([min(64, len(changed)), len(changed)]))
        at = draw(st.integers(0, max(0, end - 1)))
        kind = draw(st.sampled_from(["set", "insert", "remove", "cut", "number", "repeat"]))
        if kind == "set" and changed:
            changed[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            changed[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "remove":
            del changed[at : at + draw(st.integers(1, 64))]
        elif kind == "cut":
            del changed[at:]
        elif kind == "number":
            number = draw(st.sampled_from([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]))
            width = draw(st.sampled_from([2, 4, 8]))
            order = draw(st.sampled_from(["little", "big"]))
            changed[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, order)
        else:
            changed[at:at] = changed[at : at + draw(st.integers(1, 64))]
    return bytes(changed)


def small_labels() -> Labels:
    """Return three classes."""
    return labels_from_text("classes: [wall, floor, sky]", "labels")


def small_config() -> RunConfig:
    """Return a config of the smallest network."""
    return RunConfig(model=UNetModel(width=2))


def small_weights() -> bytes:
    """Return a weights file of the smallest network."""
    torch.manual_seed(0)
    config = small_config()
    segmenter = config.model.build(3, 3)
    return encoded_weights(StoredModel(segmenter.state_dict(), config, small_labels()))


@st.composite
def weights_files(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a safetensors file whose header is changed in its values or its bytes."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    kind = draw(st.sampled_from(["bytes", "header", "offsets", "metadata", "length"]))
    if kind == "bytes":
        return draw(changed_bytes(content))
    if kind == "length":
        length = draw(st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([2**63, 2**40, 0])))
        return length.to_bytes(8, "little") + content[8:]
    if kind == "header":
        header = draw(changed_documents(header, ANYTHING))
    elif kind == "metadata":
        name = draw(st.sampled_from(["config", "labels", "format"]))
        header["__metadata__"][name] = draw(
            st.one_of(st.text(max_size=50), st.sampled_from(NASTY_TEXTS))
        )
    else:
        name = draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))
        header[name]["data_offsets"] = draw(st.lists(st.integers(-(2**63), 2**64), max_size=3))
        header[name]["shape"] = draw(st.lists(st.integers(-1, 2**64), max_size=5))
        kinds = ["F64", "F32", "BF16", "F8_E4M3", "F8_E8M0", "F4", "I64", "U64", "BOOL", "C64", "X"]
        header[name]["dtype"] = draw(st.sampled_from(kinds))
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[start:]


def checkpoint_state() -> dict[str, Any]:
    """Return the state of a run as a checkpoint holds it."""
    config = small_config()
    segmenter = config.model.build(3, 3)
    optimizer = torch.optim.Adam([{"params": list(segmenter.parameters()), "base_lr": 0.1}])
    return {
        "step": 3,
        "data_key": "key",
        "best_miou": 0.5,
        "best_epoch": 1,
        "segmenter": segmenter.state_dict(),
        "average": {},
        "optimizer": optimizer.state_dict(),
        "schedule": {},
        "precision": {},
        "sums": {"loss": torch.zeros(()), "confusion": torch.zeros(3, 4, dtype=torch.int64)},
        "recorded": {"metrics": [], "timing": [], "best": None},
    }


def checkpoint_file(folder: Path) -> bytes:
    """Return a whole checkpoint."""
    path = folder / "step_000000003.pt"
    write_checkpoint(path, checkpoint_state())
    return path.read_bytes()


def with_digest(payload: bytes) -> bytes:
    """Return a checkpoint whose checksum is right, as a stranger can make it."""
    import hashlib

    return b"sceneparse checkpoint\n" + hashlib.sha256(payload).digest() + payload


def image_files() -> dict[str, bytes]:
    """Return a small image in each format that Pillow writes, by the suffix of its file."""
    random = np.random.default_rng(0)
    rgb = Image.fromarray(random.integers(0, 256, (13, 17, 3), dtype=np.uint8))
    grey = Image.fromarray(random.integers(0, 9, (13, 17), dtype=np.uint8))
    found: dict[str, bytes] = {}
    makers: dict[str, Callable[[io.BytesIO], object]] = {
        "jpg": lambda file: rgb.save(file, "JPEG"),
        "png": lambda file: rgb.save(file, "PNG"),
        "palette.png": lambda file: rgb.quantize(8).save(file, "PNG"),
        "grey.png": lambda file: grey.save(file, "PNG"),
        "tif": lambda file: rgb.save(file, "TIFF"),
        "lzw.tif": lambda file: rgb.save(file, "TIFF", compression="tiff_lzw"),
        "grey.tif": lambda file: grey.save(file, "TIFF", compression="tiff_deflate"),
        "webp": lambda file: rgb.save(file, "WEBP"),
        "avif": lambda file: rgb.save(file, "AVIF"),
        "jp2": lambda file: rgb.save(file, "JPEG2000"),
        "bmp": lambda file: rgb.save(file, "BMP"),
        "gif": lambda file: rgb.quantize(8).save(file, "GIF"),
        "pcx": lambda file: rgb.save(file, "PCX"),
        "sgi": lambda file: rgb.save(file, "SGI"),
        "tga": lambda file: rgb.save(file, "TGA", rle=True),
        "dds": lambda file: rgb.save(file, "DDS"),
        "ppm": lambda file: rgb.save(file, "PPM"),
        "ico": lambda file: rgb.save(file, "ICO"),
        "mpo": lambda file: rgb.save(file, "MPO"),
        "eps": lambda file: rgb.save(file, "EPS"),
    }
    for suffix, make in makers.items():
        file = io.BytesIO()
        make(file)
        found[suffix] = file.getvalue()
    return found


def config_texts() -> SearchStrategy[bytes]:
    """Draw files in the place of a config."""
    return texts_of(config_document(small_config()))


def label_texts() -> SearchStrategy[bytes]:
    """Draw files in the place of labels."""
    return texts_of(
        {
            "classes": [
                {"id": 0, "name": "wall", "color": [1, 2, 3]},
                {"id": 7, "name": "floor", "color": [4, 5, 6]},
            ],
            "ignored_ids": [255],
        }
    )
