"""Generated scenes as files."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from sceneparse.data.datasets.synthetic import synthetic, write_scene
from sceneparse.errors import InputError


def write_scenes(
    root: Path, images: Mapping[str, int], size: tuple[int, int], seed: int, console: Console
) -> None:
    """Draw the splits of a data set and write them in the layout of `ADEChallengeData2016`.

    Args:
        root: A new folder.
        images: Number of scenes of each split.
        size: Height and width.
        seed: Which scenes.
        console: Where progress is shown.

    Raises:
        InputError: If the folder holds something already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root}: is not empty; give a new folder")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be made ({error.strerror}); give another") from None
    with (
        ProcessPoolExecutor(mp_context=get_context("spawn")) as pool,
        Progress(console=console, transient=True) as progress,
    ):
        task = progress.add_task("drawing scenes", total=sum(images.values()))
        for split, count in images.items():
            scenes = synthetic(split, count, size, seed)
            write = partial(write_scene, scenes, split=split, root=root)
            for _ in pool.map(write, range(count), chunksize=8):
                progress.advance(task)
