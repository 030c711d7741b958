#!/usr/bin/python3
"""The TLS client on a board: InfluxDB behind a TLS proxy, https:// backends, one session in turn, memory
that is too small, entropy and clock that are missing. For builds with LIMPET_TLS."""
import concurrent.futures
import contextlib
import os
import ssl
import tempfile
import threading

import machine
import lib  # pylint: disable=wrong-import-order
import pki
import test_influx
import test_tls
import test_tls_influx
import test_windows


@contextlib.contextmanager
def started(what, clock=None, storage=None, extra=()):
    """A board with the time, and storage of its own unless one is given."""
    server = clock or machine.TimeServer()
    try:
        with machine.Machine(machine.BUILD, what, extra, time_server=server.address,
                             storage=storage) as board:
            if clock is None:
                machine.wait_until(lambda: board.stats()["limpet.clock.known"] == 1, "the time")
            yield board
    finally:
        server.close()


def tls_values(board):
    prefix = "limpet.tls."
    return {key[len(prefix):]: value for key, value in board.stats().items() if key.startswith(prefix)}


def check_idle(board):
    """Nothing is left in use, and nothing was ever used beyond its limit."""
    machine.wait_until(lambda: tls_values(board)["conns_used"] == 0, "the connection is closed")
    values = tls_values(board)
    assert values["conns_max"] <= values["conns_limit"] == 1, values
    assert values["arena_bytes_max"] <= values["arena_bytes_limit"], values
    stats = board.stats()
    print(f"     arena {values['arena_bytes_max']} of {values['arena_bytes_limit']}, stack: "
          f"{machine.check_stack(stats)}, "
          f"turn {stats['limpet.app.turn_late_ns_max'] / 1e6:.0f} ms")


# ---- InfluxDB over HTTPS -------------------------------------------------------------------------

def check_influx(protocol, leaf="leaf", **options):
    with test_tls.folder() as path, test_influx.InfluxDB() as influxdb, \
            lib.Backend({"/a": lib.Answer({"a": 1})}) as stub:
        world = test_tls.Pki(path)
        chain = [pki.leaf(world.key[leaf], world.middle), world.middle]
        own = {}
        if options.get("verify") == "on":
            own = {"client_key_file": world.key["p384"].path, "client_cert_file": world.write(
                "own.pem", [pki.leaf(world.key["p384"], world.root, usages=("clientAuth",))])}
        with test_tls_influx.Nginx(world, chain, world.key[leaf], influxdb, protocol,
                                   **options) as proxy:
            what = test_windows.config(stub, proxy, ca_file=world.ca_file, **own)
            with started(what) as board:
                for total in (5, 10, 15):
                    test_windows.send(board, 5)
                    machine.wait_until(lambda n=total: influxdb.sum() == n, "every request is there", 60)
                lines = proxy.sessions()
                values = tls_values(board)
                assert {line[0] for line in lines} == {protocol}, lines
                # A session whose dates were not checked is not resumed once the time is known.
                assert values["handshakes_full"] == 1 + values["handshakes_undated"], values
                assert values["handshakes_resumed"] >= 2, values
                assert test_windows.identity(board)["windows_dropped"] == 0
                check_idle(board)


def test_influx_tls12():
    check_influx("TLSv1.2")


def test_influx_tls13():
    check_influx("TLSv1.3")


def test_influx_tls12_rsa():
    check_influx("TLSv1.2", leaf="rsa")


def test_influx_tls13_rsa_with_client_certificate():
    check_influx("TLSv1.3", leaf="rsa", verify="on")


# ---- Backends ------------------------------------------------------------------------------------

def backends(path, *servers, **keys):
    """/0, /1, ... each from one server, besides a plain /plain."""
    endpoints = [lib.endpoint(f"/{i}", f"https://localhost:{server.port}", output_encoding="no-op",
                              backend_encoding="no-op") for i, server in enumerate(servers)]
    return {"version": 3, "port": machine.GATEWAY_PORT, "timeout": "20s", "endpoints": endpoints,
            "client_tls": {"ca_certs": [path], "disable_system_ca_pool": True},
            "extra_config": {"telemetry/metrics": {"listen_address": ":8090"}}, **keys}


