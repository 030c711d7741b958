#!/usr/bin/python3
"""The firmware on a board in QEMU: boot, traffic and its counts, full pools, a broken partition, reset."""
import collections
import concurrent.futures
import http.client
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import machine

BUILD = machine.BUILD
SMALL = BUILD.endswith("-small")
GATEWAY_CONNS = 4 if SMALL else 8
BODY_LEN_MAX = 4096
PARTITION_LEN = 65536 if "emcraft" in BUILD else 1 << 20
FRAMES_AT_ONCE = 40 # of 1442 bytes
STORAGE_SECTOR_LEN = 65536 if "emcraft" in BUILD else 4096


class Backend(http.server.ThreadingHTTPServer):
    """On a free port of 127.0.0.1. /json/N: an object; /bytes/N: that many bytes; /slow: after a second."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True # head and body are two writes

    def do_GET(self):  # pylint: disable=invalid-name
        self.server.requests += 1
        if self.path == "/slow":
            time.sleep(1)
        number = self.path.rpartition("/")[2]
        body = json.dumps({"id": number, "path": self.path}).encode()
        if self.path.startswith("/bytes/"):
            body = bytes(i * 7 % 251 for i in range(int(number)))
        self.answer(body)

    def do_POST(self):  # pylint: disable=invalid-name
        self.server.requests += 1
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def raw(path, pattern, backend, **keys):
    entry = {"url_pattern": pattern, "encoding": "no-op", "host": [backend.url]}
    return {"endpoint": path, "output_encoding": "no-op", "backend": [{**entry, **keys}]}


def config(backend, **keys):
    return {
        "version": 3, "port": machine.GATEWAY_PORT, "timeout": "10s",
        "endpoints": [
            {"endpoint": "/json/{id}",
             "backend": [{"url_pattern": "/json/{id}", "host": [backend.url]}]},
            raw("/bytes/{n}", "/bytes/{n}", backend),
            raw("/slow", "/slow", backend),
            {**raw("/post", "/post", backend, method="POST"), "method": "POST"},
        ],
        "extra_config": {"telemetry/metrics": {"collection_time": "3600s", "listen_address": ":8090"},
                         "telemetry/logging": {"level": "INFO"}},
        **keys}


def board(backend, **keys):
    return machine.Machine(BUILD, config(backend, **keys))


# ---- Boot ----------------------------------------------------------------------------------------

def test_boots_and_tells():
    with Backend() as backend, board(backend) as m:
        console = m.console()
        for line in ("limpet 0.", "address 10.0.2.15 from DHCP", "host name limpet-", "READY"):
            assert line in console, line
        stats = m.stats()
        assert stats["limpet.firmware.safe_default"] == 0
        assert stats["limpet.app.reset_reason"] == RESET_POWER_ON
        assert 0 < stats["limpet.firmware.stack_bytes_max"] < stats["limpet.firmware.stack_bytes"]
        for key in ("krakend.router.connected", "krakend.router.connected-total", "cmdline",
                    "krakend.router.response./json/:id.size.count", "krakend.service.runtime.NumGoroutine"):
            assert key in stats, key


# ---- Traffic -------------------------------------------------------------------------------------

def test_counts_equal_what_was_asked():
    with Backend() as backend, board(backend) as m:
        for i in range(40):
            answer = m.get(f"/json/{i}")
            assert answer.status == 200 and answer.json() == {"id": str(i), "path": f"/json/{i}"}, i
            assert m.get("/nothing/here").status == 404
        stats = m.stats()
        name = "krakend.router.response./json/:id.status.200.count"
        assert stats[name] == 40, stats[name]
        assert stats["krakend.router.connected"] == stats["krakend.router.disconnected"] == 40
        assert backend.requests == 40


def test_large_answers_and_uploads():
    with Backend() as backend, board(backend) as m:
        for size in (0, 1, 1459, 1460, 1461, 4096, 65536, 1000000):
            answer = m.get(f"/bytes/{size}")
            assert answer.status == 200, answer.status
            assert answer.body == bytes(i * 7 % 251 for i in range(size)), size
        for size in (1, 5000, 300000):
            body = os.urandom(size)
            assert m.request("POST", "/post", body).body == body, size
        stats = m.stats()
        assert stats["limpet.netif.frames_dropped"] == 0
        assert stats["limpet.netif.frames_bad"] == 0


def test_more_clients_than_slots():
    """Everybody is answered: 200, or 503 by the refusal path; /__stats/ stays reachable meanwhile."""
    with Backend() as backend, board(backend) as m:
        with concurrent.futures.ThreadPoolExecutor(3 * GATEWAY_CONNS) as pool:
            running = [pool.submit(status, m, "/slow") for _ in range(3 * GATEWAY_CONNS)]
            time.sleep(0.3)
            m.stats()
            seen = [future.result() for future in running]
        assert seen.count(200) >= 2, seen
        assert set(seen) <= {200, 503, 500, "reset"}, seen
        ok_before = m.stats()["krakend.router.response./slow.status.200.count"]
        assert ok_before == seen.count(200), (ok_before, seen)
        for i in range(20):
            assert m.get(f"/json/{i}").status == 200
        stats = m.stats()
        assert stats["krakend.router.connected"] == stats["krakend.router.disconnected"]


def test_frames_that_overrun_the_nic():
    """More frames at once than the NIC holds: those are lost and counted, the rest goes on. A machine that
    stands still gets them all in the moment in which it goes on. QEMU's LAN9118 does not count them; there
    test_network.py proves that frames are lost."""
    with Backend() as backend, board(backend) as m:
        assert m.stats()["limpet.netif.frames_dropped"] == 0
        m.monitor("stop")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(FRAMES_AT_ONCE):
                sender.sendto(bytes(1400), ("127.0.0.1", m.ports["nobody"]))
                time.sleep(0.005) # slirp takes them one by one
        m.monitor("cont")
        if "emcraft-sf2" in BUILD:
            machine.wait_until(lambda: m.stats()["limpet.netif.frames_dropped"] > 0,
                               "dropped frames are counted")
        for i in range(5):
            assert m.get(f"/json/{i}").status == 200
        body = os.urandom(50000)
        assert m.request("POST", "/post", body).body == body
        stats = m.stats()
        assert stats["limpet.netif.frames_dropped"] <= FRAMES_AT_ONCE, stats
        assert stats["limpet.lwip.frames_used"] <= 1, stats
        assert m.console().count("READY") == 1


def status(m, path):
    try:
        return m.get(path).status
    except (ConnectionError, machine.http.client.HTTPException):
        return "reset"


def test_body_too_long_is_an_error_not_a_crash():
    with Backend() as backend:
        cut = config(backend)
        cut["endpoints"][1] = {"endpoint": "/bytes/{n}", "backend": [
            {"url_pattern": "/bytes/{n}", "host": [backend.url]}]}
        with machine.Machine(BUILD, cut) as m:
            assert m.get(f"/bytes/{3 * BODY_LEN_MAX}").status == 500
            assert m.get("/json/1").status == 200
            assert m.console().count("READY") == 1


def test_slow_heads_do_not_take_the_metrics_listener():
    with Backend() as backend, board(backend) as m:
        idle = [socket.create_connection(("127.0.0.1", m.ports["gateway"]))
                for _ in range(GATEWAY_CONNS)]
        for connection in idle:
            connection.sendall(b"GET /json/1 HT")
        time.sleep(0.3)
        m.stats()
        for connection in idle:
            connection.close()
        machine.wait_until(lambda: status(m, "/json/1") == 200, "the gateway answers again")


class SlowUpload:
    """Sends the head of an upload and then a byte now and then, whatever is answered, until the board
    closes; `said` is what it was told."""

    def __init__(self, m):
        self.said = b""
        self.sent = 0
        self.ended = False
        self.connection = socket.create_connection(("127.0.0.1", m.ports["gateway"]), machine.SECONDS_MAX)
        self.connection.sendall(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n")
        self.connection.settimeout(0.2)
        threading.Thread(target=self.trickle, daemon=True).start()

    def trickle(self):
        with self.connection:
            while not self.ended:
                try:
                    self.connection.sendall(b"x")
                    self.sent += 1
                    said = self.connection.recv(1000)
                    self.said += said
                    self.ended = not said
                except TimeoutError:
                    pass
                except OSError:
                    self.ended = True


def test_slow_uploads_do_not_starve_others():
    """A byte now and then keeps a slot for the endpoint's timeout, and what is left of the body for the time
    of a stall; /__stats/ is reachable meanwhile: what they send never takes all the memory for frames,
    so nothing that others send is lost. Then the slots are free for others."""
    with Backend() as backend, board(backend, timeout="4s") as m:
        for _ in range(2):
            slow = [SlowUpload(m) for _ in range(GATEWAY_CONNS)]
            machine.wait_until(lambda u=slow: all(upload.sent >= 3 for upload in u), "all are sending")
            machine.wait_until(lambda: m.stats()["limpet.gateway.conns_used"] == GATEWAY_CONNS, "no slot is left")
            assert status(m, "/json/1") in (503, "reset")
            machine.wait_until(lambda u=slow: all(upload.ended for upload in u), "all have ended")
            assert {upload.said[:12] for upload in slow} <= {b"HTTP/1.1 500", b"HTTP/1.1 503"}, \
                [upload.said for upload in slow]
            assert status(m, "/json/1") == 200
        stats = m.stats()
        assert stats["krakend.router.connected"] == stats["krakend.router.disconnected"], stats
        assert stats["limpet.gateway.conns_max"] == GATEWAY_CONNS
        assert stats["limpet.lwip.frames_refused"] == 0, pools(stats)["limpet.lwip.frames"]
        assert m.console().count("READY") == 1


# ---- Memory --------------------------------------------------------------------------------------

def test_no_allocator_is_linked():
    """mbedTLS, cJSON and lwIP have arenas and pools; nothing may reach a heap."""
    names = set(machine.symbols(machine.elf_of(BUILD)))
    assert "app_poll" in names
    assert not names & {"malloc", "calloc", "realloc", "free", "sbrk", "_sbrk", "_malloc_r", "aligned_alloc"}


def pools(stats):
    """name -> (used, most ever, limit)"""
    found = {}
    for key, limit in stats.items():
        if key.startswith("limpet.") and key.endswith("_limit"):
            name = key[:-len("_limit")]
            found[name] = stats.get(name + "_used"), stats.get(name + "_max"), limit
    return found


def moved(m, before):
    """Pools that are not used as before; after what waits in TIME_WAIT has left (two seconds)."""
    time.sleep(3)
    after = pools(m.stats())
    return {name: (was, after[name]) for name, was in before.items()
            if after[name][0] != was[0] and name not in KEPT}


# A series keeps its histogram until the window after the next one.
KEPT = {"limpet.metrics.histograms"}


def ask(m, paths):
    """Asks for them one after the other on a connection that stays as long as the board keeps it; how
    often which status came."""
    seen = collections.Counter()
    connection = http.client.HTTPConnection("127.0.0.1", m.ports["gateway"], timeout=machine.SECONDS_MAX)
    for path in paths:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            seen[answer.status] += 1
        except (OSError, http.client.HTTPException):
            seen["cut"] += 1
            connection.close()
    connection.close()
    return seen


def test_pools_come_back():
    """After many requests, good and bad ones, every pool is used as at the start and was never used
    beyond its limit. With --full 100,000 on the standard board."""
    count = 100000 if machine.FULL and machine.board_of(BUILD) == "mps2-an385" and not SMALL else 2000
    with Backend() as backend, board(backend) as m:
        assert m.get("/json/1").status == 200
        time.sleep(6) # idle backend connections close after 4 s
        before = pools(m.stats())
        assert len(before) > 10, before
        # Each hundred has two for which the backend breaks the connection.
        asked = ["/json/1", "/bytes/3000", "/nothing", "/bytes/1"] * 12 + ["/bytes/x", "/bytes/5"]
        asked *= count // len(asked) // GATEWAY_CONNS
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(GATEWAY_CONNS) as pool:
            seen = sum(pool.map(lambda _: ask(m, asked), range(GATEWAY_CONNS)), collections.Counter())
        total = len(asked) * GATEWAY_CONNS
        print(f"    {total} requests, {total / (time.monotonic() - started):.0f} a second: {dict(seen)}")
        check_told(m, seen, total)

        for _ in range(10):
            if not (different := moved(m, before)):
                break
        assert not different, different
        for name, (used, most, limit) in pools(m.stats()).items():
            assert (used or 0) <= limit and (most or 0) <= limit, (name, used, most, limit)
        assert m.console().count("READY") == 1


def check_told(m, seen, total):
    """What the clients were told is what the board has counted."""
    assert seen[200] > total // 2 and seen[404] == total * 12 // 50, seen
    stats = m.stats()
    counted = sum(value for key, value in stats.items()
                  if re.fullmatch(r"krakend\.router\.response\..*\.status\.200\.count", key))
    assert counted == seen[200] + 1, (counted, seen) # one more before
    assert stats["krakend.router.connected"] == stats["krakend.router.disconnected"], stats


# ---- Configuration partition ---------------------------------------------------------------------

def check_safe_default(image, words):
    with machine.Machine(BUILD, image) as m:
        assert words in m.console(), m.console()
        assert "safe default" in m.console()
        assert m.stats()["limpet.firmware.safe_default"] == 1


def test_broken_partitions_start_the_safe_default():
    payload = json.dumps({"version": 3}).encode()
    good = b"LMPC" + struct.pack("<HHII", 1, 0, len(payload), 0)
    check_safe_default(bytes(64), "never written")
    check_safe_default(b"\xff" * 64, "never written")
    check_safe_default(good + payload, "damaged")
    check_safe_default(b"LMPC" + struct.pack("<HHII", 2, 0, 0, 0), "another version")
    check_safe_default(b"LMPC" + struct.pack("<HHII", 1, 0, 1 << 30, 0), "longer than its partition")


def make_image(config_path, image, *words):
    return subprocess.run([sys.executable, machine.CONFIG_IMAGE, config_path, "-o", image, *words],
                          capture_output=True, text=True, check=False)


def test_configuration_longer_than_its_partition():
    """The tool refuses to make it. Flashed all the same (cut at the partition's end), the board says so."""
    name = machine.board_of(BUILD)
    with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder:
        path, image = (os.path.join(folder, file) for file in ("krakend.json", "config.bin"))
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"version": 3, "endpoints": []}, file)
            file.write(" " * PARTITION_LEN)
        done = make_image(path, image, "--board", name)
        assert done.returncode == 1 and not os.path.exists(image), done
        assert re.fullmatch(rf"config-image: \d+ bytes needed, the partition has {PARTITION_LEN}\n",
                            done.stderr), done.stderr
        assert make_image(path, image, "--size", str(2 * PARTITION_LEN)).returncode == 0
        with open(image, "rb") as file:
            check_safe_default(file.read(PARTITION_LEN), "the configuration is longer than its partition")


