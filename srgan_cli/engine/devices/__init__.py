"""Devices and what they allow: precision and autocast, memory, the ranks of ``torchrun``."""
