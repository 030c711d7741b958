"""Several backends behind one endpoint in a whole daemon: merges, sequences, concurrent calls, fixed data,
errors that clients see, shaping, forwarding; each with the counters of all layers."""
import concurrent.futures
import http.client
import json
import random
import socket
import threading
import time

import lib

LAYERS = ("krakend.router.", "krakend.proxy.requests.")
GOOD = "complete.true.error.false"
BAD = "complete.false.error.true"
PART = "complete.false.error.false"


def counters(daemon):
    return {key: value for key, value in daemon.stats().items()
            if key.startswith(LAYERS) and not key.endswith(("-gauge", "-total"))
            and ".size." not in key and ".time." not in key}


def changes(before, after):
    return {key: value - before.get(key, 0) for key, value in after.items()
            if value != before.get(key, 0)}


def expected(endpoint, status, pipe, backends):
    """What one request adds. backends: {name: {labels: count}}"""
    want = {f"krakend.proxy.requests.layer.pipe.name.{endpoint}.{pipe}": 1,
            "krakend.router.connected": 1, "krakend.router.disconnected": 1,
            f"krakend.router.response.{endpoint}.status.{status}.count": 1}
    for name, labels in backends.items():
        for label, count in labels.items():
            want[f"krakend.proxy.requests.layer.backend.name.{name}.{label}"] = count
    return want


def several(path, backend, *backends, **keys):
    """An endpoint; backends: url_patterns, or whole entries without host."""
    host = backend if isinstance(backend, str) else backend.url
    entries = [{"url_pattern": b} if isinstance(b, str) else b for b in backends]
    return {"endpoint": path, "backend": [{"host": [host], **entry} for entry in entries], **keys}


def proxy(**keys):
    return {"extra_config": {"proxy": keys}}


def idle(daemon):
    """Nothing is held any more."""
    def look():
        stats = daemon.stats()
        return all(stats[f"limpet.gateway.{pool}.used"] == 0 for pool in ("exchanges", "bodies", "calls"))
    lib.wait_until(look, "every slot is given back")


def check(daemon, path, status, body, completed, pipe, backends, method="GET", name=None, **keywords):
    before = counters(daemon)
    response = daemon.request(method, path, **keywords)
    got = changes(before, counters(daemon))
    said = response.body.decode()
    assert response.status == status, (path, response.status, said)
    assert (json.loads(said) if isinstance(body, (dict, list)) else said) == body, (path, said)
    assert response.headers["X-Krakend-Completed"] == completed, (path, response.headers)
    want = expected(name or path, status, pipe, backends)
    assert got == want, (path, got, want)
    return response


ROUTES = {
    "/a": lib.Answer({"a": 1, "b": {"c": [1, 2, 3]}}),
    "/b": lib.Answer({"b": 2, "z": "zed"}),
    "/c": lib.Answer({"b": 3, "z": "zed"}),
    "/empty": lib.Answer({}),
    "/null": lib.Answer("null"),
    "/list": lib.Answer([{"id": 1}, {"id": 2}]),
    "/text": lib.Answer('say "hé"\n', headers={"Content-Type": "text/plain"}),
    "/404": lib.Answer('{"e":1}', status=404, headers={"Content-Type": "application/json"}),
    "/500": lib.Answer("", status=500),
    "/slow": lib.Answer({"slow": 1}, delay=1.2),
    "/late": lib.Answer({"b": "late", "late": 1}, delay=0.3),
    "/number": lib.Answer('{"id":12345678901234567890,"f":1.50,"s":"a b/c?d&e","l":[1,"x",2.50],"t":true,'
                          '"n":null,"o":{"p":{"q":"deep"}}}'),
}


def uri(seen):
    return lib.Answer({"uri": seen.path, "body": seen.body.decode(), "method": seen.method})


# ---- Merges --------------------------------------------------------------------------------------