def test_refused_configuration_starts_the_safe_default():
    with machine.Machine(BUILD, {"version": 3, "port": 8080, "endpoints": "none"}) as m:
        assert "endpoints" in m.console() and "krakend.json was refused" in m.console()
        assert m.stats()["limpet.firmware.safe_default"] == 1


def test_configuration_beyond_the_tables_is_refused_with_numbers():
    with Backend() as backend:
        large = config(backend)
        large["endpoints"] = [raw(f"/e{i}", "/bytes/1", backend) for i in range(17)]
        with machine.Machine(BUILD, large) as m:
            assert "too many endpoints: 17 needed" in m.console(), m.console()


def test_stack_stays_within_the_deepest_calls():
    with Backend() as backend, board(backend) as m:
        for path in ("/json/1", "/bytes/3000", "/slow", "/nothing/here"):
            m.get(path)
        m.request("POST", "/post", b"x" * 1000)
        print(f"    stack: {machine.check_stack(m.stats())}")
# enum port_reset
RESET_POWER_ON, RESET_OUTSIDE, RESET_PANIC, RESET_WATCHDOG = 1, 2, 3, 4


# ---- Reset ---------------------------------------------------------------------------------------

def test_reset_and_boot_again():
    with Backend() as backend, board(backend) as m:
        assert m.get("/json/1").status == 200
        for boots in (2, 3):
            m.monitor("system_reset")
            m.wait_console("READY", boots)
            machine.wait_until(lambda: status(m, "/json/1") == 200, "the gateway answers again")
        stats = m.stats()
        assert stats["krakend.router.response./json/:id.status.200.count"] >= 1
        assert stats["limpet.app.reset_reason"] == RESET_OUTSIDE


