"""What a run leaves on disk: its folder, its checkpoints, and weights that are used alone."""