def test_merge():
    with lib.Backend(ROUTES) as backend:
        config = lib.config([
            several("/two", backend, {"url_pattern": "/a", "deny": ["b"]}, "/c"),
            several("/clash", backend, "/late", "/a"),
            several("/part", backend, "/a", "/500"),
            several("/none", backend, "/404", "/500"),
            several("/slow", backend, "/a", "/slow", timeout="1s"),
            several("/nothing", backend, "/empty", "/empty"),
            several("/null", backend, "/a", "/null"),
            several("/grouped", backend, {"url_pattern": "/a", "group": "x"},
                    {"url_pattern": "/list", "group": "y", "is_collection": True}),
        ], cache_ttl="300s")
        with lib.Limpetd(config) as daemon:
            good = {"/a": {GOOD: 1}}
            answer = check(daemon, "/two", 200, {"a": 1, "b": 3, "z": "zed"}, "true", GOOD,
                           {**good, "/c": {GOOD: 1}})
            assert answer.headers["Cache-Control"] == "public, max-age=300"
            # The later arrival wins.
            check(daemon, "/clash", 200, {"a": 1, "b": "late", "late": 1}, "true", GOOD,
                  {**good, "/late": {GOOD: 1}})
            answer = check(daemon, "/part", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                           {**good, "/500": {BAD: 1}})
            assert "Cache-Control" not in answer.headers
            check(daemon, "/none", 500, "", "false", BAD, {"/404": {BAD: 1}, "/500": {BAD: 1}})
            start = time.monotonic()
            check(daemon, "/slow", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {**good, "/slow": {BAD: 1}})
            assert 0.8 < time.monotonic() - start, "an answer before 85 % of the timeout"
            check(daemon, "/nothing", 200, {}, "false", GOOD, {"/empty": {GOOD: 2}})
            check(daemon, "/null", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", PART,
                  {**good, "/null": {GOOD: 1}})
            check(daemon, "/grouped", 200, {"x": {"a": 1, "b": {"c": [1, 2, 3]}},
                                            "y": {"collection": [{"id": 1}, {"id": 2}]}}, "true", GOOD,
                  {**good, "/list": {GOOD: 1}})
            idle(daemon)


def test_merge_bodies():
    """Each backend of a merge gets the whole request body, however it came."""
    seen = []

    def note(request):
        seen.append((request.path, request.method, request.body))
        return lib.Answer({request.path[1:]: len(request.body)})
    with lib.Backend({"/x": note, "/y": note}) as backend:
        config = lib.config([several("/p", backend, "/x", {"url_pattern": "/y", "method": "PUT"},
                                     method="POST"),
                             several("/s", backend, "/x", "/y", method="POST", **proxy(sequential=True))])
        with lib.Limpetd(config) as daemon:
            body = random.Random(1).randbytes(300_000)
            for path in ("/p", "/s"):
                for sent in (body, iter([body[:7], body[7:]]), b""):
                    seen.clear()
                    response = daemon.request("POST", path, body=sent)
                    size = 0 if sent == b"" else len(body)
                    assert response.json() == {"x": size, "y": size}, response.json()
                    methods = {"/x": "POST", "/y": "PUT" if path == "/p" else "POST"}
                    assert sorted((p, m) for p, m, _ in seen) == sorted(methods.items())
                    assert all(b == (b"" if sent == b"" else body) for _, _, b in seen)
            before = counters(daemon)
            seen.clear()
            assert daemon.request("POST", "/p", body=b"x" * (1024 * 1024 + 1)).status == 413
            assert changes(before, counters(daemon)) == expected("/p", 413, BAD, {})
            assert not seen
            idle(daemon)


# ---- Sequences -----------------------------------------------------------------------------------

def test_sequential():
    with lib.Backend({**ROUTES, "/x": uri}, default=uri) as backend:
        sequence = proxy(sequential=True)
        config = lib.config([
            several("/all", backend, {"url_pattern": "/number", "group": "g"},
                    "/u/{resp0_g.id}/{resp0_g.o.p.q}?f={resp0_g.f}&l={resp0_g.l}&t={resp0_g.t}", **sequence),
            several("/text", backend, "/number", "/u/{resp0_s}?s={resp0_s}", **sequence),
            several("/missing", backend, "/number", "/u/{resp0_nope}", **sequence),
            several("/first", backend, "/500", "/a", "/b", **sequence),
            several("/middle", backend, "/a", "/404", "/b", **sequence),
            several("/chain", backend, "/a", "/b", "/x?a={resp0_a}&z={resp1_z}&b={resp0_b.c}", **sequence),
            several("/slow", backend, "/a", "/slow", "/b", timeout="1s", **sequence),
        ])
        with lib.Limpetd(config) as daemon:
            answer = daemon.get("/all").json()
            assert answer["uri"] == "/u/12345678901234567890/deep?f=1.50&l=1,x,2.50&t=true", answer["uri"]
            assert daemon.get("/text").json()["uri"] == "/u/a%20b/c%3Fd&e?s=a%20b/c?d%26e"
            assert daemon.get("/missing").json()["uri"] == "/u/%7B%7B.Resp0_nope%7D%7D"
            check(daemon, "/first", 500, "", "false", BAD, {"/500": {BAD: 1}})
            check(daemon, "/middle", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {"/a": {GOOD: 1}, "/404": {BAD: 1}})
            check(daemon, "/slow", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {"/a": {GOOD: 1}, "/slow": {BAD: 1}})
            assert daemon.get("/chain").json()["uri"] == "/x?a=1&z=zed&b=1,2,3"
            check(daemon, "/chain", 200, daemon.get("/chain").json(), "true", GOOD,
                  {"/a": {GOOD: 1}, "/b": {GOOD: 1},
                   "/x?a={{.Resp0_a}}&z={{.Resp1_z}}&b={{.Resp0_b.c}}": {GOOD: 1}})
            idle(daemon)


