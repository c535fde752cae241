"""Integrations with frameworks; each is imported by the applications that use it, and by nothing else of honker."""
