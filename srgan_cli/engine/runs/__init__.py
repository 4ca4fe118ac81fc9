"""A training run on disk.

Its folder and options, checkpoints, the journal of metrics, and the health that is read from it.
Nothing here trains: ``training`` writes these files, ``report`` reads them.
"""
