"""Trains `smp.Unet` in a plain PyTorch loop until the time is over, as a process of its own.

Its argument is a JSON object. Images come through our loader with the same number of threads, so
both sides train on the same images except where the recipes differ. The score is computed as ours:
at the size of each annotation, from one confusion matrix.
"""

import json
import sys
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse import factory
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.dataset import Dataset
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.loader import Batch, Loader
from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.evaluation import evaluate_dataset
from sceneparse.inference.settings import InferenceSettings
from sceneparse.models.lite import read_lite_weights
from sceneparse.tasks.score import ScoreReport

ENCODER = "tf_efficientnet_lite0"
CPU = torch.device("cpu")


class Peer(nn.Module):
    """`smp.Unet` with ImageNet weights in the encoder, for images in 0..255."""

    def __init__(self, classes: int) -> None:
        import segmentation_models_pytorch as smp

        super().__init__()
        self.network: Any = smp.Unet(f"tu-{ENCODER}", encoder_weights=None, classes=classes)
        encoder: nn.Module = self.network.encoder.model
        names = encoder.state_dict().keys()
        weights = read_lite_weights(ENCODER, names)
        encoder.load_state_dict({name: weights[name] for name in names})

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits `(B, C, H, W)` of images `(B, 3, H, W)` in 0..255."""
        # The weights expect a mean and a standard deviation of 0.5.
        return self.network(image / 127.5 - 1)


def main() -> None:
    """Train and score; write the score file and the figures."""
    request = json.loads(sys.argv[1])
    torch.manual_seed(request["seed"])
    data = Ade20kData(root=Path(request["data"]))
    training, validation = (factory.dataset(data, split) for split in ("training", "validation"))
    peer = Peer(training.labels.num_classes)
    optimizers = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer = optimizers[request["optimizer"]](peer.parameters(), lr=request["lr"])
    batches = _batches(request, training)
    steps = _train(peer, optimizer, batches, training.labels.ignore_index, request["until"])
    figures = {
        "steps": steps,
        "images_seen": steps * request["batch_size"],
        "wall_s": round(time.time() - request["began"], 1),
    }
    _report(peer, validation, request).write(Path(request["scores"]))
    Path(request["figures"]).write_text(json.dumps(figures), encoding="utf-8")


def _batches(request: dict[str, Any], training: Dataset) -> Iterable[Batch]:
    transform = TransformSettings(**request["transform"])
    change = factory.transform(transform, request["seed"], CPU, training.labels)
    size, threads = request["batch_size"], request["threads"]
    loader = Loader(training, change, request["seed"], size, threads)
    return loader.batches(0, 10**9)


def _train(
    peer: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Batch],
    ignore_index: int,
    until: float,
) -> int:
    """Train until a time of the clock, at least one step, and return the number of steps."""
    peer.train()
    for step, batch in zip(count(1), batches, strict=False):
        image = torch.from_numpy(batch.image).permute(0, 3, 1, 2).contiguous()
        target = torch.from_numpy(batch.mask).long()
        optimizer.zero_grad()
        loss = F.cross_entropy(peer(image), target, ignore_index=ignore_index)
        loss.backward()
        optimizer.step()
        if time.time() >= until:
            return step
    raise RuntimeError("the endless loader ended")


def _report(peer: nn.Module, validation: Dataset, request: dict[str, Any]) -> ScoreReport:
    network = TorchNetwork(
        peer,
        num_classes=validation.labels.num_classes,
        input_stride=32,
        output_stride=1,
        device=CPU,
    )
    inference = InferenceSettings(resize="stretch", size=request["transform"]["size"])
    predictor = factory.predictor_around(network, validation.labels, inference)
    found = evaluate_dataset(predictor, validation, request["threads"])
    return ScoreReport(
        scores=found.scores,
        labels=validation.labels,
        images=found.images,
        source={},
        names=tuple(validation.names),
        per_image=found.per_image,
        loss=found.loss,
        resize=str(predictor),
    )


if __name__ == "__main__":
    main()