# ---- Concurrent calls ----------------------------------------------------------------------------

def test_concurrent_calls():
    lock, calls, good_calls, broken_calls = threading.Lock(), [], [], []

    def first_is_quick(_):
        with lock:
            calls.append(1)
            late = len(calls) % 3 != 1
        return lib.Answer({"a": 1}, delay=0.5 if late else 0)

    def last_is_good(_):
        with lock:
            good_calls.append(1)
            good = len(good_calls) % 3 == 0
        return lib.Answer({"a": 1}, delay=0.2) if good else lib.Answer("", status=500)

    def one_breaks(_):
        with lock:
            broken_calls.append(1)
            broken = len(broken_calls) % 2 == 1
        return lib.Answer("{") if broken else lib.Answer("", status=404)
    routes = {**ROUTES, "/quick": first_is_quick, "/good": last_is_good, "/breaks": one_breaks}
    with lib.Backend(routes) as backend:
        config = lib.config([several("/quick", backend, "/quick", concurrent_calls=3),
                             several("/good", backend, "/good", concurrent_calls=3),
                             several("/500", backend, "/500", concurrent_calls=2),
                             several("/slow", backend, "/slow", concurrent_calls=2, timeout="1s"),
                             several("/noop", backend, "/quick", concurrent_calls=3,
                                     output_encoding="no-op"),
                             several("/breaks", backend, {"url_pattern": "/breaks", **details("x")},
                                     concurrent_calls=2),
                             several("/merge", backend, "/a", "/500", concurrent_calls=2)])
        with lib.Limpetd(config) as daemon:
            check(daemon, "/quick", 200, {"a": 1}, "true", GOOD, {"/quick": {GOOD: 1, BAD: 2}})
            check(daemon, "/good", 200, {"a": 1}, "true", GOOD, {"/good": {GOOD: 1, BAD: 2}})
            check(daemon, "/500", 500, "", "false", BAD, {"/500": {BAD: 2}})
            start = time.monotonic()
            check(daemon, "/slow", 500, "", "false", BAD, {"/slow": {BAD: 2}})
            assert 0.7 < time.monotonic() - start
            calls.clear()
            check(daemon, "/noop", 200, {"a": 1}, "false", GOOD, {"/quick": {GOOD: 1, BAD: 2}})
            check(daemon, "/breaks", 200, {"error_x": {"http_status_code": 404}}, "false", BAD,
                  {"/breaks": {PART: 1, BAD: 1}})
            before = counters(daemon)
            assert daemon.get("/merge").json() == {"a": 1, "b": {"c": [1, 2, 3]}}
            got = changes(before, counters(daemon))
            name = "krakend.proxy.requests.layer.backend.name."
            assert got[name + "/500." + BAD] == 2
            assert got[name + "/a." + GOOD] + got.get(name + "/a." + BAD, 0) == 2
            idle(daemon)


# ---- Fixed data ----------------------------------------------------------------------------------

def test_static():
    def fixed(strategy):
        return proxy(static={"strategy": strategy, "data": {"s": {"t": [1.50]}, "a": "fixed"}})
    data, merged = {"s": {"t": [1.5]}, "a": "fixed"}, {"s": {"t": [1.5]}, "a": "fixed", "b": {"c": [1, 2, 3]}}
    plain = {"a": 1, "b": {"c": [1, 2, 3]}}
    good, bad, late, part = ("/a",), ("/500",), ("/slow",), ("/a", "/500")
    # strategy: answer to a good backend, a bad one (also one that comes too late), one of each
    want = {"always": (merged, data, merged), "success": (merged, None, plain),
            "errored": (plain, data, merged), "complete": (merged, None, plain),
            "incomplete": (plain, data, merged)}
    with lib.Backend(ROUTES) as backend:
        cases = {f"/{strategy}/{'-'.join(p[1:] for p in patterns)}": (strategy, patterns, want[strategy][i])
                 for strategy in want for patterns, i in ((good, 0), (bad, 1), (late, 1), (part, 2))}
        config = lib.config([several(path, backend, *patterns, timeout="600ms", **fixed(strategy))
                             for path, (strategy, patterns, _) in cases.items()]
                            + [several("/empty", backend, "/empty", **fixed("complete"))])
        with lib.Limpetd(config) as daemon:
            for path, (_, patterns, body) in cases.items():
                counts = {p: {GOOD if p == "/a" else BAD: 1} for p in patterns}
                complete = patterns == good
                check(daemon, path, 500 if body is None else 200, "" if body is None else body,
                      "true" if complete else "false", GOOD if complete else BAD, counts)
            check(daemon, "/empty", 200, data, "true", GOOD, {"/empty": {GOOD: 1}})
            idle(daemon)


