"""Files in, upscaled files out (``srgan upscale``, ``srgan compare``).

A plan of the batch, the ledger of what is done, labels, and the estimates of ``--dry-run``. Start
at ``upscale.py``; how one image is upscaled is :mod:`srgan_cli.engine.inference`.
"""
