"""What search reads: encoders, vectors, indexed components, and whether all of it is sound."""
