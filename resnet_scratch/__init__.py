"""Residual networks from scratch: every layer with a forward and a backward that you can read."""

__version__ = "0.1.0"
