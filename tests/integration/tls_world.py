"""What the tests of TLS share: servers, keys and certificates, and many servers asked at once."""
import concurrent.futures
import contextlib
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import lib
import pki
from pki import DAY, NOW

TIMEOUT_S = 4.0


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
