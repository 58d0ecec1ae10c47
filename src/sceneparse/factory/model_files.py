"""The files of models: run folders, weights files, ONNX files, and the bundled model."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sceneparse.artifacts.hub import hub_address, is_hub_address, local_file, pin
from sceneparse.artifacts.onnx_file import ONNX_SUFFIX
from sceneparse.artifacts.run_folder import WEIGHTS_FILE
from sceneparse.errors import InputError
from sceneparse.system.paths import expand_user

# The bundled model; its model card is in the same folder.
BUNDLED = resources.files("sceneparse") / "assets" / WEIGHTS_FILE


def bundled_graph() -> Path:
    """Return the bundled model as an ONNX graph, which reads its weights from the weights file."""
    return Path(str(BUNDLED)).with_suffix(ONNX_SUFFIX)


def is_onnx(model: str | Path) -> bool:
    """Return whether a model is given as an ONNX file."""
    return Path(model).suffix.lower() == ONNX_SUFFIX


def graph_file(model: str | Path) -> Path:
    """Return the path of an ONNX file, of one on the Hub, or of that of the bundled model.

    Raises:
        InputError: If it cannot be fetched from the Hub.
    """
    if model == "bundled":
        return bundled_graph()
    return local_file(hub_address(model)) if is_hub_address(model) else expand_user(model)


def model_digest(model: str | Path) -> str:
    """Return a digest of the file of a model: 16 hexadecimal digits of SHA-256.

    Raises:
        InputError: If there is no such file.
    """
    with weights_file(model) as path:
        if not path.is_file():
            raise InputError(f"{path}: no such model; give an existing one")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@contextmanager
def weights_file(model: str | Path) -> Generator[Path]:
    """Give the weights file of a run folder, a file itself, or that of the bundled model.

    A file on the Hub is fetched.

    Raises:
        InputError: If there is no bundled model, no weights in the folder, or the file cannot be
            fetched.
    """
    if is_hub_address(model):
        yield local_file(pin(hub_address(model), (WEIGHTS_FILE,)))
        return
    if model == "bundled":
        if not BUNDLED.is_file():
            raise InputError(
                "this installation has no bundled model; give a run folder or a weights file"
            )
        with resources.as_file(BUNDLED) as bundled:
            yield bundled
        return
    path = expand_user(model)
    if path.is_dir():
        path = path / WEIGHTS_FILE
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; a run writes it after its first validation: choose another "
                "folder, or train further"
            )
    yield path
