"""limpetd as a process: command line, ports, start, stop, many connections, large bodies."""
import concurrent.futures
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

import lib

QUICKSTART = os.path.join(lib.ROOT, "port", "posix", "quickstart.json")
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL): \S")
SANITIZED = "asan" in lib.LIMPETD
HARD_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def quickstart():
    """The quick start's configuration on free ports."""
    with open(QUICKSTART, encoding="utf-8") as file:
        config = json.load(file)
    config["port"] = lib.free_port()
    config["host"] = [f"http://127.0.0.1:{config['port']}"]
    config["extra_config"]["telemetry/metrics"]["listen_address"] = f"127.0.0.1:{lib.free_port()}"
    return config


def written(text):
    """A file with that text; deleted when the object goes."""
    file = tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8")
    file.write(text)
    file.flush()
    return file


def connects(host, port):
    try:
        socket.create_connection((host, port), timeout=lib.SECONDS_MAX).close()
        return True
    except ConnectionRefusedError:
        return False


# ---- Command line --------------------------------------------------------------------------------

def test_help_and_version():
    for words in (["help"], ["--help"], ["run", "--help"]):
        done = lib.run(*words)
        assert done.returncode == 0 and done.stderr == "", done
        for word in ("run", "check", "version", "-c", "-d", "-p", "SIGTERM", "SIGHUP"):
            assert word in done.stdout, word
    done = lib.run("version")
    assert done.returncode == 0 and done.stderr == "", done
    assert re.match(r"limpetd \d+\.\d+\.\d+\nlwIP \d.*\nlibslirp \d", done.stdout), done.stdout


def test_wrong_command_line():
    for words, message in ((["run", "--nonsense"], "unknown option --nonsense"),
                           (["run", "-c"], "missing value after -c"),
                           (["run", "-p", "eighty"], "not a port (1 to 65535): eighty"),
                           (["check"], "check needs -c FILE"),
                           (["serve"], "unknown command serve"),
                           ([], "no command")):
        done = lib.run(*words)
        assert done.returncode == 2 and done.stdout == "", done
        assert done.stderr.startswith(f"limpetd: {message}\nusage: limpetd run"), done.stderr


# ---- check and bad configurations ----------------------------------------------------------------

def test_check_good():
    done = lib.run("check", "-c", QUICKSTART)
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"{QUICKSTART}: ok\n"), done.stdout
    assert "http://127.0.0.1:8080/  3 endpoints" in done.stdout, done.stdout
    assert "3 backends" in done.stdout, done.stdout
    assert "http://127.0.0.1:8090/__stats/  window 10 s, 3 endpoint series" in done.stdout, done.stdout
    assert "6 proxy series" in done.stdout, done.stdout
    assert "influxdb  off" in done.stdout, done.stdout


def test_check_shows_influx():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)],
                        influx={"address": "http://127.0.0.1:8086", "ttl": "25s", "db": "edge",
                                "username": "u", "password": "p", "buffer_size": 100})
    with written(json.dumps(config)) as file:
        done = lib.run("check", "-c", file.name)
    assert done.returncode == 0, done
    line = [line for line in done.stdout.splitlines() if line.startswith("  influxdb")][0]
    for word in ("127.0.0.1:8086", '"edge"', "with user name", "25 s"):
        assert word in line, line
    assert "p," not in line.replace("http,", ""), "the password is not shown"


def test_bad_configuration():
    text = '{\n  "version": 3,\n  "timeout": 7,\n  "endpoints": [{"endpoint": "/a"}]\n}\n'
    with written(text) as file:
        for words in (["check"], ["run"]):
            done = lib.run(*words, "-c", file.name)
            assert done.returncode == 1 and done.stdout == "", done
            first = done.stderr.splitlines()[0]
            assert re.match(re.escape(file.name) + r":3:\d+: timeout: \S", first), done.stderr
            assert "endpoints[0]" in done.stderr, done.stderr


