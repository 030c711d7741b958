"""The router's options, error statuses, CORS and the server's limits of a whole daemon, one by one, as
one would try them with curl."""
import json
import os
import re
import socket
import tempfile
import time

import lib

PLAIN = "text/plain"
JSON = "application/json; charset=utf-8"


def backend():
    return lib.Backend({
        "/ok": lib.Answer({"id": 1}), "/slow": lib.Answer({"id": 2}, delay=2.0),
        "/cors": lib.Answer("hello", headers={"Access-Control-Allow-Origin": "http://backend.example",
                                              "Vary": "Accept"}),
        "/json": lib.Answer({"error": "no"}, status=404)}, default=lib.Answer({"id": 3}))


def endpoints(b):
    return [lib.endpoint("/ok", b), lib.endpoint("/ok", b, method="POST"),
            lib.endpoint("/slow", b, timeout="300ms"),
            lib.endpoint("/dead", lib.NOBODY), lib.endpoint("/p/{id}", b, "/echo/{id}"),
            lib.endpoint("/noop", b, "/cors", output_encoding="no-op", backend_encoding="no-op"),
            lib.endpoint("/dead-noop", lib.NOBODY, output_encoding="no-op",
                         backend_encoding="no-op")]


def start(b, router=None, namespace="router", extra=None, more=(), **keys):
    config = lib.config(endpoints(b) + list(more), **keys)
    if router is not None:
        config["extra_config"][namespace] = router
    config["extra_config"].update(extra or {})
    return lib.Limpetd(config)


def layers(daemon):
    return {key: value for key, value in daemon.stats().items()
            if re.match(r"krakend\.(router\.(connected|response\.[^ ]*status)|proxy\.requests)", key)
            and not key.endswith(("-gauge", "-total"))}


# ---- Errors --------------------------------------------------------------------------------------

def test_statuses_are_500_unless_asked():
    with backend() as b, start(b) as daemon:
        for path in ("/slow", "/dead", "/dead-noop"):
            answer = daemon.get(path)
            assert (answer.status, answer.body) == (500, b""), (path, answer.status)


def merge(path, first, second, **keys):
    result = lib.endpoint(path, first, **keys)
    result["backend"].append(dict(lib.endpoint(path, second)["backend"][0]))
    return result


def test_timeout_and_bad_gateway_status():
    with backend() as b:
        more = [merge("/merge-dead", lib.NOBODY, lib.NOBODY), merge("/merge-one", b, lib.NOBODY),
                merge("/seq", lib.NOBODY, b, extra_config={"proxy": {"sequential": True}}),
                lib.endpoint("/json", b), merge("/merge-slow", b, b, timeout="300ms")]
        for entry in more[-1]["backend"]:
            entry["url_pattern"] = "/slow"
        with start(b, {"timeout_status": 504, "bad_gateway_status": 502}, more=more) as daemon:
            wanted = {"/ok": 200, "/slow": 504, "/dead": 502, "/dead-noop": 502, "/merge-dead": 502,
                      "/merge-one": 200, "/seq": 502, "/json": 500, "/merge-slow": 504}
            for path, status in wanted.items():
                answer = daemon.get(path)
                assert answer.status == status, (path, answer.status)
                assert answer.headers["X-Krakend-Completed"] == ("true" if path == "/ok" else "false")
            counted = layers(daemon)
            for path, status in wanted.items():
                assert counted[f"krakend.router.response.{path}.status.{status}.count"] == 1, path
            for name in ("/slow", "/dead"):
                key = f"krakend.proxy.requests.layer.backend.name.{name}.complete.false.error.true"
                assert counted[key] == (3 if name == "/slow" else 1), (key, counted[key])


def test_error_text_goes_with_the_status():
    router = {"timeout_status": 504, "bad_gateway_status": 502, "return_error_msg": True}
    with backend() as b, start(b, router) as daemon:
        slow, dead = daemon.get("/slow"), daemon.get("/dead")
        assert (slow.status, slow.body) == (504, b"context deadline exceeded"), slow.body
        assert dead.status == 502 and dead.body and dead.headers["Content-Type"].startswith(PLAIN)