def test_backends_in_turn():
    """One session at a time: two backends and many clients take turns, a plain backend does not wait."""
    with test_tls.folder() as path, lib.Backend({"/plain": lib.Answer("here")}) as plain:
        world = test_tls.Pki(path)
        chain = [pki.leaf(world.key["leaf"], world.middle), world.middle]
        settings = [test_tls.context(path, chain, world.key["leaf"], version)
                    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        with test_tls.TlsServer(settings[0], b"old") as old, \
                test_tls.TlsServer(settings[1], bytes(5000) + b"new") as new:
            what = backends(world.ca_file, old, new)
            what["endpoints"].append(lib.endpoint("/plain", plain, output_encoding="no-op",
                                                  backend_encoding="no-op"))
            with started(what) as board, concurrent.futures.ThreadPoolExecutor(6) as pool:
                asked = ["/0", "/1", "/plain"] * 4
                for where, answer in zip(asked, pool.map(board.get, asked)):
                    expected = {"/0": b"old", "/1": bytes(5000) + b"new", "/plain": b"here"}[where]
                    assert answer.status == 200 and answer.body == expected, (where, answer.status)
                machine.wait_until(lambda: tls_values(board)["handshakes_resumed"] >= 1, "one is resumed")
                assert tls_values(board)["conns_refused"] == 0
                check_idle(board)


SLOW_CPU = ["-icount", "shift=6"] # 64 ns an instruction: a part of 16 MIPS
HANDSHAKES = 4
PLAIN_TIMEOUT_S = 1


class OneAnswer(lib.RawBackend):
    """Says "fine" and goodbye: each request is a handshake, and there is nothing to resume."""

    def __init__(self, settings):
        settings.num_tickets = 0
        self.settings = settings
        super().__init__(self.serve_one)

    def serve_one(self, connection):
        with contextlib.suppress(ssl.SSLError):
            stream = self.settings.wrap_socket(connection, server_side=True)
            lib.read_head(stream)
            stream.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine")
            stream.unwrap()


def handshakes_beside(board, others):
    """Handshakes one after the other while `others` ask for /plain on and on; their statuses."""
    def ask(_):
        seen = [board.get("/plain").status]
        while not ended.is_set():
            seen.append(board.get("/plain").status)
        return seen
    ended = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(others) as pool:
        running = [pool.submit(ask, i) for i in range(others)]
        try:
            for _ in range(HANDSHAKES):
                assert board.get("/0").body == b"fine"
        finally:
            ended.set()
        return [status for one in running for status in one.result()]


def test_a_handshake_costs_others_only_the_wait():
    """On a part on which one step of a handshake takes longer than /plain may take, nobody who asks for
    /plain fails: deadlines do not run while the loop is busy. All times are the board's own."""
    with test_tls.folder() as path, lib.Backend({"/plain": lib.Answer("here")}) as plain:
        world = test_tls.Pki(path)
        settings = test_tls.context(path, [pki.leaf(world.key["leaf"], world.root)], world.key["leaf"],
                                    ssl.TLSVersion.TLSv1_3)
        with OneAnswer(settings) as server:
            what = backends(world.ca_file, server)
            what["endpoints"].append(lib.endpoint("/plain", plain, output_encoding="no-op",
                                                  backend_encoding="no-op", timeout=f"{PLAIN_TIMEOUT_S}s"))
            with started(what, extra=SLOW_CPU) as board:
                seen = handshakes_beside(board, 3)
                machine.wait_until(lambda: tls_values(board)["handshakes_full"] == HANDSHAKES, "all were full")
                stats = board.stats()
                turn_s = stats["limpet.app.turn_late_ns_max"] / 1e9
                plain_s, tls_s = (stats[f"krakend.router.response.{path}.time.max"] / 1e9
                                  for path in ("/plain", "/0"))
                print(f"     longest turn {turn_s:.2f} s, slowest /plain {plain_s:.2f} s of {len(seen)}, "
                      f"slowest handshake and answer {tls_s:.2f} s")
                assert turn_s > PLAIN_TIMEOUT_S, "no step is long enough to show anything"
                assert set(seen) == {200} and len(seen) > HANDSHAKES, seen
                # A request meets the steps of one handshake at most, and waits for nothing else.
                assert plain_s < tls_s + turn_s, (plain_s, tls_s)
                assert "no answer within" not in board.console()
                check_idle(board)


def check_refused(board, words):
    """The gateway answers without what was refused, the console says why, and the board goes on."""
    assert board.get("/0").status == 500
    board.wait_console(words)
    assert board.console().count("READY") == 1


def test_refusals_with_reasons():
    with test_tls.folder() as path:
        world = test_tls.Pki(path)
        cases = [([pki.leaf(world.key["leaf"], world.foreign)], "no authority that is trusted"),
                 ([pki.leaf(world.key["leaf"], world.root, names=(("dns", "elsewhere.example"),))],
                  "certificate is for elsewhere.example, not localhost"),
                 ([pki.leaf(world.key["leaf"], world.root, start=pki.NOW - 9 * pki.DAY,
                            end=pki.NOW - pki.DAY)], "expired")]
        for chain, words in cases:
            settings = test_tls.context(path, chain, world.key["leaf"])
            with test_tls.TlsServer(settings) as server, \
                    started(backends(world.ca_file, server)) as board:
                check_refused(board, words)
                check_idle(board)


def rsa4096_chain(path):
    """Root, two intermediates and leaf, each with a key of 4096 bits; the same for the client."""
    keys = [pki.Key(path, f"big{i}", "rsa4096") for i in range(2)]
    root = pki.authority("big root", keys[0])
    first = pki.authority("big first", keys[0], root)
    second = pki.authority("big second", keys[0], first)
    return root, [pki.leaf(keys[1], second), second, first], \
        [pki.leaf(keys[1], second, usages=("clientAuth",)), second, first], keys[1]


def write_pem(path, name, certificates):
    with open(os.path.join(path, name), "w", encoding="ascii") as file:
        file.writelines(certificate.pem() for certificate in certificates)
    return file.name


def check_too_large(board):
    """The large chain fails for the reason memory, told and counted, and leaves nothing behind."""
    before = tls_values(board)
    check_refused(board, r"\[SERVICE: TLS\] localhost:\d+: .*memory.* \d+ of \d+ bytes were used "
                  r"\(LIMPET_TLS_ARENA_LEN\)")
    machine.wait_until(lambda: tls_values(board)["failed_memory"] == 1, "the counter of the reason")
    values = tls_values(board)
    assert [key for key, value in values.items() if key.startswith("failed_") and value] == \
        ["failed_memory"], values
    machine.wait_until(lambda: tls_values(board)["arena_bytes_used"] == before["arena_bytes_used"],
                       "the arena is as it was")
    print(f"     at rest {before['arena_bytes_used']} of {before['arena_bytes_limit']}")
    check_idle(board)


def test_chain_of_rsa4096():
    """Three certificates of RSA-4096 are more than the arena holds; then a small chain works all the same.
    Three of our own besides stay in the arena and leave too little for any handshake."""
    with test_tls.folder() as path:
        world = test_tls.Pki(path)
        small = [pki.leaf(world.key["leaf"], world.root)]
        root, chain, own_chain, key = rsa4096_chain(path)
        ca_file = write_pem(path, "ca.pem", [root, world.root])
        own = {"client_certs": [{"certificate": write_pem(path, "own.pem", own_chain),
                                 "private_key": key.path}]}
        for asks in (False, True):
            settings = test_tls.context(path, chain, key, client_ca=ca_file if asks else None)
            with test_tls.TlsServer(settings) as large, \
                    test_tls.TlsServer(test_tls.context(path, small, world.key["leaf"])) as other:
                what = backends(ca_file, large, other)
                if asks:
                    what["client_tls"].update(own)
                with started(what) as board:
                    check_too_large(board)
                    if not asks:
                        assert board.get("/1").body == b"fine"
                        machine.wait_until(lambda b=board: tls_values(b)["handshakes_full"] == 1,
                                           "the handshake is counted")


# ---- Entropy and clock ---------------------------------------------------------------------------

def test_first_random_bytes_never_repeat():
    """Cold starts and resets with the same files: the 32 random bytes of the first ClientHello, which
    are among the first that a board makes, are others each time."""
    seen = []

    def serve(connection):
        hello = connection.recv(4096)
        assert hello[5] == 1, hello # handshake message: ClientHello
        seen.append(hello[11:43])
    with test_tls.folder() as path, tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder:
        storage = os.path.join(folder, "storage")
        machine.new_storage(storage)
        ca_file = write_pem(path, "ca.pem", [pki.authority("root", pki.Key(path, "root", "P-256"))])
        with lib.RawBackend(serve) as server:
            what = backends(ca_file, server)
            for _ in range(2):
                with started(what, clock=machine.TimeServer(), storage=storage) as board:
                    with open(board.image_path, "rb") as file:
                        what = file.read() # the same seed
                    assert board.get("/0").status == 500
                    board.monitor("system_reset")
                    board.wait_console("READY", 2)
                    machine.wait_until(lambda b=board: status_of(b, "/0") == 500, "an answer")
        assert len(seen) >= 4 and len(set(seen)) == len(seen), seen


def status_of(board, path):
    with contextlib.suppress(OSError, machine.http.client.HTTPException):
        return board.get(path).status
    return None


def test_no_storage_no_tls():
    with test_tls.folder() as path, tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder:
        storage = os.path.join(folder, "storage")
        with open(storage, "wb") as file:
            file.truncate(machine.STORAGE_LEN)
        world = test_tls.Pki(path)
        settings = test_tls.context(path, [pki.leaf(world.key["leaf"], world.root)], world.key["leaf"])
        with test_tls.TlsServer(settings) as server, \
                started(backends(world.ca_file, server), storage=storage) as board:
            check_refused(board, "no random numbers, so no TLS: there is no storage that keeps a seed")
            machine.wait_until(lambda: tls_values(board)["conns_refused"] == 1, "the counter")
            assert server.connections == 0


def test_without_the_time_dates_are_not_checked_and_counted():
    """A time server that lies about 1970 leaves the clock unknown."""
    with test_tls.folder() as path:
        world = test_tls.Pki(path)
        settings = test_tls.context(path, [pki.leaf(world.key["leaf"], world.root)], world.key["leaf"])
        clock = machine.TimeServer(-machine.time.time())
        with test_tls.TlsServer(settings) as server, \
                started(backends(world.ca_file, server), clock=clock) as board:
            assert board.get("/0").body == b"fine"
            machine.wait_until(lambda: tls_values(board)["handshakes_undated"] == 1, "the counter")


if __name__ == "__main__":
    machine.main(globals())
