"""The command line: ``honker``, or ``python -m honker``.

One file for each group of commands. `worker` and `scheduler` run the application's tasks, so they take
``MODULE:APP``, a variable of an importable module. The other commands read and write data, so a database file is
enough for them.
"""
