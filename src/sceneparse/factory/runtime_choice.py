"""Choose what computes a model: the fastest runtime that is installed and can read it."""

import ctypes
import platform
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from sceneparse.artifacts.hub import GRAPH_FILE, hub_address, is_hub_address, pin
from sceneparse.artifacts.run_folder import WEIGHTS_FILE
from sceneparse.errors import InputError
from sceneparse.factory.model_files import bundled_graph, is_onnx
from sceneparse.system.processor import processor

Runtime: TypeAlias = Literal["torch", "onnxruntime", "openvino"]
RequestedPrecision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16", "int8"]

_INSTALL: dict[Runtime, str] = {
    "torch": 'PyTorch (`pip install "sceneparse[train]"`)',
    "onnxruntime": 'ONNX Runtime (`pip install "sceneparse[runtime]"`)',
    "openvino": 'OpenVINO (`pip install "sceneparse[openvino]"`)',
}


def choose_runtime(
    model: str | Path, device: str, runtime: str
) -> tuple[Runtime, RequestedPrecision]:
    """Choose what computes a network: the fastest of what is installed and can read the model.

    Run folders and weights files need PyTorch; ONNX files need ONNX Runtime or OpenVINO. The
    bundled model has both forms: PyTorch computes it on a GPU, and on a CPU if the others are
    missing, since they start and compute faster there (`docs/deploy.md`). OpenVINO is preferred
    where it computes in bf16, which ONNX Runtime does not.

    Args:
        model: As for `load`.
        device: As for `load`.
        runtime: As for `load`.

    Raises:
        InputError: If the runtime that was asked for cannot read the model, or none is installed.
    """
    usable, precision = _usable_runtimes(model, device, runtime)
    return usable[0], precision


def pinned_model(
    model: str | Path,
    device: str = "auto",
    runtime: str = "auto",
    on_step: Callable[[str], object] = lambda _: None,
) -> str | Path:
    """Return the address of a model on the Hub with file and commit; any other model unchanged.

    The file is the one that the chosen runtime reads, if the repository has it, and is fetched.

    Args:
        model: As for `load`.
        device: As for `load`.
        runtime: As for `load`.
        on_step: Called with what is done.

    Raises:
        InputError: If the file cannot be fetched, or no runtime can read it.
    """
    if not is_hub_address(model):
        return model
    usable, _ = _usable_runtimes(model, device, runtime)
    names = [WEIGHTS_FILE if each == "torch" else GRAPH_FILE for each in usable]
    return str(pin(hub_address(model), list(dict.fromkeys(names)), on_step))


def _usable_runtimes(
    model: str | Path, device: str, runtime: str
) -> tuple[Sequence[Runtime], RequestedPrecision]:
    """Return the installed runtimes that can compute a model, at least one, the best first."""
    wanted, precision = _parsed(runtime)
    suitable = _suitable_runtimes(model, device, precision)
    if wanted not in (None, *suitable):
        raise InputError(
            f"{model}: {runtime} cannot compute it, expected {' or '.join(suitable)}; choose "
            "another runtime, or export the model to ONNX",
            "runtime",
        )
    candidates: list[Runtime] = suitable if wanted is None else [wanted]
    usable: list[Runtime] = [
        candidate for candidate in candidates if find_spec(candidate) is not None
    ]
    if usable:
        return usable, precision
    fix = ""
    if not is_onnx(model) and model != "bundled":
        fix = "; or export the model to ONNX where PyTorch is installed"
    raise InputError(
        f"{model}: reading it needs {' or '.join(_INSTALL[each] for each in candidates)}{fix}"
    )


def _parsed(runtime: str) -> tuple[Runtime | None, RequestedPrecision]:
    """Divide a runtime into its name, none for `auto`, and a precision."""
    name, _, precision = runtime.partition(":")
    names = ("auto", *get_args(Runtime))
    if name not in names or (precision or "auto") not in get_args(RequestedPrecision):
        raise InputError(
            f"runtime {runtime}: unknown; expected one of {', '.join(names)}, with a precision if "
            "you want to set it, as in torch:fp32 or openvino:bf16",
            "runtime",
        )
    chosen = None if name == "auto" else cast("Runtime", name)
    return chosen, cast("RequestedPrecision", precision or "auto")


def _suitable_runtimes(
    model: str | Path, device: str, precision: RequestedPrecision
) -> list[Runtime]:
    """Return the runtimes that can compute a model in a precision, the fastest first."""
    suitable: list[Runtime] = []
    # A repository may hold both forms.
    is_open = is_hub_address(model) and hub_address(model).file is None
    if is_onnx(model) or is_open or (model == "bundled" and bundled_graph().is_file()):
        suitable = ["onnxruntime", "openvino"]
        if precision not in ("fp32", "int8") and processor().has_bf16:
            suitable.reverse()
        if precision in ("bf16", "fp16"):
            suitable.remove("onnxruntime")
    if not is_onnx(model):
        on_gpu = device not in ("auto", "cpu") or (device == "auto" and _has_gpu())
        suitable.insert(0 if on_gpu else len(suitable), "torch")
    return suitable


def _has_gpu() -> bool:
    """Return whether PyTorch may find a GPU, without importing it."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1")
    except OSError:
        return False
    return True
