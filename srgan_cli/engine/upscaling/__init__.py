"""Files in, upscaled files out (``srgan upscale``).

A plan of the batch, tiles, sizes, the ledger of what is done, and the estimates of ``--dry-run``.
Start at ``upscale.py``; ``upscaler.py`` runs one network over one image.
"""
