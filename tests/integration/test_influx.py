"""Windows in a real InfluxDB 1.x: nothing lost, nothing twice, the types and tags of the dashboards."""
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.parse

import lib

UNPACK = os.environ.get("LIMPET_INFLUXDB") or os.path.join(lib.ROOT, "tools", "influxdb")
INFLUXD = os.path.join(lib.ROOT, "build", "tools", "influxdb", "usr", "bin", "influxd")
CONNECTIONS = 16
ADMIN = ("admin", "adm in:1")
WRITER = ("limpet", "pass:word/+ 1")

INFLUXD_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{folder}/meta"
[monitor]
  store-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
  log-enabled = false
"""


# ---- InfluxDB ------------------------------------------------------------------------------------

class InfluxDB:
    """influxd on a port and a folder of its own, which stay over kill() and start()."""

    def __init__(self, auth=False):
        subprocess.run([UNPACK, "unpack"], check=True)
        self.folder = tempfile.mkdtemp(prefix="limpet-influx-test.")
        self.port = lib.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.user = None
        self.process = None
        with open(os.path.join(self.folder, "influxdb.conf"), "w", encoding="utf-8") as file:
            file.write(INFLUXD_CONFIG.format(folder=self.folder, port=self.port,
                                             auth="true" if auth else "false"))
        try:
            self.start()
            if auth:
                self.query(f"create user {ADMIN[0]} with password '{ADMIN[1]}' with all privileges")
                self.user = ADMIN
            self.query("create database krakend")
        except BaseException:
            self.close()
            raise

    def start(self):
        with open(os.path.join(self.folder, "influxd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [INFLUXD, "-config", os.path.join(self.folder, "influxdb.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, HOME=self.folder))

        def answers():
            assert self.process.poll() is None, "influxd ended by itself"
            with contextlib.suppress(OSError, http.client.HTTPException):
                return lib.request("GET", self.port, "/ping").status == 204
            return False
        lib.wait_until(answers, "influxd answers")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def query(self, text, db="krakend"):
        """The series of the one statement: [{name, tags, columns, values}, ...]."""
        params = {"db": db, "q": text, "epoch": "s"}
        if self.user:
            params.update(u=self.user[0], p=self.user[1])
        answer = lib.request("POST", self.port, "/query?" + urllib.parse.urlencode(params))
        assert answer.status == 200, answer.body
        result = json.loads(answer.body)["results"][0]
        assert "error" not in result, result
        return result.get("series", [])

    def sum(self, where="layer='pipe'", db="krakend"):
        series = self.query(f'select sum("count") from requests where {where}', db)
        return series[0]["values"][0][1] if series else 0

    def rows(self, field, where, db="krakend"):
        """[[stamp, value], ...] of requests, oldest first."""
        series = self.query(f'select "{field}" from requests where {where}', db)
        return series[0]["values"] if series else []

    def keys(self, what, db="krakend"):
        """show field keys, show tag keys: measurement -> rows."""
        return {s["name"]: sorted(s["values"]) for s in self.query(f"show {what} keys", db)}

    def close(self):
        if self.process:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- Traffic -------------------------------------------------------------------------------------

class Stub(lib.Backend):
    """/a says 200; every fourth /b says 500."""

    def __init__(self):
        turns = itertools.count(1)
        super().__init__({
            "/a": lib.Answer({"id": 1, "name": "a"}),
            "/b": lambda _: lib.Answer({"b": 2}, status=500 if next(turns) % 4 == 0 else 200),
        })

    def handle(self, handler):
        lib.read_body(handler)
        with self.lock:
            answer = self.routes[handler.path]
            answer = answer(None) if callable(answer) else answer
        lib.write_answer(handler, answer)


def send(daemon, paths):
    """Sends one GET a path over CONNECTIONS connections that stay open; returns the statuses."""
    statuses = [0] * len(paths)

    def work(first):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=lib.SECONDS_MAX)
        with contextlib.closing(connection):
            for i in range(first, len(paths), CONNECTIONS):
                connection.request("GET", paths[i])
                statuses[i] = lib.Response(connection.getresponse()).status
    threads = [threading.Thread(target=work, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def config(backend, influxdb, collection_time, ttl, **influx):
    section = {"address": influxdb.url, "ttl": ttl, "buffer_size": 1000000, **influx}
    return lib.config([lib.endpoint("/a", backend), lib.endpoint("/b", backend)],
                      metrics={"collection_time": collection_time}, influx=section)


def wait_equal(get, want, what):
    """Like wait_until, and says what the value was instead."""
    last = []

    def look():
        last[:] = [get()]
        return last[0] == want
    try:
        lib.wait_until(look, what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last[0]}, not {want}") from None


# ---- Tests ---------------------------------------------------------------------------------------

def counters(stats, a, b, failed):
    """Every counter that the traffic moves: what it is and what it should be."""
    want = {
        "krakend.router.response./a.status.200.count": a,
        "krakend.router.response./b.status.200.count": b - failed,
        "krakend.router.response./b.status.500.count": failed,
        "krakend.router.response./a.status": 0,
        "krakend.router.response./b.status": 0,
    }
    for layer, name, complete, error in itertools.product(
            ("pipe", "backend"), ("/a", "/b"), ("true", "false"), ("true", "false")):
        key = f"krakend.proxy.requests.layer.{layer}.name.{name}.complete.{complete}.error.{error}"
        good = a if name == "/a" else b - failed
        bad = 0 if name == "/a" else failed
        want[key] = {"truefalse": good, "falsetrue": bad}.get(complete + error, 0)
    want["connected"] = want["disconnected"] = a + b
    got = {key: stats.get(key) for key in want}
    for way in ("connected", "disconnected"):
        got[way] = stats[f"krakend.router.{way}"] + stats[f"krakend.router.{way}-total"]
    codes = [key for key in stats if ".status." in key]
    assert sorted(codes) == sorted(key for key in want if ".status." in key), codes
    return {key: (got[key], want[key]) for key in want if got[key] != want[key]}


def check_counts(influxdb, db, collection_time, ttl):
    """1,000 requests: /__stats/ and InfluxDB say so, and still do when further windows have come."""
    influxdb.query(f"create database {db}")
    pipe_a = "layer='pipe' and \"name\"='/a' and complete='true' and error='false'"
    with Stub() as backend, \
            lib.Limpetd(config(backend, influxdb, collection_time, ttl, db=db)) as daemon:
        statuses = send(daemon, ["/a" if i % 5 < 3 else "/b" for i in range(1000)])
        assert (statuses.count(200), statuses.count(500)) == (900, 100), statuses
        wait_equal(lambda: counters(daemon.stats(), 600, 400, 100), {}, "the counters of /__stats/")
        wait_equal(lambda: influxdb.sum(db=db), 1000, "the requests in InfluxDB")
        before = len(influxdb.rows("count", pipe_a, db))
        lib.wait_until(lambda: len(influxdb.rows("count", pipe_a, db)) >= before + 2,
                       "two more windows")
        assert influxdb.sum(db=db) == 1000
        assert influxdb.sum("layer='backend'", db) == 1000
        assert influxdb.sum("layer='pipe' and error='true'", db) == 100
        rows = influxdb.rows("total", pipe_a, db)
        assert rows[-1][1] == 600 and rows == sorted(rows), rows
        sums = list(itertools.accumulate(row[1] for row in influxdb.rows("count", pipe_a, db)))
        assert sums == [row[1] for row in rows[:len(sums)]], (sums, rows)


def test_counts():
    """The documentation's collection_time 60s and 30s with ttl 25s, and a ttl that is longer."""
    with InfluxDB() as influxdb:
        check_counts(influxdb, "c60_t25", "2400ms", "1s")
        check_counts(influxdb, "c30_t25", "1200ms", "1s")
        check_counts(influxdb, "c25_t60", "1s", "2400ms")
        check_schema(influxdb, "c60_t25")


