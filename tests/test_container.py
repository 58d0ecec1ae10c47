"""The steps of the Dockerfile work, as far as they can be run without a container engine."""

import re
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from sceneparse.scenes import draw_scene
from sceneparse.tasks.export import export
from tests.dockerfile import ImageFolder, Stage, build_context, read_dockerfile, words_of
from tests.fake_hub import FakeHub, Repository

ROOT = Path(__file__).parents[1]
STAGES = read_dockerfile(ROOT / "Dockerfile")


def test_the_image_is_slim_and_runs_as_an_ordinary_user() -> None:
    build, final = STAGES
    assert (build.base, final.base) == ("python:3.12-slim", "python:3.12-slim")
    user, group = map(int, final.last("USER").split(":"))
    assert min(user, group) >= 10000
    assert not any(each.name == "RUN" for each in final.instructions)  # no tools to build with
    assert final.last("EXPOSE") == "8000"
    assert words_of(final.last("ENTRYPOINT")) == ["sceneparse", "serve", "--host", "0.0.0.0"]  # noqa: S104
    assert "/healthz" in final.last("HEALTHCHECK")


def test_what_is_copied_passes_the_ignore_list() -> None:
    passed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    texts = [each.text for each in STAGES[0].instructions if each.name == "COPY"]
    copied = {f"!{name}" for text in texts for name in text.split()[:-1]}
    assert copied == {text for text in passed if text.startswith("!")}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    """The image as a folder."""
    folder = tmp_path_factory.mktemp("container")
    (folder / "context").mkdir()
    build_context(ROOT, folder / "context")
    image = ImageFolder(folder, folder / "context")
    image.build(STAGES)
    return image


@pytest.mark.install
@pytest.mark.timeout(900)
def test_the_image_holds_the_runtime_alone(image: ImageFolder) -> None:
    (packages,) = image.path("/opt/sceneparse/lib").glob("python*/site-packages")
    names = {path.name.partition("-")[0] for path in packages.glob("*.dist-info")}
    assert {"sceneparse", "onnxruntime", "fastapi", "uvicorn", "huggingface_hub"} <= names
    assert not names & {"torch", "pip", "setuptools", "hatchling", "opencv_python_headless"}
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    assert size < 350e6


@pytest.mark.install
@pytest.mark.timeout(900)
def test_the_entry_point_serves_and_is_healthy(image: ImageFolder) -> None:
    final = STAGES[-1]
    before = _contents(image)
    with _started(image, final, "--port", "0") as output:
        port = _port(output)
        check = words_of(final.last("HEALTHCHECK"))
        healthy = _command(image, final, [word.replace(":8000", f":{port}") for word in check])
        assert healthy.returncode == 0, healthy.stderr
    # A root that is read-only would do, with /cache and /tmp beside it.
    assert _contents(image) == before


@pytest.mark.install
@pytest.mark.timeout(900)
def test_the_image_predicts_too(image: ImageFolder, tmp_path: Path) -> None:
    Image.fromarray(draw_scene(0, 0, 96, 128)[0]).save(tmp_path / "image.png")
    words = ["sceneparse", "predict", str(tmp_path / "image.png"), "--out", str(tmp_path / "out")]
    done = _command(image, STAGES[-1], words)
    assert done.returncode == 0, done.stderr
    assert "ONNX Runtime" in done.stdout
    assert (tmp_path / "out" / "image.png").is_file()


@pytest.mark.install
@pytest.mark.timeout(900)
def test_the_image_keeps_models_of_the_hub_in_its_cache(
    image: ImageFolder, hub: FakeHub, tmp_path: Path
) -> None:
    graph = export("bundled", out=tmp_path / "model.onnx", precision="fp16").path
    hub.repositories["me/rooms"] = Repository()
    hub.repositories["me/rooms"].commit({"model.onnx": graph.read_bytes()})
    Image.fromarray(draw_scene(0, 0, 96, 128)[0]).save(tmp_path / "image.png")
    words = ["sceneparse", "predict", str(tmp_path / "image.png"), "--model", "hf://me/rooms"]
    for out in ("once", "again"):
        done = _command(
            image, STAGES[-1], [*words, "--out", str(tmp_path / out)], HF_ENDPOINT=hub.url
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert ("downloading hf://me/rooms/model.onnx" in done.stdout) == (out == "once")
    assert list(image.path("/cache").rglob("model.onnx"))


def _contents(image: ImageFolder) -> dict[str, int]:
    """Return the files of the image, except those in /cache, with the time of their change."""
    files = (path for path in image.root.rglob("*") if path.is_file())
    return {
        str(path): path.stat().st_mtime_ns
        for path in files
        if not path.is_relative_to(image.path("/cache"))
    }


def _command(
    image: ImageFolder, stage: Stage, words: list[str], **variables: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        cwd=image.path(stage.last("WORKDIR")),
        env={**image.environment(stage.variables), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def _started(image: ImageFolder, stage: Stage, *options: str) -> Generator[Iterator[str]]:
    """Start the entry point, give the lines of its output, and stop it."""
    words = [*words_of(stage.last("ENTRYPOINT")), *options]
    process = subprocess.Popen(
        words,
        cwd=image.path(stage.last("WORKDIR")),
        env=image.environment(stage.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _port(output: Iterator[str]) -> int:
    """Return the port in the line that says where the server listens."""
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if found := re.search(r"http://[^ :]+:(\d+)", line):
            return int(found[1])
    raise AssertionError("".join(lines))