# ---- Router --------------------------------------------------------------------------------------

def test_health_path():
    with backend() as b:
        config = lib.config(endpoints(b))
        config["extra_config"]["router"] = {"health_path": "/up"}
        with lib.Limpetd(config, wait=False) as daemon:
            daemon.wait_log("listening on .*" + str(daemon.port))
            up = daemon.get("/up")
            assert up.status == 200 and up.json()["status"] == "ok" and up.json()["agents"] == {}
            assert daemon.get("/__health").status == 404
        config["extra_config"]["router"] = {"disable_health": True}
        with lib.Limpetd(config, wait=False) as daemon:
            daemon.wait_log("listening on .*" + str(daemon.port))
            assert daemon.get("/__health").status == 404
            assert daemon.get("/ok").status == 200


def test_redirect_switches():
    with backend() as b:
        with start(b) as daemon:
            assert daemon.get("/ok/").status == 301 and daemon.get("/OK").status == 301
        with start(b, {"disable_redirect_trailing_slash": True}) as daemon:
            assert daemon.get("/ok/").status == 404 and daemon.get("/OK").status == 301
        with start(b, {"disable_redirect_fixed_path": True}) as daemon:
            assert daemon.get("/ok/").status == 301
            assert daemon.get("/OK").status == 404 and daemon.get("//ok").status == 404
        with start(b, {"remove_extra_slash": True}) as daemon:
            assert daemon.get("//ok").status == 200 and daemon.get("/a/../ok").status == 200


def test_methods():
    with backend() as b:
        with start(b) as daemon:
            for method in ("PUT", "OPTIONS"):
                answer = daemon.request(method, "/ok")
                assert answer.status == 405 and answer.headers["Allow"] is None
        with start(b, {"auto_options": True}) as daemon:
            before = layers(daemon)
            answer = daemon.request("OPTIONS", "/ok")
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers["Allow"] == "GET, POST"
            assert answer.headers["X-Krakend"].startswith("Version ")
            assert daemon.request("OPTIONS", "/p/7").headers["Allow"] == "GET"
            assert daemon.request("OPTIONS", "/none").status == 404
            assert daemon.request("OPTIONS", "/__health").status == 405
            for path in ("/ok/", "/OK", "//ok"):
                answer = daemon.request("OPTIONS", path)
                assert (answer.status, answer.headers["Location"]) == (307, "/ok"), path
            assert daemon.request("DELETE", "/ok").status == 405
            assert layers(daemon) == before
        with start(b, {"disable_handle_method_not_allowed": True}) as daemon:
            assert daemon.request("PUT", "/ok").status == 404


def test_error_body():
    body = {"404": {"error": "Not Found", "list": [1, 2]}, "405": "no such method"}
    with backend() as b, start(b, {"error_body": body}) as daemon:
        lost = daemon.get("/lost")
        assert lost.status == 404 and lost.body == b'{"error":"Not Found","list":[1,2]}'
        assert lost.headers["Content-Type"] == JSON
        assert lost.headers["X-Krakend-Completed"] == "false" and "X-Krakend" in lost.headers
        wrong = daemon.request("PUT", "/ok")
        assert wrong.status == 405 and wrong.body == b'"no such method"', wrong.body
        assert wrong.headers["Content-Type"] == JSON
    with backend() as b, start(b, {"error_body": {"404": None}}) as daemon:
        assert daemon.get("/lost").body == b"404 page not found"
        assert daemon.request("PUT", "/ok").body == b"405 method not allowed"


def test_hide_version_header_and_older_namespace():
    with backend() as b, start(b, {"hide_version_header": True},
                               "github_com/luraproject/lura/router/gin") as daemon:
        for path in ("/ok", "/noop", "/lost", "/dead"):
            assert daemon.get(path).headers["X-Krakend"] == "Version undefined", path


