"""Pixeltable over the same files and weights: `PYTHON ... <checkpoint> <folder of PNGs>`.

Run by an interpreter that has `pixeltable`, `torch` and `transformers`; prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path


def main(checkpoint: str, folder: Path) -> None:
    """Insert every picture into a table with an embedding index, and time that."""
    os.environ.setdefault("PIXELTABLE_HOME", tempfile.mkdtemp(prefix="pixeltable-"))
    import pixeltable as pxt  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    from pixeltable.functions.huggingface import (  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        clip,
    )

    rows = [{"picture": str(path)} for path in sorted(folder.glob("*.png"))]
    table = pxt.create_table("pictures", {"picture": pxt.Image})
    table.add_embedding_index("picture", embedding=clip.using(model_id=checkpoint))
    table.insert(rows[:1])  # loads the model
    started = time.perf_counter()
    table.insert(rows[1:])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"a_second": (len(rows) - 1) / seconds, "peak_megabytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
