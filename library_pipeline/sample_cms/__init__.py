"""A small CMS over a folder of bundles: the reference for the contract in docs/cms.md."""

from library_pipeline.sample_cms.app import create_app
from library_pipeline.sample_cms.faults import Faults, FileFault, RequestFault
from library_pipeline.sample_cms.server import SampleCms, serve

__all__ = ["Faults", "FileFault", "RequestFault", "SampleCms", "create_app", "serve"]