# ---- Errors --------------------------------------------------------------------------------------

def details(name):
    return {"extra_config": {"backend/http": {"return_error_details": name}}}


CODE = {"extra_config": {"backend/http": {"return_error_code": True}}}


def test_error_details():
    with lib.Backend(ROUTES) as backend:
        shown = {"error_be": {"http_status_code": 404, "http_body": '{"e":1}',
                              "http_body_encoding": "application/json"}}
        config = lib.config([
            several("/404", backend, {"url_pattern": "/404", "group": "g", **details("be")}),
            several("/500", backend, {"url_pattern": "/500", **details("be")}),
            several("/ok", backend, {"url_pattern": "/a", **details("be")}),
            several("/merge", backend, "/a", {"url_pattern": "/404", **details("be")}),
            several("/seq", backend, {"url_pattern": "/404", **details("be")}, "/a",
                    **proxy(sequential=True)),
            several("/cc", backend, {"url_pattern": "/404", **details("be")}, concurrent_calls=2)])
        with lib.Limpetd(config) as daemon:
            check(daemon, "/404", 200, shown, "false", PART, {"/404": {PART: 1}})
            check(daemon, "/500", 200, {"error_be": {"http_status_code": 500}}, "false", PART,
                  {"/500": {PART: 1}})
            check(daemon, "/ok", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "true", GOOD, {"/a": {GOOD: 1}})
            check(daemon, "/merge", 200, {"a": 1, "b": {"c": [1, 2, 3]}, **shown}, "false", PART,
                  {"/a": {GOOD: 1}, "/404": {PART: 1}})
            check(daemon, "/seq", 200, shown, "false", PART, {"/404": {PART: 1}})
            check(daemon, "/cc", 200, shown, "false", PART, {"/404": {PART: 2}})
            idle(daemon)


def test_error_code_and_message():
    with lib.Backend(ROUTES) as backend:
        sequence = proxy(sequential=True)
        endpoints = [several("/code", backend, {"url_pattern": "/404", **CODE}),
                     several("/part", backend, "/a", {"url_pattern": "/404", **CODE}),
                     several("/none", backend, {"url_pattern": "/404", **CODE}, "/500"),
                     several("/seq", backend, {"url_pattern": "/404", **CODE}, "/a", **sequence),
                     several("/seq2", backend, "/a", {"url_pattern": "/404", **CODE}, **sequence),
                     several("/plain", backend, "/500"),
                     several("/slow", backend, "/slow", timeout="300ms"),
                     several("/merge", backend, "/slow", "/500", timeout="300ms")]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            check(daemon, "/code", 404, "", "false", BAD, {"/404": {BAD: 1}})
            check(daemon, "/part", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {"/a": {GOOD: 1}, "/404": {BAD: 1}})
            check(daemon, "/none", 500, "", "false", BAD, {"/404": {BAD: 1}, "/500": {BAD: 1}})
            check(daemon, "/seq", 404, "", "false", BAD, {"/404": {BAD: 1}})
            check(daemon, "/seq2", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {"/a": {GOOD: 1}, "/404": {BAD: 1}})
            idle(daemon)
        config = lib.config(endpoints)
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            for path in ("/code", "/seq"):
                answer = check(daemon, path, 404, '{"e":1}', "false", BAD, {"/404": {BAD: 1}})
                assert answer.headers["Content-Type"] == "application/json"
            answer = check(daemon, "/plain", 500, "invalid status code", "false", BAD, {"/500": {BAD: 1}})
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            check(daemon, "/slow", 500, "context deadline exceeded", "false", BAD, {"/slow": {BAD: 1}})
            check(daemon, "/merge", 500, "invalid status code\ncontext deadline exceeded", "false", BAD,
                  {"/slow": {BAD: 1}, "/500": {BAD: 1}})
            lines = daemon.get("/none").body.decode().split("\n")
            assert sorted(lines) == ["invalid status code", '{"e":1}'], lines
            idle(daemon)


