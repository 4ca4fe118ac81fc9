"""Folders of photographs, pair preparation and the training set."""
