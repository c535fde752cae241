"""``honker doctor``: the hazards of a database file, found by reading only.

One file per place in which a hazard lies: the file system, the SQLite library, the SQL schema, and honker's rows.
"""
