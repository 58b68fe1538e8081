"""Benchmarks of the zoo's speed and quality; the docstring of each module has its command."""