def test_error_bodies_are_whole():
    """What is cut off or too long does not go to the client as if it were all; one without type is text."""
    long = b"x" * 1500000
    answers = {"/cut": b"Content-Length: 16\r\n\r\n{\"x\":1",
               "/cutchunk": b"Transfer-Encoding: chunked\r\n\r\n6\r\n{\"x\":1\r\n",
               "/long": b"Content-Length: 1500000\r\n\r\n" + long,
               "/longchunk": b"Transfer-Encoding: chunked\r\n\r\n16E360\r\n" + long + b"\r\n0\r\n\r\n",
               "/typeless": b"Content-Length: 7\r\n\r\n{\"x\":1}"}
    texts = {"/cut": "connection closed early", "/cutchunk": "connection closed early",
             "/long": "body is longer than the limit", "/longchunk": "body is longer than the limit",
             "/typeless": '{"x":1}'}

    def serve(connection):
        path = lib.read_head(connection).split(b" ")[1].decode()
        connection.sendall(b"HTTP/1.1 404 Not Found\r\n" + answers[path])
    with lib.RawBackend(serve) as backend:
        endpoints = [several(path, backend, {"url_pattern": path, **CODE}) for path in answers]
        endpoints += [several("/both" + path, backend, {"url_pattern": path, **CODE},
                              {"url_pattern": path, **CODE}) for path in answers]
        config = lib.config(endpoints)
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            for path, text in texts.items():
                answer = check(daemon, path, 404, text, "false", BAD, {path: {BAD: 1}})
                assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", path
                check(daemon, "/both" + path, 500, f"{text}\n{text}", "false", BAD, {path: {BAD: 2}})
            idle(daemon)


# ---- Encodings and shaping -----------------------------------------------------------------------

def test_encodings():
    text = {"url_pattern": "/text", "encoding": "string"}
    with lib.Backend(ROUTES) as backend:
        config = lib.config([
            several("/string", backend, text, output_encoding="string"),
            several("/string/json", backend, text),
            several("/string/mapped", backend, {**text, "mapping": {"content": "t"}}),
            several("/string/merged", backend, text, "/a", output_encoding="string"),
            several("/string/none", backend, "/a", output_encoding="string"),
            several("/list", backend, {"url_pattern": "/list", "is_collection": True}),
            several("/list/out", backend, {"url_pattern": "/list", "is_collection": True},
                    output_encoding="json-collection"),
            several("/list/none", backend, "/a", output_encoding="json-collection"),
            several("/list/object", backend, {"url_pattern": "/a", "is_collection": True}),
            several("/safe/list", backend, {"url_pattern": "/list", "encoding": "safejson"}),
            several("/safe/null", backend, {"url_pattern": "/null", "encoding": "safejson"}),
            several("/safe/text", backend, {"url_pattern": "/text", "encoding": "safejson"}),
        ])
        with lib.Limpetd(config) as daemon:
            said = ROUTES["/text"].body.decode()
            one = {"/text": {GOOD: 1}}
            answer = check(daemon, "/string", 200, said, "true", GOOD, one)
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            check(daemon, "/string/json", 200, {"content": said}, "true", GOOD, one)
            check(daemon, "/string/mapped", 200, {"t": said}, "true", GOOD, one)
            check(daemon, "/string/merged", 200, said, "true", GOOD, {**one, "/a": {GOOD: 1}})
            check(daemon, "/string/none", 200, "", "true", GOOD, {"/a": {GOOD: 1}})
            items, ok = [{"id": 1}, {"id": 2}], {"/list": {GOOD: 1}}
            check(daemon, "/list", 200, {"collection": items}, "true", GOOD, ok)
            check(daemon, "/list/out", 200, items, "true", GOOD, ok)
            check(daemon, "/list/none", 200, [], "true", GOOD, {"/a": {GOOD: 1}})
            check(daemon, "/list/object", 500, "", "false", BAD, {"/a": {BAD: 1}})
            check(daemon, "/safe/list", 200, {"collection": items}, "true", GOOD, ok)
            check(daemon, "/safe/null", 200, {"result": None}, "true", GOOD, {"/null": {GOOD: 1}})
            check(daemon, "/safe/text", 500, "", "false", BAD, {"/text": {BAD: 1}})
            idle(daemon)