def check_recovers(m, code, words, reset_reason):
    """With the first instruction of app_poll replaced, until the panic."""
    before = m.patch("app_poll", code)
    m.wait_console("PANIC: " + words)
    m.patch("app_poll", before)
    m.wait_console("the run before ended in a panic: " + words)
    machine.wait_until(lambda: status(m, "/json/1") == 200, "the gateway answers again")
    assert m.stats()["limpet.app.reset_reason"] == reset_reason


def test_fault_is_recorded_and_ends_in_a_reset():
    with Backend() as backend, board(backend) as m:
        check_recovers(m, bytes.fromhex("00de"),  # UDF: undefined for good
                       "processor fault, cfsr 0x00010000, pc 0x[0-9a-f]{8}", RESET_PANIC)
        m.monitor("system_reset")
        machine.wait_until(lambda: "ended in a panic" not in m.console().rpartition("limpet 0.")[2]
                           and m.console().endswith("READY\n"), "a start without a panic")


def test_assertion_is_recorded_with_its_line():
    with Backend() as backend, board(backend) as m:
        check_recovers(m, bytes.fromhex("f0f7d2a4"), "assertion in line 1234, pc 0x[0-9a-f]{8}", RESET_PANIC)


def test_watchdog_ends_a_loop_without_progress():
    with Backend() as backend, board(backend) as m:
        check_recovers(m, bytes.fromhex("fee7"), "watchdog", RESET_WATCHDOG)  # a branch to itself


