"""Write generated scenes to files."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sceneparse.data.datasets.synthetic import synthetic, write_scene
from sceneparse.recording.events import Callback, ignore, tracked
from sceneparse.system.files import create_folder, require_empty_folder


def write_scenes(
    root: Path,
    images: Mapping[str, int],
    size: tuple[int, int],
    seed: int,
    callback: Callback = ignore,
) -> None:
    """Generate the splits of a data set and write them in the layout of `ADEChallengeData2016`.

    Args:
        root: A new folder.
        images: Number of scenes of each split.
        size: Height and width in pixels.
        seed: Seed of the scenes.
        callback: Called with each event.

    Raises:
        InputError: If the folder is not empty or cannot be created.
    """
    require_empty_folder(root)
    create_folder(root)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for split, count in images.items():
            scenes = synthetic(split, count, size, seed)
            write = partial(write_scene, scenes, split=split, root=root)
            written = pool.map(write, range(count), chunksize=8)
            for _ in tracked(written, callback, f"generating {split} scenes", count):
                pass
