"""What srgan finds on this machine (``srgan doctor``): versions, devices, formats and speeds.

Start at ``inventory.py``; ``measure.py`` times each device and runtime.
"""