def test_shaping():
    secret = '{"password":1,"p\\u0061ssword":2,"\\u0070assword":3,"user":{"name":"a","token":4,"t\\u006fken":5},' \
             '"user2":{"token":6},"id":12345678901234567890,"n":1.50,"u":"\\u00e9"}'
    with lib.Backend({"/s": lib.Answer(secret), **ROUTES}) as backend:
        rules = {"/deny": {"deny": ["password", "user.token"]},
                 "/allow": {"allow": ["user.name", "id", "user2.none"]},
                 "/target": {"target": "user", "deny": ["token"]},
                 "/gone": {"allow": ["nothing"]},
                 "/map": {"allow": ["id", "n"], "mapping": {"id": "n", "n": "x.y"}, "group": "g"}}
        config = lib.config([several(path, backend, {"url_pattern": "/s", **rule})
                             for path, rule in rules.items()])
        want = {"/deny": '{"user":{"name":"a"},"user2":{"token":6},"id":12345678901234567890,"n":1.50,'
                         '"u":"\\u00e9"}',
                "/allow": '{"user":{"name":"a"},"id":12345678901234567890}',
                "/target": '{"name":"a"}', "/gone": "{}",
                "/map": '{"g":{"n":12345678901234567890,"x":1.50}}'}
        with lib.Limpetd(config) as daemon:
            for path, body in want.items():
                check(daemon, path, 200, body, "false" if path == "/gone" else "true", GOOD,
                      {"/s": {GOOD: 1}})
            idle(daemon)


# ---- Forwarding ----------------------------------------------------------------------------------

def test_forwarding():
    with lib.Backend(default=uri) as backend:
        config = lib.config([
            several("/none", backend, "/x"),
            several("/some", backend, "/x?k=1", input_headers=["x-one", "User-Agent"],
                    input_query_strings=["b", "a", "c d"]),
            several("/all", backend, {"url_pattern": "/x", "input_headers": ["X-One", "X-Two"],
                                      "input_query_strings": ["a", "z"]},
                    input_headers=["*"], input_query_strings=["*"]),
            several("/star", backend, "/x", input_headers=["*"], input_query_strings=["*"]),
            several("/noop", backend, "/x", output_encoding="no-op")])
        with lib.Limpetd(config) as daemon:
            def seen(path):
                backend.seen.clear()
                daemon.get(path, headers={"X-One": "1", "x-TWO": "2", "Authorization": "z",
                                          "User-Agent": "me", "Content-Type": "t/x",
                                          "Accept-Encoding": "gzip", "X-Forwarded-For": "9.9.9.9"})
                return backend.seen[0].path, {k: v for k, v in backend.seen[0].headers.items()}
            query = "?b=2&a=%20x%2B&z=%C3%A9&a=1;2&c+d=e%26&&a&%zz"
            own = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": f"127.0.0.1:{daemon.port}",
                   "Host": f"127.0.0.1:{backend.port}", "Accept-Encoding": "identity"}
            target, fields = seen("/none" + query.replace("%zz", ""))
            assert target == "/x" and fields.pop("User-Agent").startswith("Limpet Version"), (target, fields)
            assert fields == {**own, "Content-Type": "t/x"}, fields
            target, fields = seen("/some" + query.replace("&%zz", ""))
            assert target == "/x?k=1&a=+x%2B&a=&b=2&c+d=e%26", target
            assert fields.pop("X-Forwarded-Via").startswith("Limpet Version")
            assert fields == {**own, "X-One": "1", "User-Agent": "me"}, fields
            target, fields = seen("/all" + query.replace("&%zz", ""))
            assert target == "/x?a=+x%2B&a=&z=%C3%A9", target
            fields.pop("User-Agent")
            assert fields == {"Host": own["Host"], "Accept-Encoding": "identity", "X-One": "1",
                              "X-Two": "2"}, fields
            target, fields = seen("/star?z=1&a=2")
            assert target == "/x?a=2&z=1", target
            assert fields["Authorization"] == "z" and fields["X-Forwarded-For"] == "127.0.0.1", fields
            assert seen("/noop")[1]["Accept-Encoding"] == "gzip"
            idle(daemon)


