#!/usr/bin/python3
"""/metrics: both formats under promtool and the parsers of Prometheus's Python client, against the
numbers of /__stats, and scraped by a real Prometheus."""
import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import lib

TOOL = os.path.join(lib.ROOT, "tools", "prometheus")
UNPACKED = os.path.join(lib.ROOT, "build", "tools", "prometheus")
BIN = os.path.join(UNPACKED, "usr", "bin")
subprocess.run([TOOL, "unpack"], check=True)
sys.path.insert(0, os.path.join(UNPACKED, "usr", "lib", "python3", "dist-packages"))
# pylint: disable=wrong-import-position
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
# As Prometheus 2.42 sends it.
SCRAPE = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
UNITS = {"ns": ("seconds", 1e9), "us": ("seconds", 1e6), "ms": ("seconds", 1e3), "s": ("seconds", 1),
         "bytes": ("bytes", 1)}


def metrics(daemon, accept=None):
    headers = {"Accept": accept} if accept else {}
    return lib.request("GET", daemon.stats_port, "/metrics", headers=headers)


def families(response):
    """Parsed strictly: {name: family}."""
    parse = (openmetrics_parser if response.headers["Content-Type"] == OPENMETRICS
             else text_parser).text_string_to_metric_families
    return {family.name: family for family in parse(response.body.decode())}


def samples(response):
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families(response).values() for sample in family.samples}


def own_name(key, counts):
    """The name that a value below limpet. has, by the rule of docs/METRICS.md, and its divisor."""
    words = re.split(r"[._]", key)
    units = [UNITS[word] for word in words if word in UNITS]
    words = [word for word in words if word not in UNITS] + [unit[0] for unit in units]
    return "_".join(words) + ("_total" if counts else ""), units[0][1] if units else 1


@contextlib.contextmanager
def traffic(collection_time="1s", paths=("/a/{id}", "/b")):
    """A daemon with answers of all kinds, some of them in a closed window."""
    with lib.Backend({"/a": lib.Answer({"id": 1}), "/b": lib.Answer({"id": 2}, status=404)}) as backend:
        endpoints = [lib.endpoint(paths[0], backend, "/a"), lib.endpoint(paths[1], backend, "/b"),
                     lib.endpoint("/gone", lib.NOBODY)]
        with lib.Limpetd(lib.config(endpoints, metrics={"collection_time": collection_time})) as daemon:
            yield daemon


def test_negotiation():
    with traffic() as daemon:
        for accept, expected in (
                (None, TEXT), ("*/*", TEXT), ("text/html", TEXT), ("", TEXT), (SCRAPE, OPENMETRICS),
                ("application/openmetrics-text", OPENMETRICS),
                ("APPLICATION/OpenMetrics-Text ; Version=1.0.0", OPENMETRICS),
                ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
                ("application/openmetrics-text;version=0.0.1", TEXT),
                ("application/openmetrics-text;version=2.0.0, text/plain", TEXT),
                ("application/openmetrics-text;q=0", TEXT), ("application/openmetrics-text;q=0.000", TEXT),
                ("application/openmetrics-text;q=0.3,text/plain;q=0.4", TEXT),
                ("text/plain;q=0.4 , application/openmetrics-text; q=0.45", OPENMETRICS),
                ("text/*;q=0.5, application/openmetrics-text;version=1.0.0;q=0.4", TEXT),
                ("application/openmetrics-text;q=0.4, */*;q=0.5", TEXT),
                ("application/openmetrics-text;q=0.4, */*;q=0.5, text/plain;q=0.3", OPENMETRICS),
                ("Text/*;q=0.3, */*, application/openmetrics-text;q=0.4", OPENMETRICS),
                ("application/openmetrics-textual", TEXT), (",;=,;q=1,", TEXT)):
            response = metrics(daemon, accept)
            assert response.status == 200 and response.headers["Content-Type"] == expected, accept
            end = response.body.endswith(b"# EOF\n")
            assert end == (expected == OPENMETRICS), accept


def test_methods():
    with traffic() as daemon:
        whole = metrics(daemon)
        head = lib.request("HEAD", daemon.stats_port, "/metrics")
        assert head.status == 200 and head.body == b"" and head.headers["Content-Type"] == TEXT
        assert head.headers["Content-Length"] and whole.headers["Content-Length"]
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            response = lib.request(method, daemon.stats_port, "/metrics")
            assert response.status == 405 and response.headers["Allow"] == "GET, HEAD", method
        assert lib.request("GET", daemon.stats_port, "/metrics/x").status == 404
        assert lib.request("GET", daemon.port, "/metrics").status == 404, "the gateway's is another port"


