"""The decoder over encoders with all kinds of strides."""

import pytest
import torch
from tests.models.decoders import encoder_unet

from sceneparse.errors import InputError
from sceneparse.models.encoder import Encoder
from sceneparse.models.segmenter import Segmenter

STRIDES = {
    "tf_efficientnet_lite0": [2, 4, 8, 16, 32],
    "convnext_atto": [4, 8, 16, 32],
    "swin_tiny_patch4_window7_224": [4, 8, 16, 32],
    "vgg11": [1, 2, 4, 8, 16, 32],
}


@pytest.mark.parametrize("name", STRIDES)
@pytest.mark.parametrize("output_stride", [1, 2, 4, 8])
def test_logits_have_the_output_stride(name: str, output_stride: int) -> None:
    encoder = Encoder(name, "none")
    assert encoder.strides == STRIDES[name]
    segmenter = Segmenter(encoder_unet(encoder, 7, (16, 8), output_stride)).eval()
    with torch.no_grad():
        logits = segmenter(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))
    assert logits.shape == (1, 7, 64 // output_stride, 96 // output_stride)


def test_every_skip_connection_joins_the_level_of_its_stride() -> None:
    network = encoder_unet(Encoder("tf_efficientnet_lite0", "none"), 7, (16, 8), 2)
    skips = {block.stride: block.skips for block in network.blocks() if "decoder" in block.name}
    assert skips == {stride: (f"encoder stage {stride}",) for stride in (16, 8, 4, 2)}


def test_an_unknown_encoder_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match=r"did you mean .*tf_efficientnet_lite0"):
        Encoder("efficientnet-lite0", "none")


def test_an_encoder_whose_strides_do_not_increase_is_refused() -> None:
    with pytest.raises(InputError, match="expected strides that increase"):
        Encoder("vit_tiny_patch16_224", "none")
