"""Sources: listings through their mappings, downloads, set rates, hosts beside each other."""
