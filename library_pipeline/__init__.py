"""library-pipeline: keeps a visual index of a CMS's component library fresh."""

__version__ = "0.1.0"
