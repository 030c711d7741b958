"""`limpetd check`: broken configurations with the place and the reason of each error, what was
understood of good ones for people and for machines, tables and the reach of the buffer."""
import contextlib
import copy
import json
import os
import re
import tempfile

import lib

ERROR_LINE = re.compile(r"(?P<file>.*?):(?P<line>\d+):(?P<column>\d+):(?: (?P<path>\S+):)? (?P<text>.*)")
METRICS = "extra_config.telemetry/metrics"
INFLUX = "extra_config.telemetry/influx"
ENDPOINT = "endpoints[0]"
BACKEND = "endpoints[0].backend[0]"


def good():
    return {
        "version": 3, "listen_ip": "127.0.0.1", "port": 8080, "timeout": "2s",
        "extra_config": {
            "telemetry/metrics": {"collection_time": "60s", "listen_address": "127.0.0.1:8090"},
            "telemetry/influx": {"address": "http://127.0.0.1:8086", "ttl": "25s"}},
        "endpoints": [
            {"endpoint": "/a/{id}", "method": "GET", "timeout": "1s", "output_encoding": "json",
             "backend": [{"url_pattern": "/b/{id}", "host": ["http://127.0.0.1:9000"]}]},
            {"endpoint": "/c", "backend": [{"url_pattern": "/d", "host": ["http://h"]}]}]}


def render(value, places, path="", indent=""):
    """JSON text with one member or element a line; places[path] = its line, counted from 1."""
    if not isinstance(value, (dict, list)) or not value:
        return json.dumps(value)
    deeper = indent + "  "
    pieces = []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict):
            inner, name = (f"{path}.{key}" if path else key), json.dumps(key) + ": "
        else:
            inner, name = f"{path}[{key}]", ""
        places["line"] += 1
        places[inner] = places["line"]
        pieces.append(f"{deeper}{name}{render(item, places, inner, deeper)}")
    places["line"] += 1
    marks = "{}" if isinstance(value, dict) else "[]"
    return marks[0] + "\n" + ",\n".join(pieces) + "\n" + indent + marks[1]


def put(config, path, value):
    """Sets the value at "a.b[0].c"; an Ellipsis removes it."""
    steps = [int(step[1:-1]) if step.startswith("[") else step
             for step in re.findall(r"[^.\[]+|\[\d+\]", path)]
    at = config
    for step in steps[:-1]:
        at = at[step]
    if value is ...:
        del at[steps[-1]]
    elif isinstance(at, list) and steps[-1] == len(at):
        at.append(value)
    else:
        at[steps[-1]] = value


@contextlib.contextmanager
def written(text):
    with tempfile.NamedTemporaryFile("wb", suffix=".json") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
        file.flush()
        yield file.name


def check(text, *options):
    with written(text) as name:
        return lib.run("check", "-c", name, *options), name


def errors(text):
    """(line, path, message) of each error."""
    done, name = check(text)
    assert done.returncode == 1 and done.stdout == "", done
    found = []
    for line in done.stderr.splitlines():
        match = ERROR_LINE.fullmatch(line)
        assert match and match["file"] == name, line
        if not match["text"].startswith(("warning: ", "no effect: ")):
            found.append((int(match["line"]), match["path"] or "", match["text"]))
    return found


# ---- One thing broken ----------------------------------------------------------------------------

