"""What a run leaves on disk: its folder, and weights that can be used alone."""

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sceneparse.config.reading import config_yaml, parse_config
from sceneparse.config.run import RunConfig
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.files import labels_from_text

WEIGHTS_FILE = "model.safetensors"


class Weights(NamedTuple):
    """A trained network as stored.

    Attributes:
        tensors: Parameters and buffers by name.
        config: The run that trained it.
        labels: The classes it tells apart.
    """

    tensors: dict[str, Tensor]
    config: RunConfig
    labels: Labels


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, commit, hardware, seed."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """A row per epoch."""
        return self.path / "metrics.csv"

    @property
    def timing(self) -> Path:
        """A row per epoch: what depends on the machine."""
        return self.path / "timing.csv"

    @property
    def labels(self) -> Path:
        """The classes."""
        return self.path / "labels.json"

    @property
    def weights(self) -> Path:
        """The best weights by validation."""
        return self.path / WEIGHTS_FILE

    @property
    def checkpoint(self) -> Path:
        """All that a resumed run needs."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard logs."""
        return self.path / "tensorboard"

    @property
    def history(self) -> Path:
        """The learning curves."""
        return self.path / "training_history.png"

    @property
    def progress(self) -> Path:
        """The predictions over the epochs, as an animation."""
        return self.path / "model_progress.gif"

    def predictions(self, when: str) -> Path:
        """Return the image of predictions at a time: `initial`, `epoch_005`, `final`."""
        return self.path / f"predictions_{when}.png"

    def create(self) -> None:
        """Make the folder.

        Raises:
            InputError: If there is a run or anything else in it, or it cannot be made.
        """
        self.check_free()
        try:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be made ({error.strerror})") from None

    def check_free(self) -> None:
        """Refuse a folder in which a new run would overwrite something.

        Raises:
            InputError: If there is anything in it.
        """
        if self.checkpoint.exists():
            raise InputError(
                f"{self.path}: holds a run already; add --resume to go on with it, or give "
                "another folder with --out"
            )
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path}: is not empty, and no run that could be resumed; remove it, or give "
                "another folder with --out"
            )

    def read_config(self) -> RunConfig:
        """Read the config of a run that was started before.

        Raises:
            InputError: If there is none.
        """
        if not self.config.is_file():
            raise InputError(f"{self.path}: no run to resume here (no config.yaml)")
        return parse_config(self.config.read_text(encoding="utf-8"), str(self.config))

    def write_start(
        self, config: RunConfig, labels: Labels, environment: Mapping[str, Any]
    ) -> None:
        """Write what is known when a run starts."""
        write_text(self.labels, labels.to_json())
        write_text(self.environment, json.dumps(environment, indent=1))
        write_text(self.config, config_yaml(config))


def write_weights(
    path: Path, weights: Weights, *, half: bool = False, max_bytes: int | None = None
) -> int:
    """Write a network so that the one file can be used alone.

    Config and labels go into the header; no code is stored.

    Args:
        path: The file.
        weights: The network.
        half: Store weights in fp16, which rounds them to three digits.
        max_bytes: Of the file; none for any size.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: If it would be too large, or cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.tensors.items()}
    if half:
        tensors = {name: _halved(tensor) for name, tensor in tensors.items()}
    metadata = {
        "format": "sceneparse 1",
        "config": config_yaml(weights.config),
        "labels": weights.labels.to_json(),
    }
    content = save(tensors, metadata)
    if max_bytes is not None and len(content) > max_bytes:
        raise InputError(
            f"{path}: would have {len(content) / 1e6:.2f} MB, more than {max_bytes / 1e6:g} MB; "
            "nothing was written; "
            + (
                "train a smaller network"
                if half
                else "store it in fp16, or train a smaller network"
            )
        )
    with _replaced(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def _halved(tensor: Tensor) -> Tensor:
    """Round weights to fp16, but for those that it cannot hold.

    Of vectors each number has to keep its three digits: running statistics and what multiplies
    them may be of any size, and below 6e-5 fp16 has fewer.
    """
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    is_vector = sum(side > 1 for side in tensor.shape) < 2
    is_kept = (
        torch.allclose(half.to(tensor.dtype), tensor, rtol=2**-10, atol=0)
        if is_vector
        else half.isfinite().all()
    )
    return half if is_kept else tensor


def read_weights(path: Path) -> Weights:
    """Read a network from a weights file; what is stored in fp16 or bf16 is widened to fp32.

    Raises:
        InputError: If the file is broken or was not written by sceneparse.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file, nor a run folder") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a safetensors file, or a broken one ({error})") from None
    if "config" not in metadata or "labels" not in metadata:
        raise InputError(
            f"{path}: holds no sceneparse config and labels; only weights that sceneparse wrote "
            "can be used alone"
        )
    return Weights(
        tensors=tensors,
        config=parse_config(metadata["config"], f"{path} (config)"),
        labels=labels_from_text(metadata["labels"], f"{path} (labels)"),
    )


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write all that a resumed run needs; a crash while writing leaves the old one."""
    with _replaced(path) as temporary:
        torch.save(dict(state), temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; it is data only, code in it is refused.

    Raises:
        InputError: If there is none or it is broken.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start the run anew")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path}: a broken checkpoint ({type(error).__name__})") from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with _replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _replaced(path: Path) -> Generator[Path]:
    """Hand out a temporary file beside `path`, and put it in its place once it is complete.

    Raises:
        InputError: If it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as the latter
        raise InputError(
            f"{path}: cannot be written ({error}); what was there before is untouched; make room, "
            "then go on with --resume"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
