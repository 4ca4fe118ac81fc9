"""From images to scores (``srgan eval``).

Sets of image pairs, the models and folders that compete, the protocol that makes scores comparable,
and their paired comparison. Start at ``evaluate.py``.
"""
