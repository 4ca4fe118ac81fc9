"""Devices: which one is used, its precision and autocast, its memory, the ranks of ``torchrun``."""
