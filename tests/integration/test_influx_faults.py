"""limpetd against a scripted InfluxDB 1.x, 2.x and 3.x that refuses, stalls, cuts, lies and comes back:
every window arrives once, in order, and produced = written + buffered + dropped at every moment."""
import concurrent.futures
import contextlib
import random
import threading

import influx_api
import lib
from influx_api import Answer, CutAnswer, CutRequest, Down, GOOD, Partial, Raw, Refuse, Stall

SEED = random.randrange(1 << 30)
REQUEST_LEN = 6000  # about; a cut behind the end of a request is one while the answer is awaited
ANSWER_LEN = 53     # the 204 of influx_api.CutAnswer
CUTS_OF_EACH = 30 if lib.FULL else 5
AT_ONCE = 5  # daemons; most of what they do is waiting
LIMITED = (Answer(429, {"Retry-After": "3"}), Answer(503, {"Retry-After": "2"}))
ELSEWHERE = []      # connections to where redirects point


# ---- Around the daemon ---------------------------------------------------------------------------

class Worker:
    """Calls `work` again and again in a thread, until the block ends; what it raised is raised there."""

    def __init__(self, work, pause):
        self.work, self.pause = work, pause
        self.error = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.ending.wait(self.pause):
                self.work()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        self.thread.join()
        if kind is None and self.error:
            raise self.error


class Traffic(Worker):
    """`sent` requests were answered."""

    def __init__(self, daemon):
        self.sent = 0
        self.daemon = daemon
        super().__init__(self.send, 0.05)

    def send(self):
        assert self.daemon.get("/a").status == 200
        self.sent += 1


class Watch(Worker):
    """Reads the counters: the identity holds, and nothing runs backwards."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.last = {}
        self.looks = 0
        super().__init__(self.look, 0.05)

    def look(self):
        values = influx_values(self.daemon)
        parts = [values["windows_" + name] for name in ("written", "buffered", "dropped")]
        assert values["windows_produced"] == sum(parts), values
        for name in ("windows_produced", "windows_written", "windows_dropped", "points", "bytes"):
            assert values[name] >= self.last.get(name, 0), (name, values, self.last)
        self.last = values
        self.looks += 1


def influx_values(daemon):
    return {name[len("limpet.influx."):]: value for name, value in daemon.stats().items()
            if name.startswith("limpet.influx.")}


def config(server, backend):
    url = f"http://localhost:{server.port}"
    return lib.config([lib.endpoint("/a", backend)], metrics={"collection_time": "1s"},
                      influx={"address": url, "ttl": "1s", "buffer_size": 1000000, **server.version.keys})


def run(version, faults):
    """A daemon's life with these faults, each with a good write behind it: what fails twice in a row
    would wait longer each time. Returns the server."""
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend, influx_api.Server(version) as server:
        server.script = [step for fault in faults for step in (fault, GOOD)]
        with lib.Limpetd(config(server, backend)) as daemon:
            mode = "2" if "token" in version.keys else "1"
            daemon.wait_log(rf"InfluxDB\] http://localhost:\d+: API version {mode}, ")
            daemon.wait_log(r"InfluxDB\].*answers the ping: status 20[04]")
            with Watch(daemon) as watch, Traffic(daemon) as traffic:
                lib.wait_until(lambda: not server.script or traffic.error or watch.error,
                               "the whole script was played", 30 + 10 * len(faults))
            lib.wait_until(lambda: influx_values(daemon)["windows_buffered"] == 0, "all windows arrive")
            values = influx_values(daemon)
            assert watch.looks > 10
            check_counters(server, values)
            assert daemon.stop() == 0
            assert "windows dropped: stopped" not in daemon.log()
            secrets = [version.keys.get("token"), version.keys.get("password")]
            assert not [line for line in daemon.lines for secret in secrets if secret and secret in line]
        assert not server.wrong, "\n".join(server.wrong[:5])
        got = server.store.sum() + server.store.refused_sum()
        assert got == traffic.sent, (got, traffic.sent, server.log)
    return server


def check_counters(server, values):
    store = server.store
    assert values["windows_dropped"] == values["dropped.refused"] == len(store.refused), values
    assert values["windows_written"] >= len(store.windows) - 1, (values, len(store.windows))
    refused = sum(len(lines) for lines in store.refused.values())
    assert values["points_refused"] == server.points_refused + refused, (values, server.points_refused)


def run_all(scripts):
    """(version, faults) each, some at the same time."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run, *script) for script in scripts]
        return [one.result() for one in runs]


