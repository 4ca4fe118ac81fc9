"""Pure picture functions: reading and writing, resizing, tiles and metrics."""
