"""``honker copy``: all that a database holds, into another one, on either engine."""
