"""Renders the sample library: real components of open-source CSS frameworks, invented content."""