# What is set (... = removed), the path of the message where it is another one, a word of it.
BROKEN = [
    ("version", 2, None, "3"),
    ("version", "3", None, "expected a whole number"),
    ("version", 3.5, None, ""),
    ("port", 0, None, "at least 1, got 0"),
    ("port", 65536, None, "at most 65535, got 65536"),
    ("port", -1, None, "at least 1, got -1"),
    ("port", "8080", None, 'expected a whole number, got "8080"'),
    ("port", True, None, "expected a whole number, got true"),
    ("port", 8090, METRICS + ".listen_address", "both listen on port 8090"),
    ("listen_ip", "::1", None, "IPv6"),
    ("listen_ip", "300.1.1.1", None, ""),
    ("listen_ip", "224.0.0.1", None, "nothing could reach this address"),
    ("listen_ip", "255.255.255.255", None, "nothing could reach this address"),
    ("listen_ip", "0.1.2.3", None, "nothing could reach this address"),
    ("listen_ip", 7, None, "expected a string, got 7"),
    ("timeout", "60", None, 'expected a duration such as "60s"'),
    ("timeout", 60, None, "expected a duration"),
    ("timeout", "1001h", None, "1000h"),
    ("timeout", "-1s", None, ""),
    ("prot", 8080, None, 'did you mean "port"'),
    ("endpoint", [], None, "it belongs to: endpoints[]"),
    ("endpoins", [], None, 'did you mean "endpoints"'),
    ("nothing_like_it", 1, None, "unknown key"),
    ("endpoints", {}, None, "expected a list"),
    ("endpoints", 1, None, "expected a list"),
    ("extra_config", [], None, "expected an object"),
    ("tls", {"public_key": "a"}, None, ""),
    (METRICS, [], None, "expected an object"),
    (METRICS + ".collection_time", "999ms", None, "1s"),
    (METRICS + ".collection_time", "0s", None, "1s"),
    (METRICS + ".collection_time", "60", None, 'got "60"'),
    (METRICS + ".colection_time", "60s", None, 'did you mean "collection_time"'),
    (METRICS + ".listen_address", "8090", None, ""),
    (METRICS + ".listen_address", "127.0.0.1:0", None, ""),
    (METRICS + ".listen_address", "239.1.1.1:8090", None, "nothing could reach this address"),
    (METRICS + ".proxy_disabled", "yes", None, 'got "yes"'),
    (INFLUX + ".ttl", "10ms", None, "1s"),
    (INFLUX + ".ttl", 25, None, "expected a duration"),
    (INFLUX + ".address", ..., INFLUX, "address"),
    (INFLUX + ".address", "udp://127.0.0.1:8089", None, ""),
    (INFLUX + ".address", "http://", None, ""),
    (INFLUX + ".db", "", None, ""),
    (INFLUX + ".buffer_size", -1, None, ""),
    (INFLUX + ".passwort", "secret", None, 'did you mean "password"'),
    ("extra_config.telemetry/metric", {}, None, 'did you mean "telemetry/metrics"'),
    (ENDPOINT + ".endpoint", ..., ENDPOINT, "endpoint"),
    (ENDPOINT + ".endpoint", "/a/{id", None, ""),
    (ENDPOINT + ".endpoint", "/a/{id}/{id}", None, "the same {param} twice"),
    (ENDPOINT + ".endpoint", "/a/*", None, "*"),
    (ENDPOINT + ".endpoint", "/__health/{id}", None, "/__health"),
    (ENDPOINT + ".endpoint", "/c", "endpoints[1].endpoint", ""),
    (ENDPOINT + ".method", "get", None, "GET"),
    (ENDPOINT + ".method", "FETCH", None, "GET"),
    (ENDPOINT + ".timeout", "1", None, 'got "1"'),
    (ENDPOINT + ".output_encoding", "xml", None, "json"),
    (ENDPOINT + ".output_encodin", "json", None, 'did you mean "output_encoding"'),
    (ENDPOINT + ".backend", ..., ENDPOINT, "backend"),
    (ENDPOINT + ".backend", [], None, ""),
    (ENDPOINT + ".backend", {}, None, "expected a list"),
    (BACKEND, "x", None, "expected an object"),
    (BACKEND + ".url_pattern", 7, None, "expected a string, got 7"),
    (BACKEND + ".url_pattern", ..., BACKEND, "url_pattern"),
    (BACKEND + ".url_pattern", "/b/{nothing}", None, "nothing"),
    (BACKEND + ".url_pattern", "/b c", None, ""),
    (BACKEND + ".host", ["http://a:99999"], BACKEND + ".host[0]", ""),
    (BACKEND + ".host", ["ftp://a"], BACKEND + ".host[0]", ""),
    (BACKEND + ".host", ["http://127.1.1.1"], BACKEND + ".host[0]", "127.0.0.1"),
    (BACKEND + ".host", [7], BACKEND + ".host[0]", "expected a string, got 7"),
    (BACKEND + ".host", "http://a", None, "expected a list"),
    (BACKEND + ".host", ..., BACKEND, "host"),
    (BACKEND + ".method", "TRACE", None, "GET"),
    (BACKEND + ".url_patern", "/x", None, 'did you mean "url_pattern"'),
]


