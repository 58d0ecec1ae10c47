"""Reading the JSON, XML and text files of annotation formats, which may hold anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar
from xml.parsers import expat

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sceneparse.errors import InputError

# The largest annotation file of COCO 2017 has 0.45 GB; parsed, it takes several times as much.
MAX_BYTES = 2**30
# Bytes at each end of a file that are searched for its keys.
_SNIFFED = 2**20
# Elements of an XML file that lie in each other.
_MAX_DEPTH = 64
Document = TypeVar("Document")


class JsonObject(BaseModel):
    """An object of a JSON file; what a reader does not need is not declared, and is ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


def read_json(path: Path, adapter: TypeAdapter[Document], title: str) -> Document:
    """Read a JSON file, and check what it holds.

    Args:
        path: The file.
        adapter: Its expected content.
        title: Name of the format, for messages.

    Raises:
        InputError: If it cannot be read, is too large, or holds something else.
    """
    try:
        return adapter.validate_json(read_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        at = f" at `{where}`" if where else ""
        raise InputError(
            f"{path}: not {title}: {first['msg']}{at}; export the annotations again"
        ) from None


class XmlReader(Protocol):
    """What takes the elements of an XML file, one after another."""

    def start(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """Take the start of an element.

        Args:
            path: Its name, after the names of the elements that it lies in.
            attributes: Its attributes.

        Raises:
            InputError: If it is not what the format has there; without the name of the file.
        """
        ...

    def end(self, path: Sequence[str], text: str) -> None:
        """Take the end of an element, and the text after the last element in it.

        Raises:
            InputError: If it is not what the format has there; without the name of the file.
        """
        ...


def read_xml(path: Path, reader: XmlReader, title: str) -> None:
    """Read an XML file in UTF-8, without holding more than its bytes.

    Declarations of a document type are refused: they can make a small file of any size, or name
    other files.

    Args:
        path: The file.
        reader: Takes the elements.
        title: Name of the format, for messages.

    Raises:
        InputError: If it cannot be read, is too large, or holds something else.
    """
    content = read_bytes(path)
    open_elements: list[str] = []
    texts: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) == _MAX_DEPTH:
            raise InputError(f"more than {_MAX_DEPTH} elements in each other")
        open_elements.append(name)
        texts.clear()
        reader.start(open_elements, attributes)

    def end(_name: str) -> None:
        reader.end(open_elements, "".join(texts))
        open_elements.pop()
        texts.clear()

    def refuse(*_declaration: object) -> None:
        raise InputError("declares a document type, which is not read; delete the declaration")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except InputError as error:
        raise InputError(f"{path}: line {parser.CurrentLineNumber}: {error}") from None
    except expat.ExpatError as error:
        raise InputError(f"{path}: not {title}: {error}; export the annotations again") from None


def starts_with_keys(path: Path, keys: Sequence[str], *, in_list: bool = False) -> bool:
    """Tell whether a JSON file is an object with these keys, by its first and last part alone.

    Args:
        path: The file.
        keys: The keys.
        in_list: Whether it must be a list of such objects instead.
    """
    try:
        with path.open("rb") as file:
            first = file.read(_SNIFFED)
            opening = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
            if opening != (b"[" if in_list else b"{"):
                return False
            file.seek(max(0, path.stat().st_size - _SNIFFED))
            text = first + file.read(_SNIFFED)
    except OSError:
        return False
    found = {key for key in keys if f'"{key}"'.encode() in text}
    # In a large file, a key may lie between the two parts.
    return len(found) >= (len(keys) if len(text) < 2 * _SNIFFED else 1)


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file in UTF-8.

    Raises:
        InputError: If it cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_bytes(path, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error}); store it as UTF-8") from None


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file of annotations.

    Raises:
        InputError: If it cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise InputError(
                f"{path}: {size / 1e6:,.1f} MB, expected at most {max_bytes / 1e6:,.1f} MB; check "
                "what it holds, or divide the data set into several"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
