"""The parts of the `hash_files` demo.

worker.py   claims jobs, hashes files, writes the digest and acks in one transaction; read it first
patience.py goes on after the server of the database was away
walker.py   inserts a row for each file and enqueues a job for it, in one transaction
store.py    the application's table and all statements of the demo
files.py    lists and hashes the files
crew.py     the processes: starting, killing and stopping them
report.py   checks every digest and prints the outcome
"""
