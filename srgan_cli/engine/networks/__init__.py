"""The ``torch.nn`` modules: generators, discriminators, VGG, and architectures that others publish.

``base.py`` says what the tile engine has to know of any network.
"""
