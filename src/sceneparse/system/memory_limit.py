"""The memory that a container or a batch system leaves to this process, on Linux."""

import math
from collections.abc import Iterator
from pathlib import Path

# Where both generations of control groups are mounted.
_MOUNT = "sys/fs/cgroup"


def cgroup_free_bytes(root: Path = Path("/")) -> float:
    """Return the memory that is free below the limits of all control groups of this process.

    Docker, Kubernetes, SLURM and systemd set such limits; a process that takes more is killed
    without an error message. Memory of cached files counts as free, because the system takes it
    back.

    Args:
        root: The root of the file system with `proc/self/cgroup` and `sys/fs/cgroup`.

    Returns:
        Bytes; infinite if there is no limit.
    """
    mount = root / _MOUNT
    free = math.inf
    for folder in _with_parents(mount, _path_in(root, "")):
        free = min(free, _free(folder, "memory.max", "memory.current", "inactive_file"))
    for folder in _with_parents(mount / "memory", _path_in(root, "memory")):
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        free = min(free, _free(folder, *names))
    return free


def _path_in(root: Path, controller: str) -> str:
    """Return the path of the group of this process, by a controller of v1 or, if empty, in v2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller in controllers.split(","):
            return path.strip("/")
    return ""


def _with_parents(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a group and of each group around it.

    Inside a container, the path may be that of the machine, whose folders are not there.
    """
    folder = mount / path
    while folder != mount and mount in folder.parents:
        yield folder
        folder = folder.parent
    yield mount


def _free(folder: Path, limit_name: str, usage_name: str, cached_name: str) -> float:
    try:
        limit = (folder / limit_name).read_text().strip()
        if not limit.isdecimal():
            return math.inf
        used = int((folder / usage_name).read_text())
    except (OSError, ValueError):
        return math.inf
    return max(0, int(limit) - max(0, used - _cached(folder, cached_name)))


def _cached(folder: Path, name: str) -> int:
    try:
        for line in (folder / "memory.stat").read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
