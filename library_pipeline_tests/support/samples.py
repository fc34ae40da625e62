"""The small library that tests of the service search: plain components, and hostile names."""

from __future__ import annotations

from library_pipeline_tests.support.pictures import drawn, encoded
from tools.testing.bundles import picture
from tools.testing.indexing import Sample

SCRIPT = "<script>alert(1)</script>"
SLASHED = "hero/äöü 🙂?a=1&b=%2F#x"
PARENT = ".."
SAMPLES = (
    *(
        Sample(f"c-{number}", picture(f"c-{number}"), client="north" if number < 4 else "south")
        for number in range(6)
    ),
    Sample(SLASHED, picture("slashed"), name="Held für Ünïcode"),
    Sample(PARENT, picture("parent"), name="Named like a folder"),
    Sample(
        "evil",
        picture("evil"),
        name=f"{SCRIPT}{{{{ 7 * 7 }}}}",
        client='"><img src=x onerror=alert(2)>',
        category="'onmouseover='alert(3)",
        tags=("<b>tag</b>",),
        texts={"format": f"<h1>{SCRIPT}</h1>", "records": '["</code></pre><script>"]'},
    ),
    Sample("jpeg", encoded(drawn((300, 200), seed=7), "JPEG")),
)
