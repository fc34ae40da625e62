"""The work on a set of components: download, embed, store; streaming, bounded, resumable."""
