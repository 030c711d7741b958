"""HTTP/1.1 on the wire, through the gateway to a backend that writes down what it got: what could be
read in two ways is refused with the connection closed, what complies is answered, and one request in
is one request out and one answer back. The same for the answers of backends."""
import lib
from wire import CHUNKED, FOLLOW, HELLO_CHUNKS, POST, Recorder, Script, split, talk


def gateway(backend, **keys):
    endpoints = [lib.endpoint("/up", backend, method="POST", output_encoding="no-op"),
                 lib.endpoint("/get", backend, output_encoding="no-op")]
    return lib.Limpetd(lib.config(endpoints, timeout="20s", **keys))


def statuses(daemon, request):
    return [status for status, _, _ in split(talk(daemon.port, request + FOLLOW))]


# ---- Two readings: refused -----------------------------------------------------------------------

def field_cases():
    """Fields that say twice or unclearly where the body ends, of a POST."""
    both = b"Transfer-Encoding: chunked", b"Content-Length: 15"
    yield b"\r\n".join(both)
    yield b"\r\n".join(reversed(both))
    for value in (b"5, 5", b"5,5", b"5 5", b"+5", b"-5", b"0x5", b"5;", b"5.0", b"", b"'5'", b"5,",
                  b"\x0b5", b"5\x00", b"18446744073709551621", b"9" * 40, b"5e0", b"\xb2", b"1_5"):
        yield b"Content-Length: " + value
    for first, second in ((b"5", b"5"), (b"5", b"0"), (b"0", b"5"), (b"15", b"5")):
        yield b"Content-Length: " + first + b"\r\nContent-Length: " + second
        yield b"Content-Length: " + first + b"\r\ncontent-length:" + second
    for value in (b"chunked, identity", b"chunked, chunked", b"chunked,", b",chunked", b"",
                  b"chunked;a=b", b'"chunked"', b"chunked\x00", b"\x0bchunked", b"chunked\x0c",
                  b"chunked, gzip", b"chunked chunked", b"\xa0chunked", b"[chunked]"):
        yield b"Transfer-Encoding: " + value
    for name in (b"Transfer-Encoding ", b"Transfer-Encoding\t", b" Transfer-Encoding",
                 b"Transfer-Encoding\x00", b"Transfer Encoding", b"Transfer-Encoding\r",
                 b"\x0bTransfer-Encoding", b"Transfer-Encoding\xff"):
        yield name + b": chunked\r\nContent-Length: 15"
    yield b"Content-Length : 15"
    yield b"Content-Length\x0b: 15"
    for fold in (b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\n\t, identity",
                 b"Content-Length:\r\n 15", b"X: a\r\n b\r\nContent-Length: 15"):
        yield fold
    for line in (b"X: a\nTransfer-Encoding: chunked", b"X: a\rTransfer-Encoding: chunked",
                 b"X: a\n\r\nY: b", b"X\n: a", b"X: a\x00b", b"X", b": a", b"\x00: a", b"X: \x7f"):
        yield line + b"\r\nContent-Length: 15"
    yield b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
    yield b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"
    for host in (b"Host: a", b"host: b", b"HOST:"):
        yield host + b"\r\nContent-Length: 15"


