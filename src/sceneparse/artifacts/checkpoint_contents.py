"""What a checkpoint may hold, checked before PyTorch takes memory for it."""

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from torch import Tensor

# All that `torch.save` writes for tensors, numbers and text: none of these functions takes memory
# beyond that of a storage in the file.
_KNOWN = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        *(
            f"torch {name}Storage"
            for name in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char")
        ),
        *("torch ByteStorage", "torch BoolStorage"),
    }
)
# Ways of pickle to call something else than a known function, or to name it.
_REFUSED = frozenset({"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"})


def check_archive(payload: bytes | memoryview) -> None:
    """Check that a file of `torch.save` holds data only, and no more than it has bytes.

    Args:
        payload: The file.

    Raises:
        ValueError: If it does not.
        zipfile.BadZipFile: If it is no such file.
    """
    with zipfile.ZipFile(BytesIO(payload)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("a compressed member")
        if sum(member.file_size for member in members) > len(payload):
            raise ValueError("members that are larger than the file")
        for member in members:
            if member.filename.endswith(".pkl"):
                _check_pickle(archive.read(member))


def check_tensors(document: Any, max_bytes: int) -> None:
    """Check that no tensor of a document repeats its memory to a larger size.

    Args:
        document: Nested dictionaries and lists.
        max_bytes: Largest size of a tensor.

    Raises:
        ValueError: If one is larger.
    """
    for tensor in _tensors(document):
        if tensor.nbytes > max_bytes:
            raise ValueError(f"a tensor of {tensor.nbytes:,} bytes in a smaller file")


def _check_pickle(content: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(content):
        is_call = opcode.name in _REFUSED or opcode.name.startswith("EXT")
        if opcode.name == "GLOBAL":
            is_call = argument not in _KNOWN
        if is_call:
            raise ValueError(f"{opcode.name} {argument!s:.60} instead of data")


def _tensors(document: Any) -> Iterator[Tensor]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
