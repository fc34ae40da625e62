"""What a run prints on the terminal it runs in; the UI's log has everything whatever this says."""

import logging

import dagster as dg


# Dagster's default prints a line for every event: three for each component.
@dg.logger(
    config_schema={
        "log_level": dg.Field(str, default_value="WARNING"),
        "name": dg.Field(str, default_value="dagster"),
    },
    description="Warnings and errors of a run, on the terminal.",
)
def console_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Return Dagster's coloured console logger at the configured level."""
    return dg.colored_console_logger.logger_fn(context)
