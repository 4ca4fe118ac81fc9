"""What leaves the project: exports to other formats and model cards.

Start at ``exported.py`` (``srgan models export``) and ``card.py`` (``srgan models card``).
"""