# ---- Storage: seed and boot counter --------------------------------------------------------------

def stored_seeds(storage):
    """The records in the first two sectors: {boots: seed}."""
    found = {}
    with open(storage, "rb") as file:
        data = file.read(2 * STORAGE_SECTOR_LEN)
    for sector in (data[:STORAGE_SECTOR_LEN], data[STORAGE_SECTOR_LEN:]):
        magic, boots, seed, _ = struct.unpack_from("<4sI32sI", sector)
        if magic == b"LSED":
            found[boots] = seed
    return found


def test_each_boot_replaces_the_seed():
    with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder, Backend() as backend:
        storage = os.path.join(folder, "storage")
        machine.new_storage(storage)
        seeds = {}
        for boots in (1, 3):
            with machine.Machine(BUILD, config(backend), storage=storage) as m:
                assert m.stats()["limpet.seed.ready"] == 1
                assert m.stats()["limpet.app.boots"] == boots
                seeds.update(stored_seeds(storage))
                m.monitor("system_reset")
                m.wait_console("READY", 2)
                assert f"boot {boots + 1} of this storage" in m.console()
                seeds.update(stored_seeds(storage))
        assert sorted(seeds) == [1, 2, 3, 4] and len(set(seeds.values())) == 4


R1, R2, SP, LR = 1, 2, 13, 14
RANDOM_LEN = 32