def check_schema(influxdb, db):
    """Measurements, tags and fields as the reference writes them."""
    distribution = [[field, "integer"] for field in ("max", "mean", "min", "stddev", "variance")]
    distribution += [[f"p{p}", "float"] for p in ("0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99")]
    counts = [["count", "integer"], ["total", "integer"]]
    mem_stats = ("Alloc BuckHashSys DebugGC EnableGC Frees HeapAlloc HeapIdle HeapInuse HeapObjects "
                 "HeapReleased HeapSys LastGC Lookups Mallocs MCacheInuse MCacheSys MSpanInuse "
                 "MSpanSys NextGC NumGC PauseTotalNs StackInuse StackSys Sys TotalAlloc").split()
    runtime = [f"MemStats.{name}" for name in mem_stats] + ["NumCgoCall", "NumGoroutine", "NumThread"]
    gc_stats = [f"GCStats.{name}" for name in ("LastGC", "NumGC", "PauseTotal")]
    fields = {
        "requests": counts + distribution,
        "responses": counts,
        "router": [["current", "integer"], ["gauge", "integer"], ["total", "integer"]],
        "debug": [[name, "integer"] for name in gc_stats],
        "runtime": [[name, "integer"] for name in runtime],
        "router.response-size": distribution,
        "router.response-time": distribution,
        "service.debug.GCStats.Pause": distribution,
        "service.runtime.MemStats.PauseNs": distribution,
    }
    tags = {name: ["host"] for name in fields}
    tags.update({"requests": ["complete", "error", "host", "layer", "name"],
                 "responses": ["host", "name", "status"], "router": ["direction", "host"],
                 "router.response-size": ["host", "name"], "router.response-time": ["host", "name"]})
    assert influxdb.keys("field", db) == {name: sorted(rows) for name, rows in fields.items()}
    assert influxdb.keys("tag", db) == {name: [[tag] for tag in rows] for name, rows in tags.items()}
    hosts = influxdb.query('show tag values with key = "host"', db)
    assert {row[1] for series in hosts for row in series["values"]} == {os.uname().nodename}, hosts