def test_disable_path_decoding():
    with backend() as b:
        with start(b) as daemon:
            assert daemon.get("/p/a%2541").status == 400 and daemon.get("/p/a%3Fb").status == 400
        with start(b, {"disable_path_decoding": True}) as daemon:
            assert daemon.get("/p/a%2541").status == 200 and daemon.get("/p/a%3Fb").status == 200
            assert daemon.get("/p/%2E%2E").status == 400
            assert [seen.path for seen in b.seen[-2:]] == ["/echo/a%2541", "/echo/a%3Fb"], b.seen[-1].path


def test_access_log():
    line = r"127\.0\.0\.1 GET {} {} \d+ bytes \d+ ms"
    with backend() as b:
        with start(b, {"logger_skip_paths": ["/ok", "/__health"]}) as daemon:
            daemon.get("/ok?a=b")
            daemon.get("/lost?x=1")
            daemon.get("/dead")
            daemon.wait_log(line.format(r"/lost\?x=1", 404))
            daemon.wait_log(line.format("/dead", 500))
            assert not re.search(r"GET /(ok|__health)", daemon.log()), daemon.log()
        with start(b, {"disable_access_log": True}) as daemon:
            daemon.get("/lost")
            daemon.get("/dead")
            daemon.wait_log(r"\[ENDPOINT: /dead\] backend")
            assert not re.search(r" bytes \d+ ms", daemon.log()), daemon.log()


