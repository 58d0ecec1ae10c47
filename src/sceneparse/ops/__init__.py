"""Tensor functions that several rooms share: upsampling in tiles, counting, exact sums."""
