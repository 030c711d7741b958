#!/usr/bin/python3
"""Rate limits and circuit breakers of the whole daemon: what clients see, what is counted, what the
log and `limpetd check` say. Tokens come once an hour or so, so that no outcome depends on the time
that a test takes; where time has to pass, a test waits for the state."""
import http.client
import json
import os
import tempfile

import lib

ROUTER = "qos/ratelimit/router"
PROXY = "qos/ratelimit/proxy"
BREAKER = "qos/circuit-breaker"
GOOD = "complete.true.error.false"
BAD = "complete.false.error.true"


def limited(path, backend, router=None, proxy=None, breaker=None, **keys):
    """An endpoint with these limits."""
    result = lib.endpoint(path, backend, url_pattern=keys.pop("url_pattern", "/a"), **keys)
    if router is not None:
        result.setdefault("extra_config", {})[ROUTER] = router
    for name, section in ((PROXY, proxy), (BREAKER, breaker)):
        if section is not None:
            result["backend"][0].setdefault("extra_config", {})[name] = section
    return result


def count(daemon, key):
    return daemon.stats().get("krakend." + key, 0)


def sampled(daemon, **want):
    """Waits until the values below limpet.gateway. are these: they are taken once a second."""
    def look():
        stats = daemon.stats()
        got = {name: stats["limpet.gateway." + name.replace("__", ".")] for name in want}
        return got == want
    lib.wait_until(look, f"limpet values {want}")


def check_bare(response, status):
    assert response.status == status, (response.status, status)
    assert response.body == b"", response.body
    names = {name.lower() for name in response.headers}
    assert names <= {"date", "content-length", "connection"}, names


# ---- Endpoints -----------------------------------------------------------------------------------

def test_router_limits():
    hour = {"every": "1h"}
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
        config = lib.config([
            limited("/all", backend, {"max_rate": 1, "capacity": 3, **hour}),
            limited("/header", backend, {"client_max_rate": 1, "client_capacity": 2, "strategy": "header",
                                         "key": "X-Tenant", **hour}),
            limited("/ip", backend, {"client_max_rate": 1, "client_capacity": 2, "strategy": "ip", **hour}),
            limited("/ip-of", backend, {"client_max_rate": 1, "strategy": "ip", "key": "X-Real-IP", **hour}),
            limited("/user/{id}", backend, {"client_max_rate": 1, "strategy": "param", "key": "id", **hour}),
            limited("/both", backend, {"max_rate": 1, "capacity": 3, "client_max_rate": 1, "client_capacity": 2,
                                       "strategy": "header", "key": "X-Tenant", **hour}),
            limited("/off", backend, {"max_rate": 0, "client_max_rate": 0, **hour}),
        ])
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            def statuses(path, *tenants, name="X-Tenant"):
                return [daemon.get(path, headers={name: t} if t else {}).status for t in tenants]

            assert statuses("/all", None, None, None, None, "a") == [200, 200, 200, 503, 503]
            check_bare(daemon.get("/all"), 503)
            assert statuses("/header", "a", "a", "a", "b", "b", "b", "A") == [200, 200, 429, 200, 200, 429, 200]
            check_bare(daemon.get("/header"), 429)
            assert statuses("/ip", "a", "b", None) == [200, 200, 429]
            ip = statuses("/ip-of", "1.2.3.4", "1.2.3.4:99", "1.2.3.4, 5.6.7.8", "5.6.7.8", None, "127.0.0.1", "x",
                          name="X-Real-IP")
            assert ip == [200, 429, 429, 200, 200, 429, 429], ip
            users = [daemon.get("/user/" + id).status for id in ("1", "2", "1", "%31", "%32", "3")]
            assert users == [200, 200, 429, 429, 429, 200], users
            assert statuses("/both", "a", "a", "a", "b", "b", "b", "c") == [200, 200, 429, 200, 503, 429, 503]
            assert statuses("/off", *[None] * 20) == [200] * 20

            # Refused requests are the router's, with size 0, and nobody else's.
            stem = "router.response./all."
            assert count(daemon, stem + "status.503.count") == 3
            assert count(daemon, stem + "status.200.count") == 3
            assert count(daemon, stem + "size.count") == 6
            assert count(daemon, stem + "size.min") == 0
            assert count(daemon, f"proxy.requests.layer.pipe.name./all.{GOOD}") == 3
            assert count(daemon, f"proxy.requests.layer.pipe.name./all.{BAD}") == 0
            assert count(daemon, f"proxy.requests.layer.backend.name./a.{BAD}") == 0
            assert count(daemon, "router.response./header.status.429.count") == 3
            sampled(daemon, limits__refused_global=5, limits__refused_client=13, limits__refused_proxy=0,
                    limits__clients_used=13, limits__clients_evicted=0)


