"""The codec of a registry: signed and encrypted calls and results."""

import base64
import json
from datetime import date

import honker
import pytest
from honker.codec import Codec, EncryptedCodec, JSONCodec, SignedCodec

from ..support.workers import dead, run_for, run_until

KEYS = ["first key of the test, long enough", "second key of the test, long enough"]
FERNET_KEYS = [base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in range(2)]
CODECS = [
    pytest.param(lambda: SignedCodec(KEYS), id="signed"),
    pytest.param(lambda: EncryptedCodec(FERNET_KEYS), id="encrypted"),
]


class Base16Codec:
    """A codec of an application."""

    name = "base16"

    def dumps(self, value):
        return json.dumps(value).encode().hex()

    def loads(self, text):
        return json.loads(bytes.fromhex(text))


@pytest.fixture
def use(monkeypatch):
    """Set the codec of the registry for the rest of the test."""
    return lambda codec: monkeypatch.setattr(honker.registry(), "codec", codec, raising=False)


def stored(db, job_id):
    return json.loads(db.get_job(job_id)["payload"])


@pytest.fixture
def next_day(queue):
    @queue.task(name="next_day")
    def next_day(day: date, job: honker.Job) -> date:
        return day.replace(day=day.day + 1)

    return next_day


@pytest.mark.parametrize("make", [*CODECS, pytest.param(Base16Codec, id="own")])
def test_calls_and_results_pass_through_the_codec(db, queue, use, next_day, make):
    codec = make()
    use(codec)
    assert isinstance(codec, Codec)
    result = next_day(date(2026, 1, 1))
    payload = stored(db, result.id)["__honker_encoded_task__"]
    assert payload["task"] == "next_day"
    assert payload["codec"] == codec.name
    assert codec.loads(payload["body"])["args"] == ["2026-01-01"]
    assert run_for(db, result) == date(2026, 1, 2)
    kept = queue.get_result(result.id)[1]["__honker_encoded_result__"]
    assert codec.loads(kept["body"]) == {"job_id": result.id, "result": "2026-01-02"}


@pytest.mark.parametrize("make", CODECS)
def test_workflows_pass_through_the_codec(db, queue, use, make):
    use(make())

    @queue.task()
    def start(n: int) -> date:
        return date(2026, 1, n)

    @queue.task()
    def end(days: list[date]) -> list[date]:
        return days

    assert run_for(db, honker.chord([start.s(1), start.s(2)], end.s()).enqueue()) == [
        date(2026, 1, 1),
        date(2026, 1, 2),
    ]


@pytest.mark.parametrize("make", CODECS)
def test_a_schedule_calls_its_task(db, queue, use, make):
    use(make())
    ran = []

    @queue.periodic_task(honker.every_s(1), name="tick")
    def tick():
        ran.append(1)

    queue.enqueue({"__honker_task__": {"task": "tick", "args": [], "kwargs": {}}})
    run_until(db, lambda: ran)


def test_an_app_and_its_blueprints_have_one_codec(path):
    blueprint = honker.Blueprint()

    @blueprint.task(name="day_after")
    def day_after(day: date) -> date:
        return day.replace(day=day.day + 1)

    with honker.App(path, codec=SignedCodec(KEYS)) as app:
        app.include(blueprint)

        @app.task(name="day_before")
        async def day_before(day: date) -> date:
            return day.replace(day=day.day - 1)

        results = [day_after(date(2026, 1, 1)), day_before(date(2026, 1, 2))]
        assert all("__honker_encoded_task__" in stored(app.db, result.id) for result in results)
        assert [run_for(app.db, result) for result in results] == [date(2026, 1, 2), date(2026, 1, 1)]


@pytest.mark.sqlite_only("reads the file")
def test_encrypted_payloads_do_not_show_their_arguments(db, queue, use, path):
    use(EncryptedCodec(FERNET_KEYS))

    @queue.task()
    def send(text: str, day: date): ...

    send("a secret", date(2026, 1, 1))
    assert b"a secret" not in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()


def forged(body, codec="signed", task="next_day"):
    return {"__honker_encoded_task__": {"task": task, "codec": codec, "body": body}}


CALL = {"task": "next_day", "args": ["2026-01-01"], "kwargs": {}}
REFUSED = [
    (SignedCodec(KEYS), forged("00 {}"), "the signature fits none of the keys"),
    (SignedCodec(KEYS), forged("ö"), "the signature fits none of the keys"),
    (SignedCodec(KEYS), forged(SignedCodec("another key of the test").dumps(CALL)), "the signature fits none"),
    (SignedCodec(KEYS), forged(SignedCodec(KEYS).dumps(CALL | {"task": "pay"})), "the call of another task"),
    (SignedCodec(KEYS), forged(SignedCodec(KEYS).dumps({"job_id": 1, "result": CALL})), "the call of another task"),
    (SignedCodec(KEYS), {"__honker_task__": CALL}, "it is plain JSON, and the codec here is 'signed'"),
    (SignedCodec(KEYS), forged("x", "encrypted"), "written by the codec 'encrypted', and the codec here is 'signed'"),
    (None, forged("x"), "written by the codec 'signed', and the codec here is 'json'"),
    (JSONCodec(), forged("x"), "written by the codec 'signed', and the codec here is 'json'"),
    (EncryptedCodec(FERNET_KEYS), forged("x", "encrypted"), "none of the keys decrypts it"),
    (Base16Codec(), forged("x", "base16"), "the codec 'base16' refuses it: non-hexadecimal"),
]


