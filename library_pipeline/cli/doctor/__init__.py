"""`library-pipeline doctor`: checks of everything that a library needs, with ways out."""
