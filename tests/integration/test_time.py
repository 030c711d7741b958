"""The clock of the whole daemon: from the host, or from a time server; and what is dated with it."""
import contextlib
import shutil
import socket
import tempfile
import threading
import time

import lib
import test_state

NTP_S = 2208988800
BUILD_S = 1767225600  # LIMPET_BUILD_UNIX_S; earlier ones are no time


class TimeServer:
    """NTP on a free port of 127.0.0.1: this host's time plus `offset_s`, while it is not None."""

    def __init__(self, offset_s):
        self.offset_s = offset_s
        self.questions = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(512)
            self.questions += 1
            if self.offset_s is None:
                continue
            stamp = int((time.time() + self.offset_s + NTP_S) * 2**32) % 2**64
            self.socket.sendto(bytes([0x24, 2, 6, 0xEC]) + bytes(20) + question[40:48] +
                               stamp.to_bytes(8, "big") * 2, peer)


@contextlib.contextmanager
def world(offset_s, **influx_keys):
    """A time server, an InfluxDB that is up, a configuration that uses both, a folder for --state."""
    state = tempfile.mkdtemp(prefix="limpet-time-test.")
    influx = test_state.Influx()
    influx.up = True
    server = TimeServer(offset_s)
    try:
        with lib.Backend({"/a": lib.Answer({"a": 1})}) as backend:
            keys = {"address": influx.url, "ttl": "1s", "buffer_size": 1000000,
                    "time_server": server.address, **influx_keys}
            yield influx, server, state, lib.config([lib.endpoint("/a", backend)], influx=keys,
                                                    metrics={"collection_time": "1s"})
    finally:
        influx.shutdown()
        shutil.rmtree(state)


def value(daemon, name):
    return daemon.stats()[f"limpet.{name}"]


def test_time_server():
    offset_s = 5000000
    with world(offset_s, host_tag="edge 7") as (influx, _, _, config):
        with lib.Limpetd(config) as daemon:
            test_state.send(daemon, 3)
            lib.wait_until(lambda: influx.requests() == 3, "the window of the requests")
            lib.wait_until(lambda: value(daemon, "clock.known") == 1, "the clock is shown as known")
            assert abs(influx.stamps[0] - time.time() - offset_s) < 60, influx.stamps
            assert all(r",host=edge\ 7" in line for line in influx.lines[influx.stamps[0]])


def test_time_before_the_build():
    """Not believed; nothing is sent, nothing is lost; dated when the server is right."""
    with world(BUILD_S - 1000 - time.time()) as (influx, server, _, config):
        with lib.Limpetd(config) as daemon:
            test_state.send(daemon, 2)
            lib.wait_until(lambda: value(daemon, "clock.refused") >= 2 and
                           value(daemon, "influx.windows_buffered") >= 2, "windows without a date")
            assert not influx.stamps and value(daemon, "clock.known") == 0
            assert value(daemon, "clock.unanswered") == 0
            daemon.wait_log("its date is before this version of Limpet; points wait for a clock")
            server.offset_s = 0
            lib.wait_until(lambda: influx.requests() == 2, "the windows", 90)
            assert influx.stamps == sorted(influx.stamps)
            assert abs(influx.stamps[-1] - time.time()) < 60
            values = test_state.identity(daemon)
            assert values["windows_estimated"] == 0 and values["windows_dropped"] == 0, values


def outage(drop):
    """Two starts that never learn the time, the third does."""
    with world(None, drop_estimated=drop) as (influx, server, state, config):
        for produced in (2, 4):
            with test_state.killed(lib.Limpetd(config, "--state", state)) as daemon:
                test_state.send(daemon, 1)
                lib.wait_until(lambda: value(daemon, "influx.windows_produced") >= produced,
                               "closed windows")
        server.offset_s = 0
        began_s = time.time()
        with lib.Limpetd(config, "--state", state) as daemon:
            waiting = value(daemon, "influx.windows_buffered")
            lib.wait_until(lambda: value(daemon, "clock.known") == 1 and
                           value(daemon, "influx.windows_buffered") <= 1, "the windows leave", 90)
            values = test_state.identity(daemon)
        assert waiting >= 4, waiting
        assert influx.stamps == sorted(set(influx.stamps))
        earlier = [stamp for stamp in influx.stamps if stamp <= began_s]
        if drop:
            assert values["dropped.undated"] >= 4 and values["windows_estimated"] == 0, values
            assert not earlier, earlier
        else:
            assert values["windows_dropped"] == 0 and values["windows_estimated"] >= 4, values
            assert len(earlier) >= 4 and influx.requests() == 2, (earlier, influx.requests())


def test_estimated_dates():
    outage(drop=False)


def test_estimated_windows_dropped():
    outage(drop=True)


def test_state_that_cannot_be_used():
    """A folder that is none: said, and the daemon runs without it."""
    with world(0) as (influx, _, state, config):
        with open(f"{state}/file", "w", encoding="ascii"):
            pass
        with lib.Limpetd(config, "--state", f"{state}/file") as daemon:
            daemon.wait_log("file/windows.log: Not a directory: windows wait in memory only")
            test_state.send(daemon, 1)
            lib.wait_until(lambda: influx.requests() == 1, "the window")
            assert value(daemon, "influx.storage_sectors") == 0


if __name__ == "__main__":
    lib.main(globals())
