"""Groups of dead letters."""

from .database import call, call_json, claim, enqueue


def test_a_time_of_death_edited_into_a_text_does_not_hide_the_other_dead_letters_of_its_queue(conn):
    for _ in range(2):
        job_id = enqueue(conn, "q", max_attempts=1)
        claim(conn, "q", "w")
        assert call(conn, "honker_fail", job_id, "w", "ValueError: x", 1) == 1
    conn.execute("UPDATE _honker_dead SET died_at = 'soon' WHERE id = 1")
    (group,) = call_json(conn, "honker_dead_groups", "q", 3_600, 10)["groups"]
    assert (group["newest_id"], group["count"]) == (2, 1)
