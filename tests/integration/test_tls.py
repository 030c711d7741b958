#!/usr/bin/python3
"""https:// backends: whom limpetd believes and whom it refuses, with the reason in its log; servers that
break the handshake at every step; sessions that are really resumed; memory that comes back."""
import concurrent.futures
import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import lib
import pki
from pki import DAY, NOW

TIMEOUT_S = 4.0
STALL_TIMEOUT = "900ms"


# ---- Servers -------------------------------------------------------------------------------------

def context(folder, chain, key, version=None, seclevel=0, ciphers="ALL", client_ca=None, curve=None):
    """A server's TLS settings; `chain` lists certificates, the server's first."""
    path = os.path.join(folder, f"chain{id(chain)}-{threading.get_ident()}-{time.monotonic_ns()}.pem")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(certificate.pem() for certificate in chain)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.set_ciphers(f"{ciphers}:@SECLEVEL={seclevel}")
    settings.minimum_version = version or ssl.TLSVersion.TLSv1_2
    settings.maximum_version = version or ssl.TLSVersion.TLSv1_3
    if curve:
        settings.set_ecdh_curve(curve)
    if client_ca:
        settings.verify_mode = ssl.CERT_REQUIRED
        settings.load_verify_locations(client_ca)
    settings.load_cert_chain(path, key.path)
    return settings


def answer(stream, body=b"fine"):
    while True:
        head = lib.read_head(stream)
        if not head:
            return
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


class TlsServer(lib.RawBackend):
    """Answers every request. `seen` lists (version, resumed, SNI) of each handshake that succeeded."""

    def __init__(self, settings, body=b"fine", serve=None):
        self.seen = []
        self.settings = settings
        self.body = body
        self.sni = None
        settings.sni_callback = self.note_sni
        super().__init__(serve or self.serve_tls)

    def note_sni(self, _, name, __):
        self.sni = name

    def serve_tls(self, connection):
        with contextlib.suppress(ssl.SSLError):
            stream = self.settings.wrap_socket(connection, server_side=True)
            self.seen.append((stream.version(), stream.session_reused, self.sni))
            answer(stream, self.body)
            with contextlib.suppress(OSError):
                stream.unwrap()


class Relay(lib.RawBackend):
    """Between limpetd and a server: change(bytes so far, piece) returns what goes on to limpetd, None to
    cut the connection there, or False to stay silent from there on."""

    def __init__(self, port, change):
        self.target = port
        self.change = change
        super().__init__(self.relay)

    def relay(self, connection):
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            threading.Thread(target=copy, args=(connection, server), daemon=True).start()
            total = 0
            while True:
                piece = server.recv(65536)
                if not piece:
                    return
                changed = self.change(total, piece)
                total += len(piece)
                if isinstance(changed, tuple):
                    connection.sendall(changed[0])
                    changed = changed[1]
                if changed is None:
                    connection.shutdown(socket.SHUT_RDWR)  # the other thread still holds it
                    return
                if changed is False:
                    with contextlib.suppress(OSError):
                        connection.settimeout(10)
                        while server.recv(65536):
                            pass
                        time.sleep(3)
                    return
                connection.sendall(changed)


def copy(source, target):
    with contextlib.suppress(OSError):
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def cut_at(position):
    return lambda total, piece: (piece if total + len(piece) < position
                                 else (piece[:max(0, position - total)], None))


def silent_at(position):
    return lambda total, piece: (piece if total + len(piece) < position
                                 else (piece[:max(0, position - total)], False))


def flip_at(position):
    def change(total, piece):
        at = position - total
        if 0 <= at < len(piece):
            piece = piece[:at] + bytes([piece[at] ^ 0x41]) + piece[at + 1:]
        return piece
    return change


def says(data, then=None):
    """A server that says `data` as soon as it has heard something."""
    def serve(connection):
        connection.settimeout(5)
        connection.recv(65536)
        connection.sendall(data)
        if then:
            then(connection)
        connection.recv(65536)
    return lib.RawBackend(serve)


# ---- The world -----------------------------------------------------------------------------------

