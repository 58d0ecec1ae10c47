"""Which data set a command names: by its folder, or by a config."""

from pathlib import Path

from pydantic import TypeAdapter

from sceneparse.config import Ade20kData, DataConfig, FolderData, SyntheticData
from sceneparse.config.reading import read_config
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.recognise import Layout, published
from sceneparse.errors import InputError
from sceneparse.factory.published import published_split


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
            root = data.root
            return root, published(root)
        case _:
            root = data.root
            found = published(root) if root.is_dir() else None
            split_at = found.split_at if found else lambda root, _: root / "absent"

            def opened(root: Path, split: str) -> PairedFiles:
                return published_split(data, split, root)

            return root, Layout(opened, split_at, data.kind)


def data_config(root: Path) -> DataConfig:
    """Return the config of what lies in a folder: a published data set, or one of one's own.

    Raises:
        InputError: If it is neither.
    """
    layout = published(root)
    if layout is None:
        return FolderData(kind="folder", root=root)
    document = {"kind": layout.kind, "root": root, **layout.options(root)}
    return TypeAdapter[DataConfig](DataConfig).validate_python(document)
