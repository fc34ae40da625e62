"""The Dagster face: assets, jobs, sensors and schedules over `refresh/`. Nothing is done here."""
