"""What runs a network: one file per runtime, each a `Backend`."""