def test_each_broken_value_has_its_place_and_reason():
    assert len(BROKEN) >= 60
    wrong = []
    for path, value, where, word in BROKEN:
        config = copy.deepcopy(good())
        put(config, path, value)
        where = where or path
        places = {"line": 1}
        text = render(config, places)
        found = errors(text)
        if not any(line == places[where] and at == where and word in message
                   for line, at, message in found) or len(found) > 2:
            wrong.append((path, value, (places[where], where, word), found))
    assert not wrong, "\n".join(map(str, wrong))


def test_no_op_takes_one_backend():
    config = good()
    put(config, ENDPOINT + ".output_encoding", "no-op")
    put(config, ENDPOINT + ".backend[1]", {"url_pattern": "/e/{id}", "host": ["http://h"]})
    found = errors(json.dumps(config))
    assert any(path.startswith(ENDPOINT) and "no-op" in message for _, path, message in found), found


def test_all_errors_are_listed_in_order():
    config = good()
    for path, value in (("port", 0), ("timeout", "1"), (METRICS + ".collection_time", "1ms"),
                        (ENDPOINT + ".method", "X"), (BACKEND + ".url_pattern", 7)):
        put(config, path, value)
    places = {"line": 1}
    found = errors(render(config, places))
    paths = ["port", "timeout", METRICS + ".collection_time", ENDPOINT + ".method",
             BACKEND + ".url_pattern"]
    assert [(line, path) for line, path, _ in found] == [(places[path], path) for path in paths], found


def test_equal_keys():
    text = '{"version": 3,\n "port": 1,\n "port": 2, "endpoints": []}'
    assert [(line, path) for line, path, _ in errors(text)][0] == (3, "port")


def test_text_that_is_no_json():
    rows = [(b"", 1), (b" \n ", 2), (b"{", 1), (b'{"a":1,}', 1), (b"[1,]", 1), (b'{"a" 1}', 1),
            (b"{a:1}", 1), (b"{'a':1}", 1), (b'{"a":01}', 1), (b'{"a":+1}', 1), (b'{"a":.5}', 1),
            (b'{"a":1.}', 1), (b'{"a":1e}', 1), (b'{"a":0x1}', 1), (b'{"a":NaN}', 1),
            (b'{"a":tru}', 1), (b'{"a":"\\x"}', 1), (b'{"a":"\\u12"}', 1), (b'{"a":"\n"}', 1),
            (b'{"a":"\t"}', 1), (b'{"a":"\xff"}', 1), (b'{"a":"\xc0\x80"}', 1),
            (b'{"a":"\xed\xa0\x80"}', 1), (b'{"a":1}\n}', 2), (b'{"a":1} x', 1),
            (b"{\n // no\n}", 2), (b"\xef\xbb\xbf{}", 1), (b'{"a":"b', 1), (b"[" * 33, 1),
            (b'{"a":1}\x00', 1)]
    for text, line in rows:
        found = errors(text)
        assert len(found) == 1 and found[0][0] == line and found[0][1] == "", (text, found)
    # JSON by its grammar, but no text: the path can be named.
    assert [(line, path) for line, path, _ in errors(b'\n\n{"a":"\\ud800"}')] == [(3, "a")]


# ---- What was understood -------------------------------------------------------------------------

def tables_of(understood):
    return {table["name"]: table for table in understood["memory"]["tables"]}


