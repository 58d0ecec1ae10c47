"""One file for each layout in which data sets come."""
