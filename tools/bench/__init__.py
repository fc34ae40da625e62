"""Measurements behind docs/benchmarks.md: `python -m tools.bench`."""
