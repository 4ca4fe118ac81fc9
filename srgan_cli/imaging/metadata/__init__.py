"""EXIF, XMP and ICC profiles: what they state, corrected for a result.

``transfer.py`` decides what stays; ``exif.py`` and ``xmp.py`` correct it, ``profiles.py``
recognises and makes ICC profiles, and ``label.py`` says what made a result.
"""
