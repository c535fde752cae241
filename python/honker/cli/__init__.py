"""The command line: ``honker``, or ``python -m honker``.

One file per command. `worker` and `scheduler` run the application's tasks, so they take ``MODULE:DB``, a variable of an
importable module; `enqueue`, `listen` and `tail` read and write data, so they take a database file.
"""
