"""Pure image functions: reading and writing, resizing, tiles and metrics."""
