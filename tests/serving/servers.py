"""Small servers for tests: a network without a runtime, and uvicorn in a thread."""

import asyncio
import socket
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize
from sceneparse.labels import Labels
from sceneparse.serving.app import create_app
from sceneparse.serving.http_server import SegmentationServer, bound_socket
from sceneparse.serving.served_models import ServedModel
from sceneparse.serving.server_metrics import ServerMetrics
from sceneparse.serving.server_settings import ServerSettings
from sceneparse.serving.service import SegmentationService

LABELS = Labels(("red", "green", "blue"), ((250, 0, 0), (0, 240, 0), (0, 0, 230)), (3, 1, 2))


class MeanColors:
    """A network whose logits are the mean colours of squares of 8 pixels.

    Attributes:
        delay_s: How long it takes.
        batches: The number of images of each call.
        poison: An image of this colour raises an error.
    """

    num_classes, input_stride, output_stride = 3, 8, 8

    def __init__(self, delay_s: float = 0) -> None:
        self.delay_s = delay_s
        self.batches: list[int] = []
        self.poison: int | None = None

    def __str__(self) -> str:
        return "mean colours"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        time.sleep(self.delay_s)
        if self.poison is not None and (images == self.poison).all((1, 2, 3)).any():
            raise RuntimeError("poisoned")
        batch, height, width, _ = images.shape
        squares = images.reshape(batch, height // 8, 8, width // 8, 8, 3)
        means = squares.mean(axis=(2, 4), dtype=np.float32) / 64
        return np.ascontiguousarray(means.transpose(0, 3, 1, 2))


def predictor_of(network: Any = None, size: int = 64) -> Predictor:
    return Predictor(network or MeanColors(), LABELS, Resize("stretch", size), batch_size=4)


def models_of(*networks: Any) -> list[ServedModel]:
    """Return models `first`, `second` and so on."""
    names = ("first", "second", "third")
    chosen: Sequence[Any] = networks or (MeanColors(),)
    return [
        ServedModel(name, f"the {name}", predictor_of(network))
        for name, network in zip(names, chosen, strict=False)
    ]


@contextmanager
def service_of(*networks: Any, **bounds: Any) -> Generator[SegmentationService]:
    service = SegmentationService(models_of(*networks), ServerSettings(**bounds), ServerMetrics())
    try:
        yield service
    finally:
        service.close()


@contextmanager
def running(service: SegmentationService, **options: Any) -> Generator[int]:
    """Serve in a thread, and give the port."""
    server = SegmentationServer(create_app(service, **options), service)
    bound = bound_socket("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def photo(seed: int = 0, height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """Return coloured stripes with noise."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 60, (height, width, 3))
    for channel, columns in enumerate(np.array_split(np.arange(width), 3)):
        image[:, columns, channel] += 120
    return image.astype(np.uint8)


def file_of(pixels: NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def talk(port: int, *parts: bytes, pause_s: float = 0, timeout_s: float = 20) -> bytes:
    """Send bytes with pauses between them until the server answers, and return all it sends."""
    received: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:

        def read() -> None:
            with suppress(ConnectionError):
                while data := connection.recv(65536):
                    received.append(data)

        reader = threading.Thread(target=read)
        reader.start()
        with suppress(ConnectionError):
            for number, part in enumerate(parts):
                time.sleep(pause_s if number else 0)
                connection.sendall(part)
        reader.join()
    return b"".join(received)


def status_of(answer: bytes) -> int:
    """Return the status of an answer, or 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
