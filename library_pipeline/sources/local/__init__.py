"""Sources on this machine: folders of pictures or bundles, and files of items."""
