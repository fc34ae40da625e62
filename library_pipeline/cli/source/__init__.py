"""`library-pipeline source`: the configured sources, what they list, and how it looks."""
