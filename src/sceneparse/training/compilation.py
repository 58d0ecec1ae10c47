"""Compile a network; if a forward pass cannot be compiled, it runs uncompiled with a warning.

PyTorch compiles the backward pass when it first runs. A failure there ends the run;
`training.compile=off` avoids it.
"""

import copy
import logging
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from sceneparse.system.ranks import find_rank_info


def missing_to_compile(device: torch.device) -> str:
    """Return what this machine lacks to compile for a device; empty as far as can be told.

    PyTorch itself notices only after it has traced the network.
    """
    if device.type == "cpu":
        from torch._inductor.cpp_builder import get_cpp_compiler

        try:
            get_cpp_compiler()
        except RuntimeError:
            return "there is no C++ compiler; install g++, or name one in CXX"
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if find_spec("triton") is None:
            return "there is no Triton; `pip install triton`"
        if not has_triton():
            return "Triton has no code for this GPU"
        if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
            return "Triton finds no C compiler; install gcc, or name one in CC"
    return ""


def compiled(network: nn.Module, image_sizes: int = 1) -> nn.Module:
    """Compile a network; a part whose forward pass cannot be compiled runs uncompiled.

    Args:
        network: The network, wrapped in DDP if there are several processes.
        image_sizes: Number of image sizes that a run trains on.
    """
    from torch._dynamo import config as dynamo

    # Each size may need its own graph, and two parts of a batch may differ in their images.
    # PyTorch 2.6 knows the limit by this name only.
    limit = max(dynamo.cache_size_limit, 2 * image_sizes)
    dynamo.cache_size_limit = limit
    return cast("nn.Module", torch.compile(network, backend=_inductor_or_eager))


def _inductor_or_eager(graph: GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    """Compile a forward graph with Inductor, or return it uncompiled if that fails.

    Inductor fails before it computes anything, so nothing is computed twice. The backward graph
    is compiled later, outside of this function.
    """
    from torch._inductor.compile_fx import compile_fx

    # Inductor modifies the graph.
    untouched = GraphModule(graph, copy.deepcopy(graph.graph))
    try:
        return cast("Callable[..., Any]", compile_fx(graph, inputs))
    except Exception as error:  # whatever a broken tool chain ends in
        if find_rank_info().rank == 0:
            said = next(iter(str(error).strip().splitlines()), "")
            logging.getLogger(__name__).warning(
                "training.compile: continues uncompiled: %s: %.200s", type(error).__name__, said
            )
        return untouched.forward
