"""The app with the page type: `type=home.ComponentPage`."""
