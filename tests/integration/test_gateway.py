"""The gateway of a whole daemon between real sockets: answers and counts case by case, edges of the
router, what backends see, streaming in both directions, redirects, and everything that breaks."""
import concurrent.futures
import http.client
import json
import re
import socket
import threading
import time

import lib

JSON_TYPE = "application/json; charset=utf-8"
LAYERS = ("krakend.router.", "krakend.proxy.requests.")
STREAM_LEN = (1024 if lib.FULL else 48) * 1024 * 1024
PIECE = bytes(range(256)) * 256
# A daemon that holds bodies instead of passing them on grows by more than this.
GROWTH_KB_MAX = 24 * 1024


def counters(daemon):
    return {key: value for key, value in daemon.stats().items()
            if key.startswith(LAYERS) and not key.endswith(("-gauge", "-total"))
            and ".size." not in key and ".time." not in key}


def changes(before, after):
    return {key: value - before.get(key, 0) for key, value in after.items()
            if value != before.get(key, 0)}


def counted(endpoint, backend, status, good):
    """What one request of an endpoint adds."""
    labels = "complete.true.error.false" if good else "complete.false.error.true"
    return {f"krakend.proxy.requests.layer.backend.name.{backend}.{labels}": 1,
            f"krakend.proxy.requests.layer.pipe.name.{endpoint}.{labels}": 1,
            "krakend.router.connected": 1, "krakend.router.disconnected": 1,
            f"krakend.router.response.{endpoint}.status.{status}.count": 1}


