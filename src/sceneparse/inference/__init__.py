"""The one way from pixels to mask: resize, compute logits, upsample and decide."""
