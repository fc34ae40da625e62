"""Sources on this machine: folders of pictures or bundles, and files of items."""

from library_pipeline.sources.local.configured import local_source
from library_pipeline.sources.local.files import LocalFiles, read_local, url_of

__all__ = ["LocalFiles", "local_source", "read_local", "url_of"]
