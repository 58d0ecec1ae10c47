"""Published archives: where they are, their download, and how they are unpacked."""