class Raw:
    """A client that says exactly what it is told."""

    def __init__(self, port, text=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=lib.SECONDS_MAX)
        self.send(text)

    def send(self, text):
        self.socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def answer(self, method="GET"):
        raw = http.client.HTTPResponse(self.socket, method=method)
        raw.begin()
        return lib.Response(raw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def ask(daemon, line, fields="", body=""):
    """One request with this request line (without version)."""
    text = f"{line} HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n{fields}\r\n{body}"
    with Raw(daemon.port, text) as raw:
        return raw.answer(line.split(" ")[0])


# ---- The matrix ----------------------------------------------------------------------------------

def json_answer(text, **keywords):
    return lib.Answer(text, headers={"Content-Type": "application/json"}, **keywords)


MATRIX_BACKEND = {
    "/ok": json_answer('{ "b" : {"c": [1, 2]}, "a" : 1.50 }'),
    "/chunked": json_answer('{"a":1}', chunked=True),
    "/201": json_answer('{"a":1}', status=201),
    "/empty": json_answer("{}"),
    "/null": json_answer("null"),
    "/nobody": lib.Answer(""),
    "/text": lib.Answer("hello", headers={"Content-Type": "text/plain"}),
    "/arr": json_answer("[1,2]"),
    "/twice": json_answer('{"a":1,"b":2,"a":3} trailing'),
    "/202": json_answer('{"a":1}', status=202),
    "/204": lib.Answer(status=204),
    "/404": lib.Answer('{"e":404}', status=404,
                       headers={"Content-Type": "application/json", "X-Foo": "bar"}),
    "/500": json_answer('{"e":500}', status=500),
}
# endpoint: status, completed, body; of the json endpoints
MATRIX_JSON = {
    "/ok": (200, "true", b'{"b":{"c":[1,2]},"a":1.50}'),
    "/chunked": (200, "true", b'{"a":1}'),
    "/201": (200, "true", b'{"a":1}'),
    "/empty": (200, "false", b"{}"),
    "/null": (200, "false", b"null"),
    "/twice": (200, "true", b'{"b":2,"a":3}'),
    "/nobody": (500, "false", b""),
    "/text": (500, "false", b""),
    "/arr": (500, "false", b""),
    "/202": (500, "false", b""),
    "/204": (500, "false", b""),
    "/404": (500, "false", b""),
    "/500": (500, "false", b""),
}


def size_of(daemon, endpoint):
    stem = f"krakend.router.response.{endpoint}.size."
    stats = daemon.stats()
    return stats[stem + "count"], stats[stem + "max"]


def test_json_matrix():
    with lib.Backend(MATRIX_BACKEND) as backend:
        endpoints = [lib.endpoint(path, backend) for path in MATRIX_JSON]
        with lib.Limpetd(lib.config(endpoints, cache_ttl="300s")) as daemon:
            before = counters(daemon)
            for path, (status, completed, body) in MATRIX_JSON.items():
                response = daemon.get(path)
                after = counters(daemon)
                assert (response.status, response.body) == (status, body), (path, response.status,
                                                                            response.body)
                assert response.headers["X-Krakend-Completed"] == completed, path
                assert response.headers["X-Krakend"].startswith("Version "), path
                good = status == 200
                assert response.headers["Content-Type"] == (JSON_TYPE if good else None), path
                cache = "public, max-age=300" if completed == "true" else None
                assert response.headers["Cache-Control"] == cache, path
                assert changes(before, after) == counted(path, path, status, good), path
                assert size_of(daemon, path) == (1, len(body)), path
                before = after


def test_no_op_matrix():
    with lib.Backend(MATRIX_BACKEND) as backend:
        endpoints = [lib.endpoint(path, backend, output_encoding="no-op")
                     for path in MATRIX_BACKEND]
        with lib.Limpetd(lib.config(endpoints, cache_ttl="300s")) as daemon:
            before = counters(daemon)
            for path, answer in MATRIX_BACKEND.items():
                response = daemon.get(path)
                after = counters(daemon)
                assert (response.status, response.body) == (answer.status, answer.body), path
                assert response.headers["X-Krakend-Completed"] == "false", path
                assert response.headers["Cache-Control"] is None, path
                assert response.headers["X-Foo"] == answer.headers.get("X-Foo"), path
                assert response.headers["Content-Type"] == answer.headers.get("Content-Type"), path
                assert len(response.headers.get_all("Date")) == 1, path
                assert changes(before, after) == counted(path, path, answer.status, True), path
                assert size_of(daemon, path) == (1, len(answer.body)), path
                before = after


def test_unreachable():
    closed = f"http://127.0.0.1:{lib.free_port()}"
    endpoints = [lib.endpoint("/json", closed, "/x"),
                 lib.endpoint("/noop", closed, "/y", output_encoding="no-op"),
                 lib.endpoint("/name", "http://no-such-name.invalid", "/z", timeout="10s")]
    with lib.Limpetd(lib.config(endpoints)) as daemon:
        for endpoint, backend in (("/json", "/x"), ("/noop", "/y"), ("/name", "/z")):
            before = counters(daemon)
            response = daemon.get(endpoint)
            assert (response.status, response.body) == (500, b""), endpoint
            assert response.headers["X-Krakend-Completed"] == "false"
            after = counters(daemon)
            assert changes(before, after) == counted(endpoint, backend, 500, False), endpoint
        daemon.wait_log(r"\[ENDPOINT: /json\] backend 127.0.0.1:\d+/x: connection refused")


def test_timeout():
    slow = lib.Answer({"slow": 1}, delay=1.2)
    with lib.Backend({"/slow": slow}) as backend:
        endpoints = [lib.endpoint("/json", backend, "/slow", timeout="200ms"),
                     lib.endpoint("/noop", backend, "/slow", timeout="200ms",
                                  output_encoding="no-op"),
                     lib.endpoint("/patient", backend, "/slow", timeout="20s")]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            for endpoint in ("/json", "/noop"):
                before = counters(daemon)
                response = daemon.get(endpoint)
                assert (response.status, response.body) == (500, b""), endpoint
                assert changes(before, counters(daemon)) == counted(endpoint, "/slow", 500, False)
            assert daemon.get("/patient").json() == {"slow": 1}
            daemon.wait_log(r"\[ENDPOINT: /json\] no answer within 200ms")


# ---- Edges of the router -------------------------------------------------------------------------

def test_router_edges():
    plain = "text/plain"
    utf8 = "text/plain; charset=utf-8"
    page = '<a href="{}">Moved Permanently</a>.\n\n'
    # request line: status, Location, Content-Type, body
    cases = {
        "GET /unknown": (404, None, plain, "404 page not found"),
        "GET /p/12/b%2Fob": (404, None, plain, "404 page not found"),
        "POST /ok": (405, None, plain, "405 method not allowed"),
        "HEAD /ok": (405, None, plain, ""),
        "OPTIONS /ok": (405, None, plain, "405 method not allowed"),
        "GET /ok/": (301, "/ok", "text/html; charset=utf-8", page.format("/ok")),
        "GET /OK?a=1": (301, "/ok?a=1", "text/html; charset=utf-8", page.format("/ok?a=1")),
        "GET //ok": (301, "/ok", "text/html; charset=utf-8", page.format("/ok")),
        "POST /post/": (307, "/post", None, ""),
        "GET /p/a%3Fb/x": (400, None, utf8, "error: encoded url params"),
        "GET /p/%252e/x": (400, None, utf8, "error: encoded url params"),
        "GET /__debug/x": (404, None, plain, "404 page not found"),
        "GET /__echo/x": (404, None, plain, "404 page not found"),
    }
    with lib.Backend(default=lib.Answer({"a": 1})) as backend:
        endpoints = [lib.endpoint("/ok", backend), lib.endpoint("/post", backend, method="POST"),
                     lib.endpoint("/p/{id}/{name}", backend, "/{id}/{name}")]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            before = counters(daemon)
            for line, (status, location, kind, body) in cases.items():
                response = ask(daemon, line)
                assert response.status == status, (line, response.status)
                assert response.headers["Location"] == location, line
                assert response.headers["Content-Type"] == kind, line
                assert response.body.decode() == body, (line, response.body)
                gateway_fields = status in (404, 405)
                assert (response.headers["X-Krakend-Completed"] == "false") == gateway_fields, line
                assert (response.headers["X-Krakend"] is not None) == gateway_fields, line
            response = ask(daemon, "HEAD /__health")
            assert (response.status, response.body) == (200, b"")
            assert counters(daemon) == before
            assert not backend.seen


def test_health():
    with lib.Limpetd(lib.config([lib.endpoint("/ok", "http://127.0.0.1:19")])) as daemon:
        before = counters(daemon)
        response = daemon.get("/__health")
        assert response.headers["Content-Type"] == JSON_TYPE
        assert response.headers["X-Krakend"] is None
        now = time.gmtime()
        health = response.json()
        assert health["agents"] == {} and health["status"] == "ok", health
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", health["now"]), health
        stamp = time.strptime(health["now"], "%Y-%m-%dT%H:%M:%SZ")
        assert abs(time.mktime(now) - time.mktime(stamp)) < lib.SECONDS_MAX, health
        assert counters(daemon) == before


def test_echo_and_debug():
    config = lib.config([lib.endpoint("/ok", "http://127.0.0.1:19")], echo_endpoint=True,
                        debug_endpoint=True)
    with lib.Limpetd(config) as daemon:
        before = counters(daemon)
        body = 'line "one"\n\u00e9' + "x" * 100_000
        response = daemon.request("POST", "/__echo/a%20b?x=1&x=2", body=body.encode(),
                                  headers={"X-Test": "y"})
        echo = response.json()
        assert echo["req_uri"] == "/__echo/a%20b?x=1&x=2"
        assert echo["req_uri_details"]["path"] == "/__echo/a b"
        assert echo["req_method"] == "POST"
        assert echo["req_querystring"] == {"x": ["1", "2"]}
        assert echo["req_headers"]["X-Test"] == ["y"]
        assert echo["req_body"] == body
        response = daemon.get("/__debug/x")
        assert response.json() == {"message": "pong"}
        for method, status in (("GET", 301), ("POST", 307)):
            for root in ("/__debug", "/__echo"):
                response = daemon.request(method, root + "?a=1")
                assert response.status == status, (method, root, response.status)
                assert response.headers["Location"] == root + "/?a=1", response.headers
        assert counters(daemon) == before


# ---- What backends see ---------------------------------------------------------------------------

def test_forwarding():
    with lib.Backend(default=lib.Answer({"a": 1})) as backend:
        endpoints = [lib.endpoint("/p/{id}/{name}", backend, "/echo/{name}/x?id={id}"),
                     lib.endpoint("/post", backend, "/p", method="POST"),
                     lib.endpoint("/put", backend, "/p", method="PUT", backend_method="DELETE")]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            daemon.get("/p/1%262/b%C3%A9%20c?q=1", headers={
                "X-One": "1", "Authorization": "zzz", "X-Forwarded-For": "6.6.6.6",
                "Accept-Encoding": "gzip", "Cookie": "a=b", "Content-Type": "a/b"})
            seen = backend.seen[-1]
            assert (seen.method, seen.path) == ("GET", "/echo/b%C3%A9%20c/x?id=1%262"), seen.path
            names = {name.lower() for name in seen.headers}
            assert names == {"host", "user-agent", "x-forwarded-for", "x-forwarded-host",
                             "accept-encoding", "content-type"}, names
            assert seen.headers["Accept-Encoding"] == "identity"
            assert seen.headers["Host"] == f"127.0.0.1:{backend.port}"
            assert seen.headers["X-Forwarded-For"] == "127.0.0.1"
            assert seen.headers["X-Forwarded-Host"] == f"127.0.0.1:{daemon.port}"
            assert seen.headers["User-Agent"].startswith("Limpet Version ")

            daemon.request("POST", "/post", body=b"0123456789")
            assert backend.seen[-1].body == b"0123456789"
            assert backend.seen[-1].headers["Content-Length"] == "10"
            daemon.request("POST", "/post", body=iter([b"01234", b"56789"]))
            assert backend.seen[-1].body == b"0123456789"
            assert backend.seen[-1].headers["Transfer-Encoding"] == "chunked"
            daemon.request("PUT", "/put", body=b"xyz")
            assert (backend.seen[-1].method, backend.seen[-1].body) == ("DELETE", b"xyz")
            assert backend.connections == 1


def test_host_lists():
    with lib.Backend(default=lib.Answer({"a": 1})) as one, \
            lib.Backend(default=lib.Answer({"a": 2})) as two:
        endpoint = lib.endpoint("/lb", one)
        endpoint["backend"][0]["host"].append(two.url)
        with lib.Limpetd(lib.config([endpoint])) as daemon:
            answers = [daemon.get("/lb").json()["a"] for _ in range(6)]
            assert answers in ([1, 2] * 3, [2, 1] * 3), answers


def redirect_to(location, status=302):
    return lib.Answer("moved", status=status, headers={"Location": location})


def test_redirects():
    with lib.Backend() as other, lib.Backend() as backend:
        other.routes["/there"] = lib.Answer({"host": "other"})
        backend.routes.update({
            "/ok": lib.Answer({"a": 1}),
            "/301": redirect_to("/ok", 301),
            "/303": redirect_to("ok?x=1", 303),
            "/308": redirect_to("./a/../ok#frag", 308),
            "/other": redirect_to(f"http://localhost:{other.port}/there"),
            "/loop": redirect_to("/loop"),
            "/bad": redirect_to("ftp://x/y"),
        })
        endpoints = [lib.endpoint(path, backend) for path in backend.routes if path != "/ok"]
        endpoints += [lib.endpoint("/noop", backend, "/301", output_encoding="no-op"),
                      lib.endpoint("/post", backend, "/303", method="POST"),
                      lib.endpoint("/post308", backend, "/308", method="POST",
                                   output_encoding="no-op")]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            for path in ("/301", "/303", "/308"):
                before = counters(daemon)
                assert daemon.get(path).json() == {"a": 1}, path
                assert changes(before, counters(daemon)) == counted(path, path, 200, True), path
            assert daemon.get("/noop").json() == {"a": 1}
            assert daemon.get("/other").json() == {"host": "other"}
            assert daemon.request("POST", "/post", body=b"xyz").json() == {"a": 1}
            assert (backend.seen[-1].method, backend.seen[-1].body) == ("GET", b"")
            # A body that would have to be sent again: the redirect itself is the answer.
            response = daemon.request("POST", "/post308", body=b"xyz")
            assert (response.status, response.body) == (308, b"moved")
            count = len(backend.seen)
            assert daemon.get("/loop").status == 500
            assert len(backend.seen) - count == 11
            assert daemon.get("/bad").status == 500
            daemon.wait_log(r"redirect to ftp://x/y: not supported")


# ---- Streaming -----------------------------------------------------------------------------------

def serve_stream(connection):
    """GET: STREAM_LEN bytes. Others: reads the body to its announced end and says its length."""
    head = lib.read_head(connection)
    if head.startswith(b"GET"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STREAM_LEN)
        for _ in range(STREAM_LEN // len(PIECE)):
            connection.sendall(PIECE)
        return
    length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
    got = len(head.partition(b"\r\n\r\n")[2])
    while got < length:
        more = connection.recv(1 << 20)
        if not more:
            return
        got += len(more)
    body = b"%d" % got
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def stream_config(backend):
    return lib.config([
        lib.endpoint("/down", backend, "/x", output_encoding="no-op", timeout="600s"),
        lib.endpoint("/up", backend, "/x", method="POST", output_encoding="no-op", timeout="600s")])


def read_stream(response):
    got = 0
    while True:
        piece = response.read(len(PIECE))
        if not piece:
            return got
        assert piece == PIECE, f"other bytes at {got}"
        got += len(piece)


def test_stream_down():
    with lib.RawBackend(serve_stream) as backend, lib.Limpetd(stream_config(backend)) as daemon:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=lib.SECONDS_MAX)
        connection.request("GET", "/down")
        response = connection.getresponse()
        assert response.headers["Content-Length"] == str(STREAM_LEN)
        assert response.read(len(PIECE)) == PIECE
        before = daemon.memory_kb()
        assert len(PIECE) + read_stream(response) == STREAM_LEN
        assert daemon.memory_kb() - before < GROWTH_KB_MAX
        connection.close()
        assert size_of(daemon, "/down") == (1, STREAM_LEN)


def test_stream_up():
    with lib.RawBackend(serve_stream) as backend, lib.Limpetd(stream_config(backend)) as daemon:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=lib.SECONDS_MAX)
        connection.putrequest("POST", "/up")
        connection.putheader("Content-Length", str(STREAM_LEN))
        connection.endheaders()
        connection.send(PIECE)
        before = daemon.memory_kb()
        for _ in range(STREAM_LEN // len(PIECE) - 1):
            connection.send(PIECE)
        response = connection.getresponse()
        assert response.read() == b"%d" % STREAM_LEN
        assert daemon.memory_kb() - before < GROWTH_KB_MAX
        connection.close()


def test_slow_reader_holds_nothing():
    """A client that does not read stops the backend, not the memory."""
    sent = []

    def serve(connection):
        lib.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.settimeout(1.0)
        try:
            while True:
                sent.append(connection.send(PIECE))
        except TimeoutError:
            pass
    with lib.RawBackend(serve) as backend, lib.Limpetd(stream_config(backend)) as daemon:
        before = daemon.memory_kb()
        with Raw(daemon.port, "GET /down HTTP/1.1\r\nHost: gw\r\n\r\n"):
            total = -1
            while total != sum(sent):
                total = sum(sent)
                time.sleep(0.5)
            assert total < 32 * 1024 * 1024, total
            assert daemon.memory_kb() - before < GROWTH_KB_MAX
            assert daemon.get("/__health").status == 200


# ---- What breaks ---------------------------------------------------------------------------------

def test_cut_bodies():
    """json never shows a part; a no-op client sees that its answer is cut."""
    cuts = {"/length": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"a\":1}",
            "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n",
            "/badchunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         b"7\r\n{\"a\":1}\r\nzz\r\n",
            "/head": b"HTTP/1.1 200 OK\r\nContent-Le",
            "/nothing": b"",
            "/garbage": b"SSH-2.0-OpenSSH\r\n"}

    def serve(connection):
        path = lib.read_head(connection).split(b" ")[1].decode()
        connection.sendall(cuts[path])
    with lib.RawBackend(serve) as backend:
        endpoints = [lib.endpoint(path, backend) for path in cuts]
        endpoints += [lib.endpoint("/noop" + path, backend, path, output_encoding="no-op")
                      for path in cuts]
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            for path in cuts:
                before = counters(daemon)
                response = daemon.get(path)
                assert (response.status, response.body) == (500, b""), path
                assert changes(before, counters(daemon)) == counted(path, path, 500, False), path
                before = counters(daemon)
                headless = path in ("/head", "/nothing", "/garbage")
                try:
                    response = daemon.get("/noop" + path)
                    assert headless and response.status == 500, (path, response.body)
                except (http.client.HTTPException, OSError):
                    assert not headless, path
                want = counted("/noop" + path, path, 500 if headless else 200, not headless)
                assert changes(before, counters(daemon)) == want, path


def test_clients_that_leave():
    """A reset is an error of all layers, and the backend's connection is closed. A client that only
    closes its half may still read, and is answered. Nothing is lost either way."""
    with lib.Backend({"/slow": lib.Answer({"a": 1}, delay=1.5)}) as backend:
        config = lib.config([lib.endpoint("/slow", backend, timeout="20s"),
                             lib.endpoint("/up", backend, "/slow", method="POST", timeout="20s")])
        with lib.Limpetd(config) as daemon:
            before = counters(daemon)

            def is_counted(key, value):
                got = changes(before, counters(daemon)).get("krakend.router." + key)
                lib.wait_until(lambda: changes(before, counters(daemon)).get(
                    "krakend.router." + key) == value, f"{key} {value}, not {got}")
            for i in range(20):
                with Raw(daemon.port, "GET /slow HTTP/1.1\r\nHost: gw\r\n\r\n") as raw:
                    is_counted("connected", i + 1)
                    if i % 2:
                        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                              b"\1\0\0\0\0\0\0\0")
            is_counted("disconnected", 20)
            got = changes(before, counters(daemon))
            assert got["krakend.router.response./slow.status.500.count"] == 10, got
            assert got["krakend.router.response./slow.status.200.count"] == 10, got
            for layer in ("pipe", "backend"):
                stem = f"krakend.proxy.requests.layer.{layer}.name./slow."
                assert got[stem + "complete.false.error.true"] == 10, got
                assert got[stem + "complete.true.error.false"] == 10, got
            # Half a request body, then the end of it.
            with Raw(daemon.port, "POST /up HTTP/1.1\r\nHost: gw\r\nContent-Length: 9\r\n\r\nabc"):
                is_counted("connected", 21)
            is_counted("disconnected", 21)
            assert daemon.get("/__health").status == 200


def test_body_limit():
    """A json body above the limit is the backend's error; no-op has no limit."""
    big = json.dumps({"x": "y" * (1 << 20)})
    routes = {"/big": lib.Answer(big), "/bigchunked": lib.Answer(big, chunked=True)}
    with lib.Backend(routes) as backend:
        config = lib.config([
            lib.endpoint("/big", backend), lib.endpoint("/bigchunked", backend, timeout="20s"),
            lib.endpoint("/noop", backend, "/big", output_encoding="no-op", timeout="20s")])
        with lib.Limpetd(config) as daemon:
            assert daemon.get("/big").status == 500
            assert daemon.get("/bigchunked").status == 500
            assert daemon.get("/noop").body == big.encode()


def test_early_refusal():
    """A backend that answers before it has read the upload: the client gets that answer."""
    def serve(connection):
        lib.read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n"
                           b"Connection: close\r\n\r\nno!")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(lib.SECONDS_MAX)
        while connection.recv(65536):
            pass
    with lib.RawBackend(serve) as backend, lib.Limpetd(stream_config(backend)) as daemon:
        head = "POST /up HTTP/1.1\r\nHost: gw\r\nContent-Length: 100000000\r\n\r\n"
        with Raw(daemon.port, head + "x" * 1000) as raw:
            response = raw.answer()
            assert (response.status, response.body) == (413, b"no!")


