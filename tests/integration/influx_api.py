"""A scripted InfluxDB, built from the published API of 1.x, 2.x and 3.x: it believes nothing, and does
to each write what its script says. What it finds wrong with the client goes to `wrong`.

    with Server(Version1()) as server:
        server.script = [Answer(503), GOOD, CutRequest(17), GOOD]    # one entry a write, then GOOD
"""
import base64
import collections
import contextlib
import json
import socket
import threading
import time
import urllib.parse

import lib
import line_protocol

# ---- What the versions ask for -------------------------------------------------------------------

class Version1:
    """1.x: /write?db=&precision=, Basic login; a database that is not there is a 404."""

    name, path = "1.x", "/write"
    keys = {"db": "krakend", "username": "limpet", "password": "pass:word/+ 1"}
    login = "Basic " + base64.b64encode(b"limpet:pass:word/+ 1").decode()
    ping = (204, {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"}, b"")
    needs = {"db": "krakend", "precision": "s"}
    may = {"consistency": ("", "any", "one", "quorum", "all"), "rp": ("",)}

    def expect(self, **keys):
        """Another login and other names than those above; keys that this version has not are left out."""
        self.keys = {name: keys.get(name, value) for name, value in self.keys.items()}
        self.needs = {name: self.keys.get(name, value) for name, value in self.needs.items()}
        login = f"{self.keys.get('username')}:{self.keys.get('password')}".encode()
        self.login = ("Token " + self.keys["token"] if "token" in self.keys
                      else "Basic " + base64.b64encode(login).decode())

    def partial(self, refused):
        return 400, {"error": 'partial write: field type conflict: input field "total" on measurement '
                              f'"router" is type integer, already exists as type float dropped={len(refused)}'}

    def malformed(self, point):
        return 400, {"error": f"unable to parse '{point.text}': invalid number"}


class Version2(Version1):
    """2.x its own way: /api/v2/write?bucket=&org=&precision=, an API token."""

    name, path = "2.x", "/api/v2/write"
    keys = {"token": "a-token==", "org": "my org", "bucket": "krakend/autogen"}
    login = "Token a-token=="
    ping = (204, {"X-Influxdb-Version": "v2.7.11", "X-Influxdb-Build": "OSS"}, b"")
    needs = {"bucket": "krakend/autogen", "org": "my org", "precision": "s"}
    may = {}

    def partial(self, refused):
        return 422, {"code": "unprocessable entity", "message": "failure writing points to database: partial "
                     f"write: points beyond retention policy dropped={len(refused)}"}

    def malformed(self, point):
        return 400, {"code": "invalid", "message": f"unable to parse '{point.text}': missing fields"}


class Version2As1(Version1):
    """2.x by 1.x compatibility: a mapped database and a 1.x authorization."""

    name = "2.x as 1.x"
    ping = Version2.ping
    partial = Version2.partial
    malformed = Version2.malformed


class Version3(Version2):
    """3.x through /api/v2/write: the bucket is the database, there is no organization."""

    name = "3.x"
    keys = {"token": "apiv3_token", "bucket": "krakend"}
    login = "Token apiv3_token"
    ping = (200, {"Content-Type": "application/json"}, b'{"version":"3.1.0","revision":"0000000"}')
    needs = {"bucket": "krakend", "precision": "s"}

    def partial(self, refused):
        return 400, {"error": "partial write of line protocol occurred",
                     "data": [{"original_line": point.text, "line_number": number,
                               "error_message": "invalid column type"}
                              for number, point in enumerate(refused, 1)]}

    def malformed(self, point):
        return 400, {"error": "parsing failed for write_lp endpoint",
                     "data": {"original_line": point.text, "line_number": 1, "error_message": "invalid"}}


class Version3As1(Version3):
    """3.x through /write: Basic login with the token as password, any user name."""

    name, path = "3.x as 1.x", "/write"
    keys = {"db": "krakend", "username": "anybody", "password": "apiv3_token"}
    login = "Basic " + base64.b64encode(b"anybody:apiv3_token").decode()
    needs = {"db": "krakend", "precision": "s"}
    may = Version1.may


VERSIONS = (Version1, Version2, Version2As1, Version3, Version3As1)


# ---- What arrived --------------------------------------------------------------------------------

class Store:
    """Windows by their stamp. Not locked: the server is."""

    def __init__(self, wrong):
        self.wrong = wrong
        self.types = {}
        self.kinds = {}       # of each name in a measurement: tag or field, never both (3.x)
        self.values = {}      # (series, field, stamp) -> value
        self.windows = {}     # stamp -> text of all its lines, in the order of arrival
        self.refused = {}     # the same for windows that were refused for good
        self.repeats = 0

    def look(self, points):
        """{stamp: points} of a request, which must hold whole windows, in order."""
        found = collections.OrderedDict()
        for point in points:
            found.setdefault(point.stamp, []).append(point)
        if [point.stamp for point in points] != sorted(point.stamp for point in points):
            self.wrong.append("stamps of a request are not in order")
        return found

    def take(self, points, but=()):
        """Stores the request, without the points of `but`."""
        for stamp, lines in self.look(points).items():
            text = [point.text for point in lines]
            if stamp in self.refused:
                self.wrong.append(f"window {stamp} was refused for good and came again")
            elif stamp not in self.windows:
                newest = max(self.windows, default=stamp - 1)
                if stamp <= newest:
                    self.wrong.append(f"window {stamp} came after {newest}")
                self.windows[stamp] = text
            elif self.windows[stamp] != text:
                self.wrong.append(f"window {stamp} came again as something else")
            else:
                self.repeats += 1
        for point in points:
            if point not in but:
                self.put(point)

    def put(self, point):
        for name in point.tags:
            self.check_kind(point.measurement, name, "tag")
        for name, value in point.fields.items():
            self.check_kind(point.measurement, name, "field")
            kind = self.types.setdefault((point.measurement, name), point.types[name])
            if kind != point.types[name]:
                self.wrong.append(f"{point.measurement}.{name} was {kind}: {point.text}")
            key = (point.series, name, point.stamp)
            if self.values.setdefault(key, value) != value:
                self.wrong.append(f"a second value for the same point: {point.text}")

    def check_kind(self, measurement, name, kind):
        if self.kinds.setdefault((measurement, name), kind) != kind:
            self.wrong.append(f"{name} is tag and field of {measurement}")

    def give_up(self, points):
        for stamp, lines in self.look(points).items():
            self.refused[stamp] = [point.text for point in lines]

    def sum(self):
        """sum(count) where layer='pipe', of what is stored."""
        return sum(value for ((measurement, tags), name, _), value in self.values.items()
                   if measurement == "requests" and name == "count" and dict(tags)["layer"] == "pipe")

    def refused_sum(self):
        points = (line_protocol.parse_line(line) for lines in self.refused.values() for line in lines)
        return sum(point.fields.get("count", 0) for point in points
                   if point.measurement == "requests" and point.tags["layer"] == "pipe")


# ---- What happens to a write ---------------------------------------------------------------------

class Good:
    """Taken, 204."""

    name = "good"

    def serve(self, server, stream):
        server.take(stream)
        return server.answer(stream, 204)


class CutRequest:
    """The connection ends after so many bytes of the request; what else came is thrown away."""

    def __init__(self, at, reset):
        self.at, self.reset = at, reset
        self.name = f"request cut after {at}, {'reset' if reset else 'closed'}"

    def serve(self, _, stream):
        stream.read(self.at)
        return stream.end(self.reset)


class CutAnswer:
    """Everything is taken, and of the answer only so many bytes are said."""

    def __init__(self, at):
        self.at = at
        self.name = f"answer cut after {at}"

    def serve(self, server, stream):
        server.take(stream)
        stream.connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\n\r\n"[:self.at])
        return stream.end(False)


class Stall:
    """Everything is heard, and nothing said until the client is tired of it."""

    def __init__(self, taken):
        self.taken = taken
        self.name = "stalls, " + ("taken" if taken else "not taken")

    def serve(self, server, stream):
        points = server.request(stream)
        if self.taken:
            server.store_points(points)
        with contextlib.suppress(OSError):
            stream.connection.settimeout(lib.SECONDS_MAX)
            while stream.connection.recv(4096):
                pass
        return False


class Answer:
    """Not taken; `early`: said when the head is there, without the body."""

    def __init__(self, status, headers=None, body=b"busy", early=False):
        self.status, self.headers, self.body, self.early = status, headers or {}, body, early
        self.name = f"status {status} {self.headers}{' early' if early else ''}"

    def serve(self, server, stream):
        if self.early:
            stream.head()
        else:
            server.request(stream)
        server.said_at = time.monotonic()
        server.answer(stream, self.status, self.headers, self.body)
        return not self.early


class Raw:
    """Bytes that are no answer, or a strange one."""

    def __init__(self, data):
        self.data = data
        self.name = f"garbage {data[:30]!r}"

    def serve(self, server, stream):
        server.request(stream)
        stream.connection.sendall(self.data)
        return stream.end(False)


class Partial:
    """All but the points of one measurement are taken; the answer says so."""

    name = "partial write"

    def serve(self, server, stream):
        points = server.request(stream)
        refused = [point for point in points if point.measurement == "runtime"]
        assert refused
        server.store_points(points, refused)
        server.points_refused += len(refused)
        status, body = server.version.partial(refused)
        return server.answer(stream, status, {}, json.dumps(body).encode())


class Refuse:
    """Refused whole: by 400, or by 413 (too long). A window that is alone will not come again."""

    def __init__(self, status):
        self.status = status
        self.name = f"refused whole, {status}"

    def serve(self, server, stream):
        points = server.request(stream)
        with server.lock:
            if len(server.store.look(points)) == 1:
                server.store.give_up(points)
        body = server.version.malformed(points[0])[1]
        return server.answer(stream, self.status, {}, json.dumps(body).encode())


class Down:
    """Nobody listens for a while; running connections are reset."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.name = f"down for {seconds} s"

    def serve(self, server, stream):
        server.go_down(self.seconds)
        return stream.end(True)


GOOD = Good()


# ---- The server ----------------------------------------------------------------------------------

class Stream:
    """One connection, read as exactly as a script wants."""

    def __init__(self, connection):
        self.connection = connection
        self.pending = b""

    def more(self, count=65536):
        data = self.connection.recv(count)
        if not data:
            raise ConnectionError("the client closed")
        self.pending += data

    def first_byte(self):
        """Waits for a request; False when none comes any more."""
        if not self.pending:
            self.pending = self.connection.recv(1)
        return self.pending

    def read(self, count):
        while len(self.pending) < count:
            self.more(count - len(self.pending))
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def head(self):
        """(method, target, fields) of a request, its fields by their name in small letters."""
        while b"\r\n\r\n" not in self.pending:
            self.more()
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        line, *rest = head.decode("ascii").split("\r\n")
        method, target, version = line.split(" ")
        fields = [field.split(": ", 1) for field in rest]
        names = [name.lower() for name, _ in fields]
        assert version == "HTTP/1.1" and len(set(names)) == len(names), head
        return method, target, {name.lower(): value for name, value in fields}

    def end(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False


class Server(lib.RawBackend):
    """`script` is what happens to the next writes; `wrong` lists what the client did wrong, `log` what was
    done to it; `said_at` is when the last Answer was said."""

    def __init__(self, version):
        self.version = version
        self.lock = threading.Lock()
        self.wrong = []
        self.store = Store(self.wrong)
        self.script = []
        self.log = []
        self.writes = 0
        self.points_refused = 0
        self.said_at = None
        self.waits = []  # seconds between an Answer and the next write
        super().__init__(self.serve_http)

    # A connection is served by one thread; the script's next entry belongs to the next write that begins.
    def serve_http(self, connection):
        stream = Stream(connection)
        with contextlib.suppress(ConnectionError):
            while stream.first_byte():
                fault = self.ping if stream.pending == b"G" else self.next_fault().serve
                try:
                    if not fault(self, stream):
                        return
                except (AssertionError, line_protocol.BadLine, ValueError) as error:
                    self.wrong.append(f"{self.log[-1:]}: {error}")
                    return

    def next_fault(self):
        with self.lock:
            self.writes += 1
            if self.said_at:
                self.waits.append(time.monotonic() - self.said_at)
                self.said_at = None
            fault = self.script.pop(0) if self.script else GOOD
            self.log.append(fault.name)
            return fault

    def ping(self, _, stream):
        method, target, fields = stream.head()
        assert (method, target) == ("GET", "/ping?wait_for_leader=1s"), (method, target)
        self.check_common(fields)
        status, headers, body = self.version.ping
        return self.answer(stream, status, headers, body)

    def check_common(self, fields):
        assert fields["host"] == f"localhost:{self.port}", fields
        assert fields.get("user-agent"), fields
        assert fields.get("authorization") == self.version.login, fields

    def request(self, stream):
        """Reads and checks a write; its points."""
        method, target, fields = stream.head()
        path, _, query = target.partition("?")
        assert (method, path) == ("POST", self.version.path), (method, target)
        params = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
        given = dict(params)
        assert len(given) == len(params), target
        for name, value in self.version.needs.items():
            assert given.pop(name, None) == value, (name, target)
        for name, value in given.items():
            assert value in self.version.may.get(name, ()), (name, target)
        self.check_common(fields)
        assert "transfer-encoding" not in fields and "expect" not in fields, fields
        return line_protocol.parse(stream.read(int(fields["content-length"])))

    def store_points(self, points, but=()):
        # What a server that guesses the precision (3.x, "auto") takes for seconds, too; and near now.
        assert all(abs(point.stamp - time.time()) < 3600 for point in points), points[0].text
        with self.lock:
            self.store.take(points, but)

    def take(self, stream):
        self.store_points(self.request(stream))

    def answer(self, stream, status, headers=None, body=b""):
        fields = {**(headers or {})}
        if status != 204:
            fields["Content-Length"] = str(len(body))
        head = f"HTTP/1.1 {status} Said\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        stream.connection.sendall(head.encode() + b"\r\n" + body)
        return True

    def go_down(self, seconds):
        super().close()

        def come_back():
            time.sleep(seconds)
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
            self._accept()
        threading.Thread(target=come_back, daemon=True).start()
