"""The smallest Wagtail project with components in it; `wagtail_site.py` beside it runs it."""
