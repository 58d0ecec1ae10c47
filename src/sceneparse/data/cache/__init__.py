"""The cache of decoded images: one file of pixels per split, mapped into memory."""
