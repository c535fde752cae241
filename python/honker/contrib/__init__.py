"""Integrations with frameworks. Each module imports its framework, and nothing imports them but the application."""
