"""The transform of training samples: random crop, mixing, degradation and colour jitter."""

from dataclasses import dataclass, replace

import numpy as np

from sceneparse.augmentation.colors import jitter_colors
from sceneparse.augmentation.degradation import degrade
from sceneparse.augmentation.geometry import OutputSquare, crop_to_square
from sceneparse.augmentation.mixing import SampleMixer
from sceneparse.augmentation.parameters import RandomCrop, TransformParameters, draw_parameters
from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.dataset import Sample

# Random stream of the transforms; the sample order of the loader uses another stream.
_STREAM = 1


@dataclass(frozen=True)
class Transform:
    """The random transform of training samples.

    One resampling crops, scales and flips the sample. Mixing with another sample, degradation and
    colour jitter follow. Colour jitter is last, so that the training device can apply it instead.

    Attributes:
        size: Height and width of the output in pixels.
        settings: Settings of the augmentation.
        seed: Seed of the run.
        ignore_index: Train id of unlabelled pixels.
        defers_color_jitter: Whether the training device applies the colour jitter to the batch.
        mixing: Mixing with other samples; none for no mixing.
        size_schedule: Output size of each epoch; none for a constant size.
    """

    size: int
    settings: TransformSettings
    seed: int
    ignore_index: int
    defers_color_jitter: bool = False
    mixing: SampleMixer | None = None
    size_schedule: SizeSchedule | None = None

    def for_epoch(self, epoch: int) -> "Transform":
        """Return the transform of an epoch, with the output size of the schedule."""
        schedule = self.size_schedule
        return replace(self, size=schedule.size_at(epoch)) if schedule else self

    def draw_parameters(self, epoch: int, index: int) -> TransformParameters:
        """Draw the parameters for one sample of one epoch."""
        random = np.random.default_rng([_STREAM, self.seed, epoch, index])
        parameters = draw_parameters(self.settings, random)
        if self.mixing:
            parameters = parameters._replace(mix=self.mixing.draw(random))
        stride = self.settings.mask_stride
        if stride > 1:
            # An even stride has no centre pixel; a random offset avoids a shift on average.
            row, column = random.integers(2, size=2) + stride // 2 - 1
            parameters = parameters._replace(mask_offset=(int(row), int(column)))
        return parameters

    def min_image_size(self, parameters: TransformParameters) -> tuple[int, int]:
        """Return the minimum height and width at which to decode the image."""
        return parameters.crop.min_image_size(self.size)

    def partner(self, parameters: TransformParameters) -> tuple[int, tuple[int, int]] | None:
        """Return index and minimum height and width of the second sample to mix in, if any."""
        return parameters.mix and (
            parameters.mix.partner,
            parameters.mix.crop.min_image_size(self.size),
        )

    def __call__(
        self, sample: Sample, parameters: TransformParameters, partner: Sample | None = None
    ) -> Sample:
        """Transform a sample.

        Args:
            sample: The sample.
            parameters: Parameters from `draw_parameters`.
            partner: The sample that `partner(parameters)` selects, if any.

        Returns:
            Image `(size, size, C)` and mask `(size / mask_stride, size / mask_stride)`.
        """
        square = self.crop(sample, parameters.crop, flip=parameters.flip)
        if self.mixing and parameters.mix and partner:
            other = self.crop(partner, parameters.mix.crop, flip=parameters.mix.flip)
            square = self.mixing.paste(square, other, parameters.mix)
        image = degrade(square.image, parameters.degradation)
        if not self.defers_color_jitter:
            image = jitter_colors(image, parameters.color_jitter)
        row, column = parameters.mask_offset
        stride = self.settings.mask_stride
        mask = square.mask[row::stride, column::stride]
        return square._replace(image=image, mask=mask)

    def crop(self, sample: Sample, crop: RandomCrop, *, flip: bool) -> Sample:
        """Crop a sample and scale the crop to the output square."""
        square = OutputSquare(self.size, self.settings.class_share, self.ignore_index)
        return crop_to_square(sample, crop, square, flip=flip)
