"""Downloads the files of components, and keeps them by digest."""
