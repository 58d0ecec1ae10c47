"""The machine: devices, processes, signals, files and the user's cache."""
