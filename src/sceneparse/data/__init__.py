"""From files, or from nothing, to pictures and masks of train ids."""
