"""The webhooks: can what proves a call be had?"""

from __future__ import annotations

from collections.abc import Iterator

from library_pipeline.cli.doctor.check import Check
from library_pipeline.settings import Settings, SettingsError, read_secret


def check_webhooks(settings: Settings) -> Iterator[Check]:
    """Yield for each webhook whether its secret can be read, and where a call has its proof."""
    for name, webhook in settings.webhooks.items():
        try:
            read_secret(webhook)
        except SettingsError as error:
            way_out = "have it where `library-pipeline serve` runs; until then calls get a 503"
            yield Check(f"{name} webhook", "wrong", str(error), way_out)
        else:
            found = f"its secret can be read; calls are proven by {webhook.header_name}"
            yield Check(f"{name} webhook", "ok", found)
