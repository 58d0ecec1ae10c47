"""The annotation formats of other tools: one file each, reader and writer side by side."""
