"""OpenVINO, imported so that it reports nothing about this process.

`import openvino` imports its conversion tools too, and these send an event to Google Analytics with
the package `openvino_telemetry`, unless the user has opted out. If that package cannot be imported,
they use a stub of their own that sends nothing. Import OpenVINO from here, never directly.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openvino

_SENDER = "openvino_telemetry"


def _import_without(blocked: str, wanted: str) -> Any:
    """Import a module while another one cannot be imported."""
    modules: dict[str, Any] = sys.modules
    previous = {name: modules[name] for name in (blocked,) if name in modules}
    modules[blocked] = None
    try:
        return import_module(wanted)
    finally:
        del modules[blocked]
        modules.update(previous)


if not TYPE_CHECKING:
    openvino = _import_without(_SENDER, "openvino")

__all__ = ["openvino"]
