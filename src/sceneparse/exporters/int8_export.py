"""Quantise a model to int8, and write the ONNX file only if it passes the gate."""

import statistics
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from sceneparse.artifacts.onnx_file import read_onnx
from sceneparse.artifacts.weights import StoredModel
from sceneparse.artifacts.writing import atomic_write
from sceneparse.exporters.checked_export import (
    generated_samples,
    labels_by,
    labels_by_graph,
    on_cpu,
    with_graph_settings,
)
from sceneparse.exporters.int8_gate import Fp32Labels, QuantizationCost, layer_table, layers_to_keep
from sceneparse.exporters.network_graph import network_graph
from sceneparse.exporters.onnx_export import encoded_model, not_in_graph, onnx_model
from sceneparse.exporters.parity import compare_labels, require_parity
from sceneparse.exporters.quantization import (
    Quantizer,
    inputs_of,
    logit_errors,
    run_network,
    session_of,
)
from sceneparse.exporters.samples import OnProgress, Samples, tracked
from sceneparse.factory.loading import OpenedModel
from sceneparse.factory.torch_loading import segmenter_of
from sceneparse.system.processor import processor

# Images to calibrate on, spread over those that are given.
MAX_CALIBRATION_IMAGES = 100
# Images on which the effect of each layer is measured.
_PROBES = 4
_TIMED_ROUNDS = 7


class QuantizedFile(NamedTuple):
    """An int8 file, what it costs and whether it pays.

    Attributes:
        size: Bytes of the file.
        calibration_images: Number of images that the scales were measured on.
        cost: What it costs, by the gate.
        errors: Change of the logits when a layer alone is quantised; empty if none had to be left
            out.
        kept: Layers in fp32.
        outside: Parts of the way to labels that the graph does not hold.
        speed: Time of the fp32 network by that of the int8 network, on this processor.
    """

    size: int
    calibration_images: int
    cost: QuantizationCost
    errors: dict[str, float]
    kept: list[str]
    outside: list[str]
    speed: float

    def notes(self) -> list[str]:
        """Say what it costs, whether it pays, and what it does not contain."""
        notes = [f"int8, calibrated on {self.calibration_images} images: {self.cost}"]
        if self.kept:
            table = layer_table(self.errors, self.kept)
            notes.append(f"{len(self.kept)} of {len(self.errors)} layers stay in fp32:\n{table}")
        notes.append(speed_note(self.speed))
        if self.outside:
            notes.append(
                f"not in the graph, but computed around it by sceneparse: {', '.join(self.outside)}"
            )
        return notes


def export_int8(
    stored: StoredModel,
    path: Path,
    *,
    license_text: str,
    calibration: Samples,
    samples: Samples,
    max_bytes: int | None = None,
    on_step: Callable[[str], object] = lambda _: None,
    on_progress: OnProgress = lambda *_: None,
) -> QuantizedFile:
    """Quantise a model, and write it if it loses at most half a point of mIoU.

    All layers but the last are quantised first. If that loses too much, the effect of each layer is
    measured, and those with the largest effect stay in fp32: see `layers_to_keep`.

    Args:
        stored: The model.
        path: The file to write.
        license_text: Terms of the weights.
        calibration: Images to measure the ranges of activations on.
        samples: Other images to compare labels on.
        max_bytes: Maximum size of the file.
        on_step: Called with what happens next.
        on_progress: Called with the progress of a step.

    Raises:
        InputError: If too much is lost, or the file would be too large or cannot be written; then
            no file is left behind.
    """
    on_step("translating the network")
    segmenter, predictor = segmenter_of(stored), on_cpu(stored)
    chosen = calibration.spread(MAX_CALIBRATION_IMAGES)
    images = (sample.image for sample in tracked(chosen, len(chosen), on_progress, "calibrating"))
    quantizer = Quantizer(network_graph(segmenter), inputs_of(predictor, images))
    reference = Fp32Labels(labels_by(predictor), samples, stored.labels, on_progress)

    def content(network: onnx.ModelProto) -> bytes:
        model = onnx_model(segmenter, stored.config, predictor, {}, license_text, "int8", network)
        return encoded_model(model, path, max_bytes)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "int8.onnx"

        def cost_with(kept: Collection[str]) -> QuantizationCost:
            file.write_bytes(content(quantizer.quantized(kept)))
            return reference.cost(labels_by(_opened(file, stored).predictor()), on_progress)

        def errors() -> dict[str, float]:
            on_step("measuring the effect of each layer")
            return logit_errors(quantizer, probes, on_progress)

        # Not of the calibration, whose values the ranges cover by themselves.
        probes = list(inputs_of(predictor, (each.image for each in samples.spread(_PROBES))))
        result = layers_to_keep(cost_with, errors, len(quantizer.layers))
        _require_own_graph(file, stored)
        speed = _speed(quantizer, result.kept, probes[0])
        with atomic_write(path) as temporary:
            temporary.write_bytes(file.read_bytes())
    return QuantizedFile(path.stat().st_size, len(chosen), *result, not_in_graph(predictor), speed)


def speed_note(speed: float) -> str:
    """Say whether int8 pays on this processor.

    Args:
        speed: Time of the fp32 network by that of the int8 network.
    """
    name = processor().name or "this processor"
    measured = f"in alternating runs of ONNX Runtime on {name}"
    if speed >= 1.05:
        return f"int8 is {speed:.1f} times as fast as fp32 {measured}"
    slower = "no faster than" if speed > 0.95 else f"{1 / speed:.1f} times as slow as"
    return f"int8 is not recommended on this processor: {slower} fp32 {measured}"


def _opened(file: Path, stored: StoredModel) -> OpenedModel:
    return OpenedModel(read_onnx(file), stored.config, stored.labels, "onnxruntime")


def _require_own_graph(file: Path, stored: StoredModel) -> None:
    """Refuse a file whose sizing and decision give other labels than those of sceneparse."""
    plain = with_graph_settings(stored)
    parity = compare_labels(
        labels_by(_opened(file, plain).predictor()),
        labels_by_graph(file),
        generated_samples(stored.config.channels),
        stored.labels,
    )
    require_parity(parity, "the graph")


def _speed(quantizer: Quantizer, kept: Collection[str], sized: NDArray[np.float32]) -> float:
    """Return the time of the fp32 network by that of the int8 network, the median of rounds."""
    sessions = [session_of(quantizer.network), session_of(quantizer.quantized(kept))]
    seconds: list[list[float]] = [[], []]
    for _ in range(_TIMED_ROUNDS + 1):
        for session, own in zip(sessions, seconds, strict=True):
            start = time.perf_counter()
            run_network(session, sized)
            own.append(time.perf_counter() - start)
    # The first round loads caches.
    fp32, int8 = (statistics.median(own[1:]) for own in seconds)
    return fp32 / int8
