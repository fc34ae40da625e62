"""`library-pipeline source`: what the sources are, what is understood of them, how it looks."""

from library_pipeline.cli.source.commands import source

__all__ = ["source"]
