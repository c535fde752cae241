"""The parts of the `hash_files` demo.

worker.py   claims jobs, hashes files, writes the digest and acks in one transaction: begin here
walker.py   inserts a row for each file and enqueues a job for it, in one transaction
store.py    the application's table and what it asks of it
files.py    which files, and how they are hashed
crew.py     the processes: starting, killing and stopping them
report.py   checks every digest and prints the outcome
"""
