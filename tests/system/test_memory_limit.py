"""The memory limits of containers and batch systems, as the kernel writes them."""

import math
from pathlib import Path

import pytest

from sceneparse.system.memory_limit import cgroup_free_bytes

GIB = 2**30


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a root, and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(folder: str, limit: str, used: int, cached: int = 0) -> dict[str, str]:
    """Return the files of a group of the second generation."""
    return {
        f"sys/fs/cgroup/{folder}memory.max": f"{limit}\n",
        f"sys/fs/cgroup/{folder}memory.current": f"{used}\n",
        f"sys/fs/cgroup/{folder}memory.stat": f"anon 1\ninactive_file {cached}\n",
    }


def old_group(folder: str, limit: int, used: int, cached: int = 0) -> dict[str, str]:
    """Return the files of a group of the first generation."""
    return {
        f"sys/fs/cgroup/memory/{folder}memory.limit_in_bytes": f"{limit}\n",
        f"sys/fs/cgroup/memory/{folder}memory.usage_in_bytes": f"{used}\n",
        f"sys/fs/cgroup/memory/{folder}memory.stat": f"cache 5\ntotal_inactive_file {cached}\n",
    }


IN_DOCKER = {"proc/self/cgroup": "0::/\n"}
IN_SLURM = {"proc/self/cgroup": "0::/system.slice/job_7/step_0\n"}
OLD = {"proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/docker/abc\n"}
NO_LIMIT = 9223372036854771712


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, math.inf),
        (IN_DOCKER, math.inf),
        ({**IN_DOCKER, **group("", "max", GIB)}, math.inf),
        ({**IN_DOCKER, **group("", str(4 * GIB), GIB)}, 3 * GIB),
        # Cached files do not count, and a group over its limit has nothing free.
        ({**IN_DOCKER, **group("", str(4 * GIB), 3 * GIB, 2 * GIB)}, 3 * GIB),
        ({**IN_DOCKER, **group("", str(GIB), 2 * GIB)}, 0),
        # The tightest of the groups around the process decides.
        (
            {
                **IN_SLURM,
                **group("", "max", 9 * GIB),
                **group("system.slice/job_7/", str(2 * GIB), GIB),
                **group("system.slice/job_7/step_0/", "max", GIB),
            },
            GIB,
        ),
        # In a container that sees only its own part, the path of the machine does not exist.
        ({**IN_SLURM, **group("", str(2 * GIB), GIB)}, GIB),
        ({**OLD, **old_group("docker/abc/", 3 * GIB, GIB, GIB // 2)}, 2.5 * GIB),
        ({**OLD, **old_group("", 3 * GIB, GIB)}, 2 * GIB),
        ({**OLD, **old_group("docker/abc/", NO_LIMIT, GIB)}, NO_LIMIT - GIB),
        ({"proc/self/cgroup": "nonsense\n", **group("", "many", GIB)}, math.inf),
        ({"proc/self/cgroup": "0::/../..\n", **group("", str(2 * GIB), GIB)}, GIB),
    ],
)
def test_the_tightest_limit_decides(files: dict[str, str], free: float, tmp_path: Path) -> None:
    assert cgroup_free_bytes(write(tmp_path, files)) == free


def test_this_machine_has_memory() -> None:
    assert cgroup_free_bytes() > 2**20
