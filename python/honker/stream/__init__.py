"""Logs: event streams with an offset per consumer, and notifications."""
