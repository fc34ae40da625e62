"""The command line: `library-pipeline --help`."""

from library_pipeline.cli.app import main

__all__ = ["main"]
