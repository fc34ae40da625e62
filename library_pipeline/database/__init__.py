"""Connections, leases and migrations of the library's database."""