def line_cases():
    """Whole heads."""
    for line in (b"GET http://a/get HTTP/1.1", b"GET HTTP://b/get HTTP/1.1", b"GET a:80 HTTP/1.1",
                 b"CONNECT a:80 HTTP/1.1", b"GET * HTTP/1.1", b"GET  /get HTTP/1.1", b"GET /get",
                 b"GET /get  HTTP/1.1", b"GET /get HTTP/1.1 ", b"GET\t/get HTTP/1.1",
                 b" GET /get HTTP/1.1", b"GET /g\x00et HTTP/1.1", b"GET /get http/1.1",
                 b"GET /get HTTP/1.1.1", b"GET /get HTTP/01.1", b"GET /get#a HTTP/1.1",
                 b"G\x00ET /get HTTP/1.1", b"GET /get HTTP/1,1", b"GET /%zz HTTP/1.1",
                 b"GET /get HTTP/1.1\nX: y", b"GET /get HTTP/1.1\rX: y", b"GET get HTTP/1.1",
                 b"GET /a b HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"\nGET /get HTTP/1.1"):
        yield line + b"\r\nHost: a\r\n\r\n"
    yield b"GET /get HTTP/1.1\r\n\r\n"
    for host in (b"", b" ", b"a b", b"a, b", b"u@a", b"a/b", b"a:65536", b":80", b"http://a", b"[a"):
        yield b"GET /get HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    yield b"POST /up HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO_CHUNKS
    yield b"GET /get HTTP/1.1\r\nHost: a\n\r\n"
    yield b"GET /get HTTP/1.1\r\nHost: a\r\n\n"
    yield b"GET /get HTTP/1.1\nHost: a\n\n"


CHUNK_BODIES = (
    b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5_\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"8000000000000000\r\nhello\r\n0\r\n\r\n", b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n",
    b"4\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
    b"5;\nX\r\nhello\r\n0\r\n\r\n", b"5;a\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a=\"b\r\nhello\r\n0\r\n\r\n", b"5;\r\nhello\r\n0\r\n\r\n", b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    b"5 ;a\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\nZ: a\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX\r\n\r\n", b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
    b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n")


def refused_once(daemon, request, wanted=(400,)):
    """The request and what follows it get one answer, and the connection is closed."""
    answers = split(talk(daemon.port, request + FOLLOW))
    assert len(answers) == 1, (request, answers)
    status, fields, _ = answers[0]
    assert status in wanted, (request, status)
    assert fields["connection"] == "close", (request, fields)


def test_two_readings_are_refused():
    with Recorder() as backend, gateway(backend) as daemon:
        for fields in field_cases():
            refused_once(daemon, POST + fields + b"\r\n\r\n" + HELLO_CHUNKS)
        for head in line_cases():
            refused_once(daemon, head)
        assert backend.requests == [] and backend.extra == [], backend.requests


def test_bad_chunks_are_refused():
    """Maybe in the middle of the request to the backend, which then never gets its end."""
    with Recorder() as backend, gateway(backend) as daemon:
        for body in CHUNK_BODIES:
            refused_once(daemon, CHUNKED + body)
        # Found late: the backend has the start already.
        for body in CHUNK_BODIES:
            refused_once(daemon, CHUNKED + b"2\r\nok\r\n" + body)
        assert backend.requests == [] and backend.extra == [], backend.requests


# ---- One reading: answered -----------------------------------------------------------------------

COMPLIANT = (  # request, what the backend gets as body
    (b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    (b"\r\n\r\nGET /get HTTP/1.1\r\nhOsT:a\r\n\r\n", b""),
    (b"GET /get?a=http://b/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b""),
    (b"GET /get HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t b \t\r\nX: \xff\r\n\r\n", b""),
    (b"GET /get HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\nX: y\r\n\r\n", b""),
    (b"GET /get HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b""),
    (b"GET /get HTTP/1.9\r\nHost: a\r\n\r\n", b""),
    (POST + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    (POST + b"content-length:\t005 \r\n\r\nhello", b"hello"),
    (POST + b"Content-Length: 0\r\n\r\n", b""),
    (POST + b"\r\n", b""),
    (POST + b"Content-Length: %d\r\n\r\n" % len(FOLLOW) + FOLLOW, FOLLOW),
    (POST + b"X-Transfer-Encoding: chunked\r\nContent-Length: 15\r\n\r\n" + HELLO_CHUNKS,
     HELLO_CHUNKS),
    (CHUNKED + HELLO_CHUNKS, b"hello"),
    (POST + b"tRANSFER-eNCODING:\tCHUNKED \r\n\r\n" + HELLO_CHUNKS, b"hello"),
    (CHUNKED + b"00A\r\n0123456789\r\nb\r\n01234567890\r\n000\r\n\r\n", b"0123456789" + b"01234567890"),
    (CHUNKED + b"5;a;b=c;d=\"e; \\\"f\"\r\nhello\r\n0;g\r\n\r\n", b"hello"),
    (CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n", b"hello"),
    (CHUNKED + b"%x\r\n" % len(FOLLOW) + FOLLOW + b"\r\n0\r\n\r\n", FOLLOW),
    (POST + b"Expect: 100-continue\r\n\r\n", b""),
)


def test_compliant_requests_are_answered_once():
    with Recorder() as backend, gateway(backend) as daemon:
        for number, (request, body) in enumerate(COMPLIANT):
            for pieces in (1, 7):
                answers = split(talk(daemon.port, request + FOLLOW, pieces))
                assert [status for status, _, _ in answers] == [200, 200], (request, answers)
                assert answers[0][2] == b"ok", (request, answers)
                assert backend.requests[-1][1] == body, (request, backend.requests[-1])
            assert len(backend.requests) == 2 * (number + 1), request
        assert backend.extra == [], backend.extra


def mutations():
    """A byte put anywhere into the field that competes with one that is right."""
    odd = b"\x00\x09\x0a\x0b\x0d\x20,:;-\x7f\xa0"
    every = bytes(range(256))
    rows = ((b"Transfer-Encoding: chunked", b"Content-Length: 15", HELLO_CHUNKS),
            (b"Content-Length: 15", b"Transfer-Encoding: chunked", b"hello"))
    for line, right, body in rows:
        for byte in every if lib.FULL else odd:
            for at in range(len(line) + 1):
                yield (POST + line[:at] + bytes((byte,)) + line[at:] + b"\r\n" + right + b"\r\n\r\n" +
                       HELLO_CHUNKS), body


def test_framing_mutations_give_one_answer_each():
    accepted = 0
    with Recorder() as backend, gateway(backend) as daemon:
        for request, body in mutations():
            got = statuses(daemon, request)
            if got == [200, 200]:
                accepted += 1
                assert backend.requests[-1][1] == body, (request, backend.requests[-1])
            else:
                assert len(got) == 1 and got[0] in (400, 501), (request, got)
            assert len(backend.requests) == accepted, (request, backend.requests[-2:])
        assert accepted > 0 and backend.extra == [], (accepted, backend.extra)


def test_pipelined_answers_are_in_order():
    rows = (("GET", b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n", 200),
            ("HEAD", b"HEAD /__health HTTP/1.1\r\nHost: a\r\n\r\n", 200),
            ("GET", b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
            ("POST", POST + b"Content-Length: 5\r\n\r\nhello", 200),
            ("POST", b"POST /get HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 405),
            ("POST", CHUNKED + HELLO_CHUNKS, 200),
            ("POST", b"POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
             HELLO_CHUNKS, 404),
            ("GET", b"GET /get/ HTTP/1.1\r\nHost: a\r\n\r\n", 301),
            ("GET", FOLLOW, 200))
    stream = b"".join(request for _, request, _ in rows)
    methods = [method for method, _, _ in rows]
    with Recorder() as backend, gateway(backend) as daemon:
        for pieces in (1, 3, len(stream)):
            answers = split(talk(daemon.port, stream, pieces), methods)
            assert [status for status, _, _ in answers] == [status for _, _, status in rows], answers
        assert [body for _, body in backend.requests] == [b"", b"hello", b"hello"] * 3


# ---- Limits and statuses -------------------------------------------------------------------------

def test_limits_have_their_status():
    long = b"a" * 9000
    fields = b"".join(b"X-%d: y\r\n" % i for i in range(100))
    get = b"GET /get HTTP/1.1\r\nHost: a\r\n"
    rows = ((414, b"GET /" + long + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
            (414, b"GET /get?" + long + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
            (431, get + b"X: " + long + b"\r\nY: " + long + b"\r\n\r\n"),
            (431, get + long + long), (431, get + fields + b"\r\n"),
            (417, POST + b"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello"),
            (417, POST + b"Content-Length: 5\r\nExpect:\r\n\r\nhello"),
            (501, POST + b"Transfer-Encoding: gzip\r\n\r\nhello"),
            (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + HELLO_CHUNKS),
            (501, POST + b"Transfer-Encoding: identity\r\n\r\nhello"),
            (505, b"GET /get HTTP/2.0\r\nHost: a\r\n\r\n"),
            (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    with Recorder() as backend, gateway(backend) as daemon:
        for status, request in rows:
            refused_once(daemon, request, (status,))
            answers = split(talk(daemon.stats_port, request + FOLLOW))
            assert [answer[0] for answer in answers] == [status], (request[:40], answers)
        assert backend.requests == []
        for request in (b"GET /__stats HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                        b"GET /__stats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                        HELLO_CHUNKS):
            answers = split(talk(daemon.stats_port, request + FOLLOW))
            assert [answer[0] for answer in answers] == [200, 404], answers
        too_long = b"POST /__stats HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
        assert [answer[0] for answer in split(talk(daemon.stats_port, too_long))] == [413]


def test_methods_of_the_metrics():
    with Recorder() as backend, gateway(backend) as daemon:
        for path in (b"/__stats", b"/__stats/"):
            head = split(talk(daemon.stats_port, b"HEAD " + path + b" HTTP/1.1\r\nHost: a\r\n"
                              b"Connection: close\r\n\r\n"), ["HEAD"])
            assert len(head) == 1 and head[0][0] == 200, head
            assert head[0][1]["content-type"].startswith("application/json"), head
            for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"XYZ"):
                answers = split(talk(daemon.stats_port, method + b" " + path + b" HTTP/1.1\r\n"
                                     b"Host: a\r\nConnection: close\r\n\r\n"))
                assert answers[0][0] == 405 and answers[0][1]["allow"] == "GET, HEAD", answers


def test_no_leave_where_nobody_reads_the_body():
    """The final answer comes instead of 100 (Continue), and the connection does not wait."""
    with Recorder() as backend, gateway(backend) as daemon:
        for path, status in ((b"/nothing", 404), (b"/get", 405)):
            answers = split(talk(daemon.port, b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n"
                                 b"Content-Length: 5\r\nExpect: 100-continue\r\n"
                                 b"Connection: close\r\n\r\n"))
            assert [answer[0] for answer in answers] == [status], answers
        assert backend.requests == []


# ---- Answers of backends -------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
# answer, whether the backend closes behind it, status and body for the client, connection used again
ANSWERS = (
    (OK + b"Content-Length: 3\r\n\r\nabc", False, 200, b"abc", True),
    (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", False, 200, b"abc", True),
    (OK + b"Content-Length: 0\r\n\r\n", False, 200, b"", True),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", False, 200, b"abc", True),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\nT: u\r\n\r\n", False, 200,
     b"abc", True),
    (OK + b"\r\nabc", True, 200, b"abc", False),
    (OK + b"Content-Length: 3\r\nConnection: close\r\n\r\nabc", True, 200, b"abc", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", True, 200, b"abc", False),
    (b"HTTP/1.0 200 OK\r\n\r\nabc", True, 200, b"abc", False),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", False, 404, b"abc", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b"", True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False, 304, b"", True),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", False, 200, b"abc", True),
    (b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 3 + OK + b"Content-Length: 3\r\n\r\nabc",
     False, 200, b"abc", True),
    # Bytes behind the answer: it is whole, the connection is not to be trusted.
    (OK + b"Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", False, 200,
     b"abc", False),
    # Two readings, or none.
    (OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", False, 500,
     b"", False),
    (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", False, 500, b"", False),
    (OK + b"Content-Length: 3, 4\r\n\r\nabcd", False, 500, b"", False),
    (OK + b"Content-Length: +3\r\n\r\nabc", False, 500, b"", False),
    (OK + b"Content-Length: 99999999999999999999\r\n\r\nabc", False, 500, b"", False),
    (OK + b"Transfer-Encoding: gzip\r\n\r\nabc", False, 500, b"", False),
    (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nabc", False, 500, b"", False),
    (OK + b"Transfer-Encoding : chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", False, 500, b"", False),
    (OK + b"Content-Length : 3\r\n\r\nabc", False, 500, b"", False),
    (OK + b"X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", False, 500, b"", False),
    (OK + b"X: a\x00b\r\nContent-Length: 3\r\n\r\nabc", False, 500, b"", False),
    (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", False, 500, b"", False),
    (b"HTTP/1.1 99 No\r\nContent-Length: 3\r\n\r\nabc", False, 500, b"", False),
    (b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", False, 500, b"", False),
    (b"HTTP/1.1  200 OK\r\nContent-Length: 3\r\n\r\nabc", False, 500, b"", False),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", False, 500, b"", False),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", False, 500, b"", False),
    (b"", True, 500, b"", False),
    (b"HTTP/1.1 200 OK\r\nContent-Le", True, 500, b"", False),
    (b"HTTP/1.1 100 Continue\r\n\r\n", True, 500, b"", False),
)


def script_config(backend, **keys):
    return lib.config([lib.endpoint("/case", backend, output_encoding="no-op", **keys),
                       lib.endpoint("/json", backend, "/case", **keys),
                       lib.endpoint("/ok", backend, output_encoding="no-op")], timeout="20s")


def ask_case(daemon, backend, row):
    backend.raw, backend.ends, status, body, again = row
    response = daemon.get("/case")
    assert (response.status, response.body) == (status, body), (row, response.status, response.body)
    response = daemon.get("/ok")
    assert (response.status, response.body) == (200, b"ok"), (row, response.status)
    case = [number for path, number in backend.asked if path == b"/case"][-1]
    after = [number for path, number in backend.asked if path == b"/ok"][-1]
    assert not (case == after and not again), (row, backend.asked[-3:])
    return case == after and again


def test_answers_of_backends():
    used_again = 0
    with Script() as backend, lib.Limpetd(script_config(backend)) as daemon:
        for row in ANSWERS:
            used_again += ask_case(daemon, backend, row)
        # An idle connection may have been closed meanwhile on a slow machine; not each time.
        assert used_again > 0
        # The same for an endpoint that reads the answer: what is ambiguous is its error.
        for row in ANSWERS:
            if row[2] == 500:
                backend.raw, backend.ends = row[:2]
                assert daemon.get("/json").status == 500, row


def test_answers_to_head():
    with Script() as backend, \
            lib.Limpetd(script_config(backend, backend_method="HEAD")) as daemon:
        for fields in (b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b""):
            ask_case(daemon, backend, (OK + fields + b"\r\n", False, 200, b"", True))


def is_cut(got):
    """No answer at all, or one whose framing says that something is missing."""
    head, _, body = got.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        return not body.endswith(b"0\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return got == b"" or length.isdigit() and len(body) < int(length)


def test_broken_bodies_are_never_whole():
    """The client of a streaming endpoint may have the status already: it must see the cut."""
    rows = (OK + b"Content-Length: 5\r\n\r\nabc", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n")
    with Script() as backend, lib.Limpetd(script_config(backend)) as daemon:
        backend.ends = True
        for backend.raw in rows:
            try:
                got = talk(daemon.port, b"GET /case HTTP/1.1\r\nHost: a\r\n\r\n")
            except ConnectionResetError:
                got = b""
            assert is_cut(got) or split(got)[0][0] == 500, got
            assert daemon.get("/json").status == 500, backend.raw


if __name__ == "__main__":
    lib.main(globals())
