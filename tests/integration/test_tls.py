#!/usr/bin/python3
"""https:// backends: whom limpetd believes and whom it refuses, with the reason in its log; servers that
break the handshake at every step."""
import os
import re
import socket
import ssl
import struct
import time

import lib
import pki
from pki import DAY, NOW
from tls_world import (context, TlsServer, Relay, Pki, Case, run_cases, backend_config, folder,
                       cut_at, silent_at, flip_at, says)

STALL_TIMEOUT = "900ms"


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
        single("another address", "certificate is for 127.0.0.2, not the address 127.0.0.1", host="127.0.0.1",
               names=(("ip", b"\x7f\0\0\2"),)),
        single("address written as a name", "certificate is for 127.0.0.1, not the address 127.0.0.1",
               host="127.0.0.1", names=(("dns", "127.0.0.1"),)),
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
             r"refused: .*a client certificate.*alert (40|116)"),
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


if __name__ == "__main__":
    lib.main(globals())
