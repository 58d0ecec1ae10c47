"""Auxiliary heads: their loss, their gradients, and that nobody else sees them."""

import pytest
import torch
import torch.nn.functional as F

from sceneparse.confusion import confusion_matrix
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import DecoderOptions, EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.upsample import upsample


def segmenter_with(weight: float, output_stride: int = 4) -> Segmenter:
    torch.manual_seed(0)
    options = DecoderOptions(deep_supervision=weight)
    encoder = Encoder("test_resnet", "none")
    return Segmenter(EncoderUNet(encoder, 5, (24, 16, 8), output_stride, options=options))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of no multiple of any stride, and masks with void."""
    torch.manual_seed(1)
    image = torch.randint(0, 256, (2, 3, 50, 70), dtype=torch.uint8)
    mask = torch.randint(0, 5, (2, 50, 70), dtype=torch.uint8)
    mask[:, :7] = 255
    return image, mask


@pytest.mark.parametrize("in_strips", [True, False])
def test_the_loss_is_the_weighted_sum_over_all_heads(
    in_strips: bool, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    image, mask = batch
    segmenter = segmenter_with(0.3).eval()
    seen: list[torch.Tensor] = []

    def note(_module: object, _inputs: object, output: torch.Tensor) -> None:
        seen.append(output)

    for block in segmenter.network.decoder:
        block.register_forward_hook(note)
    loss = CrossEntropy(255, label_smoothing=0.1, in_strips=in_strips)
    sums = segmenter(image, mask, loss)
    network = segmenter.network
    assert isinstance(network, EncoderUNet)
    heads = [(network.auxiliary[0], 16, 0.3), (network.auxiliary[1], 8, 0.3), (network.head, 4, 1)]
    expected = torch.zeros(())
    prediction = mask
    for features, (head, stride, weight) in zip(seen, heads, strict=True):
        logits = upsample(head(features), (50 / stride, 70 / stride), (50, 70))
        expected += weight * F.cross_entropy(
            logits, mask.long(), ignore_index=255, label_smoothing=0.1, reduction="sum"
        )
        prediction = logits.argmax(dim=1)
    torch.testing.assert_close(sums.total, expected)
    assert torch.equal(sums.confusion, confusion_matrix(prediction, mask, 5, 255))


def test_gradients_reach_every_head_and_stay_the_loss_s_own(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    image, mask = batch
    whole = segmenter_with(0.5).eval()
    whole(image, mask, CrossEntropy(255)).total.backward()
    network = whole.network
    assert isinstance(network, EncoderUNet)
    for head in network.auxiliary:
        assert all(p.grad is not None and p.grad.any() for p in head.parameters())
    # The main head learns as without the others.
    alone = segmenter_with(0).eval()
    alone.load_state_dict(whole.state_dict(), strict=False)
    alone(image, mask, CrossEntropy(255)).total.backward()
    torch.testing.assert_close(network.head.weight.grad, alone.network.head.weight.grad)


def test_every_level_but_the_last_has_a_head() -> None:
    for stride, heads in ((4, 2), (2, 3), (1, 4)):
        network = segmenter_with(1.0, stride).network
        assert isinstance(network, EncoderUNet)
        assert len(network.auxiliary) == heads
    plain = segmenter_with(0).network
    assert isinstance(plain, EncoderUNet)
    assert len(plain.auxiliary) == 0


@torch.no_grad()
def test_predictions_do_not_see_them(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    with_heads, without = segmenter_with(0.3).eval(), segmenter_with(0).eval()
    missing, unexpected = without.load_state_dict(with_heads.state_dict(), strict=False)
    assert not missing
    assert all("auxiliary" in name for name in unexpected)
    assert torch.equal(with_heads(batch[0]), without(batch[0]))
