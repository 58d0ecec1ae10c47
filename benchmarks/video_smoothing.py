"""Flicker and scores of the bundled model on moved scenes, for several time constants of smoothing.

A moved scene is a crop that moves over an image with an exact mask, with sub-pixel steps and new
noise in each frame; so the ground truth of each frame is known. Flicker is the share of pixels
whose label changes from one frame to the next although the ground truth at that place does not. A
second table shows what tells a cut from a moving camera.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import sceneparse
from machine import commit, machine
from sceneparse import factory
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.data.io.video_reading import Frame
from sceneparse.inference.cached_network import CachedNetwork
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.smoothing import CUT_DIFFERENCE, frame_difference, thumbnail
from sceneparse.labels import Mask
from sceneparse.metrics.scores import ConfusionMatrix, Scores, confusion_matrix

RATE = 25
NOISE = 4.0  # standard deviation in levels of 0..255, as that of an indoor video
CROP = 0.75  # share of the image that a frame shows
TIME_CONSTANTS_S = (0.0, 0.05, 0.1, 0.2, 0.4)
# Share of its width that the frame moves in a second, and share that it shrinks.
MOTIONS = {
    "still": (0.0, 0.0),
    "pan of 5 %/s": (0.05, 0.0),
    "pan of 20 %/s": (0.2, 0.0),
    "pan of 40 %/s": (0.4, 0.0),
    "zoom of 15 %/s": (0.0, 0.15),
}

Scene = tuple[NDArray[np.uint8], Mask]


class Result(NamedTuple):
    """What a time constant came to on the videos of one motion.

    Attributes:
        flicker: Share of changed labels where the ground truth stays, in 0..1.
        scores: Scores over all frames.
    """

    flicker: float
    scores: Scores


def moved(scene: Scene, motion: tuple[float, float], frames: int, seed: int) -> Iterator[Scene]:
    """Move a crop over a scene; yield the image and the mask of each frame."""
    height, width = scene[1].shape
    size = round(width * CROP), round(height * CROP)
    random = np.random.default_rng(seed)
    for index in range(frames):
        time_s = index / RATE
        scale = (1 + motion[1]) ** -time_s
        # In the middle of its way the crop lies in the middle of the scene.
        way = motion[0] * (index - (frames - 1) / 2) / RATE
        left = width / 2 + way * size[0] - scale * size[0] / 2
        top = height / 2 + way * size[1] - scale * size[1] / 2
        shift = (scale, 0.0, left, 0.0, scale, top)
        image, mask = (
            np.asarray(Image.fromarray(pixels).transform(size, Image.Transform.AFFINE, shift, how))
            for pixels, how in zip(
                scene, (Image.Resampling.BICUBIC, Image.Resampling.NEAREST), strict=True
            )
        )
        noisy = image + random.normal(0, NOISE, image.shape)
        yield noisy.round().clip(0, 255).astype(np.uint8), mask


def measured(
    predictor: Predictor, scenes: Sequence[Scene], motion: tuple[float, float], frames: int
) -> list[Result]:
    """Segment moved scenes with each time constant."""
    network = CachedNetwork(predictor.network)
    predictor.network = network
    classes, ignored = predictor.labels.num_classes, predictor.labels.ignore_index
    confusion: list[ConfusionMatrix] = [
        np.zeros((classes, classes + 1), np.int64) for _ in TIME_CONSTANTS_S
    ]
    changed, stayed = np.zeros(len(TIME_CONSTANTS_S)), np.zeros(len(TIME_CONSTANTS_S))
    for seed, scene in enumerate(scenes):
        video = list(moved(scene, motion, frames, seed))
        shown = [Frame(index / RATE, image) for index, (image, _) in enumerate(video)]
        for number, time_constant_s in enumerate(TIME_CONSTANTS_S):
            before: tuple[Mask, Mask] | None = None
            found = predictor.segment_frames(shown, time_constant_s)
            for mask, (_, target) in zip(found, video, strict=True):
                confusion[number] += confusion_matrix(mask, target, classes, ignored)
                if before is not None:
                    same = (target == before[1]) & (target != ignored)
                    changed[number] += ((mask != before[0]) & same).sum()
                    stayed[number] += same.sum()
                before = mask, target
        network.clear()
    return [
        Result(float(one / all_), Scores.from_confusion(matrix))
        for one, all_, matrix in zip(changed, stayed, confusion, strict=True)
    ]


def cut_table(scenes: Sequence[Scene]) -> list[str]:
    """Compare the difference of frames at cuts, from scene to scene, with that in fast pans."""
    images = [image for image, _ in scenes]
    small = [thumbnail(image) for image in images]
    cuts = [frame_difference(one, other) for one, other in pairwise(small)]
    lines = [
        f"| difference of frames (a cut is above {CUT_DIFFERENCE}) | min | median | max |",
        "|---|---|---|---|",
        _row("cuts between scenes", cuts),
    ]
    for share in (0.01, 0.025, 0.05, 0.1):
        pans: list[float] = []
        for image in images:
            step = round(image.shape[1] * share)
            pair = image[:, :-step], image[:, step:]
            one, other = (thumbnail(np.ascontiguousarray(part)) for part in pair)
            pans.append(frame_difference(one, other))
        lines.append(_row(f"pan of {share:.1%} of the width a frame", pans))
    return lines


def _row(name: str, values: Sequence[float]) -> str:
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"| {name} | {low:.3f} | {middle:.3f} | {high:.3f} |"


def scenes_of(data: Path | None, count: int) -> list[Scene]:
    """Draw scenes, or read evenly spaced validation images of a data set of the same classes."""
    if data is None:
        dataset = synthetic("validation", count, (320, 432), seed=5)
    else:
        settings = recognise(data)
        assert settings is not None, f"{data}: no known data set"  # noqa: S101
        dataset = factory.dataset(settings, "validation")
    indices = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    samples = (dataset[int(index)] for index in indices)
    return [(sample.image, sample.mask) for sample in samples]


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="validation images in place of generated scenes")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="only check that it runs")
    options = parser.parse_args()
    scenes = scenes_of(options.data, 2 if options.quick else options.scenes)
    predictor = sceneparse.load("bundled", device="cpu")
    network, frames = predictor.network, 4 if options.quick else options.frames
    where = "{processor}, {cores} cores".format(**machine())
    print(f"{len(scenes)} scenes, {frames} frames at {RATE}/s; {network}; {where}; {commit()}\n")
    print("| motion | time constant | flicker | mIoU | pixel accuracy |\n|---|---|---|---|---|")
    for name, motion in MOTIONS.items():
        predictor.network = network
        results = measured(predictor, scenes, motion, frames)
        for time_constant_s, (flicker, scores) in zip(TIME_CONSTANTS_S, results, strict=True):
            how = f"{time_constant_s:g} s" if time_constant_s else "none"
            print(
                f"| {name} | {how} | {flicker:.2%} | {scores.miou:.4f} | "
                f"{scores.pixel_accuracy:.4f} |",
                flush=True,
            )
    print("\n" + "\n".join(cut_table(scenes)))


if __name__ == "__main__":
    main()
