"""The search page, its JSON twin, and the pictures they show."""
