"""The storage engine on SQLite: the only package that knows the driver, connections and files."""
