"""What tests and benchmarks share: small libraries, a served application, a browser."""
