"""A loaded network over one image: tiles, threads, precision, colour and alpha, and any size.

Start at ``loading.py``, which makes an ``Upscaler`` (``upscaler.py``); ``frame.py`` upscales an
image of any kind with it.
"""
