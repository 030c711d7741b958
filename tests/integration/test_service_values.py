"""The values below limpet. and krakend.service. of a running daemon: each moves when, and only when,
the thing happened that it counts."""
import os
import re
import signal
import socket
import time

import lib

# What reading /__stats/ over and over moves by itself: its own connections.
OF_READING = re.compile(r"limpet\.(stats\.conns_(accepted|max|used)|net\.transports_(max|used)|timers_(max|used)|"
                        r"lwip\.(tcp\.(sent|received)|tcp_conns_\w+|tcp_segments_\w+|references_\w+|"
                        r"heap_\w+|frames_\w+)|app\.turn_late_ns_max)")


# A client's next connection may come before its last one has quite gone.
OVERLAP = ("gateway.conns_max", "gateway.exchanges.used_max", "gateway.bodies.used_max")


def values(daemon):
    return {key: value for key, value in daemon.stats().items() if key.startswith("limpet.")}


def moved(before, after):
    """What has changed, without what reading does."""
    return {key[len("limpet."):]: after[key] - before[key] for key in after
            if after[key] != before[key] and not OF_READING.fullmatch(key)}


def wait_moved(daemon, before, expected, maybe=()):
    """Until exactly these values have moved, by exactly so much; those in `maybe` may have, too."""
    def look():
        got = moved(before, values(daemon))
        return {key: got[key] for key in got if key not in maybe} == expected
    try:
        lib.wait_until(look, "as expected", 8)
    except AssertionError:
        raise AssertionError(f"expected {expected}, got {moved(before, values(daemon))}") from None


def settled(daemon):
    """The values once nothing moves any more."""
    last = [values(daemon)]

    def look():
        time.sleep(1.2)
        last.append(values(daemon))
        return not moved(last[-2], last[-1])
    lib.wait_until(look, "values that stand still")
    return last[-1]


def connect(port, text=b""):
    connection = socket.create_connection(("127.0.0.1", port), lib.SECONDS_MAX)
    connection.sendall(text)
    return connection


