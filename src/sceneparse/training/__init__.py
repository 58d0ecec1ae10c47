"""The loop, all that it holds, and what is decided when a run starts."""
