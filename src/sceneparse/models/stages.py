"""Which parameters of a network belong to which stage of its encoder."""

from torch import nn

from sceneparse.models.encoder import Encoder


def encoder_stages(network: nn.Module) -> list[list[nn.Parameter]]:
    """List the parameters of each stage of a network's encoder, shallowest first.

    A timm model knows its stages; of another encoder the stem is the first one, and each of its
    blocks, in their order, is one more.
    """
    encoder = network.get_submodule("encoder")
    if isinstance(encoder, Encoder):
        return encoder.stages()
    stem = [module for name, module in network.named_children() if name == "stem"]
    return [list(block.parameters()) for block in (*stem, *encoder.children())]