def busy(daemon):
    for _ in range(20):
        assert daemon.get("/a/1").status == 200
    assert daemon.get("/b").status == 500 and daemon.get("/gone").status == 500


def test_formats():
    """promtool finds nothing, the parsers take all; both formats hold the same samples."""
    with traffic() as daemon:
        busy(daemon)
        for _ in range(2):
            text, openmetrics = metrics(daemon), metrics(daemon, SCRAPE)
            promtool = subprocess.run([os.path.join(BIN, "promtool"), "check", "metrics"], check=False,
                                      input=text.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert promtool.returncode == 0 and promtool.stdout == b"", promtool.stdout
            families(text)
            for name, family in families(openmetrics).items():
                assert not family.unit or name.endswith("_" + family.unit), name
                assert family.documentation and family.type in ("counter", "gauge", "summary"), name
            assert {key for key, _ in samples(text)} == {key for key, _ in samples(openmetrics)}
            lib.wait_until(lambda: daemon.stats()["limpet.metrics.windows"] >= 2, "windows")


def test_numbers_of_limpet():
    """Every value below limpet., by one rule, with its type."""
    with traffic("1h") as daemon:
        busy(daemon)

        def differences():
            before, response, after = daemon.stats(), metrics(daemon, SCRAPE), daemon.stats()
            found, shown = samples(response), families(response)
            wrong = []
            for key in after:
                if not key.startswith("limpet."):
                    continue
                gauge, divisor = own_name(key, False)
                counter, _ = own_name(key, True)
                name = gauge if (gauge, ()) in found else counter
                values = (before[key] / divisor, after[key] / divisor)
                if shown[gauge].type != ("gauge" if name == gauge else "counter") or \
                        not min(values) <= found[name, ()] <= max(values):
                    wrong.append((key, values, found.get((name, ()))))
            names = {name for name, _ in found if name.startswith("limpet_")}
            assert len(names) == sum(key.startswith("limpet.") for key in after)
            return wrong
        lib.wait_until(lambda: not differences(), "the same numbers as /__stats")


def service_names():
    """{name: type} below krakend_service_, by the rule and from the table Service of docs/METRICS.md. Its
    last row lists what nothing can move, but for three."""
    with open(os.path.join(lib.ROOT, "docs", "METRICS.md"), encoding="utf-8") as page:
        table = page.read().partition("| Key below `krakend.service.` |")[2].partition("\n\n")[0]
    names = {}
    for row in table.splitlines()[2:-1]:
        _, keys, kind, meaning, _ = row.split("|")
        last = ""
        for key in re.findall(r"`([^`]+)`", keys):
            last = last[:last.rindex(".")] + key if key[0] == "." else key
            word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last).lower().replace(".", "_")
            unit = "_bytes" if "bytes" in meaning or "stack" in meaning or "their size" in meaning else ""
            names[f"krakend_service_{word}{unit}"] = "counter" if "timer" in kind else "gauge"
    prefix = "krakend_service_runtime_mem_stats_"
    return names | dict.fromkeys([prefix + "frees", prefix + "mallocs", prefix + "total_alloc_bytes"], "gauge")


def test_every_name_is_documented():
    """What is printed below krakend_ is what docs/METRICS.md says, no name more and none less."""
    with open(os.path.join(lib.ROOT, "docs", "METRICS.md"), encoding="utf-8") as page:
        rows = page.read().partition("| `/__stats` | Prometheus | Type |")[2].partition("\n\n")[0].splitlines()
    expected = service_names()
    for row in rows:
        names = re.findall(r"`(krakend_(?!service_)\w+)", row)
        expected.update({re.sub("_total$", "", name): row.split("|")[-2].strip() for name in names})
    with traffic("1h") as daemon:
        busy(daemon)
        shown = {name: family.type for name, family in families(metrics(daemon, SCRAPE)).items()
                 if name.startswith("krakend_")}
    assert shown == expected, (shown.items() ^ expected.items())


