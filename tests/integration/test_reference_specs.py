"""The answers that KrakenD's own integration specs expect, for the features that Limpet serves: what of a
request reaches the backend, what of the answer reaches the client, and with which fields. One daemon and
one backend that echoes each request; the cases are a table."""
import json
import urllib.parse

import lib

ECHO = "/echo/"
CACHED = "public, max-age=3600"
JSON = "application/json; charset=utf-8"


def echo(seen):
    """What came. Query as lists; of the fields those that the cases look at."""
    url = urllib.parse.urlsplit(seen.path)
    shown = ("Authorization", "X-Y-Z", "A-B-C", "X-Forwarded-For", "X-Forwarded-Host")
    return lib.Answer({"number": 42, "method": seen.method, "path": url.path, "body": seen.body.decode(),
                       "query": urllib.parse.parse_qs(url.query),
                       "fields": {name: seen.headers[name] for name in shown if name in seen.headers}})


def items(seen):
    return lib.Answer([{"place": place, "path": seen.path} for place in range(10)])


def redirect(seen):
    url = urllib.parse.urlsplit(seen.path)
    code = int(urllib.parse.parse_qs(url.query)["status"][0])
    return lib.Answer("elsewhere", status=code, headers={"Location": f"{ECHO}?{url.query}"})


def serve(seen):
    """The backend: one function for each first part of the path."""
    rooms = {"echo": echo, "items": items, "redirect": redirect,
             "slow": lambda late: lib.Answer({"late": late.path}, delay=5.0)}
    room = rooms.get(seen.path.split("/")[1].partition("?")[0])
    return room(seen) if room else lib.Answer("404 page not found\n", status=404)


def several(path, backend, *entries, **keys):
    return {"endpoint": path, "backend": [{"host": [backend.url], **entry} for entry in entries], **keys}


def proxy(**keys):
    return {"proxy": keys}


def endpoints(backend):
    picked = {"input_headers": ["Authorization", "X-Y-Z"]}
    pattern = ECHO + "{bar}?foo={foo}"
    fixed = proxy(static={"strategy": "always", "data": {"fixed": 1, "word": "two"}})
    details = {"backend/http": {"return_error_details": "second"}}
    return [
        lib.endpoint("/some/{foo}/{bar}", backend, pattern, **picked),
        lib.endpoint("/some/{foo}/{bar}", backend, pattern, method="POST", **picked),
        lib.endpoint("/all/{foo}/{bar}", backend, pattern, input_headers=["*"]),
        lib.endpoint("/query/all/{name}", backend, ECHO + "{name}", input_query_strings=["*"]),
        lib.endpoint("/query/some/{name}", backend, ECHO + "{name}", input_query_strings=["a"]),
        lib.endpoint("/redirect/{code}", backend, "/redirect/?status={code}"),
        lib.endpoint("/no-op/lost", backend, "/lost", output_encoding="no-op", backend_encoding="no-op"),
        lib.endpoint("/lost", backend),
        lib.endpoint("/fixed", backend, ECHO, backend_allow=["number"], extra_config=fixed),
        several("/fixed/lost", backend, {"url_pattern": "/lost"}, {"url_pattern": "/lost2"},
                extra_config=fixed),
        several("/chain/{name}", backend, {"url_pattern": ECHO + "{name}", "allow": ["number"]},
                {"url_pattern": ECHO + "{resp0_number}"}, extra_config=proxy(sequential=True)),
        several("/broken/{name}", backend, {"url_pattern": ECHO + "{name}", "allow": ["number"]},
                {"url_pattern": "/lost/{resp0_number}"}, extra_config=proxy(sequential=True)),
        several("/items/{id}", backend,
                {"url_pattern": "/items/{id}", "is_collection": True, "mapping": {"collection": "posts"}},
                {"url_pattern": ECHO + "{id}", "allow": ["number"]}),
        several("/late", backend, {"url_pattern": ECHO, "group": "first", "allow": ["number"]},
                {"url_pattern": "/slow", "group": "second"}, timeout="2s"),
        several("/details", backend, {"url_pattern": ECHO, "allow": ["number"]},
                {"url_pattern": "/lost", "extra_config": details}),
    ]


