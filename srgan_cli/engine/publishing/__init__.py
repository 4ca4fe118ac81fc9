"""Exports to other programs' formats, and model cards.

Start at ``exported.py`` (``srgan models export``) and ``card.py`` (``srgan models card``).
"""
