"""The ``torch.nn`` modules: architectures that upscale, one file each, discriminators, and VGG.

``base.py`` says what an architecture is, and ``architectures.py`` names all of them.
"""
