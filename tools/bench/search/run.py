"""All figures of search: in the database, through the API, on the page, and of live events."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from library_pipeline.database.connection import open_database
from library_pipeline.settings import Settings
from tools.bench.search.api import measure_api
from tools.bench.search.database import measure_search
from tools.bench.search.events import measure_events
from tools.bench.search.library import put_library
from tools.bench.search.page import measure_page
from tools.bench.search.tables import api_table, search_table


def measure_all_search(console: Console, components: int = 100_000) -> None:
    """Fill a library, measure, and print it as it comes."""
    with tempfile.TemporaryDirectory(prefix="library-search-") as folder:
        home = Path(folder) / "home"
        with open_database(Settings(home=home)) as database:
            with database.connect() as connection:
                library = put_library(connection, components)
                console.print(search_table(components, measure_search(connection, library)))
            console.print(api_table(components, measure_api(home, components)))
    console.print(measure_page())
    measure_events(console)
