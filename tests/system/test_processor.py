"""Tests of reading the processor's name and bf16 support."""

import pytest
import torch

from sceneparse.system.processor import parse_cpuinfo, processor

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz
flags\t\t: fpu avx2 avx512f amx_bf16 avx512_bf16 amx_tile
bugs\t\t: spectre_v1

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz
flags\t\t: fpu avx2 avx512f amx_bf16 avx512_bf16 amx_tile
"""
EPYC = "model name\t: AMD EPYC 7B12 64-Core Processor\nflags\t\t: fpu sse4_1 avx2 clzero\n"
GRAVITON = """\
processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd sve asimdfhm i8mm svebf16 bf16 dgh
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""
RASPBERRY_PI = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nModel\t\t: Raspberry Pi 4\n"
)


@pytest.mark.parametrize(
    ("text", "name", "has_bf16"),
    [
        (XEON, "Intel Xeon Platinum 8488C", True),
        (EPYC, "AMD EPYC 7B12", False),
        (GRAVITON, "", True),
        (RASPBERRY_PI, "", False),
        ("", "", False),
    ],
)
def test_cpuinfo_gives_the_name_and_bf16_support(text: str, name: str, has_bf16: bool) -> None:
    found = parse_cpuinfo(text)
    assert (found.name, found.has_bf16) == (name, has_bf16)


def test_this_processor_has_a_name() -> None:
    assert processor().name


@pytest.mark.skipif(
    not hasattr(torch.cpu, "get_capabilities"),
    reason="this PyTorch does not report instruction sets",
)
def test_bf16_support_agrees_with_pytorch() -> None:
    capabilities = torch.cpu.get_capabilities()
    names = ("avx512_bf16", "amx_bf16", "bf16")
    assert processor().has_bf16 == any(capabilities.get(name) for name in names)