def first_random(m):
    """What seed_random gives first in this run: its first call is asked for so many bytes, to a place far
    below the stack that is in use."""
    with m.debugger() as debugger:
        debugger.run_to(machine.symbol_address(m.elf, "seed_random"))
        place = debugger.register(SP) - 1024
        debugger.set_register(R1, place)
        debugger.set_register(R2, RANDOM_LEN)
        debugger.write(place, bytes(RANDOM_LEN))
        debugger.run_to(debugger.register(LR) & ~1)
        return debugger.read(place, RANDOM_LEN)


def test_first_random_bytes_never_repeat():
    """Two cold starts with the same files, and two resets after each."""
    with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder, Backend() as backend:
        storage = os.path.join(folder, "storage")
        machine.new_storage(storage)
        image, seen = config(backend), []
        for _ in range(2):
            with machine.Machine(BUILD, image, ["-S"], wait=False, storage=storage) as m:
                machine.wait_until(lambda q=m: os.path.exists(q.monitor_path), "QEMU's monitor")
                with open(m.image_path, "rb") as file:
                    image = file.read()
                for _ in range(3):
                    seen.append(first_random(m))
                    m.monitor("stop")
                    m.monitor("system_reset")
        assert len(seen) == len(set(seen)) == 6 and bytes(RANDOM_LEN) not in seen, seen
        assert all(len(value) == RANDOM_LEN for value in seen), seen


