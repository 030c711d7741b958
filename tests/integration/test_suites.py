"""Raw messages of other projects' test suites (tools/fetch-suites), and every published way to hide
a Transfer-Encoding or a Content-Length from one of two parsers: through the running daemon to a
backend that writes down what it got. What complies is answered, the rest is refused with the
connection closed; whatever happens, one request in is at most one request out and one answer back.
"""
import ast
import glob
import os
import re
import subprocess
import sys
import types

import lib
from wire import FOLLOW, POST, Recorder, Script, split, talk

SUITES = os.path.join(lib.ROOT, "build", "tools", "suites")


def suite(*path):
    if not os.path.isdir(SUITES):
        subprocess.run([os.path.join(lib.ROOT, "tools", "fetch-suites")], check=True)
    return os.path.join(SUITES, *path)


def daemon(backend):
    endpoints = [lib.endpoint("/up", backend, method="POST", output_encoding="no-op"),
                 lib.endpoint("/get", backend, output_encoding="no-op")]
    return lib.Limpetd(lib.config(endpoints, timeout="20s"))


def with_host(raw, count=1):
    """The suites' requests often have no Host; that is another question than theirs."""
    def complete(head):
        return head[1] + (b"" if re.search(rb"(?mi)^host:", head[2]) else b"Host: a\r\n") + head[2]
    return re.sub(rb"((?:^(?:\r\n)?|(?<=\r\n\r\n))[^\r\n]* HTTP/1\.[1-9]\r\n)"
                  rb"((?:[^\r\n]+\r\n)*\r\n|.*$)", complete, raw, count, re.S)


def to_backend(raw):
    """A POST with a body goes to an endpoint, so that the backend sees what became of the body."""
    return re.sub(rb"^(?:POST|PUT) \S+ HTTP", b"POST /up HTTP", raw)


def answered(daemon_, backend, name, raw, count, closes):
    """`count` requests are answered, and what follows unless the last one asks to close."""
    before = len(backend.requests)
    answers = split(talk(daemon_.port, to_backend(with_host(raw, count)) + FOLLOW), methods_of(raw))
    wanted = count + (not closes)
    assert len(answers) == wanted, (name, wanted, answers)
    for status, _, _ in answers:
        assert status in (200, 301, 307, 404, 405), (name, answers)
    assert backend.extra == [], (name, backend.extra)
    return [body for _, body in backend.requests[before:]]


def refused(daemon_, backend, name, raw, wanted=(400,)):
    before = len(backend.requests)
    answers = split(talk(daemon_.port, with_host(raw) + FOLLOW))
    assert len(answers) == 1, (name, answers)
    status, fields, _ = answers[0]
    assert status in wanted, (name, status, wanted)
    assert fields["connection"] == "close", (name, fields)
    assert len(backend.requests) == before and backend.extra == [], name


def methods_of(raw):
    return ["HEAD"] if raw.startswith(b"HEAD ") else []


# ---- gunicorn: tests/requests --------------------------------------------------------------------

# What gunicorn takes (with an option of its own, where it says so) and we refuse on purpose: what
# has two readings, what is for a proxy, what RFC 9112 forbids, codings that we do not have, limits.
GUNICORN_STRICTER = {
    "005": 400,  # a fragment in the target
    "009": 400,  # Transfer-Encoding and Content-Length
    "013": 400,  # blanks in chunk extensions
    "025": 501, "025_line": 501, "029": 501, "030": 501,  # gzip, identity
    "024": 431,
    "027": 400,  # bytes above 0x7f in the target
    "028": 400,  # strip_header_spaces: a blank before the colon
    "compat_obs_fold": 400, "compat_obs_fold_huge": 400,
    "pp_01": 400, "pp_02": 400,  # the PROXY protocol
}
# What gunicorn refuses by policy and RFC 9112 allows: other methods, as many and as long fields as
# its options say, fields with a meaning to it, names with '_' (nothing here reads '_' as '-').
GUNICORN_LENIENT = ("003c", "006", "007", "008", "010", "011", "012", "017", "019", "040",
                    "chunked_07")
GUNICORN_CUT = ("001", "099")  # end before the end of a field, of the body
GUNICORN_STATUS = {"009": (431,), "version_02": (505,)}


def gunicorn_raw(path):
    """As tests/treq.py of the suite reads it."""
    with open(path, "rb") as file:
        raw = file.read().replace(b"\n", b"").replace(b"\\r\\n", b"\r\n")
    return raw.replace(b"\\0", b"\0").replace(b"\\n", b"\n").replace(b"\\t", b"\t")


