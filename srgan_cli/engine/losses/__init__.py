"""What networks are trained for.

Content losses (pixels, VGG features), adversarial losses with their penalties, and
``objectives.py``, where they are weighted and summed.
"""