def test_refill():
    """Tokens come back with time, and never more than the capacity."""
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
        with lib.Limpetd(lib.config([limited("/a", backend, {"max_rate": 10, "capacity": 2})])) as daemon:
            taken = sum(daemon.get("/a").status == 200 for _ in range(2))
            assert taken == 2
            lib.wait_until(lambda: daemon.get("/a").status == 200, "a token comes back")


def test_many_clients():
    """10,000 clients on the table: each is let in once, the recent ones are remembered, memory stays."""
    clients = 10000
    router = {"client_max_rate": 1, "client_capacity": 1, "every": "1000h", "strategy": "header", "key": "X"}
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
        with lib.Limpetd(lib.config([limited("/a", backend, router, output_encoding="no-op")])) as daemon:
            limit = daemon.stats()["limpet.gateway.limits.clients_limit"]
            asked = range(limit + 300 if not lib.FULL else clients)
            statuses = requests_of(daemon, asked)
            assert set(statuses) == {200}, set(statuses)
            recent = list(asked)[-200:]
            assert set(requests_of(daemon, recent)) == {429}
            assert set(requests_of(daemon, range(200))) == {200}  # they had left
            sampled(daemon, limits__clients_used=limit, limits__clients_evicted=len(asked) - limit + 200,
                    limits__refused_client=200)