def gunicorn_expected(path):
    """The requests that the suite expects: dictionaries with version, headers and body."""
    class Config:
        def set(self, *_):
            pass
    for name, content in (("gunicorn", {}), ("gunicorn.config", {"Config": Config}),
                          ("gunicorn.http", {}), ("gunicorn.http.errors", {})):
        module = sys.modules.setdefault(name, types.ModuleType(name))
        vars(module).update(content)
    names = {"uri": str, "cfg": Config()}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)  # pylint: disable=exec-used
    expected = names["request"]
    return expected if isinstance(expected, list) else [expected]


def closes(request):
    connection = [value.lower() for name, value in request["headers"] if name == "CONNECTION"]
    if tuple(request["version"]) < (1, 1):
        return connection != ["keep-alive"]
    return connection == ["close"]


def test_gunicorn_valid():
    files = sorted(glob.glob(suite("gunicorn", "tests", "requests", "valid", "*.http")))
    assert len(files) >= 40, files
    with Recorder() as backend, daemon(backend) as limpetd:
        for path in files:
            name, raw = os.path.basename(path)[:-5], gunicorn_raw(path)
            if name in GUNICORN_CUT:
                continue
            if name in GUNICORN_STRICTER:
                refused(limpetd, backend, name, raw, (GUNICORN_STRICTER[name],))
                continue
            expected = gunicorn_expected(path[:-5] + ".py")
            ends = next((at for at, one in enumerate(expected) if closes(one)), None)
            count = len(expected) if ends is None else ends + 1
            bodies = answered(limpetd, backend, name, raw, count, ends is not None)
            assert bodies == [expected[0]["body"]][:len(bodies)], (name, bodies)
        assert len(backend.requests) >= 4, backend.requests


def test_gunicorn_invalid():
    files = sorted(glob.glob(suite("gunicorn", "tests", "requests", "invalid", "*.http")))
    assert len(files) >= 50, files
    with Recorder() as backend, daemon(backend) as limpetd:
        for path in files:
            name, raw = os.path.basename(path)[:-5], gunicorn_raw(path)
            if name in GUNICORN_CUT:
                continue
            if name in GUNICORN_LENIENT:
                answers = split(talk(limpetd.port, with_host(raw) + FOLLOW))
                assert answers[0][0] in (200, 404, 405), (name, answers)
                continue
            refused(limpetd, backend, name, raw, GUNICORN_STATUS.get(name, (400,)))


# ---- http-parser: test.c -------------------------------------------------------------------------

STRING = r'"(?:[^"\\]|\\.)*"'
STRINGS = r"((?:(?:\s|/\*(?:(?!\*/).)*\*/)*" + STRING + ")+)"
MESSAGE = re.compile(r"\.name ?= ?(" + STRING + r")\s*(?:,\.type= HTTP_(\w+))?\s*,\.raw= " +
                     STRINGS + r"(.*?)\n  \}", re.S)


def c_string(text):
    """The bytes of adjacent string literals of C."""
    return b"".join(ast.literal_eval("b" + one.encode("ascii", "backslashreplace").decode())
                    for one in re.findall(STRING, text))


def http_parser_messages(kind):
    with open(suite("http-parser", "test.c"), encoding="latin-1") as file:
        source = file.read()
    for name, type_, raw, rest in MESSAGE.findall(source):
        if (type_ or "REQUEST") == kind:
            body = re.search(r"\.body= " + STRINGS, rest)
            yield (c_string(name).decode(), c_string(raw), c_string(body.group(1)) if body else b"",
                   "should_keep_alive= TRUE" in rest)


# The numbers of the suite's requests that are not simply answered, and the statuses that we give.
HTTP_PARSER_OTHERWISE = {
    3: [400], 27: [400],  # a fragment in the target; bytes above 0x7f
    11: [400],  # blanks in a chunk extension
    16: [404, 400], 36: [404, 400], 38: [200, 400],  # no upgrade: what follows is read
    17: [400], 26: [400], 28: [400], 39: [400],  # CONNECT
    19: [400], 43: [400],  # no HTTP version, ICE/1.0
    20: [400],  # M-SEARCH *
    21: [400], 34: [400], 35: [400], 37: [400],  # folded lines
    22: [400], 23: [400], 24: [400], 33: [400],  # http://host in the target
    44: [501], 45: [400],  # Transfer-Encoding: deflate, chunked; the same folded
}


def test_http_parser_requests():
    number = -1
    with Recorder() as backend, daemon(backend) as limpetd:
        for number, (name, raw, body, keeps) in enumerate(http_parser_messages("REQUEST")):
            if number in HTTP_PARSER_OTHERWISE:
                answers = split(talk(limpetd.port, to_backend(with_host(raw)) + FOLLOW))
                assert [status for status, _, _ in answers] == HTTP_PARSER_OTHERWISE[number], \
                    (number, name, answers)
                assert answers[-1][1]["connection"] == "close", (number, name, answers)
                continue
            bodies = answered(limpetd, backend, name, raw, 1, not keeps)
            assert bodies in ([], [body]), (number, name, bodies)
        assert number == 45 and len(backend.requests) >= 5, number