# ---- Many ----------------------------------------------------------------------------------------

def test_pipelining():
    with lib.Backend(default=lib.Answer({"a": 1})) as backend:
        endpoints = [lib.endpoint("/p/{id}", backend, "/x/{id}", output_encoding="no-op")]
        backend.default = lambda seen: lib.Answer(seen.path)
        with lib.Limpetd(lib.config(endpoints)) as daemon:
            lines = "".join(f"GET /p/{i} HTTP/1.1\r\nHost: gw\r\n\r\n" for i in range(20))
            with Raw(daemon.port, lines) as raw:
                file = raw.socket.makefile("rb")
                for i in range(20):
                    assert file.readline() == b"HTTP/1.1 200 OK\r\n", i
                    head = http.client.parse_headers(file)
                    assert file.read(int(head["Content-Length"])) == b"/x/%d" % i


def test_many_connections_count_exactly():
    requests, at_once = (2000, 64) if lib.FULL else (600, 16)
    with lib.Backend({"/a": lib.Answer({"a": 1}), "/b": lib.Answer("x", status=404)}) as backend:
        config = lib.config([lib.endpoint("/a", backend, timeout="20s"),
                             lib.endpoint("/b", backend, timeout="20s"),
                             lib.endpoint("/c", backend, "/b", output_encoding="no-op",
                                          timeout="20s")])
        want = {"/a": 200, "/b": 500, "/c": 404}
        with lib.Limpetd(config) as daemon:
            before = counters(daemon)

            def client(number):
                connection = http.client.HTTPConnection("127.0.0.1", daemon.port,
                                                        timeout=lib.SECONDS_MAX)
                for i in range(requests // at_once):
                    path = sorted(want)[(number + i) % 3]
                    connection.request("GET", path)
                    response = connection.getresponse()
                    response.read()
                    assert response.status == want[path], (path, response.status)
                connection.close()
                return [sorted(want)[(number + i) % 3] for i in range(requests // at_once)]
            with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                asked = [path for paths in pool.map(client, range(at_once)) for path in paths]
            got = changes(before, counters(daemon))
            assert got["krakend.router.connected"] == len(asked)
            assert got["krakend.router.disconnected"] == len(asked)
            for path, status in want.items():
                key = f"krakend.router.response.{path}.status.{status}.count"
                assert got[key] == asked.count(path), (path, got[key])
            pipe = "krakend.proxy.requests.layer.pipe.name."
            assert got[pipe + "/a.complete.true.error.false"] == asked.count("/a")
            assert got[pipe + "/b.complete.false.error.true"] == asked.count("/b")
            back = "krakend.proxy.requests.layer.backend.name./b."
            assert got[back + "complete.false.error.true"] == asked.count("/b")
            assert got[back + "complete.true.error.false"] == asked.count("/c")


def test_own_backend():
    """The gateway as its own backend, twice over, with more clients than anything has slots for."""
    config = lib.config([], echo_endpoint=True, timeout="20s")
    host = f"http://127.0.0.1:{config['port']}"
    config["endpoints"] = [lib.endpoint("/inner", host, "/__echo/x"),
                           lib.endpoint("/outer", host, "/inner"),
                           lib.endpoint("/noop", host, "/outer", output_encoding="no-op")]
    with lib.Limpetd(config) as daemon:
        before = counters(daemon)
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for response in pool.map(lambda _: daemon.get("/noop"), range(96)):
                assert response.status == 200, response.status
                assert response.json()["req_uri"] == "/__echo/x"
                assert response.headers.get_all("X-Krakend-Completed") == ["false"]
        got = changes(before, counters(daemon))
        assert got["krakend.router.connected"] == got["krakend.router.disconnected"] == 3 * 96


class Mortal:
    """A backend on a given port that answers {"a": 1} on connections that it keeps, until it dies:
    then all of them are reset at once."""

    ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'

    def __init__(self, port):
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while lib.read_head(connection):
                connection.sendall(self.ANSWER)
        except OSError:
            pass
        connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


def test_backend_comes_back():
    """Killed and started again under load: errors meanwhile, no wrong answer, counts add up."""
    port = lib.free_port()
    config = lib.config([lib.endpoint("/a", f"http://127.0.0.1:{port}", timeout="5s")])
    with lib.Limpetd(config) as daemon:
        before = counters(daemon)
        stop = threading.Event()
        statuses = []

        def client(_):
            while not stop.is_set():
                response = daemon.get("/a")
                assert response.status == 500 or response.json() == {"a": 1}
                statuses.append(response.status)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = [pool.submit(client, i) for i in range(4)]
            try:
                for _ in range(3):
                    with Mortal(port):
                        good = statuses.count(200)
                        lib.wait_until(lambda good=good: statuses.count(200) > good + 20, "answers")
                    bad = statuses.count(500)
                    lib.wait_until(lambda bad=bad: statuses.count(500) > bad + 5, "errors")
            finally:
                stop.set()
            for future in done:
                future.result()
        got = changes(before, counters(daemon))
        for key in ("connected", "disconnected"):
            assert got["krakend.router." + key] == len(statuses), got
        for status in (200, 500):
            key = f"krakend.router.response./a.status.{status}.count"
            assert got[key] == statuses.count(status), (status, got)


if __name__ == "__main__":
    lib.main(globals())
