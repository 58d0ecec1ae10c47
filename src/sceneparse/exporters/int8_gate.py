"""The gate of int8 files: how much of the mIoU of the fp32 model quantisation may cost."""

import zlib
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sceneparse.errors import InputError
from sceneparse.exporters.parity import Parity, Segment, compare_labels
from sceneparse.exporters.samples import OnProgress, ParitySample, Samples, tracked
from sceneparse.labels import Labels, Mask

# Largest loss of mIoU, in points of 100.
MAX_POINTS = 0.5
_MAX_ROWS = 20
_HEAD = ("layer", "changes the logits by", "kept in")


@dataclass(frozen=True)
class QuantizationCost:
    """What quantisation costs.

    Attributes:
        parity: Labels of the quantised model against those of the fp32 model.
        has_masks: Whether mIoU is that of ground-truth masks; else it is that of the labels of the
            fp32 model.
    """

    parity: Parity
    has_masks: bool

    @property
    def points(self) -> float:
        """Loss of mIoU in points of 100; negative for a gain."""
        assert self.parity.miou is not None  # noqa: S101 - each sample has a mask, or labels as such
        before, after = self.parity.miou
        return 100 * (before - after)

    @property
    def passes(self) -> bool:
        """Whether it is small enough."""
        return self.points <= MAX_POINTS

    def __str__(self) -> str:
        """Write agreement and loss."""
        if self.has_masks:
            return f"{self.parity}: {_points_text(self.points)}"
        return (
            f"{self.parity.agreement:.2%} of the labels agree with PyTorch in fp32 on "
            f"{self.parity.images} images; scored by these labels, as not all have a mask: "
            f"{_points_text(self.points)}"
        )


class Fp32Labels:
    """The labels of the fp32 model, computed once and kept compressed.

    They take the place of all masks if an image has none, or no pixel of a class in it.
    """

    def __init__(
        self,
        segment: Segment,
        samples: Samples,
        labels: Labels,
        on_progress: OnProgress,
    ) -> None:
        """Compute the labels of all images.

        Args:
            segment: The fp32 model.
            samples: Images, with or without masks.
            labels: The classes.
            on_progress: Called with the number of images done.
        """
        self._samples = samples
        self._labels = labels
        self._kept: list[tuple[bytes, tuple[int, ...]]] = []
        self._has_masks = True
        for sample in tracked(samples, len(samples), on_progress, "segmenting in fp32"):
            mask = segment(sample.image)
            # Level 1 is enough, because label maps compress well.
            self._kept.append((zlib.compress(mask.astype(labels.dtype).tobytes(), 1), mask.shape))
            self._has_masks &= sample.mask is not None and bool(
                (sample.mask != labels.ignore_index).any()
            )

    def cost(self, segment: Segment, on_progress: OnProgress) -> QuantizationCost:
        """Compare another model with the fp32 model on the same images.

        Args:
            segment: The other model.
            on_progress: Called with the number of images done.
        """
        masks = self._masks()
        compared = compare_labels(
            lambda _: next(masks), segment, self._scored(on_progress), self._labels
        )
        return QuantizationCost(compared, self._has_masks)

    def _masks(self) -> Generator[Mask]:
        for content, shape in self._kept:
            yield np.frombuffer(zlib.decompress(content), self._labels.dtype).reshape(shape)

    def _scored(self, on_progress: OnProgress) -> Generator[ParitySample]:
        """Yield the images with what scores them."""
        images = tracked(self._samples, len(self._samples), on_progress, "segmenting in int8")
        for sample, mask in zip(images, self._masks(), strict=True):
            yield sample if self._has_masks else sample._replace(mask=mask)


class LayerChoice(NamedTuple):
    """A choice of layers that passes the gate.

    Attributes:
        cost: What it costs.
        errors: Change of the logits when a layer alone is quantised, the largest first; empty if
            all layers could be quantised.
        kept: Layers in fp32.
    """

    cost: QuantizationCost
    errors: dict[str, float]
    kept: list[str]


def layers_to_keep(
    cost_with: Callable[[Collection[str]], QuantizationCost],
    measure: Callable[[], dict[str, float]],
    num_layers: int,
) -> LayerChoice:
    """Choose the layers that stay in fp32: none, or the 1, 2, 4, 8 ... with the largest effect.

    Args:
        cost_with: Computes what it costs to quantise all layers but some.
        measure: Measures the effect of each layer, the largest first.
        num_layers: Number of layers, of which at most half may stay in fp32.

    Raises:
        InputError: If half of the layers are not enough.
    """
    attempts = [(0, cost_with([]))]
    if attempts[0][1].passes:
        return LayerChoice(attempts[0][1], {}, [])
    errors = measure()
    half = num_layers // 2
    doubling = [2**power for power in range(half.bit_length()) if 2**power < half]
    for count in [*doubling, half] if half else []:
        kept = list(errors)[:count]
        cost = cost_with(kept)
        if cost.passes:
            return LayerChoice(cost, errors, kept)
        attempts.append((count, cost))
    lost = "; ".join(f"{_points_text(cost.points)} with {count}" for count, cost in attempts)
    hint = (
        "give images that are more like those of the training"
        if attempts[0][1].has_masks
        else "give a data set with masks, as without them each changed label counts as a mistake"
    )
    raise InputError(
        f"int8 loses too much, by the number of its {num_layers} layers that stay in fp32: {lost}; "
        f"expected at most {MAX_POINTS} points; no file was written; export in fp16 or fp32, or "
        f"{hint}\n{layer_table(errors, list(errors)[:half])}"
    )


def layer_table(errors: Mapping[str, float], kept: Collection[str]) -> str:
    """Write the measured effect of layers, and which of them are kept in fp32.

    Args:
        errors: Change of the logits when a layer alone is quantised, the largest first.
        kept: Layers in fp32.
    """
    rows = [
        (layer, f"{error:.2%}", "fp32" if layer in kept else "int8")
        for layer, error in errors.items()
    ]
    shown = rows[: max(_MAX_ROWS, len(kept))]
    widths = [max(len(row[column]) for row in (_HEAD, *shown)) for column in range(3)]
    lines = [
        f"{layer:<{widths[0]}}  {error:>{widths[1]}}  {form}"
        for layer, error, form in (_HEAD, *shown)
    ]
    left = len(rows) - len(shown)
    if left:
        lines.append(f"and {left} more in int8, each of which changes the logits by less")
    return "\n".join(lines)


def _points_text(points: float) -> str:
    return f"{points:.2f} points of mIoU lost" if points >= 0 else f"{-points:.2f} points gained"