def ask(connection, path="/nowhere"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    return lib.read_head(connection)


def test_idle_table_stands_still():
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        before = settled(daemon)
        time.sleep(2.5)
        assert moved(before, values(daemon)) == {}
        assert before["limpet.app.uptime_s"] == 0, "moves when a window closes"
        assert before["limpet.app.clock_known"] == 1
        assert before["limpet.app.reset_reason"] == 1 and before["limpet.app.boots"] == 1


def documented():
    """The keys below limpet. in docs/METRICS.md. A span that begins with a mark (`_max`, `.limit`)
    stands for the key before it with another end."""
    keys, prefix = set(), None
    with open(os.path.join(lib.ROOT, "docs", "METRICS.md"), encoding="utf-8") as page:
        for line in page:
            head = re.match(r"\| Key below `(limpet\..*?)`", line)
            prefix = head.group(1) if head else prefix if line.startswith("|") else None
            if prefix is None or head:
                continue
            last = ""
            for span in re.findall(r"`([^`]+)`", line.split("|")[1]):
                last = last[:last.rindex(span[0])] + span if span[0] in "_." else span
                keys.add(prefix + last)
    return keys


def test_every_key_is_documented():
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        served = {key for key in daemon.stats() if key.startswith("limpet.")}
    assert served <= documented(), sorted(served - documented())
    firmware = ("limpet.firmware.", "limpet.clock.", "limpet.seed.", "limpet.netif.")
    gone = {key for key in documented() - served if not key.startswith(firmware)}
    assert not gone, sorted(gone)


# Where the values are tested that no test calls by their name: the file, and what stands for them in it.
TESTED_AS = {
    "unit/test_client_pool.c": {"backend.calls_waited": "client.waited"},
    "unit/test_bodies.c": {"gateway.bodies.used": "bodies_used", "gateway.bodies.refused": "bodies_refused"},
    "unit/test_exchange.c": {"backend.redirect_hosts_used": "redirect_host_count",
                             "gateway.exchanges.used": "exchanges_used",
                             "gateway.exchanges.refused": "exchanges_refused"},
    "unit/test_pipe.c": {"gateway.calls.refused": "calls_refused"},
    "unit/test_writer.c": {"influx.dropped.too_long": "STORE_DROP_TOO_LONG",
                           "influx.backoff_ms": "writer.backoff_ms",
                           "influx.last_success_age_s": "last_success_age_s",
                           "influx.last_success_s": "writer.last_success_s"},
    "unit/test_spool.c": {"influx.failed_points": "spool.failed_points"},
    "unit/test_outage.c": {"influx.spool_bytes": "spool.used_bytes"},
    "unit/test_outage_stored.c": {"influx.dropped.memory": "STORE_DROP_MEMORY",
                                  "influx.dropped.storage": "STORE_DROP_STORAGE"},
    "unit/test_journal.c": {"influx.storage_erased": "j.erased", "influx.storage_records": "j.records",
                            "influx.storage_erased_ever": "j.sector_order"},
    "unit/test_log.c": {"log.lines_dropped": "lines_dropped"},
    "unit/test_window.c": {"metrics.histograms_exhausted": "pool.exhausted"},
    "unit/test_histogram.c": {"metrics.histograms_saturated": "saturated"},
    "unit/test_server.c": {"gateway.conns_purged": "purged"},
    "unit/test_writer_stop.c": {"influx.dropped.stopped": "dropped: stopped before InfluxDB took them"},
    "unit/test_net.c": {"net.transports_refused": "net.refused"},
    "unit/test_stats.c": {"stats.answers_cut": "stats.cut", "stats.answers_in_pieces": "stats.pieced"},
    "unit/test_tls.c": {"tls.failed_date": "failures.date", "tls.failed_memory": "failures.memory"},
}


def named_in_tests():
    """The keys below limpet. that stand in a test, whole, or without their room, in a table of its own."""
    text = ""
    for folder in ("unit", "integration", "qemu"):
        for name in os.listdir(os.path.join(lib.ROOT, "tests", folder)):
            if name.endswith((".c", ".py")):
                with open(os.path.join(lib.ROOT, "tests", folder, name), encoding="utf-8") as source:
                    text += source.read()
    quoted = set(re.findall(r'"([a-z0-9_.]+)"', text))
    keywords = {word.replace("__", ".") for word in re.findall(r"\b([a-z0-9_]+)=", text)}
    return quoted, keywords


def test_every_key_has_a_test():
    """A new value needs a test that it moves: a number that nobody watches may stand still for ever."""
    elsewhere = {}
    for name, keys in TESTED_AS.items():
        with open(os.path.join(lib.ROOT, "tests", name), encoding="utf-8") as source:
            text = source.read()
        for key, word in keys.items():
            assert word in text, (name, word)
            elsewhere["limpet." + key] = name
    quoted, keywords = named_in_tests()
    missing = []
    for key in sorted(documented() - elsewhere.keys()):
        name = key[len("limpet."):]
        leaf = name.partition(".")[2]
        if not (name.endswith("limit") or {key, name, leaf} & quoted or leaf in keywords):
            missing.append(name)
    assert missing == [], missing


def test_tables_of_the_configuration():
    """What a configuration takes of each table."""
    rate = {"qos/ratelimit/router": {"max_rate": 100}}
    breaker = {"qos/circuit-breaker": {"interval": 60, "timeout": 10, "max_errors": 3}}
    two = lib.endpoint("/two/{id}", lib.NOBODY, "/x/{id}", extra_config=rate)
    two["backend"].append({"host": ["http://127.0.0.1:11", "http://127.0.0.1:12"], "url_pattern": "/y",
                           "extra_config": breaker})
    with lib.Limpetd(lib.config([lib.endpoint("/one", lib.NOBODY), two])) as daemon:
        got = {key[len("limpet."):]: value for key, value in values(daemon).items()
               if key.startswith("limpet.config.") and key.endswith("_used")}
        now = values(daemon)
    assert got == {"config.endpoints_used": 2, "config.backends_used": 3, "config.hosts_used": 3,
                   "config.host_refs_used": 4, "config.segments_used": 7, "config.rates_used": 1,
                   "config.breakers_used": 1}, got
    series = ("metrics.endpoint_series_used", "metrics.proxy_series_used")
    assert [now["limpet." + key] for key in series] == [2, 5], now


def test_connection():
    """A client's connection, while it is there and when it has gone."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        before = settled(daemon)
        with connect(daemon.port), connect(daemon.port):
            wait_moved(daemon, before, {"gateway.conns_accepted": 2, "gateway.conns_used": 2,
                                        "gateway.conns_max": 1})
            now = values(daemon)
            for key in ("net.transports_used", "timers_used", "lwip.tcp_conns_used"):
                assert now["limpet." + key] >= before["limpet." + key] + 2, key
        wait_moved(daemon, before, {"gateway.conns_accepted": 2, "gateway.conns_max": 1})


def test_requests_that_the_server_refuses():
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        before = settled(daemon)
        for _ in range(3):
            with connect(daemon.port, b"nonsense\r\n\r\n") as connection:
                assert b" 400 " in lib.read_head(connection)
        wait_moved(daemon, before, {"gateway.conns_accepted": 3, "gateway.requests_refused": 3},
                   OVERLAP)
        with connect(daemon.stats_port, b"nonsense\r\n\r\n") as connection:
            assert b" 400 " in lib.read_head(connection)
        wait_moved(daemon, before, {"gateway.conns_accepted": 3, "gateway.requests_refused": 3,
                                    "stats.requests_refused": 1}, OVERLAP)


def test_backend_connections():
    """Opened once, used again, closed when idle for long. The pools show the most in use, too."""
    with lib.Backend({"/a": lib.Answer({"id": 1})}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/a", backend)])) as daemon:
            before = settled(daemon)
            for _ in range(3):
                assert daemon.get("/a").status == 200
            first = {"gateway.conns_accepted": 3, "backend.conns_opened": 1,
                     "backend.conns_reused": 2, "backend.conns_used": 1, "backend.conns_max": 1,
                     "gateway.calls.used_max": 1,
                     "metrics.histograms_used": 4, "metrics.histograms_max": 4}
            wait_moved(daemon, before, first, OVERLAP)
            del first["backend.conns_used"]
            wait_moved(daemon, before, first, OVERLAP)


def test_running_requests():
    """What a request holds while its backend thinks, and that it gives all of it back."""
    with lib.Backend({"/a": lib.Answer({"id": 1}, delay=6)}) as backend:
        with lib.Limpetd(lib.config([lib.endpoint("/a", backend, timeout="20s")])) as daemon:
            before = settled(daemon)
            with connect(daemon.port, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n") as client:
                held = {"gateway.exchanges.used": 1, "gateway.calls.used": 1, "gateway.conns_used": 1,
                        "backend.conns_used": 1}
                lib.wait_until(lambda: held.items() <= moved(before, values(daemon)).items(), "a running request")
                now = values(daemon)
                assert now["limpet.net.transports_max"] >= now["limpet.net.transports_used"] >= 2, now
                assert b" 200 " in lib.read_head(client)
            lib.wait_until(lambda: not {"gateway.exchanges.used", "gateway.calls.used", "gateway.conns_used"}
                           & moved(before, values(daemon)).keys(), "all of it given back")


def test_stats_connections():
    """Each answer of the metrics listener is a connection of its own, and nothing else is."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        settled(daemon)
        first = values(daemon)["limpet.stats.conns_accepted"]
        with connect(daemon.stats_port), connect(daemon.stats_port), connect(daemon.port):
            lib.wait_until(lambda: values(daemon)["limpet.stats.conns_used"] >= 2, "the two")
        assert values(daemon)["limpet.stats.conns_accepted"] >= first + 3


def test_backend_nobody():
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        before = settled(daemon)
        assert daemon.get("/a").status == 500
        wait_moved(daemon, before, {"gateway.conns_accepted": 1, "backend.conns_opened": 1,
                                    "backend.conns_max": 1, "gateway.calls.used_max": 1,
                                    "metrics.histograms_used": 4, "metrics.histograms_max": 4},
                   OVERLAP)


def test_stats_slots():
    """All slots of the metrics listener: an idle one makes room, a busy one does not."""
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        before = settled(daemon)
        slots = before["limpet.stats.conns_limit"]
        idle = [connect(daemon.stats_port) for _ in range(slots)]
        for connection in idle:
            assert b" 404 " in ask(connection)
        assert daemon.stats()
        for connection in idle:
            connection.close()
        wait_moved(daemon, before, {"stats.conns_purged": 1})
        busy = [connect(daemon.stats_port, b"GET /") for _ in range(slots)]
        time.sleep(0.5)
        with connect(daemon.stats_port) as one_more:
            assert b" 503 " in ask(one_more)
        for connection in busy:
            connection.close()
        # A head that never ended is refused.
        wait_moved(daemon, before, {"stats.conns_purged": 1, "stats.conns_refused": 1,
                                    "stats.requests_refused": slots})


def test_windows():
    """What moves when a window closes, and a loop that was held up."""
    config = lib.config([lib.endpoint("/a", lib.NOBODY)], metrics={"collection_time": "1s"})
    with lib.Limpetd(config) as daemon:
        lib.wait_until(lambda: daemon.stats()["limpet.app.uptime_s"] >= 2, "uptime")
        before = daemon.stats()
        assert before["limpet.metrics.windows"] >= 2
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        daemon.process.send_signal(signal.SIGCONT)
        lib.wait_until(lambda: daemon.stats()["limpet.metrics.windows_late"]
                       > before["limpet.metrics.windows_late"], "a late window")
        after = daemon.stats()
        assert after["limpet.metrics.window_late_ns_max"] >= 1_000_000_000
        assert after["limpet.app.turn_late_ns_max"] >= 2_000_000_000
        assert after["limpet.app.uptime_s"] >= before["limpet.app.uptime_s"] + 2


def test_memory_and_goroutines():
    """Live connections, and the bytes of pools that they hold."""
    config = lib.config([lib.endpoint("/a", lib.NOBODY)], metrics={"collection_time": "1s"})
    service = "krakend.service.runtime."
    with lib.Limpetd(config) as daemon:
        def look():
            stats = daemon.stats()
            return (stats[service + "NumGoroutine"], stats[service + "MemStats.HeapAlloc"],
                    stats[service + "MemStats.HeapObjects"], stats)
        # Two windows, and a tick that none of our own questions fell into.
        idle = lib.wait_until(lambda: (now := look())[3]["limpet.metrics.windows"] >= 2 and now[0] == 0
                              and now, "an idle sample")
        conns = [connect(daemon.port) for _ in range(20)]
        # Sampled together at a tick; pcbs of the answers before may still be closing in the first.
        lib.wait_until(lambda: look()[0] >= 20 and look()[1] > idle[1] + 20 * 32768
                       and look()[2] >= idle[2] + 40, "slots, transports, pcbs and buffers count")
        busy = look()
        for connection in conns:
            connection.close()
        lib.wait_until(lambda: look()[0] <= 1 and look()[1] < busy[1], "as before")
        stats = look()[3]
        heap = {name: stats[service + "MemStats." + name]
                for name in ("HeapSys", "HeapIdle", "HeapInuse", "Alloc", "Sys")}
        assert heap["HeapSys"] == heap["HeapIdle"] + heap["HeapInuse"], heap
        assert heap["HeapInuse"] == heap["Alloc"] and heap["Sys"] > heap["HeapSys"] > 0, heap
        assert stats["memstats"]["HeapSys"] == heap["HeapSys"]
        assert stats[service + "NumThread"] == 1


def test_random_paths():
    """Requests that match nothing change neither the keys nor the memory."""
    count = 100_000 if lib.FULL else 5_000
    with lib.Limpetd(lib.config([lib.endpoint("/a", lib.NOBODY)])) as daemon:
        def send(times):
            with connect(daemon.port) as connection:
                for _ in range(times):
                    head = ask(connection, "/" + os.urandom(12).hex())
                    assert b" 404 " in head, head
                    body = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                    rest = body - len(head.partition(b"\r\n\r\n")[2])
                    while rest > 0:
                        rest -= len(connection.recv(rest))
        send(1000)
        keys, memory = daemon.stats().keys(), daemon.memory_kb()
        send(count)
        assert daemon.stats().keys() == keys
        if "asan" not in lib.LIMPETD:  # the sanitizer's own memory grows
            assert daemon.memory_kb() <= memory + 256, (memory, daemon.memory_kb())


if __name__ == "__main__":
    lib.main(globals())
