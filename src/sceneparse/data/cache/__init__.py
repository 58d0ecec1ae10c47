"""Decoded pixels of a data set in one file that is mapped into memory."""
