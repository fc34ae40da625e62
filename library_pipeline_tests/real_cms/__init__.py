"""Real CMS servers to test against, and what they and others really answer."""
