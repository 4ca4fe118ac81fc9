"""Pure image functions. The modules here work on images in memory, in three groups.

- What an image is: ``frames.py``, ``canvas.py``, ``exchange.py``; array types in ``types.py``.
- Pixels: ``resize.py``, ``degrade.py``, ``tiles.py``, ``crops.py``, ``tensors.py``, ``alpha.py``.
- Figures: ``metrics.py``, ``niqe.py``, ``comparison.py``.

``files/`` reads and writes image files; ``containers/`` finds the blocks of metadata in them, and
``metadata/`` corrects what the blocks state.
"""
