"""The machine: devices, ranks of processes, signals, files and the user's cache folder."""
