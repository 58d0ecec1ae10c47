"""Draw `docs/images/augmentation.png`: what each field of `transform` does to a generated scene.

Run by `make docs`. With `--times` it measures instead what each field costs, for the table in
`augmentation.md`.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from sceneparse.augmentation.mixing import RareClassTable, SampleMixer
from sceneparse.augmentation.parameters import (
    ColorJitter,
    CropBox,
    Degradation,
    MixParameters,
    PasteHalfOfClasses,
    PasteRareClasses,
    PasteRectangle,
    RandomCrop,
    TransformParameters,
)
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.drawing import INK, RgbImage, font, overlay
from sceneparse.labels import ade20k_labels

TARGET = Path(__file__).parent / "images" / "augmentation.png"
COLUMNS, SIZE, MARGIN, GAP = 6, 192, 32, 14
TITLE, NAME, NOTE = 26, 16, 13
GREY, VOID = (120, 120, 120), (58, 58, 66)
LABELS = ade20k_labels()
SCENES = SyntheticScenes(40, 360, 480, seed=1)
# A house with a garden, and a beach with people.
SCENE, PARTNER = 20, 16
WHOLE_IMAGE = RandomCrop(1, 1, relative_to_shorter_side=False, positions=((0, 0),))
PLAIN = TransformParameters(WHOLE_IMAGE, flip=False, color_jitter=ColorJitter())


class Cell(NamedTuple):
    """One augmented image and the text above it.

    Attributes:
        field: The field, as in a config.
        note: The value drawn.
        parameters: Parameters of the transform.
    """

    field: str
    note: str
    parameters: TransformParameters


def scaled_crop(scale: float, top: float, left: float) -> TransformParameters:
    """Crop a square from the scene, scaled so that its shorter side is `scale` squares long."""
    return PLAIN._replace(crop=RandomCrop(1 / scale, 1 / scale, True, ((top, left),)))


def jittered(**color_jitter: float) -> TransformParameters:
    """Apply colour jitter."""
    return PLAIN._replace(color_jitter=ColorJitter(**color_jitter))


def degraded(blur: float = 0, noise: float = 0, quality: int = 0) -> TransformParameters:
    """Apply degradation."""
    return PLAIN._replace(degradation=Degradation(blur, noise, 0, quality))


def pasted(region: PasteRectangle | PasteHalfOfClasses | PasteRareClasses) -> TransformParameters:
    """Paste a region of the other scene."""
    return PLAIN._replace(mix=MixParameters(PARTNER, WHOLE_IMAGE, flip=False, region=region))


def cells() -> list[Cell]:
    """List what is shown."""
    sky = RandomCrop(0.45, 0.45, False, ((0.0, 0.1), (0.75, 0.5)))
    box = PasteRectangle(CropBox(0.14, 0.3, 0.72, 0.69))
    return [
        Cell("transform: {size: 192}", "stretched to a square", PLAIN),
        Cell(
            "crop: 0.5, aspect: 1.33",
            "60 % of the sides",
            PLAIN._replace(crop=RandomCrop(0.52, 0.69, False, ((0.7, 0.45),))),
        ),
        Cell("scale: [0.5, 2]", "scale 0.6, void around", scaled_crop(0.6, 0.4, 0.6)),
        Cell("scale: [0.5, 2]", "scale 1.7", scaled_crop(1.7, 0.75, 0.5)),
        Cell("class_share: 0.75", "a place without so much sky", PLAIN._replace(crop=sky)),
        Cell("flip: 0.5", "mirrored", PLAIN._replace(flip=True)),
        Cell(
            "rotation: 20",
            "turned by 12 degrees",
            PLAIN._replace(crop=WHOLE_IMAGE._replace(angle=12)),
        ),
        Cell("brightness: 0.4", "times 0.65", jittered(brightness=0.65)),
        Cell("contrast: 0.5", "times 1.45", jittered(contrast=1.45)),
        Cell("saturation: 0.8", "times 1.7", jittered(saturation=1.7)),
        Cell("hue: 0.1", "a tenth of the circle", jittered(hue=0.1)),
        Cell("grey: 0.1", "no colour", jittered(saturation=0.0)),
        Cell("blur: 0.3", "standard deviation 1.8", degraded(blur=1.8)),
        Cell("noise: 0.3", "11 of 255", degraded(noise=11)),
        Cell("jpeg: 0.3", "quality 30", degraded(quality=30)),
        Cell("cutmix: 0.2", "half of the area", pasted(box)),
        Cell("classmix: 0.2", "half of the classes", pasted(PasteHalfOfClasses(5))),
        Cell("copy_paste: 0.2", "people, boats, rocks", pasted(PasteRareClasses())),
    ]


def transform() -> Transform:
    """Make the transform that all cells share."""
    names = ("person", "rock", "boat")
    rare = [index for index, name in enumerate(LABELS.class_names) if name.startswith(names)]
    is_rare = np.zeros(LABELS.ignore_index + 1, np.bool_)
    is_rare[rare] = True
    bounded = TransformSettings(crop=0.5, class_share=0.75)
    mixing = SampleMixer(
        len(SCENES), LABELS.ignore_index, bounded, rare_classes=RareClassTable(is_rare, ())
    )
    return Transform(SIZE, bounded, 0, LABELS.ignore_index, mixing=mixing)


def page() -> Image.Image:
    """Draw the whole page."""
    shown, changes = cells(), transform()
    scene, partner = SCENES[SCENE], SCENES[PARTNER]
    rows = -(-len(shown) // COLUMNS)
    head, band = 2 * MARGIN + TITLE, 2 * SIZE + 4 + NAME + NOTE + 14 + 2 * GAP
    width = 2 * MARGIN + COLUMNS * (SIZE + GAP) - GAP
    canvas = Image.new("RGB", (width, head + rows * band + MARGIN // 2), "white")
    draw = ImageDraw.Draw(canvas)
    title = "What transform changes in a training image and its mask"
    draw.text((MARGIN, MARGIN), title, fill=INK, font=font(TITLE), anchor="lt")
    for index, cell in enumerate(shown):
        left = MARGIN + index % COLUMNS * (SIZE + GAP)
        top = head + index // COLUMNS * band
        draw.text((left, top), cell.field, fill=INK, font=font(fitting(cell.field)), anchor="lt")
        draw.text((left, top + NAME + 5), cell.note, fill=GREY, font=font(NOTE), anchor="lt")
        sample = changes(scene, cell.parameters, partner)
        top += NAME + NOTE + 14
        for image, lower in ((sample.image, 0), (overlay_mask(sample), SIZE + 4)):
            # The lowest two bits cannot be seen, and are a third of the file.
            canvas.paste(ImageOps.posterize(Image.fromarray(image), 6), (left, top + lower))
    return canvas


def fitting(text: str) -> int:
    """Return the largest size of font in which a text is no wider than a cell."""
    return next(size for size in range(NAME, 8, -1) if font(size).getlength(text) <= SIZE)


def overlay_mask(sample: Sample) -> RgbImage:
    """Lay the mask over the image, void dark."""
    image = overlay(sample.image, sample.mask, LABELS, 0.6)
    image[sample.mask == LABELS.ignore_index] = VOID
    return image


def times() -> str:
    """Measure in one thread what each field adds to a sample, in ms: rows of a table."""
    size = 256
    samples = [SCENES[index] for index in range(6)]
    fields = {
        "size: 256": TransformSettings(),
        "crop: 0.5": TransformSettings(crop=0.5),
        "scale: [0.5, 2]": TransformSettings(scale=(0.5, 2.0)),
        "scale, class_share: 0.75": TransformSettings(scale=(0.5, 2.0), class_share=0.75),
        "rotation: 20": TransformSettings(rotation=20),
        "brightness, contrast, saturation": TransformSettings(
            brightness=0.3, contrast=0.3, saturation=0.3
        ),
        "hue: 0.1": TransformSettings(hue=0.1),
        "blur: 1": TransformSettings(blur=1),
        "noise: 1": TransformSettings(noise=1),
        "jpeg: 1": TransformSettings(jpeg=1),
    }
    makers: dict[str, Transform] = {
        name: Transform(size, augmentation, 0, LABELS.ignore_index)
        for name, augmentation in fields.items()
    }
    plain = makers["size: 256"]
    for name in ("cutmix", "classmix"):
        settings = replace(TransformSettings(), **{name: 1.0})
        mixing = SampleMixer(len(samples), LABELS.ignore_index, settings)
        makers[f"{name}: 1"] = replace(plain, mixing=mixing)

    def done(made: Transform) -> Callable[[int], object]:
        def make(index: int) -> Sample:
            parameters = made.draw_parameters(0, index)
            other = made.partner(parameters)
            partner = samples[other[0]] if other else None
            return made(samples[index % len(samples)], parameters, partner)

        return make

    return "\n".join(f"| `{name}` | {pace(done(made)):.2f} |" for name, made in makers.items())


def pace(make: Callable[[int], object], rounds: int = 120) -> float:
    """Return the median ms of a call."""
    taken: list[float] = []
    for index in range(rounds):
        start = time.perf_counter()
        make(index)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


if __name__ == "__main__":
    if "--times" in sys.argv:
        click.echo(times())
    else:
        TARGET.parent.mkdir(exist_ok=True)
        page().save(TARGET, optimize=True)
        click.echo(f"written: {TARGET}")
