"""Phantom tests, and digital phantoms whose right answer is known."""
