"""Read a Dockerfile, and run its steps in a folder that stands for the root of the image."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

# Top folders of the image that the Dockerfile creates; others belong to the base image.
_OWN = re.compile(r"(?<![\w./])/(?=(?:build|cache|models|opt)\b)")


class Instruction(NamedTuple):
    """An instruction, such as RUN, and what follows it."""

    name: str
    text: str


@dataclass
class Stage:
    """The instructions of a stage.

    Attributes:
        base: Name of the image that it starts from.
        name: Its own name.
        instructions: Its instructions in their order.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list[Instruction])

    def last(self, name: str) -> str:
        """Return the text of the last instruction of a name."""
        return next(each.text for each in reversed(self.instructions) if each.name == name)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that ENV sets."""
        texts = [each.text for each in self.instructions if each.name == "ENV"]
        return dict(pair.split("=", 1) for text in texts for pair in shlex.split(text))


def read_dockerfile(path: Path) -> list[Stage]:
    """Read the stages of a Dockerfile."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, joined.splitlines()):
        name, _, text = line.partition(" ")
        if name == "FROM":
            base, _, own = text.partition(" AS ")
            stages.append(Stage(base, own))
        else:
            stages[-1].instructions.append(Instruction(name, text.strip()))
    return stages


def build_context(root: Path, context: Path) -> None:
    """Copy what .dockerignore lets through; it ignores all and names exceptions."""
    first, *others = (root / ".dockerignore").read_text().splitlines()
    assert first == "*"
    for line in others:
        if not line.startswith("!"):
            continue
        source, target = root / line[1:], context / line[1:]
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


class ImageFolder:
    """A folder that stands for the root of an image.

    Attributes:
        root: The folder. All stages have the same, one after the other, because the scripts of an
            environment name its path.
    """

    def __init__(self, folder: Path, context: Path) -> None:
        self.root = folder / "image"
        self._finished = folder / "stages"
        self._context = context
        # Stands for the Python of the base image.
        subprocess.run([sys.executable, "-m", "venv", folder / "base"], check=True)
        self._base = folder / "base" / "bin"

    def path(self, name: str) -> Path:
        """Return where a path of the image is."""
        return self.root / name.lstrip("/")

    def inside(self, text: str) -> str:
        """Replace paths of the image in a text by where they are."""
        return _OWN.sub(f"{self.root}/", text)

    def build(self, stages: list[Stage]) -> None:
        """Run all stages; the last one stays."""
        for stage in stages:
            self.root.mkdir()
            folder = self.root
            for instruction in stage.instructions:
                if instruction.name == "WORKDIR":
                    folder = self.path(instruction.text)
                    folder.mkdir(parents=True, exist_ok=True)
                elif instruction.name == "COPY":
                    self._copy(shlex.split(instruction.text), folder)
                elif instruction.name == "RUN":
                    self._run(instruction.text, folder)
            if stage is not stages[-1]:
                self._finished.mkdir(exist_ok=True)
                self.root.rename(self._finished / stage.name)

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Return variables of the image, with a PATH that finds the base image's Python last."""
        here = {name: self.inside(value) for name, value in variables.items()}
        path = here.get("PATH", "/usr/bin:/bin").replace("/usr/local/bin", str(self._base))
        return {**here, "PATH": path if str(self._base) in path else f"{self._base}:{path}"}

    def _run(self, command: str, folder: Path) -> None:
        kept = ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "http_proxy", "https_proxy")
        variables = {name: os.environ[name] for name in kept if name in os.environ}
        done = subprocess.run(
            ["sh", "-ec", self.inside(command)],
            cwd=folder,
            env={**self.environment({}), "HOME": str(folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _copy(self, words: list[str], folder: Path) -> None:
        options = dict(word.split("=", 1) for word in words if word.startswith("--"))
        *sources, target = (word for word in words if not word.startswith("--"))
        start = self._finished / options["--from"] if "--from" in options else self._context
        place = self.path(target) if target.startswith("/") else folder / target
        for name in sources:
            source = start / name.lstrip("/")
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)


def words_of(text: str) -> list[str]:
    """Return the words of an instruction in exec form."""
    return json.loads(text[text.index("[") :])
