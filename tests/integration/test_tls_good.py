#!/usr/bin/python3
"""https:// backends that are good: sessions that are really resumed, ends that both sides know of, large
bodies, client certificates, whose authorities count, and memory that comes back."""
import concurrent.futures
import contextlib
import os
import re
import ssl

import lib
import pki
from tls_world import (context, TlsServer, Pki, Case, run_cases, backend_config, folder,
                       OpensslServer, Relay, cut_at, says)


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


def test_sni():
    """The name that was asked for, in both versions."""
    with folder() as path:
        world = Pki(path)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with TlsServer(context(path, [world.leaf()], world.key["leaf"], version)) as server, \
                    lib.Limpetd(backend_config(world, server)) as daemon:
                assert daemon.get("/0").body == b"fine"
                assert server.seen == [(version.name.replace("_", "."), False, "localhost")], server.seen


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


def test_memory_after_many_handshakes():
    """Half of them refused. The arena is as full as after the first few."""
    rounds = 1000 if lib.FULL else 200
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


def test_failures_are_counted_by_reason():
    """Each handshake that fails moves the counter of its reason by one, and no other."""
    with folder() as path, contextlib.ExitStack() as stack:
        world = Pki(path)
        key = world.key["leaf"]

        def server(certificate):
            return stack.enter_context(TlsServer(context(path, [certificate], key)))
        good = server(world.leaf())
        servers = {"failed_authority": server(pki.leaf(key, world.foreign)),
                   "failed_date": server(world.leaf(start=pki.NOW - 9 * pki.DAY, end=pki.NOW - pki.DAY)),
                   "failed_name": server(world.leaf(names=(("dns", "x.test"),))),
                   "failed_usage": server(world.leaf(usages=("clientAuth",))),
                   "failed_weak": server(world.leaf(md="sha1")),
                   "failed_protocol": stack.enter_context(says(b"this is no TLS at all, not a record of it")),
                   "failed_unfinished": stack.enter_context(Relay(good.port, cut_at(50)))}
        config = backend_config(world, good)
        for reason, other in servers.items():
            config["endpoints"].append(lib.endpoint(f"/{reason}", f"https://localhost:{other.port}", "/",
                                                    timeout="5s"))
        with lib.Limpetd(config) as daemon:
            expected = dict.fromkeys(["failed_memory", *servers], 0)
            for reason in servers:
                assert daemon.get(f"/{reason}").status == 500, reason
                expected[reason] = 1
                lib.wait_until(lambda: {name: value for name, value in tls_values(daemon).items()
                                        if name.startswith("failed_")} == expected, f"{expected}", 10)
            assert daemon.get("/0").status == 200
            lib.wait_until(lambda: tls_values(daemon)["handshakes_full"] == 1
                           and tls_values(daemon)["sessions_kept"] >= 1, "the good one, and its session")


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


def test_nothing_turns_it_off():
    """Keys that other programs have for that are refused, each by its name."""
    keys = {"client_tls": ("allow_insecure_connections", "insecure_skip_verify", "skip_verify"),
            "telemetry/influx": ("allow_insecure_connections", "insecure_skip_verify", "verify")}
    config = lib.config([lib.endpoint("/0", "https://localhost:8443")], client_tls={},
                        influx={"address": "https://localhost:8086", "ttl": "1s"})
    for section, names in keys.items():
        config.get(section, config["extra_config"].get(section)).update(dict.fromkeys(names, True))
    daemon = lib.Limpetd(config, wait=False)
    try:
        assert daemon.wait_exit() == 1
        for section, names in keys.items():
            assert all(f"{section}.{name}" in daemon.log() for name in names), daemon.log()
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
