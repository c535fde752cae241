"""The migration that makes the tables of honker."""