def test_redirects():
    """A merge follows redirects; credentials do not follow to another host."""
    with lib.Backend(default=uri) as other, lib.Backend({"/b": lib.Answer({"b": 2})}) as backend:
        backend.routes["/away"] = lib.Answer("", status=302,
                                             headers={"Location": f"http://localhost:{other.port}/x"})
        backend.routes["/home"] = lib.Answer("", status=307, headers={"Location": "/h?k=1"})
        backend.routes["/h"] = uri
        config = lib.config([several("/m", backend, "/away", "/b", input_headers=["*"]),
                             several("/h", backend, "/home", "/b", input_headers=["*"])])
        fields = {"Authorization": "secret", "Cookie": "c=1", "X-One": "1"}
        with lib.Limpetd(config) as daemon:
            answer = daemon.get("/m", headers=fields)
            assert answer.json() == {"uri": "/x", "body": "", "method": "GET", "b": 2}, answer.json()
            got = other.seen[0].headers
            assert "Authorization" not in got and "Cookie" not in got and got["X-One"] == "1", got
            assert daemon.get("/h", headers=fields).json()["uri"] == "/h?k=1"
            got = next(seen for seen in backend.seen if seen.path == "/h?k=1").headers
            assert got["Authorization"] == "secret" and got["Cookie"] == "c=1", got
            idle(daemon)


# ---- Load and failure ----------------------------------------------------------------------------

def serve_fast(connection):
    """Small answers by path, on connections that are kept."""
    answers = {b"/a": b'{"a":1}', b"/b": b'{"b":2}'}
    while True:
        head = lib.read_head(connection)
        if not head:
            return
        body = answers.get(head.split(b" ", 2)[1])
        status = b"200 OK" if body else b"500 No"
        body = body or b""
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


def hammer(port, clients, requests, paths, want, seconds=0):
    """Keep-alive clients, at least so long; want: path -> set of (status, body) allowed. Returns what each
    path got."""
    end = time.monotonic() + seconds

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=lib.SECONDS_MAX)
        got = []
        i = 0
        while i < requests // clients or time.monotonic() < end:
            path = paths[(number + i) % len(paths)]
            i += 1
            connection.request("GET", path)
            response = connection.getresponse()
            answer = (response.status, response.read())
            assert answer in want[path], (path, answer)
            got.append((path, answer[0]))
        connection.close()
        return got
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [one for part in pool.map(client, range(clients)) for one in part]


def test_counts_under_load():
    requests, clients = (10_000, 64) if lib.FULL else (1_280, 64)
    with lib.RawBackend(serve_fast) as backend:
        config = lib.config([several("/m", backend, "/a", "/b"), several("/p", backend, "/a", "/no"),
                             several("/s", backend, "/a", "/b", **proxy(sequential=True))], timeout="30s")
        both = {(200, b'{"a":1,"b":2}'), (200, b'{"b":2,"a":1}')}
        want = {"/m": both, "/s": {(200, b'{"a":1,"b":2}')}, "/p": {(200, b'{"a":1}')}}
        with lib.Limpetd(config) as daemon:
            before = counters(daemon)
            got = hammer(daemon.port, clients, requests, ["/m", "/p", "/s"], want)
            asked = {path: sum(1 for p, _ in got if p == path) for path in want}
            total = sum(asked.values())
            name = "krakend.proxy.requests.layer."
            expect = {"krakend.router.connected": total, "krakend.router.disconnected": total,
                      f"{name}backend.name./a.{GOOD}": total,
                      f"{name}backend.name./b.{GOOD}": asked["/m"] + asked["/s"],
                      f"{name}backend.name./no.{BAD}": asked["/p"],
                      f"{name}pipe.name./m.{GOOD}": asked["/m"], f"{name}pipe.name./s.{GOOD}": asked["/s"],
                      f"{name}pipe.name./p.{BAD}": asked["/p"]}
            expect.update({f"krakend.router.response.{p}.status.200.count": n for p, n in asked.items()})
            assert changes(before, counters(daemon)) == expect
            idle(daemon)


