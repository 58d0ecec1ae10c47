"""Advice in place of a traceback when memory runs out."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sceneparse.errors import InputError

TRAINING = (
    "start another run with a larger training.accumulation, or a smaller training.batch_size, "
    "transform.size or model"
)
PREDICTION = (
    "give a smaller inference.size or inference.batch_size, fewer inference.scales, or "
    "inference.resize=window"
)
_OF_ALLOCATORS = ("allocate memory", "bad_alloc", "bad allocation")


@contextmanager
def advice_on_memory(advice: str = TRAINING) -> Generator[None]:
    """Turn a failed allocation inside the `with` into a message that says what helps.

    Raises:
        InputError: If memory ran out.
    """
    try:
        yield
    except MemoryError as error:
        raise InputError(f"out of memory ({_first_line(error)}); {advice}") from error
    except RuntimeError as error:
        # PyTorch's error is known by its name, because torch need not be installed; the allocators
        # of the CPU, PyTorch's and ONNX Runtime's, raise nothing more specific.
        is_known = type(error).__name__ == "OutOfMemoryError"
        if not is_known and not any(text in str(error) for text in _OF_ALLOCATORS):
            raise
        raise InputError(f"out of memory ({_first_line(error)}); {advice}") from error


def cannot_compute(path: Path, runtime: str, error: Exception) -> str:
    """Return the message for a model that a runtime failed to compute.

    Args:
        path: The file of the model.
        runtime: Name of the runtime.
        error: What it raised.
    """
    fix = PREDICTION if "alloc" in str(error) else "export the model again"
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return f"{path}: {runtime} cannot compute it ({lines[-1][:200]}); {fix}"


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:120]