# ---- Tests ---------------------------------------------------------------------------------------

def cuts(number, chance):
    """Requests and answers cut at any byte; at every byte of them: tests/unit/test_writer_wire.c."""
    places = [number, REQUEST_LEN - number]  # the edges
    for turn in range(CUTS_OF_EACH):
        kind = turn % 3  # anywhere, in the head, in the answer
        at = places.pop() if places and kind == 0 else chance.randrange((REQUEST_LEN, 300, ANSWER_LEN)[kind])
        yield CutAnswer(at) if kind == 2 else CutRequest(at, chance.random() < 0.5)


def answers(elsewhere):
    """Whatever a server or a proxy may say. What would make the writer wait for a minute comes with
    Retry-After, which goes before."""
    soon = {"Retry-After": "1"}
    return [
        Answer(429, {"Retry-After": "2"}), Answer(503, {"Retry-After": "2"}), Answer(500), Answer(503), Answer(502),
        Answer(401, soon, b'{"error":"authorization failed"}'), Answer(403, soon), Answer(404, soon),
        Answer(307, {"Location": elsewhere, **soon}), Answer(301, {"Location": elsewhere, **soon}),
        Answer(429, early=True), Answer(503, early=True),
        Refuse(400), Refuse(422), Refuse(413), Partial(),
        Down(0.5), Stall(False), Stall(True),
        Raw(b"HTTP/1.1 2O4 No Content\r\n\r\n"), Raw(b"\0" * 3000), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Raw(b"<html>not here</html>"),
        Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40000),
    ]


def test_faults():
    print(f"seed {SEED}", flush=True)
    chance = random.Random(SEED)
    versions = [kind() for kind in influx_api.VERSIONS] * (2 if lib.FULL else 1)
    with lib.RawBackend(ELSEWHERE.append) as elsewhere:
        every = answers(elsewhere.url + "/write")
        chance.shuffle(every)
        servers = run_all(
            [(version, list(cuts(number, chance))) for number, version in enumerate(versions)]
            + [(version, every if lib.FULL else every[number::len(versions)])
               for number, version in enumerate(versions)]
            + [(influx_api.Version1(), list(LIMITED))])
        assert not ELSEWHERE, "a redirect was followed"
    assert sum(server.store.repeats for server in servers) > 0  # what a client could not know
    # Not one write before the server allows it. (The daemon's clock is read once a turn, before.)
    waits = servers[-1].waits
    assert len(waits) == len(LIMITED) and waits[0] > 2.9 and waits[1] > 1.9, waits


def test_strict():
    """The server notices what is wrong: lines, types, order, another value for the same point."""
    good = b"a,host=x,name=a\\ b\\,c c=1i,d=0.5 7\n"
    assert influx_api.line_protocol.parse(good)[0].tags == {"host": "x", "name": "a b,c"}
    for bad in (b"a,host=x c=1i 7", b"a,host=x c=1i\n", b"a,host= c=1i 7\n", b"a,z=x,b=x c=1i 7\n", b"a c=i 7\n",
                b"a c=01i 7\n", b"a c=9223372036854775808i 7\n", b"a c=NaN 7\n", b"a,t=x\\ c=1i 7\n", b"\n",
                b"a,t=x=y c=1i 7\n", b"a c=1i,c=2i 7\n", b"a c=1i  7\n", b"a\xff c=1i 7\n", b"a,t=\tx c=1i 7\n"):
        with contextlib.suppress(influx_api.line_protocol.BadLine):
            influx_api.line_protocol.parse(bad)
            raise AssertionError(f"taken: {bad}")
    for bodies in ((b"a c=1i 7\n", b"a c=2i 7\n"), (b"a c=1i 7\n", b"a c=1i 6\n"), (b"a c=1i 7\n", b"a c=1 8\n"),
                   (b"a c=1i 8\na c=1i 7\n",), (b"a,x=1 y=1i 7\n", b"a,y=1 x=1i 8\n")):
        store = influx_api.Store([])
        for body in bodies:
            store.take(influx_api.line_protocol.parse(body))
        assert store.wrong, bodies


if __name__ == "__main__":
    lib.main(globals())