class Pki:
    """Keys, authorities and the file that limpetd trusts."""

    def __init__(self, folder):
        self.folder = folder
        kinds = {"root": "P-256", "middle": "P-256", "middle2": "P-256", "leaf": "P-256", "other": "P-256",
                 "rsa": "rsa2048", "rsa1024": "rsa1024", "p384": "P-384", "p521": "P-521",
                 "k256": "secp256k1", "ed": "ed25519"}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.key = dict(zip(kinds, pool.map(lambda item: pki.Key(folder, *item), kinds.items())))
        key = self.key
        self.root = pki.authority("root", key["root"])
        self.expired_root = pki.authority("expired root", key["root"], start=NOW - 9 * DAY, end=NOW - DAY)
        self.flat_root = pki.authority("root without intermediates", key["root"], path_len=0)
        self.rsa_root = pki.authority("RSA root", key["rsa"])
        self.sha1_root = pki.authority("old root", key["rsa"], md="sha1")
        self.pinned = pki.leaf(key["other"], None, cn="pinned")
        self.foreign = pki.authority("foreign root", key["other"])
        self.middle = pki.authority("middle", key["middle"], self.root)
        self.ca_file = self.write("ca.pem", [self.root, self.expired_root, self.flat_root, self.rsa_root,
                                             self.sha1_root, self.pinned])

    def write(self, name, certificates):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write("Comments stand between certificates.\n")
            file.writelines(certificate.pem() for certificate in certificates)
        return path

    def leaf(self, **keywords):
        return pki.leaf(self.key["leaf"], self.root, **keywords)


class Case:
    """One server; `reason` is what the log must say, None: it must be believed."""

    def __init__(self, name, server, reason, host="localhost", timeout=f"{TIMEOUT_S}s"):
        self.name, self.server, self.reason, self.timeout = name, server, reason, timeout
        self.host = f"https://{host}:{server.port}"
        self.where = f"{host}:{server.port}"


def run_cases(world, cases, min_bad):
    """One limpetd with an endpoint for each case, all asked at the same time, twice."""
    endpoints = [lib.endpoint(f"/{index}", case.host, "/", timeout=case.timeout,
                              output_encoding="no-op", backend_encoding="no-op")
                 for index, case in enumerate(cases)]
    config = lib.config(endpoints)
    config["client_tls"] = {"ca_certs": [world.ca_file], "disable_system_ca_pool": True}
    failed = []
    with lib.Limpetd(config) as daemon:
        def ask(index):
            begin = time.monotonic()
            status = daemon.get(f"/{index}").status
            return status, time.monotonic() - begin
        for _ in range(2):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                results = list(pool.map(ask, range(len(cases))))
            for case, (status, seconds) in zip(cases, results):
                if status != (500 if case.reason else 200):
                    failed.append(f"{case.name}: status {status}")
                if seconds > TIMEOUT_S + 2:
                    failed.append(f"{case.name}: took {seconds:.1f} s")
        log = daemon.log()
        for case in cases:
            lines = re.findall(rf"TLS\] {re.escape(case.where)}: (.*)", log)
            if case.reason is None and lines:
                failed.append(f"{case.name}: {lines}")
            if case.reason and not any(re.search(case.reason, line) for line in lines):
                failed.append(f"{case.name}: no {case.reason!r} in {lines}")
        lib.wait_until(lambda: daemon.stats()["limpet.tls.conns_used"] == 0 or None, "all TLS slots are free",
                       seconds=10)
    for case in cases:
        case.server.close()
    bad = sum(1 for case in cases if case.reason)
    print(f"{bad} refused, {len(cases) - bad} believed", flush=True)
    if failed:
        print("\n".join(line for line in log.splitlines() if "ERROR" in line), flush=True)
    assert not failed, "\n".join(failed)
    assert bad >= min_bad, bad


def backend_config(world, server, host="localhost", **client_tls):
    config = lib.config([lib.endpoint("/0", f"https://{host}:{server.port}", "/", timeout="5s",
                                      output_encoding="no-op", backend_encoding="no-op")])
    config["client_tls"] = {"ca_certs": [world.ca_file], "disable_system_ca_pool": True, **client_tls}
    config["extra_config"]["telemetry/metrics"]["collection_time"] = "1s"
    return config


def folder():
    return tempfile.TemporaryDirectory(prefix="limpet-tls.")


# ---- Certificates --------------------------------------------------------------------------------

UNTRUSTED = "no authority that is trusted"
FOR_SOMEBODY = "certificate is for .*, not "
EXPIRED = "has expired"
FUTURE = "not valid yet"


