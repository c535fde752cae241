"""Going on after the server of the database was away."""

import time

import honker

PAUSE_S = 0.1


def patiently(call):
    """The result of a call that changes nothing, or may be made twice; made again until the database answers."""
    while True:
        try:
            return call()
        except honker.HonkerError as error:
            if not error.is_retryable:
                raise
            time.sleep(PAUSE_S)