def test_json_of_a_good_configuration():
    config = good()
    config["name"] = "x"
    config["endpoints"][0]["@comment"] = "ignored"
    done, name = check(json.dumps(config), "--json")
    assert done.returncode == 0 and done.stderr == "", done
    understood = json.loads(done.stdout)
    assert list(understood) == ["file", "findings", "ok", "environment", "gateway", "metrics",
                                "influx", "memory"]
    assert understood["file"] == name and understood["ok"] is True
    assert [(f["kind"], f["path"]) for f in understood["findings"]] == [("no_effect", "name")]
    gateway = understood["gateway"]
    assert gateway["listen"] == "127.0.0.1:8080"
    assert [(e["method"], e["endpoint"], e["name"], e["timeout_ms"]) for e in gateway["endpoints"]] \
        == [("GET", "/a/{id}", "/a/:id", 1000), ("GET", "/c", "/c", 2000)]
    backend = gateway["endpoints"][0]["backend"][0]
    assert (backend["url_pattern"], backend["name"]) == ("/b/{id}", "/b/{{.Id}}")
    assert backend["hosts"] == ["http://127.0.0.1:9000"]
    metrics = understood["metrics"]
    assert metrics["enabled"] and metrics["listen"] == "127.0.0.1:8090"
    assert (metrics["endpoint_names"], metrics["proxy_names"]) == (2, 4)
    influx = understood["influx"]
    assert influx["enabled"] and influx["address"] == "http://127.0.0.1:8086"
    tables = tables_of(understood)
    assert (tables["endpoints"]["used"], tables["endpoints"]["limit"]) == (2, 256)
    assert (tables["backends"]["used"], tables["hosts"]["used"]) == (2, 2)
    assert tables["exchanges"]["used"] is None
    assert tables["text"]["used"] == len(json.dumps(config))
    assert understood["memory"]["bytes"] > sum(t["bytes"] for t in tables.values()) * 0.8
    for table in tables.values():
        assert table["limit_name"].startswith("LIMPET_") and table["limit"] > 0, table
        assert table["bytes"] > 0 and (table["used"] or 0) <= table["limit"], table


def test_reach_of_the_buffer():
    """Memory bounds what waits, buffer_size what failed; an hour is an hour of windows."""
    config = good()
    reach = {}
    for points in (0, 1, 1000, 4294967295):
        put(config, INFLUX + ".buffer_size", points)
        reach[points] = json.loads(check(json.dumps(config), "--json")[0].stdout)["influx"]
    influx = reach[1000]
    ring = 4194304  # LIMPET_SPOOL_LEN
    assert influx["windows"] == ring // influx["window_bytes"], influx
    assert abs(influx["hours"] - influx["windows"] * 60 / 3600) < 1e-6, influx
    assert influx["windows_failed"] == 1000 // influx["window_points"], influx
    assert (reach[0]["windows_failed"], reach[1]["windows_failed"]) == (0, 1)
    assert reach[4294967295]["windows_failed"] == influx["windows"]
    # Two endpoints with two status codes each, their pipes and backends: all are in a window.
    assert influx["window_points"] > 2 * 2 + 4 * 2, influx
    put(config, INFLUX, ...)
    assert json.loads(check(json.dumps(config), "--json")[0].stdout)["influx"] == {"enabled": False}


def test_modes_of_influxdb():
    config = good()
    influx = json.loads(check(json.dumps(config), "--json")[0].stdout)["influx"]
    assert (influx["version"], influx["db"], influx["authenticated"]) == (1, "krakend", False)
    config["extra_config"]["telemetry/influx"].update(token="secret", org="o", bucket="b")
    for option in ((), ("--json",)):
        done, _ = check(json.dumps(config), *option)
        assert done.returncode == 0 and "secret" not in done.stdout + done.stderr, done
    influx = json.loads(done.stdout)["influx"]
    assert (influx["version"], influx["bucket"], influx["authenticated"]) == (2, "b", True)


def test_json_of_bad_configurations():
    for text in ("{", '{"version": 3, "port": "\\u0022\\u00e9"}'):
        done, _ = check(text, "--json")
        understood = json.loads(done.stdout)
        assert done.returncode == 1 and done.stderr == "", done
        assert list(understood) == ["file", "findings", "ok"] and understood["ok"] is False
        found = [finding for finding in understood["findings"] if finding["kind"] == "error"]
        assert len(found) == 1 and found[0]["line"] == 1 and found[0]["message"], understood
    done = lib.run("check", "--json", "-c", "/nowhere/krakend.json")
    assert done.returncode == 1 and json.loads(done.stdout)["ok"] is False


