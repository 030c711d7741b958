"""limpetd run --state: killed at any moment of an outage, no closed window is lost or changed."""
import collections
import contextlib
import http.server
import random
import re
import shutil
import tempfile
import threading
import time

import lib

ROUNDS = 200 if lib.FULL else 20
PIPE = re.compile(r"requests,complete=true,error=false,host=[^,]*,layer=pipe,name=/a count=(\d+)i,")


class Influx(http.server.ThreadingHTTPServer):
    """Takes writes while `up`, else answers 503; keeps the lines by their stamp."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.up = False
        self.lock = threading.Lock()
        self.stamps = []  # in the order in which they arrived
        self.lines = collections.defaultdict(list)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):  # connections of killed clients
        pass

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, body):
        arrived = collections.defaultdict(list)
        for line in body.decode().splitlines():
            arrived[int(line.rpartition(" ")[2])].append(line)
        with self.lock:
            for stamp, lines in arrived.items():
                assert stamp not in self.lines or self.lines[stamp] == lines, stamp
                self.stamps += [] if stamp in self.lines else [stamp]
                self.lines[stamp] = lines

    def requests(self):
        """The sum of count where layer='pipe'."""
        with self.lock:
            counts = (PIPE.match(line) for lines in self.lines.values() for line in lines)
            return sum(int(match.group(1)) for match in counts if match)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # the ping
        self.answer(204)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.up:
            self.server.take(body)
        self.answer(204 if self.server.up else 503)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def start(config, state):
    return lib.Limpetd(config, "--state", state)


@contextlib.contextmanager
def killed(daemon):
    """SIGKILL at the end of the block."""
    try:
        yield daemon
    finally:
        daemon.kill()


def identity(daemon):
    values = {key[len("limpet.influx."):]: value for key, value in daemon.stats().items()
              if key.startswith("limpet.influx.")}
    produced, written, buffered, dropped = (
        values["windows_" + name] for name in ("produced", "written", "buffered", "dropped"))
    assert produced == written + buffered + dropped, values
    return values


def send(daemon, count):
    for _ in range(count):
        assert lib.request("GET", daemon.port, "/a").status == 200


def test_kills():
    """Requests whose window was seen closed before the kill arrive, each once; windows of the kill's
    own moment may or may not. Numbers go on over all starts."""
    state = tempfile.mkdtemp(prefix="limpet-state-test.")
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    influx = Influx()
    try:
        with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
            config = lib.config([lib.endpoint("/a", backend)], metrics={"collection_time": "1s"},
                                influx={"address": influx.url, "ttl": "1s", "buffer_size": 1000000})
            certain = possible = 0
            for _ in range(ROUNDS):
                with killed(start(config, state)) as daemon:
                    count = chance.randrange(1, 6)
                    send(daemon, count)
                    possible += count
                    if chance.random() < 0.6:
                        lib.wait_until(
                            lambda: daemon.stats()["krakend.router.connected-total"] == count,
                            "the window's end")
                        certain += count
                    time.sleep(chance.random() * 0.3)
                    identity(daemon)
            with start(config, state) as daemon:
                daemon.wait_log(r"InfluxDB\] \d+ windows? found in storage")
                influx.up = True
                lib.wait_until(lambda: identity(daemon)["windows_written"] > 0 and
                               identity(daemon)["windows_buffered"] <= 1, "the windows arrive")
                values = identity(daemon)
                assert values["windows_dropped"] == 0, values
                daemon.stop()
            assert certain <= influx.requests() <= possible, (seed, certain, influx.requests())
            assert influx.stamps == sorted(influx.stamps), (seed, influx.stamps)
            with start(config, state) as daemon:
                values = identity(daemon)
                assert values["windows_written"] == len(influx.stamps), (seed, values)
    finally:
        influx.shutdown()
        shutil.rmtree(state)


def test_clean_stop_keeps_windows():
    """SIGTERM while InfluxDB is away: the windows wait for the next start."""
    state = tempfile.mkdtemp(prefix="limpet-state-test.")
    influx = Influx()
    try:
        with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
            config = lib.config([lib.endpoint("/a", backend)], metrics={"collection_time": "60s"},
                                influx={"address": influx.url, "ttl": "1s", "buffer_size": 1000000})
            with start(config, state) as daemon:
                send(daemon, 3)
                assert daemon.stop() == 0
                daemon.wait_log(r"1 window left in storage for the next start")
            influx.up = True
            with start(config, state) as daemon:
                lib.wait_until(lambda: influx.requests() == 3, "the window of the first run")
                other = lib.run("run", "-c", daemon.config_path, "-p", str(lib.free_port()),
                                "--state", state)
                assert other.returncode == 1 and "another limpetd uses it" in other.stderr, other
    finally:
        influx.shutdown()
        shutil.rmtree(state)


if __name__ == "__main__":
    lib.main(globals())
