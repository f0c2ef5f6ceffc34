"""Where the servers of this package listen unless an option names another address."""

HOST = "127.0.0.1"
UI_PORT, BROWSE_PORT = 3000, 3100
UI = f"http://{HOST}:{UI_PORT}"
"""Address at which `rolesynth ui` serves the Dagster UI."""
BROWSE = f"http://{HOST}:{BROWSE_PORT}"
"""Address at which `rolesynth browse` serves its pages, to which the metadata of assets links."""
