"""Raw bytes on the wire of the running daemon: what is refused, how connections end, full slots."""
import glob
import os
import socket
import ssl
import threading

import lib

MESSAGES = os.path.join(lib.ROOT, "tests", "regress", "message")
GATEWAY_CONNS = 512  # LIMPET_GATEWAY_CONNS
HEALTH = b"GET /__health HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=lib.SECONDS_MAX)


def read_to_end(client):
    """Everything until the daemon ends the connection; a reset or silence fails the test."""
    answer = b""
    while True:
        piece = client.recv(65536)
        if not piece:
            return answer
        answer += piece


def talk(port, request):
    with connect(port) as client:
        client.sendall(request)
        return read_to_end(client)


def status_of(answer):
    return answer[9:12].decode("ascii")


def daemon(**keys):
    # Requests for endpoints of the daemon go to its own echo.
    port = lib.free_port()
    endpoints = [lib.endpoint("/raw", f"http://127.0.0.1:{port}", "/__echo/raw", method="POST",
                              output_encoding="no-op", backend_encoding="no-op")]
    return lib.Limpetd(lib.config(endpoints, port=port, echo_endpoint=True, **keys))


def test_bad_messages_are_refused_with_their_status():
    with daemon() as limpetd:
        files = glob.glob(os.path.join(MESSAGES, "request-[45]*"))
        assert len(files) > 10, files
        for path in files:
            with open(path, "rb") as file:
                request = file.read()
            wanted = os.path.basename(path).split("-")[1]
            answer = talk(limpetd.port, request)
            if "tls" in path:
                assert answer == b"", (path, answer)
            else:
                assert status_of(answer) == wanted, (path, answer)
                assert b"\r\nConnection: close\r\n" in answer, (path, answer)
                assert answer.count(b"HTTP/1.1 ") == 1, (path, answer)


def test_tls_on_the_plain_port_ends_at_once():
    with daemon() as limpetd, connect(limpetd.port) as client:
        try:
            ssl.create_default_context().wrap_socket(client, server_hostname="a")
        except ssl.SSLError:
            return
        raise AssertionError("a handshake with a plain port")


def test_a_client_that_still_sends_reads_the_refusal():
    with daemon() as limpetd:
        body = b"x" * 3000000
        requests = {
            limpetd.port: (b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
            limpetd.stats_port: (b"POST /__stats HTTP/1.1\r\nHost: a\r\n"
                                 b"Content-Length: 3000000\r\n\r\n", "413"),
        }
        for port, (request, status) in requests.items():
            assert status_of(talk(port, request + body)) == status


def test_pipelined_requests_of_a_client_that_has_closed_its_side():
    with daemon() as limpetd, connect(limpetd.port) as client:
        client.sendall(HEALTH * 300)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client).count(b"HTTP/1.1 200 OK\r\n") == 300


def test_slow_heads_end():
    with daemon() as limpetd, connect(limpetd.port) as slow, connect(limpetd.port) as silent:
        slow.sendall(b"GET /__health HTTP/1.1\r\nHo")
        assert status_of(read_to_end(slow)) == "408"
        assert read_to_end(silent) == b""


def test_leave_to_send_a_body():
    with daemon() as limpetd, connect(limpetd.port) as client:
        client.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                       b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        answer = read_to_end(client)
        assert status_of(answer) == "200" and b'"req_body":"abc"' in answer, answer


def test_head_and_methods_of_the_metrics():
    with daemon() as limpetd:
        get = lib.request("GET", limpetd.stats_port, "/__stats")
        head = lib.request("HEAD", limpetd.stats_port, "/__stats/")
        assert get.status == head.status == 200 and head.body == b""
        assert get.headers["Content-Type"] == head.headers["Content-Type"] \
            == "application/json; charset=utf-8"
        post = lib.request("POST", limpetd.stats_port, "/__stats", body=b"")
        assert post.status == 405 and post.headers["Allow"] == "GET, HEAD"
        assert lib.request("GET", limpetd.stats_port, "/").status == 404


class Gate(lib.RawBackend):
    """Answers nothing before it is opened, then everything."""

    def __init__(self):
        self.opened = threading.Event()
        super().__init__(self.run)

    def run(self, connection):
        while lib.read_head(connection):
            self.opened.wait(2 * lib.SECONDS_MAX)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_full_slots():
    """Requests hold the slots: a half head may take only so long, and a slow machine needs longer to
    open all connections."""
    endpoint = {"output_encoding": "no-op", "timeout": f"{4 * lib.SECONDS_MAX}s"}
    with Gate() as backend, \
            lib.Limpetd(lib.config([lib.endpoint("/wait", backend, **endpoint)])) as limpetd:
        held = []
        try:
            for _ in range(GATEWAY_CONNS):
                held.append(connect(limpetd.port))
                held[-1].sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            def is_full():
                answer = talk(limpetd.port, HEALTH[:-2] + b"Connection: close\r\n\r\n")
                return answer if status_of(answer) == "503" else None
            refusal = lib.wait_until(is_full, "503 when all slots are taken")
            assert b"\r\nRetry-After: 1\r\n" in refusal, refusal
            assert limpetd.stats()["cmdline"][1] == "run"
            backend.opened.set()
            for client in held:
                assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            # All are idle now: the one that is idle for longest makes room.
            assert limpetd.get("/__health").status == 200
        finally:
            backend.opened.set()
            for client in held:
                client.close()


if __name__ == "__main__":
    lib.main(globals())
