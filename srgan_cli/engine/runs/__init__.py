"""What a training run is on disk.

Its folder, checkpoints, the journal of metrics, and the health that is read from them. Nothing here
trains; ``training`` writes through these files and ``report`` reads them.
"""
