"""What the tests of HTTP/1.1 on the wire share: raw requests to the daemon, the answers cut apart,
and backends that write down exactly what they got or say exactly what they are told."""
import socket
import threading

import lib

FOLLOW = b"GET /__health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST /up HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO_CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


class Recorder(lib.RawBackend):
    """Answers each request with 200 "ok" and keeps what it got: `requests` (head, body) that were
    complete, `extra` bytes behind them that nobody asked for."""

    def __init__(self):
        self.requests = []
        self.extra = []
        super().__init__(self.run)

    def run(self, connection):
        left = b""
        while True:
            while b"\r\n\r\n" not in left:
                more = connection.recv(65536)
                if not more:
                    return
                left += more
            head, _, left = left.partition(b"\r\n\r\n")
            body, left = self.body(connection, head, left)
            if left:
                self.extra.append(left)
            self.requests.append((head, body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    @staticmethod
    def body(connection, head, left):
        fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        pairs = [(name.lower(), value.strip()) for name, _, value in fields]
        length = [value for name, value in pairs if name == b"content-length"]
        coding = [value for name, value in pairs if name == b"transfer-encoding"]
        assert len(length) + len(coding) <= 1, head
        file = connection.makefile("rb")

        def take(count):
            nonlocal left
            while len(left) < count:
                more = file.read1(65536)
                if not more:
                    raise OSError("the request ends in its body")
                left += more
            taken, left = left[:count], left[count:]
            return taken

        def line():
            text = b""
            while not text.endswith(b"\r\n"):
                text += take(1)
            return text[:-2]
        if not coding:
            return take(int(length[0]) if length else 0), left
        whole = b""
        while True:
            size = int(line(), 16)
            if size == 0:
                assert line() == b""
                return whole, left
            whole += take(size)
            assert take(2) == b"\r\n"


def read_to_end(client):
    got = b""
    while True:
        piece = client.recv(65536)
        if not piece:
            return got
        got += piece


def talk(port, request, pieces=1):
    """Everything that comes back until the daemon closes; a reset or silence fails the test."""
    with socket.create_connection(("127.0.0.1", port), timeout=lib.SECONDS_MAX) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = max(1, len(request) // pieces)
        for at in range(0, len(request), step):
            client.sendall(request[at:at + step])
        return read_to_end(client)


def split(stream, methods=()):
    """The answers in a stream: (status, fields, body) of each; every byte belongs to one."""
    found = []
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert end and lines[0].startswith(b"HTTP/1.1 "), (head, stream)
        fields = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b": ")
            assert colon, line
            fields[name.decode().lower()] = value.decode()
        status = int(lines[0][9:12])
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        bodiless = method == "HEAD" or status in (204, 304) or status < 200
        length = 0 if bodiless else int(fields.get("content-length", 0))
        assert bodiless or "content-length" in fields, head
        assert len(stream) >= length, (head, stream)
        found.append((status, fields, stream[:length]))
        stream = stream[length:]
    return found


class Script(lib.RawBackend):
    """Says the same bytes to every request for /case and "ok" to the others; `asked` holds the path
    and the number of the connection of each request."""

    def __init__(self, method="GET"):
        self.method = method
        self.raw, self.ends = b"", False
        self.asked = []
        self.lock = threading.Lock()
        super().__init__(self.run)

    def run(self, connection):
        number = self.connections
        while True:
            head = lib.read_head(connection)
            if not head:
                return
            path = head.split(b" ")[1]
            with self.lock:
                self.asked.append((path, number))
            if path == b"/ok":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            connection.sendall(self.raw)
            if self.ends:
                return
