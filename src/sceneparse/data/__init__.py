"""From files, or from nothing, to images and masks of train ids."""
