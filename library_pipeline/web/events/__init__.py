"""Live events of refreshes: one listener for the process, handed on to all who watch."""
