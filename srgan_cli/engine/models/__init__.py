"""Weights files, and the names under which they are found.

Reading files safely, recognising the network from its parameters, the shelf of bundled, trained and
added models, and blends of two. ``shelf.py`` turns a name into a file, ``weights.py`` a file into a
network.
"""
