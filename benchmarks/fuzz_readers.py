"""Break annotated folders in every format at random, and read them: only `InputError` may come out.

python benchmarks/fuzz_readers.py [--minutes 10] [--seed 0] [--formats coco,yolo]

Each round writes or copies a small folder, changes bytes, JSON values, names or files in it, and
reads all splits and masks. Anything but success or the package's own error is printed with the seed
that repeats it. Address space is limited, so that memory taken by a lie in a file is an error too.
"""

import argparse
import json
import random
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.own_folder import labels_yaml
from sceneparse.data.formats.registry import FORMATS
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.tasks.check import check
from sceneparse.tasks.convert import convert

LABELS = Labels(("background", "a", "b"), ((0, 0, 0), (200, 9, 9), (9, 9, 200)), (0, 1, 2))
STRANGE: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**63, 1e308, -1e308, 0.5, "", "..", "/etc/passwd", "\u0000"),
    *("a" * 5000, [], {}, [[]], [[[]]], "1e999", [1, 2, 3], {"a": 1}, "NaN", "🙂", "9" * 400),
]
GIGABYTES = 6


def write_own(root: Path) -> None:
    """Write a folder with three small images in each of two splits."""
    rng = np.random.default_rng(0)
    for split in ("training", "validation"):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(3):
            mask = rng.integers(0, 3, (4, 5), np.uint8).repeat(4, 0).repeat(4, 1)
            image = rng.integers(0, 255, (16, 20, 3), np.uint8)
            Image.fromarray(image).save(root / "images" / split / f"im{index}.png")
            Image.fromarray(mask).save(root / "masks" / split / f"im{index}.png")
    (root / "labels.yaml").write_text(labels_yaml(LABELS))


def damage(root: Path, random_: random.Random) -> None:
    """Change one to three things in a folder."""
    for _ in range(random_.randint(1, 3)):
        files = sorted(path for path in root.rglob("*") if path.is_file())
        # Annotation files are few among images.
        texts = [path for path in files if path.suffix not in (".png", ".jpg")]
        path = random_.choice(texts if texts and random_.random() < 0.8 else files)
        kind = random_.random()
        if kind < 0.06:
            path.unlink()
        elif kind < 0.1:
            shutil.copy(path, path.with_name(f"copy of {path.name}"))
        elif path.suffix == ".json" and kind < 0.7:
            change_json(path, random_)
        else:
            change_bytes(path, random_)


def change_bytes(path: Path, random_: random.Random) -> None:
    """Overwrite, cut, repeat or insert bytes."""
    content = bytearray(path.read_bytes())
    if not content:
        content = bytearray(b"x")
    for _ in range(random_.choice((1, 1, 3, 30))):
        position = random_.randrange(len(content))
        kind = random_.random()
        if kind < 0.4:
            content[position] = random_.randrange(256)
        elif kind < 0.6:
            content[position:position] = random_.choice(
                (b"9", b"-", b"{", b'"', b",", b"\n", b"\xff", b"e308", b"/..", b"\x00" * 8)
            )
        elif kind < 0.8:
            del content[position : position + random_.choice((1, 4, 100))]
        else:
            part = content[position : position + 64]
            content[position:position] = part * random_.choice((1, 2, 50))
        if not content:
            break
    path.write_bytes(content)


def change_json(path: Path, random_: random.Random) -> None:
    """Replace, delete or repeat values somewhere in a JSON document."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return change_bytes(path, random_)
    for _ in range(random_.randint(1, 3)):
        places = list(_places(document))
        if not places:
            break
        holder, key = random_.choice(places)
        kind = random_.random()
        if kind < 0.6:
            holder[key] = deepcopy(random_.choice(STRANGE))
        elif kind < 0.8:
            del holder[key]
        elif isinstance(holder, list):
            holder.extend(deepcopy(holder[key]) for _ in range(random_.choice((1, 3, 1000))))
        else:
            holder[f"{key}x"] = holder.pop(key)
    path.write_text(json.dumps(document), encoding="utf-8")
    return None


def _places(value: Any) -> Any:
    """Yield each list or mapping with each of its keys."""
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from _places(value[key])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value, index
            yield from _places(value[index])


def read_all(root: Path, name: str, random_: random.Random) -> None:
    """Read all samples as a run does, or the whole check."""
    chosen = name if random_.random() < 0.7 else "auto"
    uncovered = random_.choice(("background", "ignore", None))
    if random_.random() < 0.3:
        given = [f"data.format={chosen}", f"data.uncovered={uncovered or 'null'}"]
        check(root, overrides=["data.kind=folder", *given])
        return
    data = FolderData(root=root, format=chosen, uncovered=uncovered)
    for files in data.all_splits().values():
        for index in range(len(files)):
            files[index]


def main() -> int:
    """Fuzz the readers, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", default="masks," + ",".join(sorted(FORMATS)))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES * 2**30, GIGABYTES * 2**30))
    warnings.simplefilter("error")
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "own")
        write_own(own)
        sources = {"masks": own}
        for name in options.formats.split(","):
            if name != "masks":
                sources[name] = Path(folder, name)
                convert(own, sources[name], to=name)
        end, seed = time.monotonic() + 60 * options.minutes, options.seed
        while time.monotonic() < end:
            random_ = random.Random(seed)  # noqa: S311 - repeatable, not secret
            name = random_.choice(options.formats.split(","))
            root = Path(folder, "damaged")
            shutil.copytree(sources[name], root)
            try:
                damage(root, random_)
                read_all(root, name, random_)
                counts[name, "read"] += 1
            except InputError:
                counts[name, "refused"] += 1
            except BaseException:
                counts[name, "FAILED"] += 1
                print(f"seed {seed}, {name}:")
                traceback.print_exc()
                if (
                    counts.total()
                    and sum(n for (_, what), n in counts.items() if what == "FAILED") > 20
                ):
                    break
            shutil.rmtree(root)
            seed += 1
    for (name, what), count in sorted(counts.items()):
        print(f"{name:20} {what:8} {count}")
    return int(any(what == "FAILED" for _, what in counts))


if __name__ == "__main__":
    raise SystemExit(main())