def check(response, status, body, completed, content_type=JSON):
    """A complete answer may be cached, no other."""
    assert response.status == status, (response.status, response.body)
    fields = response.headers
    assert fields["Content-Type"] == content_type, fields.items()
    assert fields["X-KrakenD-Completed"] == ("true" if completed else "false"), fields.items()
    assert fields["Cache-Control"] == (CACHED if completed else None), fields.items()
    got = response.json() if content_type == JSON else response.body.decode()
    assert got == body, got


def echoed(path, query, method="GET", body="", **fields):
    added = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "gate.example:8080"}
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return {"number": 42, "method": method, "path": path, "query": query, "body": body,
            "fields": {**added, **named}}


def run(cases):
    """cases(ask), where ask is request() with the Host that X-Forwarded-Host must repeat."""
    with lib.Backend(default=serve) as backend:
        config = lib.config(endpoints(backend), cache_ttl="3600s", timeout="20s")
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            def ask(path, method="GET", body=None, **headers):
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return daemon.request(method, path, body=body,
                                      headers={"Host": "gate.example:8080", **named})
            cases(ask)


def test_parameters_and_fields():
    sent = {"Authorization": "bearer 1", "X_Y_Z": "true", "A_B_C": "other"}
    low = {"autHoriZatiOn": "bearer 1", "x_y_Z": "true", "a_b_c": "other"}
    picked = {"Authorization": "bearer 1", "X_Y_Z": "true"}
    query = {"foo": ["one"]}

    def cases(ask):
        for headers in (sent, low):
            check(ask("/some/one/two?a=1&b=2", **headers), 200, echoed("/echo/two", query, **picked), True)
        check(ask("/all/one/two?a=1&b=2", **sent), 200, echoed("/echo/two", query, **sent), True)
        want = echoed("/echo/two", query, "POST", json.dumps({"k": "v"}), **picked)
        check(ask("/some/one/two?a=1", "POST", json.dumps({"k": "v"}), **low), 200, want, True)
    run(cases)


def test_query_strings():
    def cases(ask):
        for asked, place, query in (("a=1&b=2", "all", {"a": ["1"], "b": ["2"]}),
                                    ("a=1&b=2&b=3", "all", {"a": ["1"], "b": ["2", "3"]}),
                                    ("a=1&b=2&b=3", "some", {"a": ["1"]})):
            check(ask(f"/query/{place}/n?{asked}", X_Y_Z="true"), 200, echoed("/echo/n", query), True)
    run(cases)


def test_redirects_and_errors():
    def cases(ask):
        for code in (301, 302, 303, 307):
            check(ask(f"/redirect/{code}"), 200, echoed(ECHO, {"status": [str(code)]}), True)
        assert ask("/lost").status == 500
        check(ask("/nowhere"), 404, "404 page not found", False, "text/plain")
        check(ask("/lost", "POST"), 405, "405 method not allowed", False, "text/plain")
        moved = ask("/FiXed")
        assert (moved.status, moved.headers["Location"]) == (301, "/fixed"), moved.headers.items()
        lost = ask("/no-op/lost")
        assert (lost.status, lost.body) == (404, b"404 page not found\n"), (lost.status, lost.body)
    run(cases)


def test_several_backends():
    fixed = {"fixed": 1, "word": "two"}
    posts = [{"place": place, "path": "/items/2"} for place in range(10)]
    failure = {"http_status_code": 404, "http_body": "404 page not found\n"}

    def cases(ask):
        check(ask("/chain/x"), 200, echoed("/echo/42", {}), True)
        check(ask("/broken/x"), 200, {"number": 42}, False)
        check(ask("/fixed"), 200, {"number": 42, **fixed}, True)
        check(ask("/fixed/lost"), 200, fixed, False)
        check(ask("/items/2"), 200, {"number": 42, "posts": posts}, True)
        check(ask("/late"), 200, {"first": {"number": 42}}, False)
        check(ask("/details"), 200, {"number": 42, "error_second": failure}, False)
    run(cases)


if __name__ == "__main__":
    lib.main(globals())