def test_storage_that_keeps_nothing_is_no_seed():
    with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder, Backend() as backend:
        storage = os.path.join(folder, "storage")
        for content in (bytes(8192), os.urandom(8192)):
            with open(storage, "wb") as file:
                file.write(content)
                file.truncate(machine.STORAGE_LEN)
            with machine.Machine(BUILD, config(backend), storage=storage) as m:
                assert "no random numbers, so no TLS" in m.console()
                assert m.stats()["limpet.seed.ready"] == 0
                assert m.get("/json/1").status == 200


# ---- Clock and InfluxDB ----------------------------------------------------------------------

class Influx(http.server.ThreadingHTTPServer):
    """Stands in for InfluxDB: takes every write and keeps its lines."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), InfluxHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lines = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class InfluxHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        self.finish_204()

    def do_HEAD(self):  # pylint: disable=invalid-name
        self.finish_204()

    def do_POST(self):  # pylint: disable=invalid-name
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.lines += body.decode().splitlines()
        self.finish_204()

    def finish_204(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def with_influx(backend, influx):
    result = config(backend)
    result["extra_config"]["telemetry/metrics"]["collection_time"] = "2s"
    result["extra_config"]["telemetry/influx"] = {"address": influx.url, "ttl": "2s"}
    return result


def stamp_s(line):
    """The time stamp of a line, seconds; the writer sends precision s or ns."""
    number = int(line.rpartition(" ")[2])
    return number / 1e9 if number > 1e12 else number


def test_windows_reach_influxdb_with_the_time_servers_time():
    offset_s = 1000000
    server = machine.TimeServer(offset_s)
    with Backend() as backend, Influx() as influx:
        with machine.Machine(BUILD, with_influx(backend, influx), time_server=server.address) as m:
            for i in range(7):
                assert m.get(f"/json/{i}").status == 200
            machine.wait_until(lambda: any("requests" in line for line in influx.lines),
                               "lines in InfluxDB")
            values = m.stats()
            assert values["limpet.clock.known"] == 1
            # Asked at once, beside the first connection to the same address.
            assert values["limpet.clock.unanswered"] == 0
            for line in influx.lines:
                assert abs(stamp_s(line) - time.time() - offset_s) < 30, line
        influx.shutdown()
    server.close()


def test_time_server_from_1970_is_not_believed():
    server = machine.TimeServer(-time.time())
    with Backend() as backend, Influx() as influx:
        with machine.Machine(BUILD, with_influx(backend, influx), time_server=server.address) as m:
            machine.wait_until(lambda: m.stats()["limpet.clock.refused"] >= 1, "the answer is refused")
            assert m.stats()["limpet.clock.known"] == 0
            assert influx.lines == []
        influx.shutdown()
    server.close()


if __name__ == "__main__":
    machine.main(globals())
