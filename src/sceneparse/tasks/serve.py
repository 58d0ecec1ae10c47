"""Serve models over HTTP."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.serving.served_models import ModelChoice, ServedModel, model_choices, model_ids
from sceneparse.serving.server_settings import ServerSettings

TOKEN_VARIABLE = "SCENEPARSE_TOKEN"  # noqa: S105 - a name, not a secret
_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
_MAX_PORT = 65535


def serve(
    *models: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    cors: Sequence[str] = (),
    bounds: ServerSettings | None = None,
    device: str = "auto",
    runtime: str = "auto",
    access_log: bool = False,
    callback: Callback = ignore,
) -> None:
    """Serve models over HTTP until SIGINT or SIGTERM; what was accepted is finished first.

    The socket is bound before the models are loaded, so that a port in use is found at once, and
    listens after that, so that no client waits for a server that is not ready.

    Args:
        *models: Run folders, weights files, ONNX files, `bundled`, which none stands for, or
            `hf://owner/name`; each may be followed by its changed settings, as
            `inference.field=value`. The first model is the default of requests.
        host: Name or address of this machine: 127.0.0.1 for programs on it alone, 0.0.0.0 for all
            networks.
        port: Port; 0 for a free one.
        token: What requests must bring as `Authorization: Bearer TOKEN`; the environment variable
            SCENEPARSE_TOKEN if not given.
        cors: Origins of other sites whose pages may ask, such as `https://example.org`; `*` for
            all.
        bounds: Bounds of sizes, times and numbers.
        device: `auto`, or a device such as `cpu` or `cuda`.
        runtime: What computes the networks; see `sceneparse.load`.
        access_log: Whether each request is written to standard output.
        callback: Called with each event: messages.

    Raises:
        InputError: If a model cannot be read, the address cannot be used, a bound is wrong, or a
            package is missing.
    """
    _check_packages()
    # They need the extra `serve`.
    from sceneparse.serving.app import create_app
    from sceneparse.serving.http_server import SegmentationServer, bound_socket
    from sceneparse.serving.server_metrics import ServerMetrics
    from sceneparse.serving.service import SegmentationService
    from sceneparse.serving.uploads import limit_text_of_images

    choices = model_choices([str(each) for each in models])
    secret = _checked_token(os.environ.get(TOKEN_VARIABLE) if token is None else token)
    if not 0 <= port <= _MAX_PORT:
        raise InputError(f"port {port}: expected 0..{_MAX_PORT}", "port")
    bounds = bounds or ServerSettings()
    with bound_socket(host, port) as socket:
        served = served_models(choices, device, runtime)
        for model in served:
            callback(Message(f"{model.name}: {model.predictor.network}; {model.description}"))
        if secret is None and not _is_loopback(host):
            callback(
                Message(
                    f"warning: whoever reaches {host} may use this server; set a token with "
                    f"{TOKEN_VARIABLE}"
                )
            )
        limit_text_of_images()
        service = SegmentationService(served, bounds, ServerMetrics())
        server = SegmentationServer(
            create_app(service, token=secret, cors=cors), service, access_log=access_log
        )
        # Whoever reads the address may connect at once.
        socket.listen(bounds.max_connections)
        shown = f"[{host}]" if ":" in host else host
        callback(Message(f"http://{shown}:{socket.getsockname()[1]} (Ctrl-C stops it)"))
        try:
            server.run([socket])
        finally:
            service.close()


def served_models(
    choices: Sequence[ModelChoice], device: str = "auto", runtime: str = "auto"
) -> list[ServedModel]:
    """Load models, and let each segment an image, so that the first request is not slower.

    Raises:
        InputError: If one cannot be read.
    """
    served: list[ServedModel] = []
    for model_id, choice in zip(model_ids(choices), choices, strict=True):
        predictor = load(choice.model, device, choice.overrides, runtime=runtime)
        predictor.segment(np.zeros((64, 64, predictor.reading.channels), np.uint8))
        served.append(ServedModel(model_id, choice.name, predictor))
    return served


def _check_packages() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f'{missing[0]} is not installed; serving needs `pip install "sceneparse[serve]"`'
        )


def _checked_token(token: str | None) -> str | None:
    if token is not None and (
        not token.isascii() or not token.isprintable() or " " in token or not token
    ):
        raise InputError(
            "the token is empty or has other characters than letters, digits and signs of ASCII; "
            "choose another one",
            "token",
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
