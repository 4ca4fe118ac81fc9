"""Self-contained HTML pages: rendered from plain data, no torch, no network."""
