"""The structure of image files: where their blocks are. No pixels are decoded here."""
