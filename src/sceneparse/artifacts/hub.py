"""Models on the Hugging Face Hub: addresses such as `hf://owner/name`, and their files here."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sceneparse.artifacts.hub_client import hub_api, hub_errors, is_unreachable
from sceneparse.artifacts.onnx_file import ONNX_SUFFIX
from sceneparse.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

HUB_PREFIX = "hf://"
GRAPH_FILE = f"model{ONNX_SUFFIX}"
# No file with code, such as a pickle, is ever fetched.
_SUFFIXES = (".safetensors", ONNX_SUFFIX)
# The largest networks of timm have 2 GB in fp32.
MAX_BYTES = 4 * 2**30
_TIMEOUT_S = 10
_MAIN = "main"
# A `Path` drops the second slash.
_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>refs/pr/\d+|[^/]+))?(?:/(?P<file>.+))?"
)
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubAddress:
    """Address of a model on the Hub: `hf://owner/name[@revision][/file]`.

    Attributes:
        repo: Owner and name of the repository.
        revision: Branch, tag or commit.
        file: Path of the file in the repository; none for the one that suits the runtime.
    """

    repo: str
    revision: str = _MAIN
    file: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether it names one file of one commit, which never changes."""
        return self.file is not None and _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        """Write the address."""
        revision = "" if self.revision == _MAIN else f"@{quote(self.revision, safe='')}"
        return f"{HUB_PREFIX}{self.repo}{revision}" + (f"/{self.file}" if self.file else "")


def is_hub_address(model: str | Path) -> bool:
    """Return whether a model is given as an address on the Hub."""
    return str(model).startswith("hf:/")


def hub_address(model: str | Path) -> HubAddress:
    """Read an address.

    Raises:
        InputError: If it is malformed, or names a file of another kind.
    """
    found = _ADDRESS.fullmatch(str(model).rstrip("/"))
    if found is None:
        raise InputError(
            f"{model}: not an address of a model, expected hf://owner/name, with @revision and "
            "/file if you like; correct it"
        )
    file = found["file"]
    if file is not None and (
        PurePosixPath(file).suffix not in _SUFFIXES or ".." in PurePosixPath(file).parts
    ):
        raise InputError(
            f"{model}: found the file {file}, expected one ending in {' or '.join(_SUFFIXES)}; "
            "other files may hold code, and are never downloaded"
        )
    return HubAddress(found["repo"], unquote(found["revision"] or _MAIN), file)


def pin(
    address: HubAddress,
    names: Sequence[str],
    on_step: Callable[[str], object] = lambda _: None,
) -> HubAddress:
    """Download a file, unless it is in the cache, and return its address with its commit.

    Without a connection, the newest one in the cache is taken.

    Args:
        address: Address of a model.
        names: Files that would do, the best first; an address with a file overrides them.
        on_step: Called with what is done.

    Raises:
        InputError: If there is no such file, it cannot be fetched, or it is too large.
    """
    names = names if address.file is None else (address.file,)
    if address.is_pinned and _cached(address, names) is not None:
        return address
    with hub_errors(str(address)):
        api = hub_api()
        try:
            info = api.model_info(
                address.repo, revision=address.revision, files_metadata=True, timeout=_TIMEOUT_S
            )
        except Exception as error:
            cached = _cached(address, names)
            if not is_unreachable(error) or cached is None:
                raise
            return cached
        chosen = replace(address, file=_choose(address, info, names))
        path = _download(api, chosen, info, on_step)
    return replace(chosen, revision=_commit_of(path))


def local_file(address: HubAddress) -> Path:
    """Return the path of a pinned file in the cache; fetch it if it is not there.

    Raises:
        InputError: If it cannot be fetched.
    """
    pinned = pin(address, ())
    path = _cached_path(pinned.repo, str(pinned.file), pinned.revision)
    if path is None:
        raise InputError(f"{pinned}: disappeared from the cache; try again")
    return path


def _choose(address: HubAddress, info: "ModelInfo", names: Sequence[str]) -> str:
    sizes = _sizes(info)
    for name in names:
        if name in sizes:
            return name
    usable = sorted(name for name in sizes if PurePosixPath(name).suffix in _SUFFIXES)
    if not usable:
        found, fix = "no safetensors or ONNX file", "choose another repository"
    elif address.file is not None:
        found, fix = f"only {', '.join(usable[:8])}", "name one of these"
    else:
        found = f"only {', '.join(usable[:8])}"
        fix = "install a runtime that reads one of these, or name a file after a slash"
    raise InputError(f"{address}: found {found}, expected {' or '.join(names)}; {fix}")


def _sizes(info: "ModelInfo") -> dict[str, int | None]:
    return {file.rfilename: file.size for file in info.siblings or ()}


def _download(
    api: "HfApi", address: HubAddress, info: "ModelInfo", on_step: Callable[[str], object]
) -> Path:
    file = str(address.file)
    size = _sizes(info)[file]
    if size is None or size > MAX_BYTES:
        found = "an unknown size" if size is None else f"{size / 1e9:.1f} GB"
        raise InputError(
            f"{address}: found a file of {found}, expected at most {MAX_BYTES / 1e9:.1f} GB; "
            "nothing was downloaded; choose another model"
        )
    if _cached_path(address.repo, file, str(info.sha)) is None:
        on_step(f"downloading {address}: {size / 1e6:.2f} MB")
    path = Path(api.hf_hub_download(address.repo, file, revision=address.revision))
    if _commit_of(path) != info.sha:
        raise InputError(f"{address}: has changed while it was downloaded; try again")
    found_size = path.stat().st_size
    if found_size != size:
        # The cache links to the file; without the link alone, it would be linked again.
        raise InputError(
            f"{path.resolve()}: damaged, found {found_size:,} bytes, expected {size:,}; delete it "
            "and try again"
        )
    return path


def _cached(address: HubAddress, names: Sequence[str]) -> HubAddress | None:
    """Return the pinned address of the first file that the cache holds."""
    for name in names:
        path = _cached_path(address.repo, name, address.revision)
        if path is not None:
            return replace(address, file=name, revision=_commit_of(path))
    return None


def _cached_path(repo: str, file: str, revision: str) -> Path | None:
    hub_api()
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _commit_of(path: Path) -> str:
    """Return the commit in a path of the cache, `.../snapshots/COMMIT/FILE`."""
    # The last one, because a folder above the cache may have the name too.
    parts = path.parts
    return parts[len(parts) - parts[::-1].index("snapshots")]
