"""Everything that is kept in PostgreSQL, and the embedded server that is there by default."""
