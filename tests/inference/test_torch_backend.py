"""Labels, confidence and loss from logits in tiles, against the plain way."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize
from sceneparse.labels import Labels, ade20k_labels
from sceneparse.metrics.scores import confusion_matrix
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet
from sceneparse.ops import upsampling as upsample
from tests.inference.memory import printed


def segmenter_of(labels: Labels) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(UNet(labels.num_classes, width=4))


def backend_of(labels: Labels) -> TorchBackend:
    cpu = torch.device("cpu")
    return TorchBackend(segmenter_of(labels), labels, (16, 1), cpu, nullcontext)


@pytest.mark.parametrize(
    ("cells", "size"), [((16, 16), (61, 83)), ((20, 12), (9, 7)), ((8, 8), (8, 8))]
)
@pytest.mark.parametrize("tile_bytes", [1, 10**9])
def test_answers_in_tiles_equal_the_plain_way(
    cells: tuple[int, int],
    size: tuple[int, int],
    tile_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(upsample.TILE_BYTES, "cpu", tile_bytes)
    labels = ade20k_labels()
    logits = 4 * torch.randn(1, 150, *cells)
    target = torch.randint(0, 150, size, dtype=torch.uint8)
    target[:2] = 255
    backend = backend_of(labels)
    answer = backend.label_map(logits[0].numpy(), cells, size)
    full = F.interpolate(logits, size=size, mode="bilinear")[0]
    best = full.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-5).numpy()
    np.testing.assert_array_equal(answer.mask[clear], full.argmax(0).numpy()[clear])
    np.testing.assert_allclose(answer.confidence, full.softmax(0).amax(0).numpy(), atol=1e-5)
    assert answer.mask.dtype == np.uint8
    counts = backend.score(logits[0].numpy(), cells, target.numpy())
    loss = F.cross_entropy(full[None], target[None].long(), ignore_index=255, reduction="sum")
    assert counts.loss == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_array_equal(
        counts.confusion, confusion_matrix(answer.mask, target.numpy(), 150, 255)
    )


def test_deciding_stays_in_its_memory_budget() -> None:
    (taken,) = printed("""
        import numpy as np, torch
        from contextlib import nullcontext
        from sceneparse.ops import upsampling as upsample
        from sceneparse.inference.backends.torch import TorchBackend
        from sceneparse.labels import ade20k_labels
        # As on an accelerator, where only the budget keeps tiles small.
        upsample.TILE_BYTES["cpu"], upsample.TILE_COLUMNS["cpu"] = 2**40, 10**6
        labels, cpu = ade20k_labels(), torch.device("cpu")
        backend = TorchBackend(torch.nn.Identity(), labels, (4, 4), cpu, nullcontext, 32)
        logits = np.random.default_rng(0).normal(size=(150, 64, 64)).astype(np.float32)
        target = np.zeros((800, 800), np.uint8)

        backend.score(logits, (64, 64), target[:64, :64])
        before = peak()
        backend.score(logits, (64, 64), target)
        backend.label_map(logits, (64, 64), target.shape)
        print(peak() - before)
    """)
    # The answers and the counts of 800 x 800 pixels take up to 6 MiB beside the budget of 32; the
    # logits at that size would take 366.
    assert float(taken) < 32 + 6


def test_predictor_answers_at_the_size_of_the_image() -> None:
    labels = ade20k_labels()
    predictor = Predictor(backend_of(labels), labels, Resize("stretch", 32))
    for height, width in ((20, 50), (97, 33)):
        image = np.zeros((height, width, 3), np.uint8)
        prediction = predictor(image)
        assert prediction.mask.shape == prediction.confidence.shape == (height, width)
        shares = [entry["share"] for entry in prediction.classes()]
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        assert all(0 < entry["confidence"] <= 1 for entry in prediction.classes())


def test_predicting_leaves_the_network_in_training_as_it_was() -> None:
    labels = ade20k_labels()
    segmenter = segmenter_of(labels).train()
    backend = TorchBackend(segmenter, labels, (16, 1), torch.device("cpu"), nullcontext)
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    backend.logits(np.zeros((1, 32, 32, 3), np.uint8))
    assert segmenter.training
    for name, value in segmenter.state_dict().items():
        torch.testing.assert_close(value, before[name])