def chains(w):
    """(name, chain, key, reason, host)"""
    key, root, middle = w.key, w.root, w.middle
    old = {"start": NOW - 9 * DAY, "end": NOW - DAY}
    future = {"start": NOW + DAY, "end": NOW + 9 * DAY}
    local = "localhost"

    def single(name, reason, host=local, **keywords):
        return name, [w.leaf(**keywords)], key["leaf"], reason, host

    def below(name, reason, middles, issuer=None, host=local, **keywords):
        certificate = pki.leaf(key["leaf"], issuer or middles[0], **keywords)
        return name, [certificate, *middles], key["leaf"], reason, host

    def ca(name="middle", issuer=root, k="middle", **keywords):
        return pki.authority(name, key[k], issuer, **keywords)

    deep = [root]
    for number in range(6):
        deep.append(pki.authority(f"deep {number}", key["middle"], deep[-1]))
    low = ca("low", ca("flat", path_len=0), "middle2")
    rsa_leaf = pki.leaf(key["rsa1024"], root)
    yield from (
        single("good", None),
        single("good by address", None, host="127.0.0.1"),
        single("good among other names", None, names=(("dns", "a.test"), ("dns", "LocalHost"))),
        single("good without extendedKeyUsage", None, usages=()),
        below("good with an intermediate", None, [middle]),
        below("good with the root sent too", None, [middle, root]),
        ("good RSA below EC", [pki.leaf(key["rsa"], root)], key["rsa"], None, local),
        ("good EC below RSA", [pki.leaf(key["leaf"], w.rsa_root)], key["leaf"], None, local),
        ("good P-384", [pki.leaf(key["p384"], root)], key["p384"], None, local),
        ("good below a root that signed itself with SHA-1", [pki.leaf(key["leaf"], w.sha1_root)],
         key["leaf"], None, local),
        ("good because it is trusted itself", [w.pinned], key["other"], None, local),
        single("expired", EXPIRED, **old),
        single("expired a minute ago", EXPIRED, start=NOW - DAY, end=NOW - DAY / 1440),
        single("not yet valid", FUTURE, **future),
        single("valid in a far century only", FUTURE, start=NOW.replace(year=2060, day=1),
               end=NOW.replace(year=2061, day=1)),
        single("end before start", f"{EXPIRED}.*{FUTURE}", start=NOW + DAY, end=NOW - DAY),
        below("intermediate expired", EXPIRED, [ca(**old)]),
        below("intermediate not yet valid", FUTURE, [ca(**future)]),
        below("root expired", EXPIRED, [], issuer=w.expired_root),
        single("expired and for somebody else", f"{EXPIRED}.*{FOR_SOMEBODY}", names=(("dns", "x.test"),),
               **old),
        single("wrong name", "certificate is for influx.example, not localhost",
               names=(("dns", "influx.example"),)),
        single("longer name", FOR_SOMEBODY, names=(("dns", "xlocalhost"),)),
        single("shorter name", FOR_SOMEBODY, names=(("dns", "localhos"),)),
        single("name as a prefix", FOR_SOMEBODY, names=(("dns", "localhost.evil.test"),)),
        single("name with a NUL", FOR_SOMEBODY, names=(("dns", b"localhost\0.evil.test"),)),
        single("name and line break", FOR_SOMEBODY, names=(("dns", b"x\nERROR: forged"),)),
        single("common name only", "has no subjectAltName", names=None, cn=local),
        single("common name beside another name", FOR_SOMEBODY, names=(("dns", "x.test"),), cn=local),
        single("address for a name", "certificate is for 127.0.0.1, not localhost",
               names=(("ip", b"\x7f\0\0\1"),)),
        single("e-mail", FOR_SOMEBODY, names=(("email", "localhost"),)),
        single("URI", FOR_SOMEBODY, names=(("uri", "https://localhost/"),)),
        single("wildcard for all", FOR_SOMEBODY, names=(("dns", "*"),)),
        single("wildcard below", FOR_SOMEBODY, names=(("dns", "*.localhost"),)),
        single("wildcard in a label", FOR_SOMEBODY, names=(("dns", "l*st"),)),
        single("wildcard at the start of a label", FOR_SOMEBODY, names=(("dns", "*ocalhost"),)),
        single("wildcard and a dot", FOR_SOMEBODY, names=(("dns", "*."),)),
        single("no names at all", FOR_SOMEBODY, names=(("dns", ""),)),
        single("another address", "certificate is for 127.0.0.2, not 127.0.0.1", host="127.0.0.1",
               names=(("ip", b"\x7f\0\0\2"),)),
        single("address written as a name", FOR_SOMEBODY, host="127.0.0.1", names=(("dns", "127.0.0.1"),)),
        single("address as common name", "no subjectAltName", host="127.0.0.1", names=None, cn="127.0.0.1"),
        single("address with a mask", "malformed", host="127.0.0.1",
               names=(("ip", b"\x7f\0\0\1\xff\xff\xff\xff"),)),
        single("address mapped to IPv6", FOR_SOMEBODY, host="127.0.0.1",
               names=(("ip", bytes(10) + b"\xff\xff\x7f\0\0\1"),)),
        single("wildcard for an address", FOR_SOMEBODY, host="127.0.0.1", names=(("dns", "*.0.0.1"),)),
        ("foreign authority", [pki.leaf(key["leaf"], w.foreign)], key["leaf"], UNTRUSTED, local),
        ("foreign authority sent along", [pki.leaf(key["leaf"], w.foreign), w.foreign], key["leaf"],
         UNTRUSTED, local),
        ("signs itself", [pki.leaf(key["leaf"], None)], key["leaf"], UNTRUSTED, local),
        ("signs itself as an authority", [pki.authority("x", key["leaf"], extensions=[
            pki.basic_constraints(True), pki.san(*pki.LOCALHOST)])], key["leaf"], UNTRUSTED, local),
        ("names our root, signed by another", [pki.leaf(
            key["leaf"], None, issuer_name=root.subject, signer=key["other"])], key["leaf"], UNTRUSTED, local),
        ("another root with our root's name", [
            pki.leaf(key["leaf"], pki.authority("root", key["other"])), pki.authority("root", key["other"])],
         key["leaf"], UNTRUSTED, local),
        single("signature broken", UNTRUSTED, broken=True),
        below("intermediate's signature broken", UNTRUSTED, [ca(broken=True)]),
        below("intermediate missing", UNTRUSTED, [], issuer=middle),
        below("another intermediate sent", UNTRUSTED, [ca("other", k="middle2")], issuer=middle),
        below("intermediate of a foreign authority", UNTRUSTED, [ca(issuer=w.foreign)]),
        below("intermediate without basicConstraints", UNTRUSTED,
              [ca(extensions=[pki.key_usage("keyCertSign")])]),
        below("intermediate without any extension", UNTRUSTED, [ca(extensions=[])]),
        below("intermediate that is no authority", UNTRUSTED,
              [ca(extensions=[pki.basic_constraints(False), pki.key_usage("keyCertSign")])]),
        below("intermediate that may not sign", UNTRUSTED,
              [ca(extensions=[pki.basic_constraints(True), pki.key_usage("digitalSignature")])]),
        below("intermediate of version 1", UNTRUSTED, [ca(version=1, extensions=[])]),
        below("a server's certificate as intermediate", UNTRUSTED, [pki.leaf(key["middle"], root)]),
        below("path longer than the intermediate allows", UNTRUSTED, [low, ca("flat", path_len=0)]),
        below("path longer than the root allows", UNTRUSTED, [ca(issuer=w.flat_root)]),
        below("path too long for us", "too long", deep[:0:-1]),
        single("for clients", "not for servers", usages=("clientAuth",)),
        single("for code", "not for servers", usages=("codeSigning",)),
        single("for mail", "not for servers", usages=("emailProtection",)),
        single("key for certificates only", "keyUsage|may not be used|alert 40",
               extensions=[pki.key_usage("keyCertSign"), pki.san(*pki.LOCALHOST)]),
        ("signed with SHA-1", [pki.leaf(key["leaf"], root, md="sha1")], key["leaf"], "weak hash", local),
        ("signed with SHA-1 and RSA", [pki.leaf(key["leaf"], w.rsa_root, md="sha1")], key["leaf"],
         "weak hash", local),
        ("signed with MD5", [pki.leaf(key["leaf"], w.rsa_root, md="md5")], key["leaf"], ".", local),
        below("intermediate signed with SHA-1", "weak hash", [ca(md="sha1")]),
        ("RSA of 1024 bits", [rsa_leaf], key["rsa1024"], "too short", local),
        below("intermediate with RSA of 1024 bits", "too short", [ca(k="rsa1024")]),
        ("P-521", [pki.leaf(key["p521"], root)], key["p521"], ".", local),
        ("secp256k1", [pki.leaf(key["k256"], root)], key["k256"], ".", local),
        ("Ed25519", [pki.leaf(key["ed"], root)], key["ed"], ".", local),
        single("critical extension unknown", "critical extension|x509|X.509|mbedTLS",
               more=[pki.extension("unknown", b"\5\0", critical=True)]),
        single("critical nameConstraints", ".",
               more=[pki.extension("nameConstraints", pki.seq(), critical=True)]),
        below("intermediate with a critical extension unknown", ".",
              [ca(extensions=[pki.basic_constraints(True), pki.extension("unknown", b"\5\0", critical=True)])]),
        single("extension twice", ".", more=[pki.san(("dns", "x.test"))]),
    )


