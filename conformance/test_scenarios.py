"""Each scenario in each language."""

import pytest

from .agent import Unsupported
from .scenario import Play, all_scenarios

SCENARIOS = all_scenarios()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_binding_does_as_the_scenario_says(agent, tmp_path, name):
    try:
        Play(tmp_path / "app.db", {agent.name: agent}).play(SCENARIOS[name])
    except Unsupported as lacking:
        pytest.skip(str(lacking))
