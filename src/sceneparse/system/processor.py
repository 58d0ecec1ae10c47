"""Name and instruction sets of the processor, as the operating system reports them.

PyTorch reports them only from version 2.14 on (`torch.cpu.get_capabilities`).
"""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

CPUINFO = Path("/proc/cpuinfo")
# Names of the Linux kernel: AVX512-BF16 and AMX on x86; BF16 of Armv8.6 and its SVE form on Arm.
BF16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"})


class Processor(NamedTuple):
    """Name and instruction sets of a processor.

    Attributes:
        name: Model name without trademarks and clock rate.
        instructions: Instruction sets by their names in Linux; on macOS at most `bf16`, and empty
            on other systems.
    """

    name: str
    instructions: frozenset[str]

    @property
    def has_bf16(self) -> bool:
        """Whether the processor has native bf16 multiplication."""
        return not BF16_INSTRUCTIONS.isdisjoint(self.instructions)


@cache
def processor() -> Processor:
    """Describe the processor of this machine."""
    if CPUINFO.is_file():
        found = parse_cpuinfo(CPUINFO.read_text(errors="replace"))
    elif platform.system() == "Darwin":
        has_bf16 = _sysctl("hw.optional.arm.FEAT_BF16") == "1"
        found = Processor(
            _sysctl("machdep.cpu.brand_string"), frozenset({"bf16"} if has_bf16 else ())
        )
    else:
        found = Processor("", frozenset())
    return found._replace(name=found.name or platform.processor() or platform.machine())


def parse_cpuinfo(text: str) -> Processor:
    """Parse the text of `/proc/cpuinfo`; on Arm it has no model name."""
    pairs = [line.partition(":") for line in text.splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in reversed(pairs)}
    # "Intel(R) Xeon(R) CPU @ 2.10GHz" and "AMD EPYC 9654 96-Core Processor".
    pattern = r"\((R|TM)\)|\b(CPU|Processor)\b|\b\d+-Core\b|@.*"
    name = " ".join(re.sub(pattern, " ", fields.get("model name", "")).split())
    return Processor(name, frozenset(fields.get("flags", fields.get("Features", "")).split()))


def _sysctl(name: str) -> str:
    """Return a value of `sysctl` on macOS; empty if the name is unknown."""
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["sysctl", "-n", name],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
