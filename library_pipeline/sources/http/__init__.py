"""One HTTP client for listings and files: what it may ask, how often, how much, and how again."""
