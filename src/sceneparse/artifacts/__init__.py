"""The files of a run: its folder, its checkpoints and its weights files."""
