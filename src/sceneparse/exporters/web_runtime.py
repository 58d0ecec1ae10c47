"""ONNX Runtime for browsers: three files of an npm package, from a folder, a cache or npm."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sceneparse.errors import InputError
from sceneparse.system.files import write_whole
from sceneparse.system.user_cache import user_cache_folder

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
# Of the package, as `npm view` prints it.
_INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZ"
    "ClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
_SCRIPT = "dist/ort.wasm.min.js"
_LOADER = "dist/ort-wasm-simd-threaded.mjs"
_BINARY = "dist/ort-wasm-simd-threaded.wasm"
# SHA-256 of its files that a page needs: the smallest build, which computes on the processor.
_FILES = {
    _SCRIPT: "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    _LOADER: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    _BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_MAX_FILE_BYTES = 32 * 2**20
_NPM_TIMEOUT_S = 300
_BY_HAND = (
    f"or run `npm pack {PACKAGE}@{VERSION}` on a machine with npm, unpack the file that it writes "
    "with `tar xf`, and give the folder `package`"
)


@dataclass(frozen=True)
class WebRuntime:
    """The files of ONNX Runtime that a page needs.

    Attributes:
        script: Classic script that defines `ort`.
        loader: JavaScript module that starts the binary.
        binary: WebAssembly.
    """

    script: bytes
    loader: bytes
    binary: bytes


def find_runtime(
    folder: Path | None = None, on_step: Callable[[str], object] = lambda _: None
) -> WebRuntime:
    """Find the runtime: in a folder, else in the user's cache, else with npm, and keep it there.

    Wherever the files come from, their checksums are those of the one version that the pages are
    tested with.

    Args:
        folder: The unpacked npm package; none for cache and npm.
        on_step: Called with what happens next, if it takes time.

    Raises:
        InputError: If the folder is not that version of the package, or if npm is missing or
            cannot get it.
    """
    if folder is not None:
        return _from_folder(folder)
    cache = user_cache_folder() / f"{PACKAGE}-{VERSION}"
    cached = {name: _content(cache / name) for name in _FILES}
    if not _wrong(cached):
        return _runtime(cached)
    on_step(f"getting {PACKAGE} {VERSION} with npm")
    files = _from_npm()
    for name, content in files.items():
        try:
            write_whole(cache / name, content)
        except OSError:
            break  # The next export asks npm again.
    return _runtime(files)


def _from_folder(folder: Path) -> WebRuntime:
    files = {name: _content(folder / name) for name in _FILES}
    wrong = _wrong(files)
    if not wrong:
        return _runtime(files)
    found = _version(folder)
    if found is None:
        problem = f"found no package.json of {PACKAGE}"
    elif found != VERSION:
        problem = f"found version {found} of {PACKAGE}"
    else:
        problem = f"{', '.join(wrong)}: missing or changed"
    raise InputError(
        f"{folder}: {problem}, expected the unpacked npm package {PACKAGE} {VERSION}; give its "
        f"folder, or none to get it with npm; {_BY_HAND}",
        "runtime",
    )


def _version(folder: Path) -> str | None:
    """Return the version of the package in a folder; none if it is another package, or none."""
    try:
        document = json.loads((folder / "package.json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("name") != PACKAGE:
        return None
    return str(document.get("version"))


def _from_npm() -> dict[str, bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(
            f"found no npm, which gets {PACKAGE}, the runtime for browsers; install Node.js, "
            f"{_BY_HAND}",
            "runtime",
        )
    with tempfile.TemporaryDirectory(prefix="sceneparse-npm-") as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--loglevel=error"]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_NPM_TIMEOUT_S,
                check=False,
            )
            first_line = done.stderr.strip().partition("\n")[0]
            said = f"exit status {done.returncode}, {first_line}"
        except subprocess.TimeoutExpired:
            said = f"it did not end within {_NPM_TIMEOUT_S} seconds"
        except OSError as error:
            said = str(error)
        archives = list(Path(folder).glob("*.tgz"))
        if len(archives) != 1:
            raise InputError(
                f"npm could not get {PACKAGE} {VERSION} ({said}); check your connection and try "
                f"again, {_BY_HAND}",
                "runtime",
            )
        return _from_archive(archives[0])


def _from_archive(archive: Path) -> dict[str, bytes]:
    """Check an archive before it is opened, and read the files that are needed, and no others."""
    content = archive.read_bytes()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != _INTEGRITY:
        raise InputError(
            f"npm got a file that is not {PACKAGE} {VERSION}: found sha512-{digest}, expected "
            f"{_INTEGRITY}; check the registry in `npm config get registry`, {_BY_HAND}",
            "runtime",
        )
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = member.name.removeprefix("package/")
                file = members.extractfile(member) if member.isreg() else None
                if name in _FILES and file is not None and member.size <= _MAX_FILE_BYTES:
                    files[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"npm got a damaged archive ({error}); try again") from None
    if wrong := _wrong({name: files.get(name) for name in _FILES}):
        raise InputError(
            f"{PACKAGE} {VERSION} from npm: {', '.join(wrong)}: missing or changed; {_BY_HAND}",
            "runtime",
        )
    return files


def _content(path: Path) -> bytes | None:
    """Read a file; none if it does not exist or is too large to be one of the package."""
    try:
        return path.read_bytes() if path.stat().st_size <= _MAX_FILE_BYTES else None
    except OSError:
        return None


def _wrong(files: Mapping[str, bytes | None]) -> list[str]:
    """List the files that are missing or have another checksum."""
    return [
        name
        for name, content in files.items()
        if content is None or hashlib.sha256(content).hexdigest() != _FILES[name]
    ]


def _runtime(files: Mapping[str, bytes | None]) -> WebRuntime:
    return WebRuntime(files[_SCRIPT] or b"", files[_LOADER] or b"", files[_BINARY] or b"")
