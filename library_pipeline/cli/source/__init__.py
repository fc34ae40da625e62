"""`library-pipeline source`: the configured sources, their first pages, their screenshots."""