def requests_of(daemon, clients):
    """The statuses of one request of each client, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=lib.SECONDS_MAX)
    statuses = []
    for client in clients:
        connection.request("GET", "/a", headers={"X": f"client-{client}"})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    return statuses


# ---- Backends ------------------------------------------------------------------------------------

def test_proxy_limits():
    hour = {"every": "1h"}
    with lib.Backend({"/a": lib.Answer({"a": 1}), "/b": lib.Answer({"b": 1})}) as backend:
        merge = limited("/merge", backend, proxy={"max_rate": 1, "capacity": 1, **hour}, url_pattern="/a?merge")
        merge["backend"].append({"host": [backend.url], "url_pattern": "/b"})
        sequence = json.loads(json.dumps(merge).replace("merge", "sequence"))
        sequence["extra_config"] = {"proxy": {"sequential": True}}
        config = lib.config([
            limited("/one", backend, proxy={"max_rate": 1, "capacity": 2, **hour}),
            limited("/three", backend, proxy={"max_rate": 1, "capacity": 2, **hour}, url_pattern="/a?three",
                    concurrent_calls=3),
            merge, sequence])
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            assert [daemon.get("/one").status for _ in range(3)] == [200, 200, 500]
            response = daemon.get("/one")
            assert response.body == b"ERROR: rate limit exceded", response.body
            assert response.headers["X-Krakend-Completed"] == "false"
            assert count(daemon, f"proxy.requests.layer.backend.name./a.{BAD}") == 2
            assert count(daemon, f"proxy.requests.layer.pipe.name./one.{BAD}") == 2
            assert count(daemon, f"proxy.requests.layer.backend.name./a.{GOOD}") == 2

            assert daemon.get("/three").status == 200
            assert daemon.get("/three").status == 500
            stats = daemon.stats()
            calls = [stats[f"krakend.proxy.requests.layer.backend.name./a?three.{labels}"] for labels in (GOOD, BAD)]
            assert sum(calls) == 6 and 1 <= calls[0] <= 2, calls

            assert daemon.get("/merge").json() == {"a": 1, "b": 1}
            second = daemon.get("/merge")
            assert (second.json(), second.headers["X-Krakend-Completed"]) == ({"b": 1}, "false")
            assert daemon.get("/sequence").json() == {"a": 1, "b": 1}
            seen = len(backend.seen)
            assert daemon.get("/sequence").status == 500
            assert len(backend.seen) == seen
            sampled(daemon, limits__refused_proxy=2 + 1 + 3 + 1 + 1)


def test_breaker():
    state = {"fail": True}

    def answer(_):
        return lib.Answer("broken", status=500) if state["fail"] else lib.Answer({"a": 1})
    breaker = {"interval": 3600, "timeout": 1, "max_errors": 2, "name": "cb-a", "log_status_change": True}
    with lib.Backend({"/a": answer}) as backend:
        config = lib.config([limited("/a", backend, breaker=breaker)])
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            state["fail"] = False
            assert daemon.get("/a").status == 200
            state["fail"] = True
            seen = len(backend.seen)
            assert [daemon.get("/a").body for _ in range(3)] == [b"invalid status code"] * 3
            assert len(backend.seen) == seen + 3
            daemon.wait_log(r"WARNING.*\[CB\] Circuit breaker named 'cb-a' went from 'closed' to 'open'")
            # Open until a probe fails; each probe opens it for a second again.
            bodies = [daemon.get("/a").body for _ in range(10)]
            assert bodies.count(b"circuit breaker is open") >= 1, bodies
            daemon.wait_log(r"ERROR.*circuit breaker is open")
            lib.wait_until(lambda: daemon.get("/a").body == b"invalid status code", "a probe")
            daemon.wait_log(r"\[CB\] Circuit breaker named 'cb-a' went from 'half-open' to 'open'")
            state["fail"] = False
            lib.wait_until(lambda: daemon.get("/a").status == 200, "a good probe")
            daemon.wait_log(r"\[CB\] Circuit breaker named 'cb-a' went from 'half-open' to 'closed'")
            assert daemon.get("/a").status == 200
            sampled(daemon, breakers__open=0, breakers__half_open=0)
            stats = daemon.stats()
            assert stats["limpet.gateway.breakers.opened"] >= 2
            refused = stats["limpet.gateway.breakers.refused"]
            errors = stats[f"krakend.proxy.requests.layer.backend.name./a.{BAD}"]
            assert refused >= 1 and errors == refused + len(backend.seen) - stats[
                f"krakend.proxy.requests.layer.backend.name./a.{GOOD}"], (refused, errors)


def test_what_opens():
    """A timeout opens, an unreachable backend does; a status with no-op does not, nor do details."""
    breaker = {"interval": 3600, "timeout": 3600, "max_errors": 0}
    with lib.Backend({"/a": lib.Answer("broken", status=500),
                      "/slow": lib.Answer({"a": 1}, delay=5)}) as backend:
        details = limited("/details", backend, breaker=breaker)
        details["backend"][0]["extra_config"]["backend/http"] = {"return_error_details": "x"}
        config = lib.config([
            limited("/noop", backend, breaker=breaker, output_encoding="no-op"),
            limited("/noop-away", lib.NOBODY, breaker=breaker, output_encoding="no-op"),
            limited("/slow", backend, breaker=breaker, url_pattern="/slow", timeout="100ms"),
            limited("/limited", backend, breaker=breaker, proxy={"max_rate": 1, "capacity": 1, "every": "1000h"}),
            details])
        config["extra_config"]["router"] = {"return_error_msg": True}
        with lib.Limpetd(config) as daemon:
            assert [daemon.get("/noop").body for _ in range(3)] == [b"broken"] * 3
            assert all(b"error_x" in daemon.get("/details").body for _ in range(3))
            opened = b"circuit breaker is open"
            for path in ("/noop-away", "/slow", "/limited"):
                assert daemon.get(path).body != opened, path
                assert [daemon.get(path).body for _ in range(2)] == [opened] * 2, path
            sampled(daemon, breakers__open=3, breakers__opened=3, breakers__refused=6)


# ---- check ---------------------------------------------------------------------------------------

def test_check():
    config = lib.config([limited(
        "/a/{id}", lib.NOBODY,
        {"max_rate": 50, "every": "10m", "client_max_rate": 300, "client_capacity": 4, "strategy": "param", "key": "id"},
        proxy={"max_rate": 3}, breaker={"interval": 60, "timeout": 10, "max_errors": 1, "name": "x"})])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "krakend.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        result = lib.run("check", "--json", "-c", path)
        assert result.returncode == 0, result.stdout
        endpoint = json.loads(result.stdout)["gateway"]["endpoints"][0]
        assert abs(endpoint["rate"].pop("per_second") - 50 / 600) < 1e-9
        assert endpoint["rate"] == {"capacity": 1}
        assert endpoint["client_rate"] == {"per_second": 0.5, "capacity": 4}
        assert (endpoint["client_strategy"], endpoint["client_key"]) == ("param", "id")
        backend = endpoint["backend"][0]
        assert backend["rate"]["capacity"] == 3
        assert backend["circuit_breaker"] == {"name": "x", "interval_s": 60, "timeout_s": 10, "max_errors": 1}
        tables = {t["name"]: t for t in json.loads(result.stdout)["memory"]["tables"]}
        assert tables["rate limits"]["used"] == 3 and tables["circuit breakers"]["used"] == 1
        assert tables["limited clients"]["limit"] > 0
        text = lib.run("check", "-c", path).stdout
        assert "each client at most 0.5/s, 4 at once" in text, text
        assert "opens after more than 1 errors within 1m0s for 10s" in text, text


if __name__ == "__main__":
    lib.main(globals())
