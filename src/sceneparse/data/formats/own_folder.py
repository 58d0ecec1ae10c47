"""Own folders with `images`, `masks` and `labels.yaml`, as `data/datasets/folder.py` reads them."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from sceneparse.data.formats.annotation_format import LabelledImage
from sceneparse.data.formats.exporting import copy_image
from sceneparse.labels import Labels, Mask


def write(out: Path, images: Iterable[LabelledImage], labels: Labels) -> None:
    """Write images as they are, masks of raw ids as PNG with a palette, and `labels.yaml`."""
    for image in images:
        copy_image(image, out / "images" / image.split)
        target = out / "masks" / image.split / f"{image.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        index_image(image.mask, labels).save(target)
    (out / "labels.yaml").write_text(labels_yaml(labels), encoding="utf-8")


def index_image(mask: Mask, labels: Labels) -> Image.Image:
    """Return a mask of train ids `(H, W)` as an image of raw ids, with a palette up to 255."""
    raw = labels.decode(mask)
    image = Image.fromarray(raw)
    if raw.dtype == np.uint8:
        palette = np.zeros((256, 3), np.uint8)
        palette[list(labels.raw_ids)] = labels.palette
        image.putpalette(palette.tobytes())
    return image


def labels_yaml(labels: Labels) -> str:
    """Return the text of a `labels.yaml`, one class on a line."""
    lines = ["classes:"]
    for raw, name, color in zip(labels.raw_ids, labels.class_names, labels.colors, strict=True):
        # A string of JSON is one of YAML, in any script.
        text = json.dumps(name, ensure_ascii=False)
        lines.append(f"  - {{id: {raw}, name: {text}, color: {list(color)}}}")
    lines.append(f"ignored_ids: {list(labels.ignored_ids)}")
    return "\n".join(lines) + "\n"
