#!/usr/bin/python3
"""/__stats/ on the wire, byte by byte, and what each layer switch takes from it."""
import json
import re

import lib

DISTRIBUTION = {".count", ".max", ".mean", ".min", ".std-dev", ".50-percentile", ".75-percentile",
                ".95-percentile", ".99-percentile", ".999-percentile"}
TIMER = DISTRIBUTION | {".one-minute", ".five-minute", ".fifteen-minute", ".mean-rate"}
ROUTER = {f"krakend.router.{way}{end}" for way in ("connected", "disconnected") for end in ("", "-total", "-gauge")}
MEM_STATS = """Alloc BuckHashSys DebugGC EnableGC Frees GCCPUFraction HeapAlloc HeapIdle HeapInuse HeapObjects
    HeapReleased HeapSys LastGC Lookups MCacheInuse MCacheSys MSpanInuse MSpanSys Mallocs NextGC NumGC
    PauseTotalNs StackInuse StackSys Sys TotalAlloc""".split()
SERVICE = ({"krakend.service.runtime.MemStats." + name for name in MEM_STATS}
           | {"krakend.service.runtime.MemStats.PauseNs" + end for end in DISTRIBUTION}
           | {"krakend.service.runtime." + name for name in ("NumCgoCall", "NumGoroutine", "NumThread")}
           | {"krakend.service.debug.GCStats." + name for name in ("LastGC", "NumGC", "PauseTotal")}
           | {"krakend.service.debug.GCStats.Pause" + end for end in DISTRIBUTION}
           | {"krakend.service.debug.ReadGCStats" + end for end in TIMER}
           | {"krakend.service.runtime.ReadMemStats" + end for end in TIMER})
PAIRS = [f".complete.{complete}.error.{error}" for complete in ("true", "false") for error in ("true", "false")]


def layer(name, path):
    keys = {f"krakend.proxy.requests.layer.{name}.name.{path}{pair}" for pair in PAIRS}
    return keys | {f"krakend.proxy.latency.layer.{name}.name.{path}{pair}{end}"
                   for pair in PAIRS for end in DISTRIBUTION}


def endpoint(path):
    key = "krakend.router.response." + path
    return {key + ".status"} | {key + part + end for part in (".size", ".time") for end in DISTRIBUTION}


def krakend(stats):
    return {key for key in stats if key.startswith("krakend.")}


def with_switches(*switches):
    section = {"collection_time": "1h", **dict.fromkeys(switches, True)}
    return lib.Limpetd(lib.config([lib.endpoint("/a/{id}", lib.NOBODY, "/b/{id}")], metrics=section))


def finished(daemon):
    """The values once the request has ended everywhere."""
    def look():
        stats = daemon.stats()
        return stats if stats["krakend.router.connected"] == stats["krakend.router.disconnected"] else None
    return lib.wait_until(look, "connected = disconnected")


def test_layer_switches():
    """At start the names are the reference's, 109 for an endpoint; a switch takes its layer and no more."""
    of = {"router_disabled": endpoint("/a/:id"), "proxy_disabled": layer("pipe", "/a/:id"),
          "backend_disabled": layer("backend", "/b/{{.Id}}")}
    assert [len(keys) for keys in of.values()] == [21, 44, 44]
    for switches in ((), *((name,) for name in of), tuple(of)):
        kept = set().union(*(keys for name, keys in of.items() if name not in switches))
        with with_switches(*switches) as daemon:
            assert krakend(daemon.stats()) == ROUTER | SERVICE | kept, switches
            assert daemon.get("/a/1").status == 500
            status = set() if "router_disabled" in switches else {"krakend.router.response./a/:id.status.500.count"}
            stats = finished(daemon)
            assert krakend(stats) == ROUTER | SERVICE | kept | status, switches
            assert stats["krakend.router.connected"] == (0 if "router_disabled" in switches else 1), switches
            calls = sum(stats[key] for key in stats if key.startswith("krakend.proxy.requests."))
            assert calls == ("proxy_disabled" not in switches) + ("backend_disabled" not in switches), switches


def test_requests_with_a_body():
    """Nobody reads it; the answer is the one without a body."""
    with with_switches() as daemon:
        for method, path, body, status in (
                ("GET", "/__stats", b"{}", 200), ("POST", "/__stats/", b"{}", 405),
                ("PUT", "/metrics", b"x" * 60000, 405), ("POST", "/unknown", b"{}", 404),
                ("POST", "/__STATS", b"{}", 307), ("POST", "/__stats", b"x" * 70000, 413)):
            answer = lib.request(method, daemon.stats_port, path, body=body)
            assert answer.status == status, (method, path, answer.status)
            assert status != 405 or answer.headers["Allow"] == "GET, HEAD", answer.headers


def test_wire():
    """Lines, order and numbers as the reference writes them."""
    with with_switches() as daemon:
        for _ in range(3):
            daemon.get("/a/1")
        response = lib.request("GET", daemon.stats_port, "/__stats")
    assert response.status == 200 and response.headers["Content-Type"] == "application/json; charset=utf-8"
    text = response.body.decode()
    assert text.startswith("{\n") and text.endswith("\n}\n")
    lines = [re.fullmatch(r'"([^"]+)": (.*)', line).groups() for line in text[2:-3].split(",\n")]
    keys = [key for key, _ in lines]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    assert keys[0] == "cmdline" and keys[-1] == "memstats"
    whole = r"-?\d+"
    shortest = r"-?(\d{1,6}(\.\d*[1-9])?|\d(\.\d*[1-9])?e(\+\d\d|-\d\d))"
    floats = (".max", ".min", ".mean", ".std-dev", "-percentile", "-minute", ".mean-rate",
              "GCCPUFraction")
    for key, value in lines[1:-1]:
        assert re.fullmatch(shortest if key.endswith(floats) else whole, value), (key, value)
    assert json.loads(lines[0][1])[1:3] == ["run", "-c"] and ", " not in lines[0][1]
    memory = json.loads(lines[-1][1])
    assert {"Alloc", "TotalAlloc", "Sys", "HeapSys", "PauseNs", "PauseEnd", "BySize"} <= memory.keys()


if __name__ == "__main__":
    lib.main(globals())
