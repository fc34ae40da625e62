"""A CMS with three components on a loopback port."""

from __future__ import annotations

from library_pipeline_tests.support.small_cms import cms, folder

__all__ = ["cms", "folder"]
