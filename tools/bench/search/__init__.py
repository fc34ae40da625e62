"""Search over a large library: in the database, through the API, and as recall."""