def chain_cases(world, version):
    for name, chain, key, reason, host in chains(world):
        try:
            settings = context(world.folder, chain, key, version)
        except ssl.SSLError as error:
            print(f"not tested, this OpenSSL does not serve it: {name} ({error.reason})", flush=True)
            continue
        yield Case(name, TlsServer(settings), reason, host)


def test_chains_tls12():
    with folder() as path:
        world = Pki(path)
        run_cases(world, list(chain_cases(world, ssl.TLSVersion.TLSv1_2)), 60)


def test_chains_tls13():
    with folder() as path:
        world = Pki(path)
        run_cases(world, list(chain_cases(world, ssl.TLSVersion.TLSv1_3)), 60)


def test_own_order_of_signatures():
    """A server of TLS 1.2 that signs with RSA-PSS because it likes that best."""
    with folder() as path:
        world = Pki(path)
        settings = context(path, [pki.leaf(world.key["rsa"], world.root)], world.key["rsa"],
                           ssl.TLSVersion.TLSv1_2)
        settings.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        with TlsServer(settings) as server:
            with lib.Limpetd(backend_config(world, server)) as daemon:
                statuses = [daemon.get("/0").status for _ in range(4)]
                assert statuses == [200] * 4, statuses
                assert not re.search("TLS", daemon.log()), daemon.log()


