"""A Dagster instance on PostgreSQL, refreshes in this process, and sensor ticks."""

from __future__ import annotations

from library_pipeline_tests.support.dagster_instance import (
    dagster_template,
    definitions,
    instance,
    refresh,
)
from library_pipeline_tests.support.ticks import tick

__all__ = ["dagster_template", "definitions", "instance", "refresh", "tick"]
