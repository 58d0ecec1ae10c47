"""What a job reports while it runs, and what a training run writes to its folder."""