def test_no_json():
    with written('{"version": 3,\n}') as file:
        done = lib.run("run", "-c", file.name)
    assert done.returncode == 1 and done.stderr.startswith(f"{file.name}:2:1: "), done


def test_missing_and_too_long_file():
    done = lib.run("run", "-c", "/nowhere/krakend.json")
    assert done.returncode == 1, done
    assert done.stderr == "/nowhere/krakend.json: No such file or directory\n", done.stderr
    done = lib.run("check", "-c", "/")
    assert done.returncode == 1 and done.stderr == "/: Is a directory\n", done
    with written(" " * (1024 * 1024 + 1)) as file:
        done = lib.run("check", "-c", file.name)
        assert done.returncode == 1 and "longer than 1048576 bytes" in done.stderr, done


# ---- Ports ---------------------------------------------------------------------------------------

def run_with_taken(key_address, config, port):
    """Expects that the start fails because a port is taken, before anything else happened."""
    with written(json.dumps(config)) as file:
        with socket.create_server(("127.0.0.1", port)):
            done = lib.run("run", "-c", file.name)
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and " CRITICAL: " in lines[0], done.stderr
    assert f"cannot listen on {key_address}" in lines[0], lines
    assert "Address already in use" in lines[0], lines


def test_taken_ports():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    stats = config["extra_config"]["telemetry/metrics"]["listen_address"]
    port = config["port"]
    run_with_taken(f"127.0.0.1:{port} (\"port\"", config, port)
    run_with_taken(f"{stats} (telemetry/metrics \"listen_address\")", config, int(stats.split(":")[1]))
    del config["listen_ip"]  # all addresses: one that is taken is enough
    run_with_taken(f"0.0.0.0:{port}", config, port)


def few_open_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


def test_too_few_open_files():
    """Not a gateway that listens and accepts nobody."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(lib.config([]), file)
        file.flush()
        done = lib.run("run", "-c", file.name, preexec_fn=few_open_files)
    assert done.returncode == 1, done
    assert "CRITICAL: [SERVICE: Network] only 100 open files allowed" in done.stderr, done


def test_listens_where_it_is_told():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    with lib.Limpetd(config) as daemon:
        assert connects("127.0.0.1", daemon.port) and connects("127.0.0.1", daemon.stats_port)
        assert not connects("127.0.0.2", daemon.port)
        assert not connects("127.0.0.2", daemon.stats_port)
    del config["listen_ip"]
    config["extra_config"]["telemetry/metrics"]["listen_address"] = f":{lib.free_port()}"
    with lib.Limpetd(config) as daemon:
        assert connects("127.0.0.2", daemon.port) and connects("127.0.0.2", daemon.stats_port)
        daemon.wait_log(rf"\[SERVICE: Gateway\] .*http://127\.0\.0\.1:{daemon.port}/")


def test_endpoint_disabled_closes_that_listener_only():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)], metrics={"endpoint_disabled": True})
    with lib.Limpetd(config) as daemon:
        assert daemon.get("/__health").status == 200
        assert not connects("127.0.0.1", daemon.stats_port)


def test_port_option_wins():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    with lib.Limpetd(config, "-p", str(lib.free_port())) as daemon:
        assert daemon.port != config["port"]
        assert daemon.get("/__health").status == 200
        assert not connects("127.0.0.1", config["port"])


# ---- Start ---------------------------------------------------------------------------------------

def test_log_and_urls():
    config = lib.config([lib.endpoint("/a", lib.NOBODY),
                         lib.endpoint("/user/{id}", lib.NOBODY, method="POST")])
    with lib.Limpetd(config) as daemon:
        daemon.wait_log(rf"\[SERVICE: Stats\] .*{re.escape(daemon.stats_url)}")
        daemon.wait_log(rf"\[SERVICE: Gateway\] .*{re.escape(daemon.url)}/")
        daemon.wait_log(rf"\[ENDPOINT: /a\] GET {re.escape(daemon.url)}/a$")
        daemon.wait_log(rf"\[ENDPOINT: /user/{{id}}\] POST {re.escape(daemon.url)}/user/{{id}}$")
        daemon.wait_log(r"address 10\.\d+\.\d+\.15|address 1\d\d\.")
    for line in daemon.lines:
        assert LOG_LINE.match(line), line


def test_debug_option():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    with lib.Limpetd(config) as daemon:
        assert daemon.get("/__debug/x").status == 404
    with lib.Limpetd(config, "-d") as daemon:
        assert daemon.get("/__debug/x").status == 200


def test_quick_start():
    with open(QUICKSTART, "rb") as file, open(lib.LIMPETD, "rb") as binary:
        assert file.read() in binary.read(), "the built-in configuration is quickstart.json"
    with lib.Limpetd(quickstart()) as daemon:
        hello = daemon.get("/hello")
        assert hello.status == 200 and hello.headers["X-Krakend-Completed"] == "true", hello.status
        assert "/__echo/hello" in json.dumps(hello.json()), hello.body
        user = daemon.get("/user/42")
        assert user.status == 200 and "/__echo/user/42" in json.dumps(user.json()), user.body
        raw = daemon.request("POST", "/raw", body=b"some bytes")
        assert raw.status == 200 and b"some bytes" in raw.body, raw.body
        stats = daemon.stats()
        prefix = "krakend.proxy.requests.layer.pipe.name./hello.complete."
        assert stats[prefix + "true.error.false"] == 1, stats[prefix + "true.error.false"]
        assert stats["krakend.router.connected"] == 3


def test_memory_at_start():
    """The tables are large and untouched: hundreds of MB of address space, a few of memory."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        if not SANITIZED:
            assert daemon.memory_kb() < 32 * 1024, daemon.memory_kb()


