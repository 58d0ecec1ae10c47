"""Decoding of image files and mask files to arrays."""
