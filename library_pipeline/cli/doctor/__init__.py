"""`library-pipeline doctor`: looks at everything a library needs, and says what is wrong and why.

A module for each thing that is looked at; each has functions that yield checks and change nothing
that stays. `examine` runs them, one by one and never for long; `run` prints.
"""

from library_pipeline.cli.doctor.run import run_doctor

__all__ = ["run_doctor"]
