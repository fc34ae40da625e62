"""The one HTTP client, for listings and files: rules, pace, limits and retries."""