def forwarded_for(daemon, b, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    assert daemon.get("/ok", headers=names).status == 200
    return b.seen[-1].headers["X-Forwarded-For"]


def test_client_address():
    with backend() as b:
        with start(b) as daemon:
            assert forwarded_for(daemon, b, X_Forwarded_For="1.2.3.4") == "127.0.0.1"
        with start(b, {"forwarded_by_client_ip": True}) as daemon:
            assert forwarded_for(daemon, b, X_Forwarded_For="1.2.3.4, 5.6.7.8") == "1.2.3.4"
            assert forwarded_for(daemon, b, X_Real_IP="9.9.9.9") == "9.9.9.9"
            assert forwarded_for(daemon, b) == "127.0.0.1"
        trusted = {"forwarded_by_client_ip": True, "trusted_proxies": ["127.0.0.0/8", "fd00::/8"]}
        with start(b, trusted) as daemon:
            got = forwarded_for(daemon, b, X_Forwarded_For="6.6.6.6, 2001:db8::7, fd00::1")
            assert got == "2001:db8::7", got
        others = dict(trusted, trusted_proxies=["192.0.2.0/24"])
        with start(b, others) as daemon:
            assert forwarded_for(daemon, b, X_Forwarded_For="1.2.3.4") == "127.0.0.1"
        with start(b, dict(trusted, remote_ip_headers=["x-client"])) as daemon:
            got = forwarded_for(daemon, b, X_Forwarded_For="1.2.3.4", X_Client="4.4.4.4")
            assert got == "4.4.4.4", got


def test_max_payload():
    with backend() as b, start(b, {"max_payload": 10}) as daemon:
        assert daemon.request("POST", "/ok", body=b"x" * 10).status == 200
        assert daemon.request("POST", "/ok", body=b"x" * 11).status == 413


# ---- CORS ----------------------------------------------------------------------------------------

def cors(b, options, router=None, namespace="security/cors"):
    return start(b, router, extra={namespace: options})


def preflight(daemon, path="/ok", origin="http://a.example", method="GET", **headers):
    names = {"Access-Control-Request-" + name: value for name, value in headers.items()}
    if origin is not None:
        names["Origin"] = origin
    return daemon.request("OPTIONS", path,
                          headers={"Access-Control-Request-Method": method, **names})


def control(answer):
    return {name[len("Access-Control-"):]: value for name, value in answer.headers.items()
            if name.startswith("Access-Control-")}


def test_cors_defaults():
    with backend() as b, cors(b, {}) as daemon:
        before = layers(daemon)
        answer = preflight(daemon, Headers="x-a, content-type")
        assert (answer.status, answer.body) == (204, b"")
        assert control(answer) == {"Allow-Origin": "*", "Allow-Methods": "GET",
                                   "Allow-Headers": "x-a, content-type"}, control(answer)
        assert answer.headers["Vary"] == ("Origin, Access-Control-Request-Method, "
                                          "Access-Control-Request-Headers")
        assert "X-Krakend" not in answer.headers
        for refused in (preflight(daemon, method="PUT"), preflight(daemon, origin=None)):
            assert refused.status == 204 and control(refused) == {}, control(refused)
        assert preflight(daemon, "/anything").status == 204
        assert layers(daemon) == before
        for path, status in (("/ok", 200), ("/lost", 404), ("/dead", 500), ("/__health", 200)):
            actual = daemon.get(path, headers={"Origin": "http://a.example"})
            assert actual.status == status and actual.headers["Vary"] == "Origin"
            assert control(actual) == {"Allow-Origin": "*"}, (path, control(actual))
        without = daemon.get("/ok")
        assert control(without) == {} and without.headers["Vary"] == "Origin"
        lib.wait_until(lambda: daemon.stats().get("limpet.gateway.cors.preflights") == 4,
                       "preflights counted")
        assert daemon.stats()["limpet.gateway.cors.refused"] == 2
    with backend() as b, start(b) as daemon:
        assert preflight(daemon).status == 405
        assert control(daemon.get("/ok", headers={"Origin": "http://a.example"})) == {}


def test_cors_lists():
    options = {"allow_origins": ["http://one.example", "https://*.two.example"],
               "allow_methods": ["GET", "PUT"], "allow_headers": ["X-One"],
               "expose_headers": ["Content-Length", "X-Two"], "allow_credentials": True,
               "max_age": "1h", "allow_private_network": True}
    with backend() as b, cors(b, options, namespace="github_com/devopsfaith/krakend-cors") as daemon:
        answer = preflight(daemon, origin="http://One.example", method="PUT", Headers="x-one")
        assert control(answer) == {
            "Allow-Origin": "http://One.example", "Allow-Methods": "PUT", "Allow-Headers": "x-one",
            "Allow-Credentials": "true", "Max-Age": "3600"}, control(answer)
        private = preflight(daemon, origin="https://x.two.example", **{"Private-Network": "true"})
        assert control(private)["Allow-Private-Network"] == "true"
        assert "Private-Network" in private.headers["Vary"]
        for bad in (preflight(daemon, origin="http://x.two.example"),
                    preflight(daemon, origin="https://two.example"),
                    preflight(daemon, origin="http://one.example", method="POST"),
                    preflight(daemon, origin="http://one.example", Headers="x-one, x-other")):
            assert bad.status == 204 and control(bad) == {}, control(bad)
        actual = daemon.get("/ok", headers={"Origin": "http://one.example"})
        assert control(actual) == {"Allow-Origin": "http://one.example", "Allow-Credentials": "true",
                                   "Expose-Headers": "Content-Length, X-Two"}, control(actual)
        other = daemon.get("/ok", headers={"Origin": "http://evil.example"})
        assert other.status == 200 and control(other) == {}
        post = daemon.request("POST", "/ok", body=b"{}", headers={"Origin": "http://one.example"})
        assert post.status == 200 and control(post) == {}


def test_cors_no_op():
    with backend() as b:
        with cors(b, {}) as daemon:
            answer = daemon.get("/noop", headers={"Origin": "http://a.example"})
            assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
            assert answer.headers.get_all("Vary") == ["Origin", "Accept"]
        with start(b) as daemon:
            answer = daemon.get("/noop", headers={"Origin": "http://a.example"})
            assert control(answer) == {"Allow-Origin": "http://backend.example"}


def test_cors_options():
    with backend() as b:
        with cors(b, {"options_success_status": 200, "debug": True}) as daemon:
            assert preflight(daemon).status == 200
            daemon.wait_log(r"DEBUG: \[CORS\] allowed: http://a.example GET /ok")
            assert preflight(daemon, method="DELETE").status == 200
            daemon.wait_log(r"DEBUG: \[CORS\] method not allowed: http://a.example DELETE /ok")
        with cors(b, {"options_passthrough": True}, {"auto_options": True}) as daemon:
            answer = preflight(daemon)
            assert answer.status == 200 and answer.headers["Allow"] == "GET, POST"
            assert control(answer) == {"Allow-Origin": "*", "Allow-Methods": "GET"}
            assert daemon.request("OPTIONS", "/ok").status == 200
        with cors(b, {"options_passthrough": True}) as daemon:
            answer = preflight(daemon)
            assert answer.status == 405 and control(answer)["Allow-Origin"] == "*"


# ---- What clients may take -----------------------------------------------------------------------

def raw(daemon, text=b""):
    connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=lib.SECONDS_MAX)
    connection.sendall(text)
    return connection


