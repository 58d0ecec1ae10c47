"""The runtime for browsers: where it is taken from, and what is refused."""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest

from sceneparse.errors import InputError
from sceneparse.exporters.web_runtime import PACKAGE, VERSION, WebRuntime, find_runtime
from sceneparse.system.user_cache import user_cache_folder
from tests.local_page import require_npm

FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


@pytest.fixture(scope="module")
def runtime() -> WebRuntime:
    """The runtime, by npm; without npm, the test is skipped."""
    require_npm()
    return find_runtime()


@pytest.fixture
def package(runtime: WebRuntime, tmp_path: Path) -> Path:
    """The unpacked package, with the files that are needed."""
    folder = tmp_path / "package"
    (folder / "dist").mkdir(parents=True)
    contents = (runtime.script, runtime.loader, runtime.binary)
    for name, content in zip(FILES, contents, strict=True):
        (folder / "dist" / name).write_bytes(content)
    write_version(folder, VERSION)
    return folder


def write_version(folder: Path, version: str, name: str = PACKAGE) -> None:
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version}))


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose content a command `npm` copies to where it is run; and no cache."""
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "cache"))
    gives, program = tmp_path / "gives", tmp_path / "bin" / "npm"
    gives.mkdir()
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncp {gives}/*.tgz . || exit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return gives


def test_npm_is_asked_once_and_then_the_cache(
    runtime: WebRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    steps: list[str] = []
    assert find_runtime(on_step=steps.append) == runtime
    assert steps == []


def test_a_damaged_cache_is_not_used(runtime: WebRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = user_cache_folder() / f"{PACKAGE}-{VERSION}" / "dist" / FILES[0]
    cached.write_bytes(runtime.script[:-1])
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")
        with pytest.raises(InputError, match="found no npm, which gets onnxruntime-web"):
            find_runtime()
    assert find_runtime() == runtime
    assert cached.read_bytes() == runtime.script


def test_a_folder_with_the_package_is_used(package: Path, runtime: WebRuntime) -> None:
    assert find_runtime(package) == runtime


def test_a_wrong_folder_is_refused_with_what_was_found(package: Path, tmp_path: Path) -> None:
    (package / "dist" / FILES[2]).unlink()
    with (package / "dist" / FILES[0]).open("ab") as file:
        file.write(b"more")
    message = f"dist/{FILES[0]}, dist/{FILES[2]}: missing or changed, expected the unpacked npm"
    with pytest.raises(InputError, match=message):
        find_runtime(package)
    write_version(package, "1.29.0")
    with pytest.raises(InputError, match=f"found version 1.29.0 .* expected .* {VERSION}"):
        find_runtime(package)
    write_version(package, VERSION, "onnxruntime-node")
    for folder in (package, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"found no package\.json of onnxruntime-web"):
            find_runtime(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="the fake npm is a shell script")
def test_an_npm_that_gets_nothing_is_quoted(fake_npm: Path) -> None:
    with pytest.raises(InputError, match=r"could not get .*exit status 3, cp: .*\); check your"):
        find_runtime()


@pytest.mark.skipif(sys.platform == "win32", reason="the fake npm is a shell script")
def test_another_archive_than_the_published_one_is_not_opened(fake_npm: Path) -> None:
    with tarfile.open(fake_npm / "onnxruntime-web.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises(InputError, match="npm got a file that is not onnxruntime-web"):
        find_runtime()
    assert not user_cache_folder().exists()