@pytest.mark.parametrize(("codec", "payload", "told"), REFUSED, ids=range(len(REFUSED)))
def test_a_call_that_the_codec_refuses_is_dead_lettered_at_once(db, path, queue, use, next_day, codec, payload, told):
    use(codec)
    queue.enqueue(payload, max_attempts=9)
    run_until(db, lambda: dead(path))
    [(attempts, error)] = dead(path)
    assert attempts == 1
    assert "the call cannot be read: " in error
    assert told in error


def test_headers_are_read_by_middleware_and_cannot_be_changed(db, path, queue, use, next_day, monkeypatch):
    class Tenancy(honker.Middleware):
        def enqueue(self, call):
            call.headers["tenant"] = call.args[0].isoformat()

    monkeypatch.setattr(honker.registry(), "middleware", [Tenancy()])
    use(SignedCodec(KEYS))

    @queue.task(name="tenant")
    def tenant(day: date, job: honker.Job) -> str:
        return job.headers["tenant"]

    result = tenant(date(2026, 1, 1))
    assert run_for(db, result) == "2026-01-01"
    payload = stored(db, tenant(date(2026, 1, 2)).id)
    payload["__honker_encoded_task__"]["headers"]["tenant"] = "another"
    queue.enqueue(payload)
    run_until(db, lambda: dead(path))
    assert "or with other headers" in dead(path)[0][1]


@pytest.mark.parametrize("body", [forged(5), forged("x") | {"other": 1}, {"__honker_encoded_task__": "x"}])
def test_a_damaged_envelope_is_no_call(db, path, queue, use, next_day, body):
    use(SignedCodec(KEYS))
    queue.enqueue(body)
    run_until(db, lambda: dead(path))
    assert "raw (non-decorated) payload" in dead(path)[0][1]


def test_a_secret_argument_of_another_type_is_not_shown(db, path, queue, use, next_day):
    codec = EncryptedCodec(FERNET_KEYS)
    use(codec)
    queue.enqueue(forged(codec.dumps(CALL | {"args": ["a secret"]}), "encrypted"))
    run_until(db, lambda: dead(path))
    assert "argument 'day' of task 'next_day' has a value of type str" in dead(path)[0][1]
    assert "a secret" not in dead(path)[0][1]


@pytest.mark.parametrize(("codec", "keys"), [(SignedCodec, KEYS), (EncryptedCodec, FERNET_KEYS)])
def test_keys_are_rotated(codec, keys):
    old = codec(keys[0]).dumps([1])
    assert codec([keys[1], keys[0]]).loads(old) == [1]
    new = codec([keys[1], keys[0]]).dumps([2])
    assert codec(keys[1]).loads(new) == [2]
    with pytest.raises(honker.PayloadMismatchError):
        codec(keys[1]).loads(old)


def test_plain_payloads_are_accepted_on_request(db, queue, use, next_day):
    result = next_day(date(2026, 1, 1))
    use(SignedCodec(KEYS, accept_plain=True))
    assert run_for(db, result) == date(2026, 1, 2)


def test_the_result_of_another_job_is_refused(db, queue, use, next_day):
    codec = SignedCodec(KEYS)
    use(codec)
    result = next_day(date(2026, 1, 1))
    body = codec.dumps({"job_id": result.id + 1, "result": "2026-01-02"})
    queue.save_result(result.id, {"__honker_encoded_result__": {"codec": "signed", "body": body}})
    with pytest.raises(honker.PayloadMismatchError, match="is that of another job"):
        result.get(5)
    queue.save_result(result.id, "2026-01-02")
    with pytest.raises(honker.PayloadMismatchError, match="was written without the codec 'signed'"):
        result.get(5)


@pytest.mark.parametrize(
    ("codec", "keys", "told"),
    [
        (SignedCodec, [], "keys is empty"),
        (SignedCodec, "short", "16 or more"),
        (SignedCodec, [KEYS[0], 5], "position 1 is a int"),
        (EncryptedCodec, [], "keys is empty"),
        (EncryptedCodec, [FERNET_KEYS[0], "no key"], "position 1 is no Fernet key"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_and_not_shown(codec, keys, told):
    with pytest.raises(honker.InvalidArgumentError, match=told) as caught:
        codec(keys)
    assert not any(str(key) in str(caught.value) for key in keys if isinstance(key, str) and len(key) > 6)
    assert KEYS[0] not in repr(SignedCodec(KEYS))


def test_a_generated_key_works():
    codec = EncryptedCodec(EncryptedCodec.generate_key())
    assert codec.loads(codec.dumps({"a": "ä"})) == {"a": "ä"}


def test_a_codec_that_writes_no_text_is_refused_at_the_call(queue, use, next_day):
    class Bytes(Base16Codec):
        def dumps(self, value):
            return b""

    use(Bytes())
    with pytest.raises(honker.InvalidPayloadError, match="dumps of codec 'base16' returned bytes; it must return str"):
        next_day(date(2026, 1, 1))


def test_the_text_of_a_json_codec_is_json():
    assert JSONCodec().loads(JSONCodec().dumps({"a": [1]})) == {"a": [1]}
