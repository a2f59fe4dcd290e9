"""Toy models in real formats, for the demonstration and the tests."""
