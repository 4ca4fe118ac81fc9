"""From options to weights (``srgan train``).

``train.py`` starts or resumes a run, ``session.py`` is its loop, ``trainer.py`` one step of each
phase; patches, schedules and validation stand beside them.
"""
