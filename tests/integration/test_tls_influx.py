#!/usr/bin/python3
"""Windows to a real InfluxDB 1.x behind a real TLS proxy (nginx): nothing lost, sessions resumed, nobody
else believed."""
import os
import subprocess
import tempfile

import lib
import pki
import test_influx
import tls_world

UNPACK = os.path.join(lib.ROOT, "tools", "nginx")
NGINX = os.path.join(lib.ROOT, "build", "tools", "nginx", "usr", "sbin", "nginx")

RECORD_LEN = 16384  # of plain text in one TLS record, at most (RFC 8446 section 5.1)

NGINX_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format session '$ssl_protocol $ssl_session_reused $status';
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {folder}/chain.pem;
        ssl_certificate_key {key};
        ssl_protocols {protocol};
        ssl_session_cache builtin:100;
        ssl_client_certificate {ca};
        ssl_verify_client {verify};
        keepalive_timeout {keepalive};
        access_log {folder}/sessions.log session;
        location / {{
            proxy_pass {influxdb};
        }}
    }}
}}
"""


class Nginx:
    def __init__(self, world, chain, key, influxdb, protocol="TLSv1.2 TLSv1.3", verify="off", keepalive=0):
        subprocess.run([UNPACK, "unpack"], check=True)
        self.folder = tempfile.mkdtemp(prefix="nginx.", dir=world.folder)
        self.port = lib.free_port()
        self.url = f"https://localhost:{self.port}"
        with open(os.path.join(self.folder, "chain.pem"), "w", encoding="ascii") as file:
            file.writelines(certificate.pem() for certificate in chain)
        self.config = os.path.join(self.folder, "nginx.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(NGINX_CONFIG.format(folder=self.folder, port=self.port, key=key.path, ca=world.ca_file,
                                           influxdb=influxdb.url, protocol=protocol, verify=verify,
                                           keepalive=keepalive))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([NGINX, "-c", self.config, "-p", self.folder],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lib.wait_until(self.listens, "nginx listens")

    def listens(self):
        assert self.process.poll() is None, "nginx ended by itself"
        return tls_world.OpensslServer.listens(self)

    def sessions(self):
        """[version, "r" or ".", status] of each request."""
        with open(os.path.join(self.folder, "sessions.log"), encoding="ascii") as file:
            return [line.split() for line in file]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


MANY = [f"/many/{number}" for number in range(40)]


def config(stub, proxy, **influx):
    return test_influx.config(stub, proxy, "1s", "1s", **influx)


def config_with_many(stub, proxy, **influx):
    """So many endpoints that a window fills several TLS records."""
    result = config(stub, proxy, **influx)
    result["endpoints"] += [lib.endpoint(path, stub, "/a") for path in MANY]
    return result


def check_delivery(protocol, **options):
    """Every request arrives in an InfluxDB that wants a login, also what happened while nobody was there."""
    with tls_world.folder() as path, test_influx.InfluxDB(auth=True) as influxdb, test_influx.Stub() as stub:
        world = tls_world.Pki(path)
        chain = [pki.leaf(world.key["leaf"], world.middle), world.middle]
        user = {"username": test_influx.WRITER[0], "password": test_influx.WRITER[1]}
        influxdb.query(f"create user {user['username']} with password '{user['password']}'")
        influxdb.query(f"grant write on krakend to {user['username']}")
        with Nginx(world, chain, world.key["leaf"], influxdb, protocol, **options) as proxy:
            own = {}
            if options.get("verify") == "on":
                own = {"client_key_file": world.key["rsa"].path, "client_cert_file": world.write(
                    "own.pem", [pki.leaf(world.key["rsa"], world.root, usages=("clientAuth",))])}
            with lib.Limpetd(config_with_many(stub, proxy, ca_file=world.ca_file, **user, **own)) as daemon:
                for _ in range(3):
                    assert set(test_influx.send(daemon, ["/a"] * 60 + MANY)) == {200}
                    written = len(proxy.sessions())
                    lib.wait_until(lambda: len(proxy.sessions()) > written, "a push")  # pylint: disable=cell-var-from-loop
                test_influx.wait_equal(influxdb.sum, 300, "every request is in InfluxDB")
                proxy.kill()
                assert set(test_influx.send(daemon, ["/a"] * 60 + MANY)) == {200}
                daemon.wait_log("InfluxDB.*(refused|secure|closed)")
                proxy.start()
                test_influx.wait_equal(influxdb.sum, 400, "what happened during the outage, too")
                stats = daemon.stats()
                each = stats["limpet.influx.bytes"] / stats["limpet.influx.windows_written"]
                assert each > 2 * RECORD_LEN, each
                assert stats["limpet.tls.handshakes_undated"] == 0, stats
            lines = proxy.sessions()
            assert {line[0] for line in lines} == {protocol}, lines
            assert all(line[2] in ("204", "502") for line in lines), lines
            if options.get("keepalive", 0) == 0:
                full = [line for line in lines if line[1] == "."]
                assert len(full) == 2 and len(lines) > 4, lines  # at the start and after the restart


def test_tls12():
    check_delivery("TLSv1.2")


def test_tls13():
    check_delivery("TLSv1.3")


def test_client_certificate():
    for protocol in ("TLSv1.2", "TLSv1.3"):
        check_delivery(protocol, verify="on")


def test_keep_alive():
    check_delivery("TLSv1.3", keepalive=60)


def test_nobody_else():
    """A proxy that nobody vouches for gets no window, and no password."""
    with tls_world.folder() as path, test_influx.InfluxDB() as influxdb, test_influx.Stub() as stub:
        world = tls_world.Pki(path)
        for chain, reason in (([pki.leaf(world.key["leaf"], world.foreign)], "no authority that is trusted"),
                              ([world.leaf(names=(("dns", "influx.example"),))],
                               "certificate is for influx.example, not localhost")):
            with Nginx(world, chain, world.key["leaf"], influxdb) as proxy:
                with lib.Limpetd(config(stub, proxy, ca_file=world.ca_file)) as daemon:
                    assert test_influx.send(daemon, ["/a"] * 16) == [200] * 16
                    daemon.wait_log(reason)
                    daemon.wait_log("InfluxDB.*no secure connection")
                assert proxy.sessions() == [], proxy.sessions()
        assert influxdb.sum() == 0


if __name__ == "__main__":
    lib.main(globals())
