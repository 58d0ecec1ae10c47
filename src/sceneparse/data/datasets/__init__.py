"""One module for each published data set, for folders of own images, and for generated scenes."""
