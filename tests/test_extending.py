"""A module outside the package adds a loss, a network and a data set.

Each of them is a class and an entry in a table, as described in docs/architecture.md.
"""

import subprocess
import sys
from pathlib import Path

from tests.conftest import write_rectangles

MODULE = '''
from pathlib import Path

import torch
from torch import nn

from sceneparse.data.pairing import pair_folders
from sceneparse.data.datasets.folder import folder_labels
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.settings import DATASETS
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.tile_gradient import TileGradient
from sceneparse.losses.settings import LOSSES, LossSettings
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.settings import MODELS, ModelSettings
from sceneparse.models.unet import UNet
from sceneparse.system.settings import UserPath, settings


@settings
class Squared(LossSettings):
    """Mean squared distance of the true class's probability from 1."""

    def build(self, labels, path="loss"):
        return SquaredLoss(self, labels.ignore_index)


class SquaredLoss(SegmentationLoss):
    def untiled(self, logits, target):
        valid = target != self.ignore_index
        true = logits.softmax(1).gather(1, target.where(valid, 0).long()[:, None])[:, 0]
        return ((1 - true) ** 2 * valid).sum()

    def prepare(self, batch):
        def tile_gradient(tile):
            wrong = (1 - tile.true_probability) * tile.valid
            derivative = 2 * wrong * tile.true_probability
            total = (wrong * (1 - tile.true_probability)).sum()
            return TileGradient(total, derivative, derivative)

        return tile_gradient


@settings
class Narrow(ModelSettings):
    """A U-Net of a fixed width."""

    def build(self, num_classes, channels=3):
        return Segmenter(UNet(num_classes, 4, channels), channels=channels)

    @property
    def deployed(self):
        return Narrow()

    def __str__(self):
        return "narrow"


@settings
class Flat(PublishedData):
    """`pixels_SPLIT` and `ids_SPLIT` beside `labels.yaml`."""

    root: UserPath = Path("data/flat")
    """Folder of the data set."""

    def split_path(self, split):
        return self.root / f"pixels_{split}"

    def open_split(self, root, split):
        folders = (root / f"{kind}_{split}" for kind in ("pixels", "ids"))
        return pair_folders(*folders, self.find_labels(), split)

    def find_labels(self):
        return folder_labels(self.root)


LOSSES["squared"] = Squared
MODELS["narrow"] = Narrow
DATASETS["flat"] = Flat
'''
RUN = """
import sys

import mine
import sceneparse
from sceneparse.config.schema import config_schema

run = sceneparse.train("run.yaml", out="run")
assert 0 < run.best_miou <= 1
report = sceneparse.evaluate("run", device="cpu")
assert report.scores.miou == run.best_miou
for kind in ("squared", "narrow", "flat"):
    assert f'"const": "{kind}"' in config_schema()
"""
CONFIG = """
data: {kind: flat, root: data}
model: {kind: narrow}
loss: {kind: sum, terms: [{kind: squared}, {kind: cross_entropy}]}
transform: {size: 32}
training: {epochs: 1, batch_size: 4, precision: fp32, memory_format: contiguous, device: cpu}
inference: {size: 32}
report: {images: 1}
"""


def test_a_module_adds_a_loss_a_network_and_a_layout(tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 8, "validation": 2})
    for kind, name in (("images", "pixels"), ("masks", "ids")):
        for split in ("training", "validation"):
            (tmp_path / "data" / kind / split).rename(tmp_path / "data" / f"{name}_{split}")
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "run.yaml").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
