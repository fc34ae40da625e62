"""One process: the site over HTTP in threads, the script of changes over stdin, until that ends.

Each line of stdin is a change in JSON, each line of stdout what came of it; the first line of
stdout is `{"port": ...}`, once the site answers.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import Any, TextIO

import django


def main() -> None:
    """Set up Django, then build the site where that is asked for, or serve it."""
    out, sys.stdout = sys.stdout, sys.stderr  # what Django prints is no answer
    django.setup()
    if sys.argv[1] == "build":
        _build(components=int(sys.argv[2]))
    else:
        _serve(sys.stdin, out)


def _build(components: int) -> None:
    from django.core.management import call_command
    from django.db import connection, transaction
    from wagtail.signal_handlers import disable_reference_index_auto_update

    from library_pipeline_tests.real_cms.wagtail.script import fill

    call_command("migrate", verbosity=0)
    with transaction.atomic(), disable_reference_index_auto_update():
        fill(components)
    # In one file, which can be copied.
    connection.cursor().execute("pragma wal_checkpoint(truncate)")


def _serve(changes: TextIO, out: TextIO) -> None:
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    port = server.server_address[1]
    _move_site(port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _say(out, {"port": port})
    for line in changes:
        _say(out, _answer(json.loads(line)))


def _move_site(port: int) -> None:
    from wagtail.models import Site

    site = Site.objects.get(is_default_site=True)
    site.hostname, site.port = "127.0.0.1", port
    site.save()


def _answer(change: dict[str, Any]) -> dict[str, Any]:
    from library_pipeline_tests.real_cms.wagtail.script import CHANGES

    try:
        return {"result": CHANGES[change.pop("do")](**change)}
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _say(out: TextIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
