"""One contender in a process of its own: `... <name> <checkpoint> <folder> <vectors.npy>`.

Writes the first pictures' vectors, says "ready", then answers each line of its input with the
wall-clock and CPU seconds of a round over all pictures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tools.bench.encoders.contenders import BATCH, contenders


def main(name: str, checkpoint: str, folder: str, vectors: str) -> None:
    """Load the contender and work rounds off until the input ends."""
    embed = contenders()[name](Path(checkpoint))
    pictures = sorted(Path(folder).glob("*.png"))
    np.save(vectors, embed(pictures[:BATCH]))  # warms up as well
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        found = embed(pictures)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        if not np.isfinite(found).all():
            raise RuntimeError(f"{name} gave vectors that are not finite")
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
