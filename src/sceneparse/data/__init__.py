"""Data sets, decoding, caching, sampling and batching of images and masks."""
