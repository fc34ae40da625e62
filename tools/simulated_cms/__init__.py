"""A CMS of any size for benchmarks: every component is made on the fly, nothing is on disk."""

from tools.simulated_cms.process import SimulatedCms

__all__ = ["SimulatedCms"]