# The same of its answers: the status that the client gets where it is not simply the backend's.
HTTP_PARSER_ANSWERS_OTHERWISE = {
    0: 500, 8: 500, 20: 500,  # a redirect to a host that is not there
    4: 500,  # blanks behind the size of a chunk
    5: 500,  # lines that end in LF
    11: 500,  # HTTP/0.9
    19: 500,  # a blank in the name of a field
    23: 500, 24: 500, 25: 500,  # 101, which was not asked for
    29: 500,  # Transfer-Encoding: chunked, deflate
}


def test_http_parser_answers():
    number = -1
    with Script() as backend, daemon(backend) as limpetd:
        backend.ends = True
        for number, (name, raw, body, _) in enumerate(http_parser_messages("RESPONSE")):
            backend.raw = raw
            got = limpetd.get("/get")
            otherwise = HTTP_PARSER_ANSWERS_OTHERWISE.get(number)
            status = otherwise or int(raw.split(b" ")[1][:3])
            assert got.status == status, (number, name, got.status)
            assert got.body == (b"" if otherwise else body), (number, name, got.body)
        assert number == 29, number


# ---- Ways to hide one of the two framing fields --------------------------------------------------

# What tools that look for request smuggling put in place of "Transfer-Encoding: chunked"; some are
# right, some are another field, in the others parsers in the field were found to differ.
HIDDEN = (
    b"Transfer-Encoding: chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding\t:\tchunked", b"Transfer Encoding: chunked", b"Transfer_Encoding: chunked",
    b"Transfer Encoding:chunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding:  chunked",
    b"Transfer-Encoding:chunked", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: chunked, cow", b"Transfer-Encoding: cow, chunked",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
    b"Content-Encoding: chunked", b"TE: chunked", b"Transfer-Encoding:\n chunked",
    b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding\n: chunked",
    b"Transfer-Encoding\r\n : chunked", b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunk", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx", b"TrAnSFer-EnCODinG: cHuNkeD", b"TRANSFER-ENCODING: CHUNKED",
    b"Transfer-Encoding: chunked\r", b"Transfer-Encoding: chunked\t",
    b"Transfer-Encoding: chunked ", b"Transfer-Encoding: chunked;",
    b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: \r\nTransfer-Encoding: chunked", b"Transfer\r-Encoding: chunked",
    b"Transfer-Encoding: cow chunked bar", b"Transfer-Encoding:\xffchunked",
    b"Transfer-Encoding: ch\x96nked", b"Transf\x82r-Encoding: chunked",
    b"X: X\rTransfer-Encoding: chunked", b"X: X\nTransfer-Encoding: chunked",
    b"X: X\n\nTransfer-Encoding: chunked", b"X: X\r\n\rTransfer-Encoding: chunked",
    b"X:\r\n Transfer-Encoding: chunked", b"Foo\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding", b"Transfer-Encoding chunked", b"Transfer-Encoding=chunked",
    b"Transfer-Encoding::chunked", b"Transfer-Encoding: :chunked", b"Transfer-Encoding:\0chunked",
    b"\0Transfer-Encoding: chunked", b"\xef\xbb\xbfTransfer-Encoding: chunked",
    b"Transfer-Encoding\0: chunked", b"Transfer%2dEncoding: chunked", b"Transfer-Encodin: chunked",
    b"Transfer-Encoding: chunked\0", b"Transfer-Encoding: \\chunked",
    b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: ,,",
    b"Connection: Transfer-Encoding", b"Connection: Content-Length", b"Connection: close, Host",
    b"X-Http-Method-Override: POST",
)
LENGTHS = (
    b"Content-Length: %d", b"content-length:%d", b"Content-Length: %d ", b"Content-Length: 0%d",
    b"Content-Length: +%d", b"Content-Length: -%d", b"Content-Length: 0x%d",
    b"Content-Length: %d.0", b"Content-Length: %d,%d", b"Content-Length: %d, %d",
    b"Content-Length: %d %d", b"Content-Length: %de0", b"Content-Length: \x0b%d",
    b"Content-Length: %d\x0b", b"Content-Length : %d", b"Content-Length\t: %d",
    b"Content-Length:\r\n %d", b"Content-Length: %d\r\nContent-Length: %d",
    b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: %d\0", b"Content_Length: %d", b"Content-Length: 1844674407370955161%d",
    b"Content-Length: %d;", b"Content-Length:", b" Content-Length: %d", b"X: X\nContent-Length: %d",
    b"X: X\rContent-Length: %d", b"Content-Length:\xa0%d", b"Content-Length: \xb2",
    b'Content-Length: "%d"', b"Content-Length: 1_0",
)


