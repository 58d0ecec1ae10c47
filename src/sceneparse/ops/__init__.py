"""Functions of tensors that several rooms share: upsampling in tiles, counting, exact sums."""
