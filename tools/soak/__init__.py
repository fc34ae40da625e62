"""Fifty kills: the pipeline over a simulated CMS, SIGKILL at random, and what must hold after."""