# ---- Stop ----------------------------------------------------------------------------------------

def test_clean_stop_by_each_signal():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with lib.Limpetd(config) as daemon:  # the same ports again, at once
            daemon.get("/__health")
            daemon.stats()
            assert daemon.stop(number) == 0, daemon.log()
        assert f"{signal.Signals(number).name}: stopping" in daemon.log(), daemon.log()
        assert daemon.lines[-1].endswith("stopped"), daemon.log()
        assert not connects("127.0.0.1", daemon.port)
        assert not connects("127.0.0.1", daemon.stats_port)


def test_sighup_under_nohup():
    config = lib.config([lib.endpoint("/a", lib.NOBODY)])
    with lib.Limpetd(config, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.get("/__health").status == 200
        assert "stopping" not in daemon.log()


def test_running_request_ends_before_the_stop():
    with lib.Backend({"/slow": lib.Answer({"late": True}, delay=1.0)}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/slow", backend)])) as daemon:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                answer = pool.submit(daemon.get, "/slow")
                lib.wait_until(lambda: backend.seen, "the backend has the request")
                assert daemon.stop() == 0
                assert answer.result().json() == {"late": True}


def test_stop_does_not_cut_an_answer():
    body = os.urandom(1 << 20).hex().encode()
    config_endpoint = {"output_encoding": "no-op", "backend_encoding": "no-op"}
    with lib.Backend({"/big": lib.Answer(body)}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/big", backend, **config_endpoint)])) as daemon:
            client = socket.create_connection(("127.0.0.1", daemon.port), timeout=lib.SECONDS_MAX)
            client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = client.recv(1000)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_log("stopping")
            for part in iter(lambda: client.recv(1 << 16), b""):
                got += part
            assert got.endswith(body[-1000:]) and len(got) > len(body)
            assert daemon.wait_exit() == 0


def test_second_signal_ends_at_once():
    with lib.Backend({"/slow": lib.Answer({}, delay=5.0)}) as backend:
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = lib.Limpetd(lib.config([lib.endpoint("/slow", backend, timeout="9s")]))
            client = socket.create_connection(("127.0.0.1", daemon.port))
            before = len(backend.seen)
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            lib.wait_until(lambda count=before: len(backend.seen) > count, "the backend has the request")
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_log("stopping")
            daemon.process.send_signal(number)
            assert daemon.wait_exit() == 128 + number
            daemon.kill()
            client.close()


def test_stop_with_a_full_log_pipe():
    """Nobody reads stderr: the daemon goes on serving and still stops cleanly."""
    config = lib.config([lib.endpoint("/a", lib.NOBODY, timeout="100ms")])
    reader, writer = os.pipe()
    with written(json.dumps(config)) as file:
        with subprocess.Popen([lib.LIMPETD, "run", "-c", file.name], stdin=subprocess.DEVNULL,
                              stderr=writer) as process:
            os.close(writer)
            lib.wait_until(lambda: connects("127.0.0.1", config["port"]), "listening")
            for _ in range(600):
                assert lib.request("GET", config["port"], "/a").status == 500
            process.send_signal(signal.SIGTERM)
            assert process.wait(lib.SECONDS_MAX) == 0
    os.close(reader)


# ---- Network -------------------------------------------------------------------------------------

def test_burst_of_connections():
    """Connected all at once; the kernel must not refuse or delay any for want of a backlog."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        for count in (64, 256):
            clients = [socket.socket() for _ in range(count)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", daemon.port))
            for client in clients:
                client.settimeout(lib.SECONDS_MAX)
                client.sendall(b"GET /__health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            for client in clients:
                assert lib.read_head(client).startswith(b"HTTP/1.1 200 OK\r\n")
                client.close()


def test_connection_per_request():
    """Client ports come round again soon: connections that lwIP remembers must not be in the way."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        slowest = 0.0
        for _ in range(5000 if lib.FULL else 500):
            start = time.monotonic()
            assert daemon.get("/__health", headers={"Connection": "close"}).status == 200
            slowest = max(slowest, time.monotonic() - start)
        print(f"slowest of the connections: {slowest * 1000:.1f} ms")
        lib.wait_until(lambda: open_files(daemon) < 32, "sockets are given back")


def test_large_bodies_both_ways():
    body = os.urandom(4 << 20)
    keys = {"output_encoding": "no-op", "backend_encoding": "no-op", "timeout": "20s"}
    echo = lambda seen: lib.Answer(seen.body)  # noqa: E731
    with lib.Backend({"/down": lib.Answer(body), "/chunked": lib.Answer(body, chunked=True),
                      "/both": echo}) as backend:
        config = lib.config([lib.endpoint("/down", backend, **keys),
                             lib.endpoint("/chunked", backend, **keys),
                             lib.endpoint("/both", backend, method="POST", **keys)])
        with lib.Limpetd(config) as daemon:
            assert daemon.get("/down").body == body
            assert daemon.get("/chunked").body == body
            assert daemon.request("POST", "/both", body=body).body == body


def test_parallel_large_bodies():
    body = os.urandom(1 << 20)
    keys = {"output_encoding": "no-op", "backend_encoding": "no-op", "timeout": "20s"}
    with lib.Backend({"/down": lib.Answer(body)}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/down", backend, **keys)])) as daemon:
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                answers = [pool.submit(daemon.get, "/down") for _ in range(64)]
                assert all(answer.result().body == body for answer in answers)


def open_files(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def test_flood_of_connections():
    """More clients than the gateway has slots, and none says a word: some are told 503, and the metrics
    stay reachable meanwhile."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, HARD_FILES), HARD_FILES))
    # However long 900 connections take here, none is closed for its silence.
    patient = {"idle_timeout": "1h", "read_header_timeout": "1h"}
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)], **patient)) as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port), timeout=lib.SECONDS_MAX)
                   for _ in range(900)]
        assert daemon.stats()["krakend.router.connected"] == 0
        poll = select.poll()
        for client in clients:
            poll.register(client, select.POLLIN)
        told = {number for number, _ in poll.poll(lib.SECONDS_MAX * 1000)}
        first_bytes = {lib.read_head(client)[:12] for client in clients if client.fileno() in told}
        assert first_bytes == {b"HTTP/1.1 503"}, first_bytes
        for client in clients:
            client.close()
        lib.wait_until(lambda: open_files(daemon) < 32, "sockets are given back")
        assert daemon.get("/__health").status == 200


def test_clients_that_close_first():
    """As curl does, again and again: libslirp's TIME_WAIT must not keep their sockets."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        for _ in range(300):
            assert daemon.get("/__health").status == 200
        lib.wait_until(lambda: open_files(daemon) < 32, "sockets are given back", 30)


def test_half_closed_clients_get_everything():
    """They have said all they had to say and read nothing for a while. The bodies are about as long as
    what the kernel's buffers hold, so the ends of some wait in libslirp's: they must not be lost when
    both sides have closed the connection."""
    body = os.urandom(5400000)
    keys = {"output_encoding": "no-op", "backend_encoding": "no-op", "timeout": "20s"}
    cut = lambda seen: lib.Answer(body[:int(seen.path[1:])])  # noqa: E731
    with lib.Backend(default=cut) as backend:
        config = lib.config([lib.endpoint("/{len}", backend, **keys)])
        with lib.Limpetd(config) as daemon:
            # libslirp gives a connection up 10 s after both sides closed it: few enough to be read by then.
            lengths = range(2400000, 5400000, 300000 if lib.FULL else 600000)
            clients = [half_closed(daemon.port, f"/{length}") for length in lengths]
            time.sleep(2)
            for client, length in zip(clients, lengths):
                got = b"".join(iter(lambda reader=client: reader.recv(1 << 20), b""))
                client.close()
                head, _, got = got.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 "), head
                assert got == body[:length], (length, len(got))


def half_closed(port, path):
    client = socket.socket()
    client.settimeout(lib.SECONDS_MAX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)  # Linux would grow it to 32 MB
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    client.shutdown(socket.SHUT_WR)
    return client


def test_clients_that_never_close():
    """Answered and closed by the gateway, but they keep their half open: reset after a while, so that
    nobody can use up the sockets."""
    if not lib.FULL:
        return  # takes LIMPET_LINGER_TIMEOUT_MS
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(100)]
        for client in clients:
            client.sendall(b"GET /__health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for client in clients:
            while client.recv(4096):
                pass
        lib.wait_until(lambda: open_files(daemon) < 32, "half-open sockets are given back", 40)
        for client in clients:
            client.close()


def test_clients_that_go_away():
    """Reset in every phase; the daemon serves on and keeps nothing of them."""
    slow = lib.Answer(b"x" * 300000, delay=0.05)
    keys = {"output_encoding": "no-op", "backend_encoding": "no-op"}
    with lib.Backend({"/a": slow}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/a", backend, **keys)])) as daemon:
            head = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
            threads = []
            for at in range(0, 60):
                threads.append(threading.Thread(target=go_away, args=(daemon.port, head, at)))
                threads[-1].start()
            for thread in threads:
                thread.join()
            assert daemon.get("/a").body == slow.body
            stats = lib.wait_until(lambda: balanced(daemon.stats()), "connected = disconnected")
            assert stats["krakend.router.connected"] >= 1


def go_away(port, head, at):
    client = socket.create_connection(("127.0.0.1", port), timeout=lib.SECONDS_MAX)
    client.sendall(head[:at])
    if at > len(head):
        client.recv(1)
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close() sends RST
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()


def balanced(stats):
    same = stats["krakend.router.connected"] == stats["krakend.router.disconnected"]
    return stats if same else None


if __name__ == "__main__":
    lib.main(globals())
