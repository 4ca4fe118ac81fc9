"""Pure image functions: decode and encode files, colour, metadata, resizing, tiles, metrics."""