def test_backend_dies_under_load():
    """Killed and started again while clients ask: no wrong answer, no slot lost, counters add up."""
    port = lib.free_port()
    open_now, listener, stop = [], [], threading.Event()

    def start():
        listener.append(socket.create_server(("127.0.0.1", port), backlog=512))

        def accept(server):
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_now.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection):
            try:
                serve_fast(connection)
            except OSError:
                pass
        threading.Thread(target=accept, args=(listener[-1],), daemon=True).start()

    def kill():
        listener[-1].shutdown(socket.SHUT_RDWR)
        listener[-1].close()
        while open_now:
            connection = open_now.pop()
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def trouble():
        while not stop.wait(0.3):
            kill()
            time.sleep(0.15)
            start()
    start()
    url = f"http://127.0.0.1:{port}"
    with lib.Backend(ROUTES) as steady:
        merge = {"endpoint": "/m", "backend": [{"host": [steady.url], "url_pattern": "/empty", "group": "s"},
                                               {"host": [url], "url_pattern": "/a"}]}
        config = lib.config([several("/one", url, "/a"), merge], timeout="3s")
        want = {"/one": {(200, b'{"a":1}'), (500, b"")},
                "/m": {(200, b'{"s":{},"a":1}'), (200, b'{"a":1,"s":{}}'), (200, b'{"s":{}}'),
                       (200, b'{"a":1}'), (500, b"")}}
        with lib.Limpetd(config) as daemon:
            before = counters(daemon)
            thread = threading.Thread(target=trouble)
            thread.start()
            try:
                got = hammer(daemon.port, 16, 800, ["/one", "/m"], want, 20 if lib.FULL else 3)
            finally:
                stop.set()
                thread.join()
            assert {status for _, status in got} == {200, 500}
            seen = changes(before, counters(daemon))
            assert seen["krakend.router.connected"] == seen["krakend.router.disconnected"] == len(got)
            for path in want:
                pipe = f"krakend.proxy.requests.layer.pipe.name.{path}."
                asked = sum(1 for p, _ in got if p == path)
                assert seen.get(pipe + GOOD, 0) + seen.get(pipe + BAD, 0) == asked
                for status in (200, 500):
                    key = f"krakend.router.response.{path}.status.{status}.count"
                    assert seen.get(key, 0) == sum(1 for p, s in got if (p, s) == (path, status))
            calls = "krakend.proxy.requests.layer.backend.name./a."
            assert seen.get(calls + GOOD, 0) + seen.get(calls + BAD, 0) == len(got)
            idle(daemon)
            lib.wait_until(lambda: daemon.get("/one").status == 200, "the backend is back")


def test_own_backend_in_merges():
    """The gateway as its own backend, several times over, with more clients than connections."""
    config = lib.config([], echo_endpoint=True, timeout="20s")
    host = f"http://127.0.0.1:{config['port']}"
    config["endpoints"] = [several("/inner", host, "/__echo/x", "/__echo/y"),
                           several("/outer", host, {"url_pattern": "/inner", "group": "a"},
                                   {"url_pattern": "/inner", "group": "b"}, concurrent_calls=2)]
    with lib.Limpetd(config) as daemon:
        before = counters(daemon)
        with concurrent.futures.ThreadPoolExecutor(96) as pool:
            answers = list(pool.map(lambda _: daemon.get("/outer"), range(192)))
        assert {answer.status for answer in answers} <= {200, 500, 503}
        assert any(answer.status == 200 for answer in answers)
        idle(daemon)
        got = changes(before, counters(daemon))
        assert got["krakend.router.connected"] == got["krakend.router.disconnected"]
        assert daemon.get("/outer").json().keys() == {"a", "b"}


def test_bad_peers_hold_nothing():
    """Silent, slow, half-closing backends, and clients that leave or dawdle: all slots come back."""
    def silent(connection):
        lib.read_head(connection)
        connection.recv(1)

    def half(connection):
        lib.read_head(connection)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    def drip(connection):
        lib.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)
    with lib.Backend(ROUTES) as good, lib.RawBackend(silent) as first, lib.RawBackend(half) as second, \
            lib.RawBackend(drip) as third:
        entries = [{"host": [b.url], "url_pattern": path}
                   for b, path in ((good, "/a"), (first, "/x"), (second, "/y"), (third, "/z"))]
        config = lib.config([{"endpoint": "/m", "backend": entries, "timeout": "600ms"},
                             {"endpoint": "/up", "method": "POST", "backend": entries,
                              "timeout": "600ms"}])
        with lib.Limpetd(config) as daemon:
            bad = {"/x": {BAD: 1}, "/y": {BAD: 1}, "/z": {BAD: 1}}
            check(daemon, "/m", 200, {"a": 1, "b": {"c": [1, 2, 3]}}, "false", BAD,
                  {"/a": {GOOD: 1}, **bad})
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                assert {r.status for r in pool.map(lambda _: daemon.get("/m"), range(32))} == {200}
            idle(daemon)
            # A client that leaves, and one whose body never ends.
            gone = socket.create_connection(("127.0.0.1", daemon.port))
            gone.sendall(b"GET /m HTTP/1.1\r\nHost: g\r\n\r\n")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.close()
            before = counters(daemon)
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=lib.SECONDS_MAX) as slow:
                slow.sendall(b"POST /up HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\nabc")
                assert slow.recv(4096).startswith(b"HTTP/1.1 500"), "held beyond the timeout"
            idle(daemon)
            got = changes(before, counters(daemon))
            assert got["krakend.proxy.requests.layer.pipe.name./up." + BAD] == 1
            assert not any(".backend." in key and "/up" in key for key in got)


if __name__ == "__main__":
    lib.main(globals())
