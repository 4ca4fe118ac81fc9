"""Loss functions.

Content losses (pixels, VGG features) are in ``content.py``, adversarial losses and their gradient
penalties in ``adversarial.py``; ``objectives.py`` weights and sums them.
"""
