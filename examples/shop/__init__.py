"""A web shop on one SQLite file; see README.md beside this file."""