# ---- Servers that do not play by the rules -------------------------------------------------------

def record(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def alert(description, level=2):
    return record(21, bytes([level, description]))


def flood(data):
    def go_on(connection):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            connection.sendall(data)
            time.sleep(0.01)
    return go_on


def odd_servers(w):
    good = [w.leaf()]
    key = w.key["leaf"]

    def tls(**keywords):
        return TlsServer(context(w.folder, good, key, **keywords))

    def silent(connection):
        connection.settimeout(5)
        while connection.recv(65536):
            pass

    def reset(connection):
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def echo(connection):
        connection.settimeout(5)
        connection.sendall(connection.recv(65536))
        connection.recv(65536)

    no_tls = "does not speak TLS on this port; its first bytes are"
    closed = "waited for .*, but (the server closed|connection reset)"
    tls11 = {"version": ssl.TLSVersion.TLSv1_1}
    return [
        Case("plain HTTP", says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), no_tls + ' "HTTP"'),
        Case("SSH", says(b"SSH-2.0-OpenSSH_9.2\r\n"), no_tls + ' "SSH-"'),
        Case("SMTP", says(b"220 mail.test ESMTP\r\n"), no_tls + ' "220 "'),
        Case("zeros", says(bytes(100)), no_tls),
        Case("closes at once", lib.RawBackend(lambda connection: None), closed),
        Case("closes after the hello", lib.RawBackend(lambda connection: connection.recv(10)), closed),
        Case("resets", lib.RawBackend(reset), closed),
        Case("never answers", lib.RawBackend(silent), "given up while waiting for the server's hello",
             timeout=STALL_TIMEOUT),
        Case("repeats what we say", lib.RawBackend(echo), "."),
        Case("alert 40", says(alert(40)), r"refused: handshake failure.*\(alert 40\)"),
        Case("alert 112", says(alert(112)), r"refused: unrecognized name \(alert 112\)"),
        Case("alert 80", says(alert(80)), r"refused: internal error \(alert 80\)"),
        Case("alert of an unknown kind", says(alert(199)), r"refused: unknown alert \(alert 199\)"),
        Case("half a record", says(record(22, bytes(100))[:50], lambda connection: None),
             "given up|server closed", timeout=STALL_TIMEOUT),
        Case("record longer than allowed", says(b"\x16\x03\x03\xff\xff" + bytes(70000)), "."),
        Case("empty records for ever", says(b"", flood(record(22, b"") * 50)), ".", timeout=STALL_TIMEOUT),
        Case("change of cipher for ever", says(b"", flood(record(20, b"\1") * 50)), ".", timeout=STALL_TIMEOUT),
        Case("warnings for ever", says(b"", flood(alert(90, 1) * 50)), ".", timeout=STALL_TIMEOUT),
        Case("application data first", says(record(23, bytes(32))), "."),
        Case("a message of 16 MB", says(record(22, b"\2\xff\xff\xff" + bytes(4000))), "."),
        Case("a hello of nothing", says(record(22, b"\2\0\0\0")), "."),
        Case("a certificate first", says(record(22, b"\x0b\0\0\3\0\0\0")), "."),
        Case("finished first", says(record(22, b"\x14\0\0\x0c" + bytes(12))), "."),
        Case("noise in records", says(record(22, os.urandom(200))), "."),
        Case("SSL 3.0", says(record(22, b"\2\0\0\x26\3\0" + bytes(36), 0x0300)), "."),
        Case("TLS 1.1 only", tls(**tls11), "no common version"),
        Case("TLS 1.0 only", tls(version=ssl.TLSVersion.TLSv1), "no common version"),
        Case("old ciphers only", tls(version=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES128-SHA"),
             "no common cipher"),
        Case("no forward secrecy", TlsServer(context(
            w.folder, [pki.leaf(w.key["rsa"], w.root)], w.key["rsa"], ssl.TLSVersion.TLSv1_2,
            ciphers="AES128-GCM-SHA256")), "no common cipher"),
        Case("no certificate", tls(version=ssl.TLSVersion.TLSv1_2, ciphers="aNULL"), "no common cipher"),
        Case("unknown curve only", tls(version=ssl.TLSVersion.TLSv1_3, curve="secp521r1"), "no common"),
        Case("wants a client certificate (1.2)", tls(version=ssl.TLSVersion.TLSv1_2, client_ca=w.ca_file),
             r"refused: .*alert (40|116)"),
        Case("wants a client certificate (1.3)", tls(version=ssl.TLSVersion.TLSv1_3, client_ca=w.ca_file),
             r"refused: a client certificate is required \(alert 116\)"),
        Case("asks for another group first", tls(version=ssl.TLSVersion.TLSv1_3, curve="secp384r1"), None),
    ]


def test_odd_servers():
    with folder() as path:
        world = Pki(path)
        run_cases(world, odd_servers(world), 30)


def measure(settings, port):
    """How many bytes a server sends in a handshake."""
    client = ssl.create_default_context()
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.wrap_bio(incoming, outgoing)
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            try:
                tls.do_handshake()
                connection.sendall(outgoing.read())
                return total
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                piece = connection.recv(65536)
                total += len(piece)
                incoming.write(piece)


def test_broken_in_the_middle():
    """Cut, silent or changed at places spread over the whole flight of a good server."""
    with folder() as path:
        world = Pki(path)
        servers, cases = [], []
        steps = 40 if lib.FULL else 10
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            settings = context(path, [pki.leaf(world.key["leaf"], world.middle), world.middle],
                               world.key["leaf"], version)
            settings.num_tickets = 0
            servers.append(TlsServer(settings))
            total = measure(settings, servers[-1].port)
            for number in range(steps):
                at = 1 + (total - 2) * number // (steps - 1)
                name = f"{version.name} {{}} at {at} of {total}"
                port = servers[-1].port
                cases.append(Case(name.format("cut"), Relay(port, cut_at(at)), "waited for .*, but"))
                cases.append(Case(name.format("silent"), Relay(port, silent_at(at)),
                                  "given up while waiting for", timeout=STALL_TIMEOUT))
                # A record whose length was made longer waits for the rest.
                cases.append(Case(name.format("changed"), Relay(port, flip_at(at)), ".",
                                  timeout=STALL_TIMEOUT))
        run_cases(world, cases, 3 * 2 * steps)
        for server in servers:
            server.close()


# ---- Connections that are good -------------------------------------------------------------------

class OneAnswer(TlsServer):
    """Closes after each answer, so that each request needs a handshake. `clean` counts the connections
    that limpetd ended with close_notify."""

    def __init__(self, settings):
        self.clean = 0
        self.unclean = 0
        super().__init__(settings)

    def serve_tls(self, connection):
        try:
            stream = self.settings.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
        except ssl.SSLError:
            return
        self.seen.append((stream.version(), stream.session_reused, self.sni))
        lib.read_head(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")
        try:
            rest = stream.recv(1)
            self.clean += rest == b""
        except (ssl.SSLError, OSError):
            self.unclean += 1


def tls_values(daemon):
    return {name[len("limpet.tls."):]: value for name, value in daemon.stats().items()
            if name.startswith("limpet.tls.")}


class OpensslServer:
    """openssl s_server: tells in its answer whether the session was a new one."""

    def __init__(self, world, chain, key, *options):
        path = world.write("s_server.pem", [chain])
        self.port = lib.free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", path, "-key", key.path,
             "-www", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        lib.wait_until(self.listens, "s_server listens")

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def check_resumed(*options, resumed=True, rounds=20):
    with folder() as path:
        world = Pki(path)
        with OpensslServer(world, world.leaf(), world.key["leaf"], *options) as server, \
                lib.Limpetd(backend_config(world, server)) as daemon:
            said = [re.search(rb"\n(New|Reused), (TLSv1\.\d)", daemon.get("/0").body).group(1)
                    for _ in range(rounds)]
            assert said == [b"New"] + [b"Reused" if resumed else b"New"] * (rounds - 1), said
            want = rounds - 1 if resumed else 0
            lib.wait_until(lambda: tls_values(daemon)["handshakes_full"] == rounds - want
                           and tls_values(daemon)["handshakes_resumed"] == want, "they are counted")
            values = tls_values(daemon)
            assert values["sessions_used"] == (1 if resumed else 0), values


def test_resumed_tls13():
    check_resumed("-tls1_3")


def test_resumed_tls12_ticket():
    check_resumed("-tls1_2")


def test_resumed_tls12_session_id():
    check_resumed("-tls1_2", "-no_ticket")


def test_not_resumed_where_the_server_does_not():
    check_resumed("-tls1_3", "-num_tickets", "0", resumed=False)
    check_resumed("-tls1_2", "-no_ticket", "-no_cache", resumed=False)


def test_ended_by_close_notify():
    with folder() as path:
        world = Pki(path)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with OneAnswer(context(path, [world.leaf()], world.key["leaf"], version)) as server, \
                    lib.Limpetd(backend_config(world, server)) as daemon:
                for _ in range(10):
                    assert daemon.get("/0").body == b"fine"
                lib.wait_until(lambda: server.clean == 10, f"all ended well, {server.unclean} did not")


def test_no_sni_for_addresses():
    with folder() as path:
        world = Pki(path)
        with TlsServer(context(path, [world.leaf()], world.key["leaf"])) as server:
            with lib.Limpetd(backend_config(world, server, host="127.0.0.1")) as daemon:
                assert daemon.get("/0").body == b"fine"
                assert server.seen == [("TLSv1.3", False, None)], server.seen


def test_session_forgotten_by_the_server():
    """It gets a full handshake, not an error."""
    with folder() as path:
        world = Pki(path)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with OneAnswer(context(path, [world.leaf()], world.key["leaf"], version)) as server, \
                    lib.Limpetd(backend_config(world, server)) as daemon:
                assert daemon.get("/0").status == 200
                server.settings = context(path, [world.leaf()], world.key["leaf"], version)
                assert daemon.get("/0").status == 200
                assert [item[1] for item in server.seen] == [False, False], server.seen


def test_memory_after_a_thousand_handshakes():
    """Half of them refused. The arena is as full as after the first few."""
    rounds = 1000
    with folder() as path:
        world = Pki(path)
        good = context(path, [pki.leaf(world.key["leaf"], world.middle), world.middle], world.key["leaf"])
        good.num_tickets = 0
        bad = context(path, [world.leaf(names=(("dns", "x.test"),))], world.key["leaf"])
        with OneAnswer(good) as server, OneAnswer(bad) as other:
            config = backend_config(world, server)
            config["endpoints"].append(lib.endpoint("/1", f"https://localhost:{other.port}", "/",
                                                    timeout="5s"))
            with lib.Limpetd(config) as daemon, concurrent.futures.ThreadPoolExecutor(4) as pool:
                def ask(number):
                    return daemon.get(f"/{number % 2}").status

                def level(requests):
                    """Once that many are counted and all connections are closed."""
                    def values():
                        now = tls_values(daemon)
                        counted = now["handshakes_full"] + now["failed_name"]
                        return now if counted == requests and now["conns_used"] == 0 else None
                    return lib.wait_until(values, f"{requests} handshakes are counted")["arena_bytes_used"]

                assert list(pool.map(ask, range(20))) == [200, 500] * 10
                before = level(20)
                assert list(pool.map(ask, range(rounds))) == [200, 500] * (rounds // 2)
                after = level(20 + rounds)
                assert after == before, (before, after)
                half = (rounds + 20) // 2
                lib.wait_until(lambda: tls_values(daemon)["handshakes_full"] == half, f"{half} are counted")
                assert tls_values(daemon)["failed_name"] == half, tls_values(daemon)


def test_large_bodies():
    body = os.urandom(1 << 20) * 4
    with folder() as path:
        world = Pki(path)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            settings = context(path, [world.leaf()], world.key["leaf"], version)
            with TlsServer(settings, body=body) as server:
                with lib.Limpetd(backend_config(world, server)) as daemon:
                    assert daemon.get("/0").body == body


def test_cut_body_is_an_error():
    """Without close_notify nobody knows whether a body that ends with the connection is whole."""
    def serve(connection):
        with contextlib.suppress(ssl.SSLError):
            stream = settings.wrap_socket(connection, server_side=True)
            lib.read_head(stream)
            stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n{\"a\":1}")
            if whole:
                stream.unwrap()
    with folder() as path:
        world = Pki(path)
        settings = context(path, [world.leaf()], world.key["leaf"])
        with TlsServer(settings, serve=serve) as server:
            config = lib.config([lib.endpoint("/0", f"https://localhost:{server.port}", "/", timeout="5s")])
            config["client_tls"] = {"ca_certs": [world.ca_file], "disable_system_ca_pool": True}
            with lib.Limpetd(config) as daemon:
                for whole in (True, False):
                    assert daemon.get("/0").status == (200 if whole else 500)


def test_long_chain_and_client_certificate():
    """Three certificates of RSA-4096 on both sides: what the arena is sized by."""
    with folder() as path:
        names = ("authority", "own")  # two, because RSA-4096 keys take seconds
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            keys = dict(zip(names, pool.map(lambda name: pki.Key(path, "long-" + name, "rsa4096"), names)))
        root = pki.authority("long root", keys["authority"])
        middles = [pki.authority("long middle", keys["authority"], root)]
        chain = [pki.leaf(keys["own"], middles[0]), *middles, root]
        own = [pki.leaf(keys["own"], middles[0], usages=("clientAuth",)), *middles, root]
        world = type("World", (), {})()
        world.ca_file = os.path.join(path, "long-ca.pem")
        own_file = os.path.join(path, "own.pem")
        with open(world.ca_file, "w", encoding="ascii") as file:
            file.write(root.pem())
        with open(own_file, "w", encoding="ascii") as file:
            file.writelines(certificate.pem() for certificate in own)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            settings = context(path, chain, keys["own"], version, client_ca=world.ca_file)
            identity = [{"certificate": own_file, "private_key": keys["own"].path}]
            with OneAnswer(settings) as server:
                with lib.Limpetd(backend_config(world, server, client_certs=identity)) as daemon:
                    assert [daemon.get("/0").status for _ in range(3)] == [200] * 3
                    lib.wait_until(lambda: tls_values(daemon)["handshakes_resumed"] == 2, "two are resumed")
                    values = tls_values(daemon)
                    print(f"{version.name}: arena high water {values['arena_bytes_max']} bytes, "
                          f"{values['arena_bytes_used']} when idle", flush=True)


def test_message_too_long():
    """A chain that does not fit is refused with that reason."""
    many = tuple(("dns", f"name-{number}.{'x' * 40}.test") for number in range(400))
    with folder() as path:
        world = Pki(path)
        cases = [Case(f"chain of 20 kB, {version.name}",
                      TlsServer(context(path, [world.leaf(names=many)], world.key["leaf"], version)),
                      "a chain is too long")
                 for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        run_cases(world, cases, 2)


def test_files_that_cannot_be_used():
    with folder() as path:
        world = Pki(path)
        nothing = os.path.join(path, "nothing.pem")
        with open(nothing, "w", encoding="ascii") as file:
            file.write("no certificate in here\n")
        own = world.write("own.pem", [world.leaf(usages=("clientAuth",))])
        for keys, reason in (
                ({"ca_certs": ["/nowhere/ca.pem"]}, "/nowhere/ca.pem: cannot be read"),
                ({"ca_certs": [nothing]}, "no certificate in PEM form"),
                ({"client_certs": [{"certificate": own, "private_key": world.key["other"].path}]}, "not a pair"),
                ({"client_certs": [{"certificate": own, "private_key": own}]}, "not a pair")):
            with TlsServer(context(path, [world.leaf()], world.key["leaf"])) as server:
                daemon = lib.Limpetd(backend_config(world, server, **keys), wait=False)
                try:
                    assert daemon.wait_exit() == 1
                    assert reason in daemon.log(), daemon.log()
                finally:
                    daemon.kill()


def test_system_authorities():
    """SSL_CERT_FILE names them; without it Debian's bundle is read, and does not trust us."""
    with folder() as path:
        world = Pki(path)
        with TlsServer(context(path, [world.leaf()], world.key["leaf"])) as server:
            config = backend_config(world, server)
            del config["client_tls"]
            environment = {**os.environ, "SSL_CERT_FILE": world.ca_file}
            with lib.Limpetd(config, env=environment) as daemon:
                assert daemon.get("/0").status == 200
            del environment["SSL_CERT_FILE"]
            with lib.Limpetd(config, env=environment) as daemon:
                assert daemon.get("/0").status == 500
                daemon.wait_log("no authority that is trusted")


if __name__ == "__main__":
    lib.main(globals())