def everything(connection):
    """What comes until the peer closes or resets the connection."""
    got = b""
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                return got
            got += more
    except ConnectionResetError:
        return got


HEAD = b"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


def test_read_timeouts():
    with backend() as b:
        with start(b, read_header_timeout="300ms") as daemon:
            with raw(daemon, b"GET /ok HTTP/1.1\r\n") as slow, raw(daemon) as silent:
                assert everything(slow).startswith(b"HTTP/1.1 408 ")
                assert everything(silent) == b""
        with start(b, read_timeout="700ms") as daemon:
            with raw(daemon, HEAD) as slow:
                for _ in range(3):  # it moves, but does not end in time
                    time.sleep(0.1)
                    slow.sendall(b"x")
                assert everything(slow).startswith(b"HTTP/1.1 408 ")
            assert daemon.request("POST", "/ok", body=b"0123456789").status == 200
            with raw(daemon, b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n") as idle:
                assert everything(idle).startswith(b"HTTP/1.1 200 ")  # closed as idle, too


def test_idle_timeout():
    with backend() as b, start(b, idle_timeout="300ms") as daemon:
        with raw(daemon, b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n") as idle:
            assert everything(idle).startswith(b"HTTP/1.1 200 ")


def test_write_timeout():
    with backend() as b, start(b, write_timeout="400ms") as daemon:
        assert daemon.get("/ok").status == 200
    with backend() as b, start(b, write_timeout="400ms",
                               more=[lib.endpoint("/late", b, "/slow", timeout="20s")]) as daemon:
        with raw(daemon, b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n") as late:
            assert everything(late) == b""
        lib.wait_until(lambda: daemon.stats().get("limpet.gateway.write_timeouts") == 1,
                       "the reset is counted")
        assert daemon.stats()["krakend.router.response./late.status.500.count"] == 1


def test_max_header_bytes():
    with backend() as b, start(b, max_header_bytes=300) as daemon:
        assert daemon.get("/ok", headers={"X-Pad": "p" * 100}).status == 200
        assert daemon.get("/ok", headers={"X-Pad": "p" * 300}).status == 431
        text = b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
        pad = 300 - len(text) - 4
        for extra, status in ((0, b"200"), (1, b"431")):
            with raw(daemon, text + b"p" * (pad + extra) + b"\r\n\r\n") as connection:
                assert everything(connection).split(b" ")[1] == status, extra


# ---- The environment -----------------------------------------------------------------------------

def check(config, *args, **variables):
    """limpetd check, with these variables and no others of KrakenD's."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file, indent=1)
        file.flush()
        env = {name: value for name, value in os.environ.items() if not name.startswith("KRAKEND_")}
        return lib.run("check", "-c", file.name, *args, env=dict(env, **variables))


def test_environment():
    with backend() as b:
        port = lib.free_port()
        config = lib.config(endpoints(b))
        env = dict(os.environ, KRAKEND_PORT=str(port), KRAKEND_ECHO_ENDPOINT="true")
        with lib.Limpetd(config, env=env, wait=False) as daemon:
            daemon.port = port
            daemon.wait_ready()
            assert daemon.get("/__echo/x").status == 200
            daemon.wait_log(rf"INFO: .*KRAKEND_PORT={port} wins over the file")
        told = json.loads(check(config, "--json", KRAKEND_PORT="70000").stdout)
        finding = [f for f in told["findings"] if f["kind"] == "error"]
        assert [(f["path"], f["line"]) for f in finding] == [("KRAKEND_PORT", 0)], finding
        good = json.loads(check(config, "--json", KRAKEND_TIMEOUT="750ms").stdout)
        assert good["ok"] and good["environment"] == [
            {"name": "KRAKEND_TIMEOUT", "key": "timeout", "value": "750ms"}]
        assert good["gateway"]["endpoints"][0]["timeout_ms"] == 750
        other = check(config, KRAKEND_HOST="http://x", KRAKEND_NOTHING="1")
        assert other.returncode == 0
        assert "KRAKEND_HOST has no effect" in other.stderr
        assert "KRAKEND_NOTHING has no effect" in other.stderr
        broken = check(config, KRAKEND_ECHO_ENDPOINT="perhaps", KRAKEND_LISTEN_IP='a"b')
        assert broken.returncode == 1
        assert 'KRAKEND_ECHO_ENDPOINT: expected true or false, got "perhaps"' in broken.stderr
        assert "KRAKEND_LISTEN_IP: " in broken.stderr


# ---- What is refused -----------------------------------------------------------------------------

SERVICE = ["plugin/http-server", "modifier/lua-endpoint", "auth/validator", "telemetry/opencensus",
           "security/http", "security/bot-detector", "github_com/devopsfaith/krakend-httpsecure"]
ENDPOINT = ["modifier/lua-endpoint", "modifier/lua-proxy", "validation/cel", "auth/validator",
            "auth/signer", "plugin/req-resp-modifier", "validation/json-schema", "websocket",
            "github.com/devopsfaith/krakend-lua/proxy", "github.com/devopsfaith/krakend-jose/validator"]
BACKEND = ["modifier/lua-backend", "validation/cel", "modifier/martian", "plugin/http-client",
           "plugin/req-resp-modifier", "backend/amqp/consumer", "backend/amqp/producer",
           "backend/pubsub/publisher", "backend/pubsub/subscriber", "backend/lambda",
           "backend/graphql", "backend/grpc", "backend/soap", "qos/http-cache",
           "auth/client-credentials", "github.com/devopsfaith/krakend-martian",
           "github.com/devopsfaith/krakend-httpcache", "github.com/devopsfaith/krakend-lambda"]


def test_refused_by_name():
    def place(extra=None, endpoint_extra=None, backend_extra=None, **keys):
        entry = lib.endpoint("/a", lib.NOBODY)
        entry["extra_config"] = endpoint_extra or {}
        entry["backend"][0]["extra_config"] = backend_extra or {}
        entry["backend"][0].update(keys)
        return {"version": 3, "endpoints": [entry], "extra_config": extra or {}}
    cases = [(place(extra={name: {}}), "extra_config", name) for name in SERVICE]
    cases += [(place(endpoint_extra={name: [] if "cel" in name else {}}),
               "endpoints[0].extra_config", name) for name in ENDPOINT]
    cases += [(place(backend_extra={name: [] if "cel" in name else {}}),
               "endpoints[0].backend[0].extra_config", name) for name in BACKEND]
    flatmap = {"proxy": {"flatmap_filter": [{"type": "del", "args": ["a"]}]}}
    cases += [(place(endpoint_extra=flatmap), "endpoints[0].extra_config.proxy", "flatmap_filter"),
              (place(backend_extra=flatmap), "endpoints[0].backend[0].extra_config.proxy",
               "flatmap_filter"),
              (dict(place(), plugin={"folder": "x", "pattern": ".so"}), "", "plugin")]
    cases += [(place(encoding=name), "endpoints[0].backend[0]", "encoding")
              for name in ("xml", "rss", "yaml")]
    for config, parent, name in cases:
        result = check(config, "--json")
        told = json.loads(result.stdout)
        errors = [f for f in told["findings"] if f["kind"] == "error"]
        paths = [f"{parent}.{name}", f"{parent}[\"{name}\"]", name]
        assert result.returncode == 1 and len(errors) == 1, (name, errors)
        assert errors[0]["path"] in paths and errors[0]["line"] > 0, (name, errors)
        assert "is not supported" in errors[0]["message"], (name, errors)


if __name__ == "__main__":
    lib.main(globals())