def send_window(daemon, count, sent):
    """Sends `count` requests and waits until their window has closed; returns all that were sent."""
    send(daemon, ["/a"] * count)
    wait_equal(lambda: daemon.stats()["krakend.router.connected-total"], sent + count,
               "the requests of closed windows")
    return sent + count


def test_outage():
    """InfluxDB is killed for several windows; each arrives afterwards, once, with its own time."""
    pipe = "layer='pipe' and \"name\"='/a' and complete='true' and error='false' and \"count\" > 0"
    with InfluxDB() as influxdb, Stub() as backend, \
            lib.Limpetd(config(backend, influxdb, "1s", "1s")) as daemon:
        totals = [send_window(daemon, 50, 0)]
        wait_equal(influxdb.sum, 50, "the requests before the outage")
        influxdb.kill()
        for i in range(3):
            totals.append(send_window(daemon, 10 + i, totals[-1]))
        daemon.wait_log(r"ERROR: \[SERVICE: InfluxDB\].*the windows wait")
        influxdb.start()
        wait_equal(influxdb.sum, 83, "the requests of the outage")
        daemon.wait_log(r"InfluxDB\].*takes windows again")
        send(daemon, ["/a"] * 17)
        wait_equal(influxdb.sum, 100, "the requests after the outage")
        rows = influxdb.rows("total", pipe)
        assert [row[1] for row in rows if row[1] in totals] == totals, (rows, totals)
        assert not [line for line in daemon.lines if "dropped" in line]


def test_authentication():
    """The right password writes, the wrong one is told once and keeps its windows."""
    with InfluxDB(auth=True) as influxdb, Stub() as backend:
        influxdb.query(f"create user {WRITER[0]} with password '{WRITER[1]}'")
        influxdb.query(f"grant write on krakend to {WRITER[0]}")
        user = {"username": WRITER[0], "password": WRITER[1]}
        with lib.Limpetd(config(backend, influxdb, "1s", "1s", **user)) as daemon:
            send(daemon, ["/a"] * 40)
            wait_equal(influxdb.sum, 40, "the requests of the user")
        user["password"] = "wrong"
        with lib.Limpetd(config(backend, influxdb, "1s", "1s", **user)) as daemon:
            send(daemon, ["/a"] * 7)
            line = daemon.wait_log(r"ERROR: \[SERVICE: InfluxDB\] (.*) a write failed.*status 401.*")
            assert WRITER[0] not in line.group(0) and "wrong" not in line.group(0), line.group(0)
            daemon.stop()
            daemon.wait_log(r"windows? dropped: stopped before InfluxDB took them")
        assert influxdb.sum() == 40


def test_clean_stop():
    """SIGTERM and SIGINT push the window that is running."""
    with InfluxDB() as influxdb, Stub() as backend:
        for number in (signal.SIGTERM, signal.SIGINT):
            db = signal.Signals(number).name
            influxdb.query(f"create database {db}")
            with lib.Limpetd(config(backend, influxdb, "60s", "60s", db=db)) as daemon:
                send(daemon, ["/a"] * 30 + ["/b"] * 20)
                assert influxdb.sum(db=db) == 0
                assert daemon.stop(number) == 0
                assert influxdb.sum(db=db) == 50
                assert not [line for line in daemon.lines if "dropped" in line], daemon.log()


if __name__ == "__main__":
    lib.main(globals())
