"""From files to arrays: images, masks, and the codes of mask ids."""