def test_text_for_people():
    config = good()
    config["name"] = "x"
    done, name = check(json.dumps(config))
    assert done.returncode == 0, done
    assert re.fullmatch(re.escape(name) + r":1:\d+: name: no effect: .*\n", done.stderr), done.stderr
    for pattern in (r"ok$", r"  clients   head 16384 bytes and 96 fields, body of any length; ",
                    r"  gateway   http://127\.0\.0\.1:8080/  2 endpoints, 2 backends$",
                    r"    GET /a/\{id\}  json, timeout 1s$",
                    r"      GET http://127\.0\.0\.1:9000 /b/\{id\}  json$",
                    r"  metrics   http://127\.0\.0\.1:8090/__stats/  window 60 s, 2 endpoint series",
                    r"  influxdb  version 1 at http://127\.0\.0\.1:8086, database",
                    r"  buffer    \d+ windows \(\d+h\d+m0s\), .* 0 windows \(0s\) stay",
                    r"    endpoints +2 +256 +\d+  LIMPET_ENDPOINTS_MAX$"):
        assert re.search(pattern, done.stdout, re.M), (pattern, done.stdout)


def test_address_that_no_interface_has():
    config = good()
    config["listen_ip"] = "192.0.2.1"  # RFC 5737: for documentation, nobody has it
    done, name = check(json.dumps(config))
    assert done.returncode == 0, done
    assert f"{name}: listen_ip: warning: no interface of this host has the address of " \
           "192.0.2.1:8080\n" in done.stderr, done.stderr
    with written(json.dumps(config)) as name:
        done = lib.run("run", "-c", name)
    assert done.returncode == 1 and "cannot listen on 192.0.2.1:8080" in done.stderr, done


def test_board():
    """On a board loopback is nowhere; its other addresses are not this host's affair."""
    done, name = check(json.dumps(good()), "--board")
    assert done.returncode == 0, done
    for place in ("listen_ip", METRICS + ".listen_address"):
        assert f"{name}: {place}: warning: loopback: a board closes this listener\n" in done.stderr, done
    for place, host in (("host", "127.0.0.1:9000"), (INFLUX + ".address", "127.0.0.1:8086")):
        assert f"{name}: {place}: warning: {host} is loopback: a board reaches nothing there\n" \
            in done.stderr, done
    elsewhere = json.dumps(good()).replace("127.0.0.1", "192.0.2.1")
    done, name = check(elsewhere, "--board")
    assert done.returncode == 0 and done.stderr == "", done


def series_of(stats):
    """The metrics of a /__stats: a distribution or a timer has several keys."""
    parts = ("count|max|mean|mean-rate|min|std-dev|one-minute|five-minute|fifteen-minute|"
             r"\d+-percentile")
    lines = [key for key in stats if key.startswith(("krakend.", "limpet."))]
    heads = [re.sub(rf"\.({parts})$", "", key) for key in lines]
    return {head if heads.count(head) > 1 else key for head, key in zip(heads, lines)}


def test_says_what_the_daemon_shows():
    """The metrics before the first answer, all values below limpet. included."""
    config = lib.config([lib.endpoint("/one/{id}", lib.NOBODY, "/x/{id}"),
                         lib.endpoint("/two", lib.NOBODY)])
    with lib.Limpetd(config) as daemon:
        stats = daemon.stats()
        done, _ = check(json.dumps(config), "--json")
    understood = json.loads(done.stdout)
    used = {table["name"]: table["used"] for table in understood["memory"]["tables"]}
    assert used["limpet values"] == sum(key.startswith("limpet.") for key in stats), (used, len(stats))
    shown = series_of(stats)
    assert understood["metrics"]["series"] == len(shown), (understood["metrics"], len(shown))


def test_quickstart():
    done = lib.run("check", "--json", "-c", os.path.join(lib.ROOT, "port/posix/quickstart.json"))
    assert done.returncode == 0 and json.loads(done.stdout)["ok"], done


if __name__ == "__main__":
    lib.main(globals())