def with_each_byte():
    """The same places with every control byte and every byte above 0x7e, one after the other."""
    for byte in (bytes((n,)) for n in (*range(0x00, 0x21), *range(0x7f, 0x100))):
        yield b"Transfer-Encoding:" + byte + b"chunked"
        yield b"Transfer-Encoding" + byte + b": chunked"
        yield byte + b"Transfer-Encoding: chunked"
        yield b"Transfer-Encoding: chunked" + byte
        if lib.FULL:
            yield b"X: X" + byte + b"Transfer-Encoding: chunked"
            yield b"Transfer-Encoding: chunked" + byte + b"X: X"
            yield b"X: X\r" + byte + b"Transfer-Encoding: chunked"
            yield b"X: X" + byte + b"\nTransfer-Encoding: chunked"
            yield b"Transfer-Encoding: chunked\r" + byte + b"X: X"
            yield b"Transfer-Encoding: chunked" + byte + b"\nX: X"


def lengths(length):
    for text in LENGTHS:
        yield text % ((length,) * text.count(b"%d"))


def desync_requests(start, smuggled):
    """CL.TE, TE.CL and TE.TE: whichever of its fields is believed, `smuggled` is a body, a second
    request, or bytes too few; (request, framing fields)."""
    chunks = b"0\r\n\r\n" + smuggled
    wrapped = b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    for hidden in (*HIDDEN, *with_each_byte()):
        for fields in (b"Content-Length: %d\r\n%s" % (len(chunks), hidden),
                       b"%s\r\nContent-Length: %d" % (hidden, len(chunks))):
            yield start + fields + b"\r\n\r\n" + chunks, fields
        fields = hidden + b"\r\nContent-Length: 4"
        yield start + fields + b"\r\n\r\n" + wrapped, fields
    for length in lengths(len(smuggled)):
        yield start + length + b"\r\n\r\n" + smuggled, length
        for fields in (length + b"\r\nTransfer-Encoding: chunked",
                       b"Transfer-Encoding: chunked\r\n" + length):
            yield start + fields + b"\r\n\r\n" + chunks, fields


SMUGGLED = b"GET /get HTTP/1.1\r\nHost: evil\r\nX-Smuggled: 1\r\n\r\n"
HOST = b"Host: a\r\n"
NAME = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"


def body_of(fields, sent):
    """The body when RFC 9112 leaves no doubt about where it ends, else None. Written for this test,
    from the grammar and not from the daemon's code. `sent` is what follows the head; all that is
    chunked here begins with the last chunk."""
    pairs = []
    for line in fields.split(b"\r\n"):
        match = re.fullmatch(rb"(" + NAME + rb"):[ \t]*(" + VALUE + rb")", line)
        if match is None:
            return None
        pairs.append((match[1].lower(), match[2].strip(b" \t")))
    coding = [value for name, value in pairs if name == b"transfer-encoding"]
    length = [value for name, value in pairs if name == b"content-length"]
    if len(coding) + len(length) > 1:
        return None
    if coding:
        return b"" if coding[0].lower() == b"chunked" else None
    if not length:
        return b""
    return sent[:int(length[0])] if length[0].isdigit() and int(length[0]) < 2 ** 63 else None


def desync(port, backend, start, body_ok):
    """`body_ok`: the statuses of a request that has one reading and so a body of known length."""
    count = refusals = 0
    for request, fields in desync_requests(start, SMUGGLED):
        count += 1
        backend.requests.clear()
        answers = split(talk(port, request + FOLLOW))
        body = body_of(fields, request.partition(b"\r\n\r\n")[2] + FOLLOW)
        first = answers[0]
        if body is None:
            refusals += 1
            assert len(answers) == 1 and first[0] in (400, 501), (request, first)
            assert first[1]["connection"] == "close", (request, first)
            assert backend.requests == [], (request, backend.requests)
        else:
            assert first[0] in body_ok, (request, first)
            bodies = [got for _, got in backend.requests[:1]]
            assert bodies in ([], [body]), (request, backend.requests)
        assert not any(b"evil" in head for head, _ in backend.requests[:1]), backend.requests
        assert backend.extra == [], (request, backend.extra)
    assert refusals > 300 and count > refusals, (count, refusals)


def test_hidden_framing_at_the_gateway():
    with Recorder() as backend, daemon(backend) as limpetd:
        desync(limpetd.port, backend, POST, (200,))


def test_hidden_framing_at_the_metrics():
    with Recorder() as backend, daemon(backend) as limpetd:
        desync(limpetd.stats_port, backend, b"GET /__stats HTTP/1.1\r\n" + HOST, (200, 413))


if __name__ == "__main__":
    lib.main(globals())
