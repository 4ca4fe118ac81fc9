"""Image files to frames, and frames to files.

``decode.py`` and ``encode.py`` are the two ends; ``formats.py`` says what each format can store.
``admission.py`` and ``limits.py`` look at a file before a decoder does; ``sources.py``,
``tiff*.py``, ``deep.py``, ``bmp.py`` and ``gif_frames.py`` decode what Pillow alone does not;
``carrying.py`` puts metadata into the result.
"""
