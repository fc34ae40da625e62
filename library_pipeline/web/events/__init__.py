"""Refreshes as they go on: one LISTEN of the process, handed on to all who watch."""

from library_pipeline.web.asking import Refreshing
from library_pipeline.web.events.feed import Feed
from library_pipeline.web.refresh_states import refresh_state

__all__ = ["Feed", "feed_of"]


def feed_of(refreshing: Refreshing) -> Feed:
    """Return the feed of what `refreshing` is about, as JSON; it begins with the first watcher."""
    return Feed(
        refreshing.database,
        lambda item: refresh_state(item, refreshing.dagster).model_dump(mode="json"),
    )
