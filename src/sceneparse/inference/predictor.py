"""Images in, predictions at their own size out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.decode import DEFAULT_READING, ImageReading
from sceneparse.data.io.images import ImageInput, image_array
from sceneparse.data.io.video_reading import Frame
from sceneparse.errors import InputError
from sceneparse.inference.decision import Counts, LabelMap, label_map, labels_only, score
from sceneparse.inference.network import Network
from sceneparse.inference.prediction import Prediction
from sceneparse.inference.refinement import RefinedLogits, Refinement, refined
from sceneparse.inference.resize import Resize, slabs_of_images
from sceneparse.inference.slabs import LogitSlabs
from sceneparse.inference.smoothing import DEFAULT_TIME_CONSTANT_S, TemporalSmoothing
from sceneparse.inference.views import View, is_single, logits_over_views, views_text
from sceneparse.labels import Labels, Mask


class Predictor:
    """Segments images: a network, and the way from pixels to a mask around it.

    Example:
        >>> predictor = sceneparse.load()
        >>> predictor("image.jpg")
        Prediction(320×240, ... classes: ...)
        >>> first, second = predictor(["image.jpg", np.zeros((48, 64, 3), np.uint8)])
        >>> second.mask.shape
        (48, 64)
    """

    def __init__(
        self,
        network: Network,
        labels: Labels,
        resize: Resize,
        batch_size: int = 1,
        views: Sequence[View] = (View(),),
        refinement: Refinement | None = None,
        memory_budget_mb: int = 256,
        reading: ImageReading = DEFAULT_READING,
    ) -> None:
        """Set the network and how it is used.

        Args:
            network: Computes logits.
            labels: Its classes.
            resize: How images are resized for it.
            batch_size: Images that go through it together.
            views: Test-time augmentation: the probabilities of these views are averaged.
            refinement: Moves the edges of the classes to the edges of the image; None for no
                refinement.
            memory_budget_mb: Memory in MiB that the decision uses beside its input and output.
            reading: How the values of images become 0..255, and which bands are read, as in
                training.
        """
        self.network = network
        self.labels = labels
        self.resize = resize
        self.batch_size = batch_size
        self.views = views
        self.refinement = refinement
        self.memory_budget_mb = memory_budget_mb
        self.reading = reading

    def __str__(self) -> str:
        """Return how pixels become a mask, as printed with scores."""
        after = "" if self.refinement is None else f", {self.refinement}"
        return f"{self.resize}{views_text(self.views)}{after}"

    @overload
    def __call__(self, image: ImageInput) -> Prediction: ...

    @overload
    def __call__(self, image: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...

    def __call__(
        self, image: "ImageInput | list[Any] | tuple[Any, ...]"
    ) -> Prediction | list[Prediction]:
        """Segment one image, or each of several, at its own size.

        Args:
            image: A path; the bytes of an image file; a PIL image; a NumPy array `(H, W, 3)`,
                `(H, W, 4)` or `(H, W)`; a torch tensor `(3, H, W)` or `(H, W, 3)`; or a list or
                tuple of these. Arrays and tensors are uint8, or float in 0..1; those for a model of
                bands have these bands as channels, `(H, W, B)`. Images of a list that have the same
                size for the network go through it together, `batch_size` at a time.

        Returns:
            A prediction, or a list of one for each image, in their order.

        Raises:
            InputError: If something is not an image, cannot be read, or is too large.

        Example:
            >>> predictor = sceneparse.load()
            >>> predictor(np.zeros((48, 64, 3), np.uint8)).mask.shape
            (48, 64)
            >>> [prediction.mask.shape for prediction in predictor(["image.jpg"] * 2)]
            [(240, 320), (240, 320)]
        """
        if isinstance(image, list | tuple):
            return self.segment_all(_image_arrays(image, self.reading))
        return self.segment(image_array(image, self.reading))

    def segment(self, pixels: NDArray[np.uint8]) -> Prediction:
        """Segment an image that was read already, such as that of a sample of a data set.

        Args:
            pixels: `(H, W, C)` in 0..255, as the network takes it: RGB, or the model's bands.

        Example:
            >>> sceneparse.load().segment(np.zeros((48, 64, 3), np.uint8)).mask.shape
            (48, 64)
        """
        return self._predict(self._logits([pixels])[0], pixels)

    def segment_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Segment images that were read already, those of one network size together.

        Args:
            images: Each as for `segment`.

        Returns:
            A prediction of each image, in their order.

        Example:
            >>> images = [np.zeros((48, 64, 3), np.uint8)] * 2
            >>> [prediction.mask.shape for prediction in sceneparse.load().segment_all(images)]
            [(48, 64), (48, 64)]
        """
        stride = self.network.input_stride
        indices_of_size: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            size = self.resize.network_size(image.shape[0], image.shape[1], stride)
            indices_of_size.setdefault(size, []).append(index)
        predictions: dict[int, Prediction] = {}
        for indices in indices_of_size.values():
            for start in range(0, len(indices), self.batch_size):
                batch = indices[start : start + self.batch_size]
                logits = self._logits([images[index] for index in batch])
                for index, own in zip(batch, logits, strict=True):
                    predictions[index] = self._predict(own, images[index])
        return [predictions[index] for index in range(len(images))]

    def label_map(self, image: ImageInput) -> Mask:
        """Segment one image into labels alone; without confidence the decision is much faster.

        Args:
            image: As for a call.

        Returns:
            Train ids `(H, W)`, those of the mask of its prediction.

        Example:
            >>> sceneparse.load().label_map("image.jpg").shape
            (240, 320)
        """
        pixels = image_array(image, self.reading)
        return self._labels_only(self._logits([pixels])[0], pixels)

    def segment_frames(
        self, frames: Iterable[Frame], smoothing_s: float = DEFAULT_TIME_CONSTANT_S
    ) -> Iterator[Mask]:
        """Segment the frames of a video into labels, one after the other, smoothed over time.

        `batch_size` frames go through the network together, and no more are held.

        Args:
            frames: Frames of one video, in their order.
            smoothing_s: Time constant of the moving average of the probabilities, in seconds; 0 for
                each frame by itself.

        Yields:
            Train ids `(H, W)` of each frame.

        Example:
            >>> from sceneparse.data.io.video_reading import Frame
            >>> frames = (Frame(time / 25, np.zeros((48, 64, 3), np.uint8)) for time in range(3))
            >>> [mask.shape for mask in sceneparse.load().segment_frames(frames)]
            [(48, 64), (48, 64), (48, 64)]
        """
        smoothing = TemporalSmoothing(smoothing_s)
        iterator = iter(frames)
        while batch := list(islice(iterator, self.batch_size)):
            logits = self._logits([frame.pixels for frame in batch])
            for frame, own in zip(batch, logits, strict=True):
                smoothed = smoothing(own.whole(), frame)
                yield self._labels_only(LogitSlabs.of(smoothed), frame.pixels)

    def score(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[Mask]) -> list[Counts]:
        """Segment images of any sizes at the sizes of their annotations, and count each.

        Images that have the same size for the network go through it together.
        """
        return [
            self._score(logits, image, target)
            for logits, image, target in zip(self._logits(images), images, targets, strict=True)
        ]

    @property
    def _max_bytes(self) -> int:
        return self.memory_budget_mb * 2**20

    def _logits(self, images: Sequence[NDArray[np.uint8]]) -> list[LogitSlabs]:
        # Means over views and refinements need the logits of a whole image.
        if self.refinement is None and is_single(self.views):
            return slabs_of_images(images, self.network, self.resize, self.views[0].scale)
        logits = logits_over_views(images, self.network, self.resize, self.views)
        return [LogitSlabs.of(each) for each in logits]

    def _predict(self, logits: LogitSlabs, image: NDArray[np.uint8]) -> Prediction:
        found = self._label_map(logits, image)
        return Prediction(image, found.mask, found.confidence, self.labels)

    def _refined(self, logits: LogitSlabs, image: NDArray[np.uint8]) -> LogitSlabs | RefinedLogits:
        if self.refinement is None:
            return logits
        return refined(logits.whole(), image, self.refinement)

    def _label_map(self, logits: LogitSlabs, image: NDArray[np.uint8]) -> LabelMap:
        size = (image.shape[0], image.shape[1])
        found = self._refined(logits, image)
        if isinstance(found, RefinedLogits):
            return found.label_map(size, self.labels, self._max_bytes)
        return label_map(found, size, self.labels.dtype, self._max_bytes)

    def _labels_only(self, logits: LogitSlabs, image: NDArray[np.uint8]) -> Mask:
        found = self._refined(logits, image)
        size = (image.shape[0], image.shape[1])
        if isinstance(found, RefinedLogits):
            return found.label_map(size, self.labels, self._max_bytes).mask
        return labels_only(found, size, self.labels.dtype, self._max_bytes)

    def _score(self, logits: LogitSlabs, image: NDArray[np.uint8], target: Mask) -> Counts:
        found = self._refined(logits, image)
        if isinstance(found, RefinedLogits):
            return found.score(target, self.labels, self._max_bytes)
        return score(found, target, self.labels.ignore_index, self._max_bytes)


def _image_arrays(images: Sequence[Any], reading: ImageReading) -> list[NDArray[np.uint8]]:
    arrays: list[NDArray[np.uint8]] = []
    for number, image in enumerate(images, start=1):
        try:
            arrays.append(image_array(image, reading))
        except InputError as error:
            raise InputError(f"image {number} of {len(images)}: {error}") from None
    return arrays
