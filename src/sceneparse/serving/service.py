"""From the bytes of an image to the body of an answer, within the bounds of a server."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.decode import image_size, read_image
from sceneparse.data.io.image_reading import ImageReading
from sceneparse.data.io.opening import TooLargeError, UnknownFormatError
from sceneparse.errors import InputError
from sceneparse.inference.prediction import Prediction
from sceneparse.serving.answers import answer_body
from sceneparse.serving.pixel_budget import PixelBudget
from sceneparse.serving.refusals import ClientGoneError, RequestRefusedError, stopping
from sceneparse.serving.request_options import RequestOptions
from sceneparse.serving.segmentation_queue import SegmentationQueue
from sceneparse.serving.served_models import ServedModel
from sceneparse.serving.server_metrics import ServerMetrics
from sceneparse.serving.server_settings import ServerSettings
from sceneparse.serving.uploads import BodyBudget, Upload, check_format

Result = TypeVar("Result")
# Decoding and encoding keep up with the network on few threads.
_MAX_THREADS = 4


class SegmentationService:
    """Decodes, segments and encodes images of many clients at a time.

    Attributes:
        models: The models by their ids; the first is the default.
        bounds: The bounds of the server.
        metrics: What it counts and measures.
        bodies: The bytes of the bodies that are held.
        is_stopping: Whether it refuses new images.
    """

    def __init__(
        self, models: Sequence[ServedModel], bounds: ServerSettings, metrics: ServerMetrics
    ) -> None:
        """Start the threads.

        Args:
            models: At least one model.
            bounds: The bounds of the server.
            metrics: What it counts and measures.
        """
        self.models = {model.id: model for model in models}
        self.bounds = bounds
        self.metrics = metrics
        self.bodies = BodyBudget(int(bounds.max_bodies_mb * 1e6))
        self.is_stopping = False
        self._given_up = asyncio.Event()
        self._accepted = 0
        self._pixels = PixelBudget(int(bounds.max_megapixels_together * 1e6))
        self._pool = ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1), "images")
        self._queue = SegmentationQueue(
            batch_size=bounds.batch_size, max_wait_s=bounds.max_wait_ms / 1000, metrics=metrics
        )
        metrics.watch("queue_length", lambda: self._accepted)
        metrics.watch("pixels_in_memory", lambda: self._pixels.held)
        metrics.watch("body_bytes", lambda: self.bodies.held)

    def check_capacity(self) -> None:
        """Check that there is a place for another image.

        Raises:
            RequestRefusedError: If the queue is full, or the server is being stopped.
        """
        if self.is_stopping:
            raise stopping()
        if self._accepted >= self.bounds.queue_size:
            seconds = min(ceil(self._accepted * self._queue.seconds_per_image), 60)
            raise RequestRefusedError(
                429,
                f"{self._accepted} images are waiting already; send this one again in about "
                f"{seconds} seconds",
                {"Retry-After": str(seconds)},
            )

    async def receive(self, receiving: Coroutine[Any, Any, None]) -> None:
        """Wait for a body, unless the server gives up first.

        Raises:
            RequestRefusedError: If it does.
        """
        with self.metrics.timed("receive"):
            await self._first(asyncio.create_task(receiving), None, None)

    async def answer(
        self,
        upload: Upload,
        options: RequestOptions,
        until_gone: Callable[[], Coroutine[Any, Any, None]],
    ) -> bytes:
        """Segment an image, and encode the answer.

        Args:
            upload: The image, which is released.
            options: What the request asks for.
            until_gone: Waits until the client closes the connection.

        Raises:
            RequestRefusedError: If the image cannot be segmented, or not in time.
            ClientGoneError: If the client is gone first.
        """
        try:
            self.check_capacity()
        except RequestRefusedError:
            upload.release()
            raise
        self._accepted += 1
        task = asyncio.create_task(self._answer(upload, options))

        # A cancelled image keeps its place until its threads are done with it.
        def end(_: object) -> None:
            self._accepted -= 1
            upload.release()

        task.add_done_callback(end)
        gone = asyncio.create_task(until_gone())
        return await self._first(task, gone, self.bounds.answer_timeout_s)

    def stop(self) -> None:
        """Refuse new images, and give up the others when the time to stop is over."""
        self.is_stopping = True
        loop = asyncio.get_running_loop()
        loop.call_later(self.bounds.shutdown_timeout_s, self._given_up.set)

    def close(self) -> None:
        """End the threads."""
        self._queue.close()
        self._pool.shutdown(cancel_futures=True)

    async def _first(
        self,
        task: "asyncio.Task[Result]",
        gone: "asyncio.Task[None] | None",
        timeout_s: float | None,
    ) -> Result:
        """Wait for a task, unless the client goes, time is over or the server gives up."""
        given_up = asyncio.create_task(self._given_up.wait())
        others = [given_up] if gone is None else [given_up, gone]
        try:
            await asyncio.wait(
                {task, *others}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                return task.result()
            if gone is not None and gone.done():
                raise ClientGoneError
            if given_up.done():
                raise stopping()
            raise RequestRefusedError(
                504,
                f"the image was not segmented within {timeout_s:g} seconds; send it again later",
            )
        finally:
            for each in (task, *others):
                each.cancel()
            # Else asyncio complains of an error that nobody needs any more.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _answer(self, upload: Upload, options: RequestOptions) -> bytes:
        start = perf_counter()
        reading = options.model.predictor.reading
        height, width = await self._in_pool(self._checked_size, upload.content, reading)
        async with self._pixels.hold(height * width):
            with self._queue.expecting(options.model):
                pixels = await self._in_pool(self._decoded, upload.content, reading)
            upload.release()
            prediction = await self._segmented(options.model, pixels)
            del pixels
            seconds = perf_counter() - start
            return await self._in_pool(self._encoded, prediction, options, seconds)

    async def _segmented(self, model: ServedModel, pixels: NDArray[np.uint8]) -> Prediction:
        try:
            return await to_end(self._queue.submit(model, pixels))
        except InputError:
            raise RequestRefusedError(
                503,
                "the image could not be computed, most likely for lack of memory; send a smaller "
                "one",
                {"Retry-After": "10"},
            ) from None

    async def _in_pool(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await to_end(self._pool.submit(work, *arguments))

    def _checked_size(self, content: bytes, reading: ImageReading) -> tuple[int, int]:
        """Return height and width by the header of an image."""
        with refusing_images():
            check_format(content)
            height, width = image_size(content, reading)
        if height * width > self.bounds.max_pixels:
            raise RequestRefusedError(
                413,
                f"found an image of {width}×{height} pixels, expected at most "
                f"{self.bounds.max_megapixels:g} million; scale it down",
            )
        return height, width

    def _decoded(self, content: bytes, reading: ImageReading) -> NDArray[np.uint8]:
        with self.metrics.timed("decode"), refusing_images():
            return read_image(content, reading=reading)

    def _encoded(self, prediction: Prediction, options: RequestOptions, seconds: float) -> bytes:
        with self.metrics.timed("encode"):
            return answer_body(prediction, options, seconds)


async def to_end(work: "Future[Result]") -> Result:
    """Wait for the work of a thread; if that is cancelled, for its end if it has begun.

    So nothing that it uses is released too early.
    """
    result = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(result)
    except asyncio.CancelledError:
        if not work.cancel():
            await asyncio.gather(result, return_exceptions=True)
        raise


@contextmanager
def refusing_images() -> Generator[None]:
    """Refuse the request for whatever goes wrong in the `with` block: the image is to blame.

    Raises:
        RequestRefusedError: If something does.
    """
    try:
        yield
    except RequestRefusedError:
        raise
    except TooLargeError as error:
        raise RequestRefusedError(413, str(error)) from None
    except UnknownFormatError as error:
        raise RequestRefusedError(415, str(error)) from None
    except InputError as error:
        raise RequestRefusedError(400, str(error)) from None
    except Exception as error:
        # Decoders raise whatever comes to them when bytes are broken on purpose.
        raise RequestRefusedError(
            400, f"the image cannot be read ({type(error).__name__}); replace it"
        ) from None
