"""Measure several sides fairly: each round measures every side once, in random order.

A temporary slowdown of the machine then affects all sides. A ratio is taken within each round; the tables show the
median of the rounds, the lowest and the highest.
"""

import random

from .checks import CheckError, SideError


def interleave(run, sides, *, rounds=None, is_warmed=True):
    """Measure each side once in each round.

    Args:
        run: Gives the number of rounds, shows the progress, and leaves out a peer after it failed.
        sides: By name, a function that measures once and returns a number.
        rounds: The number of rounds, if different from that of the run.
        is_warmed: If true, a first round warms the caches and is discarded.

    Returns:
        By name, the numbers of the rounds.
    """
    names, seen = list(sides), {name: [] for name in sides}
    rounds = rounds or run.rounds
    with run.progress((is_warmed + rounds) * len(names)) as bar:
        for number in range(-is_warmed, rounds):
            for name in random.sample(names, len(names)):
                bar.set_description(name)
                try:
                    figure = sides[name]()
                except SideError as error:
                    if not error.is_peer:
                        raise CheckError(str(error)) from error
                    run.leave_out(name, str(error))
                    names.remove(name)
                    del seen[name]
                else:
                    if number >= 0:  # the first round warms the caches
                        seen[name].append(figure)
                bar.update()
    return seen