def test_numbers_of_requests():
    """_sum and _count since the start; quantiles of the last window, none where it was empty."""
    with traffic("2s") as daemon:
        busy(daemon)
        found = samples(metrics(daemon))

        def latency(end, *more):
            labels = (("complete", "true"), ("error", "false"), ("layer", "pipe"), ("name", "/a/:id"))
            return found.get((f"krakend_proxy_latency_seconds{end}", tuple(sorted(labels + more))))
        size = ("krakend_router_response_size_bytes_sum", (("endpoint", "/a/:id"),))
        assert found["krakend_router_responses_total", (("endpoint", "/a/:id"), ("status", "200"))] == 20
        assert found["krakend_router_responses_total", (("endpoint", "/gone"), ("status", "500"))] == 1
        assert found["krakend_router_connected_total", ()] == 22
        assert latency("_count") == 20 and 0 < latency("_sum") < 20
        assert found[size] == 20 * len('{"id":1}')
        key = "krakend.proxy.latency.layer.pipe.name./a/:id.complete.true.error.false."

        def look():
            stats = daemon.stats()
            found.clear()
            found.update(samples(metrics(daemon)))
            return stats[key + "count"] > 0 and latency("", ("quantile", "0.5")) == \
                stats[key + "50-percentile"] / 1e9 and latency("", ("quantile", "0.999")) == \
                stats[key + "999-percentile"] / 1e9
        lib.wait_until(look, "quantiles of the last window")
        lib.wait_until(lambda: samples(metrics(daemon)).keys() != found.keys() and
                       not [name for name, labels in samples(metrics(daemon)) if "quantile" in dict(labels)],
                       "no quantiles after a window without requests")
        found = samples(metrics(daemon))
        assert latency("_count") == 20 and found[size] == 20 * len('{"id":1}'), "they never fall"


def test_labels():
    """Names with everything that a path may hold come out of the parsers as they are."""
    names = ("/it's-~;,=", "/{x}/$!")
    with traffic("1h", names) as daemon:
        for response in (metrics(daemon), metrics(daemon, SCRAPE)):
            endpoints = {dict(labels).get("endpoint") for _, labels in samples(response)}
            assert {names[0], "/:x/$!"} <= endpoints, endpoints


def test_layer_switches():
    """What a switch takes from /__stats it takes from here."""
    for switch, gone, kept in (
            ("router_disabled", "krakend_router_response", "krakend_router_connected"),
            ("proxy_disabled", 'layer="pipe"', 'layer="backend"'),
            ("backend_disabled", 'layer="backend"', 'layer="pipe"')):
        section = {"collection_time": "1h", switch: True}
        with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)], metrics=section)) as daemon:
            assert daemon.get("/a").status == 500
            text = metrics(daemon).body.decode()
            assert gone not in text and kept in text, switch


class Relay(http.server.BaseHTTPRequestHandler):
    """Prometheus 2.42 always asks for OpenMetrics: this asks for the text format in its place."""

    def do_GET(self):  # pylint: disable=invalid-name
        response = lib.request("GET", self.server.upstream, "/metrics", headers={"Accept": "text/plain"})
        self.send_response(200)
        self.send_header("Content-Type", response.headers["Content-Type"])
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def prometheus(targets):
    """Scrapes each second; yields a function that asks its API."""
    port = lib.free_port()
    with tempfile.TemporaryDirectory() as folder:
        scrapes = [{"job_name": name, "scrape_interval": "1s", "scrape_timeout": "1s",
                    "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
                   for name, target in targets.items()]
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"scrape_configs": scrapes}, file)  # which is YAML too
        with open(os.path.join(folder, "log"), "wb") as log:
            process = subprocess.Popen(
                [os.path.join(BIN, "prometheus"), f"--config.file={path}",
                 f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                stdout=log, stderr=log)

        def ask(query):
            try:
                answer = lib.request("GET", port, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
            except OSError:
                return {}
            if answer.status != 200:
                return {}
            result = answer.json()["data"]["result"]
            return {row["metric"].get("job"): float(row["value"][1]) for row in result}
        try:
            yield ask
        finally:
            process.terminate()
            process.wait(lib.SECONDS_MAX)


def test_real_prometheus():
    with traffic("2s") as daemon, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay) as relay:
        relay.upstream = daemon.stats_port
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        with prometheus({"openmetrics": daemon.stats_port, "text": relay.server_port}) as ask:
            both = {"openmetrics": 1, "text": 1}
            lib.wait_until(lambda: ask("up") == both, "both targets are up", 60)
            busy(daemon)
            pipe = 'layer="pipe",name="/a/:id",complete="true",error="false"'
            for query in (f"krakend_proxy_requests_total{{{pipe}}}",
                          f"krakend_proxy_latency_seconds_count{{{pipe}}}",
                          'krakend_router_responses_total{endpoint="/a/:id",status="200"}'):
                lib.wait_until(lambda q=query: ask(q) == {"openmetrics": 20, "text": 20}, query)
            query = f'max_over_time(krakend_proxy_latency_seconds{{{pipe},quantile="0.99"}}[1m]) > 0'
            lib.wait_until(lambda: set(ask(query)) == set(both), "a quantile of a window")
        relay.shutdown()


if __name__ == "__main__":
    lib.main(globals())
