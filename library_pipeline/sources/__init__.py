"""Where components come from: a CMS's manifest over HTTP, read and checked."""

from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.http_cms import HttpCms, NotModified, Poll
from library_pipeline.sources.manifest import (
    ManifestError,
    ManifestPage,
    ManifestProblem,
    parse_page,
)

__all__ = [
    "CmsConnection",
    "HttpCms",
    "ManifestError",
    "ManifestPage",
    "ManifestProblem",
    "NotModified",
    "Poll",
    "parse_page",
]
