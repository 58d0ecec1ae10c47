"""Networks: the U-Net of the paper, a U-Net decoder over any timm encoder, and the segmenter."""
