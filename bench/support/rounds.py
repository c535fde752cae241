"""Measuring several sides fairly: in rounds, in each of which everything is measured once, in random order.

What slows the machine for a while then slows all sides. A ratio is taken within each round; shown are the median of the
rounds, the lowest and the highest.
"""

import random

from .checks import CheckError, SideError


def interleave(run, sides, *, rounds=None, is_warmed=True):
    """Measure each side once in each round.

    Args:
        run: Says how many rounds, shows the progress, and is told of a peer that fails: it is left out from then on.
        sides: By name, a function that measures once and returns a number.
        rounds: How often, if not as often as the run says.
        is_warmed: Whether a first round is measured and forgotten, for the caches.

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
