"""Fetching the files of components, and keeping them by digest."""

from library_pipeline.bundles.download import BundleDownloader, FetchedBundle
from library_pipeline.bundles.store import BundleError, BundleStore

__all__ = ["BundleDownloader", "BundleError", "BundleStore", "FetchedBundle"]
