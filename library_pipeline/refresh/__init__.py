"""The whole life of a refresh: manifest, plan, chunks, work, record, close, garbage."""
