"""Trains and measures the small CLIP that ships as `model: demo`; see docs/demo-encoder.md."""
