"""The words of the domain as types, and the pure rules on them. No I/O."""
