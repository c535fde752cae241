"""The pages of the admin site."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from honker.contrib.django import app
from honker.contrib.django.models import Job

from orders.tasks import send_confirmation
from orders.tests.databases import IS_SQLITE

pytestmark = pytest.mark.django_db
# Functions of PostgreSQL are in a schema.
PREFIX = "" if IS_SQLITE else "honker."
LIST = "/admin/honker/job/"


@pytest.fixture
def dead():
    """The id of a dead job."""
    queue = app.queue("invoices")
    job_id = queue.enqueue({"invoice": 7})
    (job,) = queue.claim_batch("worker-1", 1)
    job.fail("no paper\nTraceback: ...")
    return job_id


@pytest.fixture
def staff(client):
    """Make a user with permissions, and log in."""

    def log_in(*permissions):
        user = User.objects.create_user("kim", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="honker"))
        assert user.user_permissions.count() == len(permissions)
        client.force_login(user)
        return client

    return log_in


def act(client, action, *ids):
    return client.post(LIST, {"action": action, "_selected_action": ids}, follow=True)


def messages(answer):
    return [str(each) for each in answer.context["messages"]]


def test_the_list_shows_live_and_dead_jobs(admin_client, dead):
    send_confirmation(42)
    page = admin_client.get(LIST).content.decode()
    assert "orders.tasks.send_confirmation" in page
    assert "(raw payload)" in page
    assert "no paper" in page
    assert "Traceback" not in page


def test_the_list_reads_no_payload_and_counts_to_a_limit(admin_client):
    app.queue("emails").enqueue_many([{"text": "x" * 1000}] * 3)
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST)
    table = connection.ops.quote_name(Job._meta.db_table)
    listing = [each["sql"] for each in queries if table in each["sql"]]
    assert any("COUNT(*)" in sql and "LIMIT 10000" in sql for sql in listing)
    assert not any(f'"payload", {table}."state"' in sql for sql in listing)


def test_a_payload_that_is_no_json_is_listed(admin_client):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {PREFIX}honker_enqueue('emails', 'no {{ json', NULL, NULL, 0, 3, NULL)")
        job_id = cursor.fetchone()[0]
    assert "(raw payload)" in admin_client.get(LIST).content.decode()
    assert "no { json" in admin_client.get(f"{LIST}{job_id}/change/").content.decode()


def test_the_filters_select_by_state_and_queue(admin_client, dead):
    send_confirmation(42)
    assert "invoices" in admin_client.get(LIST, {"state": "dead"}).content.decode()
    found = admin_client.get(LIST, {"state": "dead"}).context["cl"].result_list
    assert [each.id for each in found] == [dead]
    found = admin_client.get(LIST, {"queue": "emails"}).context["cl"].result_list
    assert [each.queue for each in found] == ["emails"]
    found = admin_client.get(LIST, {"q": str(dead)}).context["cl"].result_list
    assert [each.id for each in found] == [dead]


def test_the_page_of_a_job_shows_its_error_and_attempts(admin_client, dead):
    page = admin_client.get(f"{LIST}{dead}/change/").content.decode()
    assert "Traceback: ..." in page
    assert "failed at" in page
    assert "by worker-1" in page
    assert "&quot;invoice&quot;: 7" in page
    assert 'name="_save"' not in page


def test_requeue_returns_dead_jobs(admin_client, dead):
    waiting = send_confirmation(42).id
    answer = act(admin_client, "requeue", dead, waiting)
    assert messages(answer) == ["1 job requeued. Only dead jobs can be."]
    assert app.db.get_job(dead).state == "pending"


def test_cancel_removes_waiting_jobs_and_asks_running_ones(admin_client, dead):
    waiting = send_confirmation(42).id
    running = app.queue("invoices").enqueue(1)
    app.queue("invoices").claim_batch("worker-1", 1)
    answer = act(admin_client, "cancel", waiting, running, dead)
    assert messages(answer) == ["1 job cancelled, 1 running asked to end."]
    assert app.db.get_job(waiting) is None
    assert app.db.get_job(running).cancel_requested_at is not None


def test_all_jobs_of_a_filter_are_changed_at_once(admin_client):
    app.queue("emails").enqueue_many(range(120))
    answer = admin_client.post(
        f"{LIST}?queue=emails", {"action": "cancel", "_selected_action": ["1"], "select_across": "1"}, follow=True
    )
    assert messages(answer) == ["120 jobs cancelled, 0 running asked to end."]


def test_a_user_without_permission_sees_nothing(staff, dead):
    assert staff().get(LIST).status_code == 403


def test_a_viewer_has_no_actions(staff, dead):
    client = staff("view_job")
    assert client.get(LIST).status_code == 200
    assert client.get(f"{LIST}{dead}/change/").status_code == 200
    act(client, "requeue", dead)
    act(client, "cancel", dead)
    assert app.db.get_job(dead) is None
    assert client.get(reverse("admin:honker_job_add")).status_code == 403
    assert client.post(f"{LIST}{dead}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{LIST}{dead}/change/", {"queue": "x"}).status_code == 403


def test_each_action_has_its_permission(staff, dead):
    client = staff("view_job", "cancel_job")
    waiting = send_confirmation(42).id
    act(client, "requeue", dead)
    assert app.db.get_job(dead) is None
    act(client, "cancel", waiting)
    assert app.db.get_job(waiting) is None


def test_the_model_refuses_to_write(dead):
    job = Job.objects.get(pk=dead)
    with pytest.raises(TypeError, match="read-only"):
        job.save()
    with pytest.raises(TypeError, match="read-only"):
        job.delete()
