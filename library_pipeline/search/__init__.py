"""Questions to the index, by picture, text or component, and the sheets that show the answers."""
