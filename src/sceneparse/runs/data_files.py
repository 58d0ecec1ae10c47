"""Where the files of a data set are that a command names: by its folder, or by a config."""

from pathlib import Path

from sceneparse.config import Ade20kData, FolderData, SyntheticData
from sceneparse.config.reading import read_config
from sceneparse.data.recognise import Layout, published
from sceneparse.errors import InputError
from sceneparse.published import published_split


def data_at(path: Path) -> tuple[Path, Layout | None]:
    """Return the root of a data set, and how it lies there; none for a folder of one's own.

    Args:
        path: The root, whose data set is told by what is in it; or the config of a run, which
            names the data set with its options.

    Raises:
        InputError: If the config is wrong, or names no files.
    """
    if path.suffix.lower() not in (".yaml", ".yml") or path.is_dir():
        return path, published(path)
    data = read_config(path).data
    match data:
        case SyntheticData():
            raise InputError(
                f"{path}: its scenes are drawn when they are needed; make files of them with "
                "`sceneparse data synth`, and name their folder"
            )
        case Ade20kData() | FolderData():
            root = data.root.expanduser()
            return root, published(root)
        case _:
            root = data.root.expanduser()
            found = published(root) if root.is_dir() else None
            split_at = found.split_at if found else lambda root, _: root / "absent"
            return root, Layout(lambda root, split: published_split(data, split, root), split_at)
