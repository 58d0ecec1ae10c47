"""PyTorch as a backend for a network with a point head."""

from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sceneparse.inference.backends.torch import Autocast, TorchBackend, as_tensor, evaluating
from sceneparse.labels import Labels


class PointNetwork(Protocol):
    """What a segmenter with a point head answers."""

    def seen(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features `(B, D, h, w)` and logits `(B, C, h, w)` of pictures."""
        ...

    def logits_at(self, features: Tensor, covered: tuple[float, float], places: Tensor) -> Tensor:
        """Compute the point head's logits `(B, C, P)` at places `(B, P, 2)`."""
        ...


class TorchPointBackend(TorchBackend):
    """A segmenter with a point head on its device."""

    def __init__(
        self,
        segmenter: nn.Module,
        labels: Labels,
        strides: tuple[int, int],
        device: torch.device,
        autocast: Autocast,
        memory_budget_mb: int,
        num_features: int,
        place_bytes: int,
    ) -> None:
        """Wrap a segmenter that is on its device.

        Args:
            segmenter: A `PointNetwork`.
            labels: The classes.
            strides: Input stride and output stride of the network.
            device: Where the segmenter is.
            autocast: The precision to run it in.
            memory_budget_mb: Most memory in MiB that deciding takes beside its input and answer.
            num_features: Channels of its features.
            place_bytes: What the point head takes of memory for each place.
        """
        super().__init__(segmenter, labels, strides, device, autocast, memory_budget_mb)
        self.num_features = num_features
        self._places_at_once = max(1, self._tile_bytes // place_bytes)
        self._network = cast("PointNetwork", segmenter)

    @torch.inference_mode()
    def logits_and_features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits and features `(B, C + D, h, w)` of pictures `(B, H, W, 3)`."""
        batch = as_tensor(images).to(self._device).permute(0, 3, 1, 2)
        with evaluating(self._segmenter), self._autocast():
            features, logits = self._network.seen(batch)
        return torch.cat([logits.float(), features.float()], dim=1).cpu().numpy()

    @torch.inference_mode()
    def logits_at(
        self,
        features: NDArray[np.float32],
        covered: tuple[float, float],
        places: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Compute logits `(C, P)` at places `(P, 2)` of a picture, a part of them at a time."""
        seen, where = (as_tensor(array).to(self._device)[None] for array in (features, places))
        with evaluating(self._segmenter), self._autocast():
            parts = [
                self._network.logits_at(seen, covered, part)[0].float()
                for part in where.split(self._places_at_once, dim=1)
            ]
        return torch.cat(parts, dim=1).cpu().numpy()
