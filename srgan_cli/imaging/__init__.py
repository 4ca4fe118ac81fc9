"""Pure image functions, in five groups.

- Files: ``decode.py`` and ``encode.py`` are the two ends; ``admission.py`` and ``limits.py`` look
  at a file before a decoder does; ``sources.py``, ``tiff*.py``, ``deep.py`` and ``gif_frames.py``
  decode what Pillow alone does not; ``formats.py`` says what each format can store.
- Metadata: ``containers/`` finds the blocks in a file, ``metadata.py`` decides what stays,
  ``exif.py`` and ``xmp.py`` correct what they state, ``carrying.py`` puts them into the result.
- Colour: ``colour.py``, ``profiles.py``, ``alpha.py``.
- Pixels: ``resize.py``, ``degrade.py``, ``tiles.py``, ``crops.py``, ``tensors.py``; array types in
  ``types.py``.
- Figures: ``metrics.py``, ``niqe.py``, ``comparison.py``.
"""
