"""What the whole-daemon tests share: limpetd on free loopback ports, backends that stand in for the
world, and a runner. A test program is

    import lib

    def test_something():
        with lib.Backend({"/a": lib.Answer({"id": 1})}) as backend:
            config = lib.config([lib.endpoint("/a", backend)])
            with lib.Limpetd(config) as daemon:
                assert daemon.get("/a").json() == {"id": 1}

    if __name__ == "__main__":
        lib.main(globals())

Leaving `with lib.Limpetd` stops the daemon by SIGTERM and fails when it does not exit with 0.
"""
import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMPETD = os.environ.get("LIMPETD") or os.path.join(ROOT, "build", "posix", "limpetd")
FULL = bool(os.environ.get("LIMPET_FULL"))

# How long anything may take before a test gives up on it: a loaded machine, with sanitizers.
SECONDS_MAX = 60
# The same for the end of limpetd: with sanitizers it looks through all its memory for leaks then.
SECONDS_END_MAX = 3 * SECONDS_MAX

# A backend that refuses every connection (port 10 is assigned to nobody).
NOBODY = "http://127.0.0.1:10"

_ports_given = set()


def free_port():
    """A TCP port that is free on 127.0.0.1 and was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def wait_until(condition, what, seconds=SECONDS_MAX):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


# ---- Configuration -------------------------------------------------------------------------------

def endpoint(path, backend, url_pattern=None, **keys):
    """One entry of endpoints[] with one backend (a Backend or "http://host:port"). Keys that start with
    `backend_` go into the backend's entry: endpoint("/a", b, output_encoding="no-op",
    backend_encoding="no-op")."""
    host = backend if isinstance(backend, str) else backend.url
    entry = {"host": [host], "url_pattern": url_pattern or path}
    result = {"endpoint": path, "backend": [entry]}
    for key, value in keys.items():
        if key.startswith("backend_"):
            entry[key[len("backend_"):]] = value
        else:
            result[key] = value
    return result


def config(endpoints, metrics=None, influx=None, **keys):
    """A whole krakend.json on free ports of 127.0.0.1; `metrics` and `influx` add to or replace keys of
    their namespaces, other keywords are keys of the service."""
    extra = {"telemetry/metrics": {"collection_time": "60s",
                                   "listen_address": f"127.0.0.1:{free_port()}", **(metrics or {})},
             "telemetry/logging": {"level": "DEBUG"}}
    if influx is not None:
        extra["telemetry/influx"] = influx
    result = {"version": 3, "listen_ip": "127.0.0.1", "port": free_port(), "endpoints": endpoints,
              "extra_config": extra}
    result.update(keys)
    return result


# ---- The daemon ----------------------------------------------------------------------------------

def run(*args, **keywords):
    """Runs limpetd to its end, for commands that end by themselves."""
    return subprocess.run([LIMPETD, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False, **keywords)


class Response:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)


def request(method, port, path, body=None, headers=None, host="127.0.0.1"):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS_MAX)
    try:
        connection.request(method, path, body, headers or {})
        return Response(connection.getresponse())
    finally:
        connection.close()


class Limpetd:
    """A running limpetd. `config` is a dictionary (see config()), or a text as it stands in the file."""

    def __init__(self, config, *args, wait=True, **popen):  # pylint: disable=redefined-outer-name
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        parsed = json.loads(text)
        self.config = parsed
        self.port = parsed.get("port", 8080)
        metrics = parsed.get("extra_config", {}).get("telemetry/metrics", {})
        self.stats_port = int(metrics.get("listen_address", ":8090").rpartition(":")[2])
        self.folder = tempfile.mkdtemp(prefix="limpetd-test.")
        self.config_path = os.path.join(self.folder, "krakend.json")
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)
        if "-p" in args:
            self.port = int(args[args.index("-p") + 1])
        self.lines = []
        self.process = subprocess.Popen(
            [LIMPETD, "run", "-c", self.config_path, *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", **popen)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if wait:
            self.wait_ready()

    def _read_log(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def stats_url(self):
        return f"http://127.0.0.1:{self.stats_port}/__stats/"

    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, seconds=SECONDS_MAX):
        """Waits for a line of the log that matches the regular expression; returns the match."""
        def look():
            return next(filter(None, (re.search(pattern, line) for line in list(self.lines))), None)
        try:
            return wait_until(look, f"a log line with {pattern!r}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log:\n{self.log()}") from None

    def wait_ready(self):
        """Until the gateway answers; it is published first, the metrics listener in the same turn."""
        def answers():
            if self.process.poll() is not None:
                self._reader.join(SECONDS_MAX)
                raise AssertionError(f"limpetd exited with {self.process.returncode}:\n{self.log()}")
            try:
                return request("GET", self.port, "/__health").status == 200
            except OSError:
                return False
            except http.client.HTTPException:
                return False
        try:
            wait_until(answers, "GET /__health gives 200")
        except AssertionError:
            self.kill()
            raise

    def get(self, path, **keywords):
        return request("GET", self.port, path, **keywords)

    def request(self, method, path, **keywords):
        return request(method, self.port, path, **keywords)

    def stats(self):
        """/__stats/ as a dictionary."""
        response = request("GET", self.stats_port, "/__stats/")
        assert response.status == 200, response.status
        return response.json()

    def memory_kb(self, name="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.M).group(1))

    def wait_exit(self, seconds=SECONDS_END_MAX):
        """The exit status (negative: killed by that signal); every line of the log has been read."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"limpetd did not stop; the log:\n{self.log()}") from None
        self._reader.join(SECONDS_MAX)
        return code

    def stop(self, number=signal.SIGTERM):
        """Asks to stop and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait_exit()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS_MAX)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            code = self.stop()
        finally:
            self.kill()
        if kind is not None:
            print("---- limpetd's log\n" + self.log() + "\n----", flush=True)
        elif code != 0:
            raise AssertionError(f"limpetd exited with {code}; the log:\n{self.log()}")


# ---- Backends ------------------------------------------------------------------------------------

class Answer:
    """What a Backend says: body as bytes, str, or anything else as JSON."""

    def __init__(self, body=b"", status=200, headers=None, chunked=False, delay=0.0):
        self.status = status
        self.headers = dict(headers or {})
        self.chunked = chunked
        self.delay = delay
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
            self.headers.setdefault("Content-Type", "application/json")
        self.body = body


class Seen:
    """One request that a Backend got."""

    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body


class Backend:
    """A threaded HTTP/1.1 server with keep-alive. routes: path (without query) -> Answer, or a function
    of Seen that returns one; a path that is not there is a 404. `seen` lists the requests, `connections`
    counts the accepted ones."""

    def __init__(self, routes=None, default=None, port=0):
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with backend.lock:
                    backend.connections += 1

            def handle_any(self):
                backend.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the peer went away

        self.routes = dict(routes or {})
        self.default = default
        self.seen = []
        self.connections = 0
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def handle(self, handler):
        body = read_body(handler)
        seen = Seen(handler.command, handler.path, handler.headers, body)
        with self.lock:
            self.seen.append(seen)
        answer = self.routes.get(handler.path.partition("?")[0], self.default)
        if callable(answer):
            answer = answer(seen)
        if answer is None:
            answer = Answer("not here", status=404)
        time.sleep(answer.delay)
        write_answer(handler, answer)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_body(handler):
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    body = b""
    while True:
        size = int(handler.rfile.readline().split(b";")[0], 16)
        chunk = handler.rfile.read(size + 2)[:-2]
        if size == 0:
            return body
        body += chunk


def write_answer(handler, answer):
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    bodiless = answer.status in (204, 304) or handler.command == "HEAD"
    if answer.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    elif answer.status not in (204, 304):
        handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    if bodiless:
        return
    if not answer.chunked:
        handler.wfile.write(answer.body)
        return
    for at in range(0, len(answer.body), 1000):
        chunk = answer.body[at:at + 1000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    handler.wfile.write(b"0\r\n\r\n")


class RawBackend:
    """A TCP server for what no HTTP server would say: serve(connection) runs in a thread for each
    connection and the connection is closed after it."""

    def __init__(self, serve):
        self.serve = serve
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_head(connection):
    """The bytes of a socket up to and with the empty line."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            break
        head += more
    return head


# ---- Runner --------------------------------------------------------------------------------------

def main(module):
    """Runs every test_* function of the module (or those named on the command line)."""
    names = sys.argv[1:] or [name for name, value in module.items()
                             if name.startswith("test_") and callable(value)]
    failed = 0
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's SIG_IGN would pass on to the daemon
    for name in names:
        start = time.monotonic()
        try:
            module[name]()
            result = "passed"
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
            result = "FAILED"
            failed += 1
        print(f"{result} {name} ({time.monotonic() - start:.1f} s)", flush=True)
    sys.exit(1 if failed or not names else 0)
