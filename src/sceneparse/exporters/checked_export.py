"""Write a model to an ONNX file and keep the file only if it passes the parity gate."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from sceneparse.artifacts.onnx_file import read_onnx
from sceneparse.artifacts.weights import StoredModel, stored_tensors
from sceneparse.artifacts.writing import atomic_write
from sceneparse.exporters.onnx_export import encoded_model, not_in_graph, onnx_model
from sceneparse.exporters.parity import Parity, Segment, compare_labels, require_parity
from sceneparse.exporters.samples import ParitySample
from sceneparse.factory.loading import OpenedModel
from sceneparse.factory.torch_loading import predictor_of, segmenter_of
from sceneparse.inference.backends.onnxruntime import CPU, session_options
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.settings import NoRefinement
from sceneparse.labels import Mask
from sceneparse.scenes import draw_scene

# Sides of the images that are generated if none are given.
_ODD_SIZES = ((97, 131), (211, 160), (64, 333), (401, 299), (33, 47), (256, 256))
_SCENE_SEED = 7


class CheckedFile(NamedTuple):
    """An exported file and how it was checked.

    Attributes:
        size: Bytes of the file.
        outside: Parts of the way to labels that the graph does not hold.
        graph: Labels of the graph alone against PyTorch's with the settings that the graph holds.
        predictor: Labels of sceneparse with the file against PyTorch's, with all settings.
        rounding: Labels of the weights as they are stored against those of the model, both by
            PyTorch; none if they are stored as they are.
    """

    size: int
    outside: list[str]
    graph: Parity
    predictor: Parity
    rounding: Parity | None

    def notes(self) -> list[str]:
        """Say how the file was checked, and what it does not contain, one sentence each."""
        notes = [f"the graph: {self.graph}"]
        if self.outside:
            notes.append(
                f"not in the graph, but computed around it by sceneparse: "
                f"{', '.join(self.outside)}; with them, {self.predictor}"
            )
        if self.rounding is not None:
            notes.append(f"weights in fp16 instead of fp32: {self.rounding}")
        return notes


def export_checked(
    stored: StoredModel,
    path: Path,
    *,
    precision: Literal["fp32", "fp16"],
    license_text: str,
    samples: Iterable[ParitySample] | None = None,
    max_bytes: int | None = None,
    on_step: Callable[[str], object] = lambda _: None,
) -> CheckedFile:
    """Export a model to ONNX, compare it with PyTorch, and write the file if they agree.

    Args:
        stored: The model.
        path: The file to write.
        precision: How weights are stored; both are computed in fp32.
        license_text: Terms of the weights.
        samples: Images to compare on, iterated several times; none for generated scenes in odd
            sizes.
        max_bytes: Maximum size of the file.
        on_step: Called with what happens next.

    Raises:
        InputError: If the labels differ too much, the file would be too large or cannot be written;
            then no file is left behind.
    """
    half = precision == "fp16"
    tensors = stored_tensors(stored.tensors, half=half)
    rounded = stored._replace(tensors={name: value.float() for name, value in tensors.items()})
    reference = on_cpu(rounded)
    on_step("translating the network")
    model = onnx_model(
        segmenter_of(rounded),
        stored.config,
        reference,
        {name: value.numpy() for name, value in tensors.items()},
        license_text,
        precision,
    )
    content = encoded_model(model, path, max_bytes)
    images = generated_samples(stored.config.channels) if samples is None else samples
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
        on_step("comparing labels with those of PyTorch")
        labels = stored.labels
        plain = labels_by(on_cpu(with_graph_settings(rounded)))
        graph = compare_labels(plain, labels_by_graph(temporary), images, labels)
        require_parity(graph, "the graph")
        contents = read_onnx(temporary)
        opened = OpenedModel(contents, contents.config, contents.labels, "onnxruntime")
        with_all = compare_labels(
            labels_by(reference), labels_by(opened.predictor()), images, labels
        )
        require_parity(with_all, str(reference))
    rounding = None
    if half:
        rounding = compare_labels(labels_by(on_cpu(stored)), labels_by(reference), images, labels)
    return CheckedFile(len(content), not_in_graph(reference), graph, with_all, rounding)


def on_cpu(stored: StoredModel) -> Predictor:
    """Build the predictor that others are compared with: PyTorch, fp32."""
    return predictor_of(stored, torch.device("cpu"), "fp32")


def with_graph_settings(stored: StoredModel) -> StoredModel:
    """Remove windows, views and refinement, which the graph does not hold."""
    settings = stored.config.inference
    kind = "keep_ratio" if settings.resize == "window" else settings.resize
    plain = replace(settings, resize=kind, scales=(1.0,), flip=False, refine=NoRefinement())
    return stored._replace(config=replace(stored.config, inference=plain))


def labels_by(predictor: Predictor) -> Segment:
    """Compute labels as `predictor` does."""
    return lambda image: predictor.segment(image).mask


def labels_by_graph(path: Path) -> Segment:
    """Compute labels as a program does that has nothing but the file."""
    session = onnxruntime.InferenceSession(path, session_options(), providers=[CPU])

    def labels(image: NDArray[np.uint8]) -> Mask:
        (found,) = session.run(["labels"], {"images": image[None]})
        return np.asarray(found)[0]

    return labels


def generated_samples(channels: int) -> list[ParitySample]:
    """Draw scenes in odd sizes; other channels than RGB repeat its three."""
    samples: list[ParitySample] = []
    for index, (height, width) in enumerate(_ODD_SIZES):
        image, _ = draw_scene(_SCENE_SEED, index, height, width)
        bands = np.ascontiguousarray(np.take(image, np.arange(channels) % 3, axis=2))
        samples.append(ParitySample(f"generated scene {index}", bands))
    return samples
