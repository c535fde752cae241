"""The layout of workflows and the lines of charts."""

import random

from honker.web.chart import HEIGHT, Series, draw as draw_chart
from honker.web.graph import BOX_HEIGHT, BOX_WIDTH, GraphJob, draw


def jobs(*parents):
    return [GraphJob(f"job {number}", number, "ready", before) for number, before in enumerate(parents)]


def column_of(graph):
    return {box.title: box.x for box in graph.boxes}


def test_a_job_is_to_the_right_of_its_parents_and_near_its_first_child():
    at = column_of(draw(jobs([], [0], [1], [], [2, 3])))
    assert at["job 0"] < at["job 1"] < at["job 2"] < at["job 4"]
    assert at["job 3"] == at["job 2"]


def test_a_line_that_another_way_implies_is_left_out():
    assert len(draw(jobs([], [0], [0, 1], [0, 1, 2])).lines) == 3


def test_like_jobs_are_folded_if_there_are_many():
    few, many = (draw(jobs([], *[[0]] * count, list(range(1, count + 1)))) for count in (6, 7))
    assert len(few.boxes) == 8
    assert len(many.boxes) == 3
    assert len(many.boxes[1].jobs) == 7


def test_no_workflow_is_an_empty_drawing():
    assert draw([]).boxes == []


def test_boxes_of_any_workflow_neither_overlap_nor_leave_the_drawing():
    for seed in range(30):
        source = random.Random(seed)
        parents = [source.sample(range(n), source.randint(0, min(n, 3))) for n in range(source.randint(1, 40))]
        graph = draw(jobs(*parents))
        places = [(box.x, box.y) for box in graph.boxes]
        assert len(set(places)) == len(places)
        for x, y in places:
            assert 0 <= x <= graph.width - BOX_WIDTH
            assert 0 <= y <= graph.height - BOX_HEIGHT
        for number, (x, y) in enumerate(places):
            for x2, y2 in places[:number]:
                assert abs(x - x2) >= BOX_WIDTH or abs(y - y2) >= BOX_HEIGHT


def test_a_chart_ends_at_a_round_number_above_its_values():
    tops = [draw_chart([Series("a", [value])]).top for value in (0, 0.013, 1, 7, 11, 95, 220, 1_000)]
    assert tops == [1, 0.02, 1, 8, 20, 100, 300, 1_000]


def test_a_line_goes_from_the_bottom_for_zero_to_the_top():
    (line,) = draw_chart([Series("a", [0, 10, 5])]).lines
    assert line.path == f"M0.0 {HEIGHT:.1f} L300.0 0.0 L600.0 80.0"
    assert line.area is None
