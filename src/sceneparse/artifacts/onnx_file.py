"""ONNX files that sceneparse exported: their config, labels and strides, read without a runtime."""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, cast, get_args

from sceneparse.artifacts.external_data import check_external_data
from sceneparse.artifacts.protobuf import fields
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text

ONNX_SUFFIX = ".onnx"
# How a file stores weights: those in fp16 are computed in fp32, those in int8 in integers.
StoredPrecision: TypeAlias = Literal["fp32", "fp16", "int8"]
# Change this text when the contents change so that an older version could misread them.
FORMAT = "sceneparse onnx 1"
# Field of `ModelProto` with the metadata, in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
_METADATA_FIELD = 14
_MAX_METADATA_BYTES = 2**24


class OnnxModel(NamedTuple):
    """The contents of an ONNX file, without its graph.

    Attributes:
        path: The file.
        config: Config of the run that trained the network.
        labels: The classes that the network predicts.
        input_stride: Sizes that are multiples of it need no padding.
        output_stride: Pixels of the network's input per row or column of the logits.
        precision: How the weights are stored.
    """

    path: Path
    config: RunConfig
    labels: Labels
    input_stride: int
    output_stride: int
    precision: StoredPrecision = "fp32"


def read_onnx(path: Path) -> OnnxModel:
    """Read what an ONNX file says about itself.

    Raises:
        InputError: If the file does not exist, is broken, was not exported by sceneparse, or takes
            weights from elsewhere than its folder.
    """
    metadata = read_metadata(path)
    if "format" not in metadata:
        raise InputError(
            f"{path}: found nothing that sceneparse wrote into ONNX files; give a file that "
            "`sceneparse export` wrote"
        )
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: found an ONNX file of format `{metadata.get('format')}`, expected "
            f"`{FORMAT}`; give one that this version of sceneparse exported"
        )
    check_external_data(path)
    try:
        strides = json.loads(metadata["strides"])
        input_stride, output_stride = int(strides["input"]), int(strides["output"])
        config, labels = metadata["config"], metadata["labels"]
        # The first files did not say it.
        precision = cast("StoredPrecision", metadata.get("precision", "fp32"))
        if precision not in get_args(StoredPrecision):
            raise ValueError(precision)
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{path}: its metadata are damaged; export the model again") from None
    return OnnxModel(
        path=path,
        config=parse_config(config, f"{path} (config)"),
        labels=labels_from_text(labels, f"{path} (labels)"),
        input_stride=input_stride,
        output_stride=output_stride,
        precision=precision,
    )


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file, which skips its graph.

    Raises:
        InputError: If the file does not exist, or is no ONNX file.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            entries = [
                {number: text.decode() for number, text in _contents(BytesIO(entry), len(entry))}
                for _, entry in _contents(file, size, only=_METADATA_FIELD)
            ]
    except FileNotFoundError:
        raise InputError(f"{path}: no such ONNX file; give an existing one") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not an ONNX file, or broken ({error}); export the model again"
        ) from None
    return {entry.get(1, ""): entry.get(2, "") for entry in entries}


def _contents(file: BinaryIO, size: int, only: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the fields of a message, or of those of one number."""
    budget = _MAX_METADATA_BYTES
    for number, length in fields(file, size):
        if only not in (None, number):
            file.seek(length, os.SEEK_CUR)
            continue
        budget -= length
        if budget < 0:
            raise ValueError("its metadata are too large")
        yield number, file.read(length)
