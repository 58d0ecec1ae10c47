"""What to do when the memory is full."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from sceneparse.errors import InputError

TRAINING = (
    "start another run with a larger training.accumulation, or a smaller training.batch_size, "
    "transform.size or model"
)
PREDICTION = (
    "give a smaller inference.size or inference.batch_size, fewer inference.scales, or "
    "inference.resize=window"
)


@contextmanager
def advice_on_memory(advice: str = TRAINING) -> Generator[None]:
    """Turn a failed allocation inside the `with` into a message that says what helps.

    Raises:
        InputError: If memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(f"out of memory ({_first_line(error)}); {advice}") from error
    except RuntimeError as error:
        # The allocator of the CPU raises nothing more specific.
        if "allocate memory" not in str(error):
            raise
        raise InputError(f"out of memory ({_first_line(error)}); {advice}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:120]
