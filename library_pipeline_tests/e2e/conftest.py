"""Whole runs over a Dagster instance of their own, as the tests of `defs` have it."""

from __future__ import annotations

from library_pipeline_tests.support.dagster_instance import (
    dagster_template,
    definitions,
    instance,
    refresh,
)

__all__ = ["dagster_template", "definitions", "instance", "refresh"]
