"""One model is loaded at a time in a process, whichever engine loads it."""

from threading import Lock

LOADING = Lock()
"""Held while a model is loaded: transformers imports itself piece by piece and patches torch, so
that of two threads one finds half a module, or spoils the other one's model."""
