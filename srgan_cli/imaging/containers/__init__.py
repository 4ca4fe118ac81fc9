"""Parsers of image files' structure, which find metadata blocks without decoding pixels."""
