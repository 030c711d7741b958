#!/usr/bin/python3
"""The cable is pulled in the middle of a push to InfluxDB and comes back: the board goes on by itself,
every window is there once, and the counters say what happened."""
import contextlib
import time
import types

import machine
import lib  # pylint: disable=wrong-import-order
import influx_api
import test_windows

# Frames wait so long in QEMU, so that a push takes several round trips: it can be cut in its middle.
HELD_MS = 40
# Shorter than TCP is patient; longer than a write may take (LIMPET_INFLUX_TIMEOUT_MS) and the next try too.
SHORT_S, LONG_S = 2, 14
# So long that the board's memory holds what closes in an outage.
WINDOW = "4s"


class LinkLost:
    """The link goes while a write is on its way; what is in the air is lost. It stays off until the test
    switches it on, then the server goes on with that connection, if the board does."""

    def __init__(self, board, in_answer):
        self.board, self.in_answer = board, in_answer
        self.lost = False
        self.whole = None  # the server had the whole write then
        self.name = "link lost in the " + ("answer" if in_answer else "request")

    def serve(self, server, stream):
        if self.in_answer:
            server.take(stream)
            self.cut()
            return server.answer(stream, 204)
        stream.more()
        self.cut()
        self.whole = self.has_all(stream)
        server.take(stream)
        return server.answer(stream, 204)

    def cut(self):
        self.board.monitor("set_link net off")
        self.lost = True

    def has_all(self, stream):
        """What was on its way when the link went is read first."""
        stream.connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while True:
                stream.more()
        stream.connection.settimeout(None)
        head, _, body = stream.pending.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        return len(body) >= length


def lose(board, server, fault, seconds):
    """The link is lost in the next write and comes back after so many seconds; then all arrives."""
    test_windows.send(board, 3)
    with server.lock:
        server.script.append(fault)
    machine.wait_until(lambda: fault.lost, fault.name)
    time.sleep(seconds)
    board.monitor("set_link net on")
    writes = server.writes
    machine.wait_until(lambda: server.writes > writes, "the next write", 60)
    test_windows.send(board, 2)


def check_end(board, server, sent):
    machine.wait_until(lambda: server.store.sum() == sent, f"{sent} requests in InfluxDB", 60)
    assert not server.wrong, server.wrong
    values = test_windows.identity(board)
    assert values["windows_dropped"] == 0, values
    # What is written between the looks is one more.
    looks = [test_windows.identity(board)["windows_written"] - 1, len(server.store.windows),
             test_windows.identity(board)["windows_written"] + 1]
    assert looks == sorted(looks), looks
    stats = board.stats()
    assert stats["krakend.router.response./a.status.200.count"] == sent, stats
    assert board.console().count("READY") == 1, board.console()


def test_link_lost_in_a_push():
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as stub, \
            influx_api.Server(influx_api.Version1()) as server:
        clock = machine.TimeServer()
        address = types.SimpleNamespace(url=f"http://localhost:{server.port}")
        what = test_windows.config(stub, address, **server.version.keys)
        what["timeout"] = "20s"
        what["extra_config"]["telemetry/metrics"]["collection_time"] = WINDOW
        delay = ["-object", f"filter-buffer,id=held,netdev=net,queue=all,interval={HELD_MS * 1000}"]
        with machine.Machine(machine.BUILD, what, delay, time_server=clock.address) as board:
            machine.wait_until(lambda: server.store.windows, "the first window", 60)
            faults = [LinkLost(board, in_answer) for in_answer in (False, True, False, True)]
            for fault, seconds in zip(faults, (SHORT_S, SHORT_S, LONG_S, LONG_S)):
                lose(board, server, fault, seconds)
            check_end(board, server, 5 * len(faults))
            assert False in (fault.whole for fault in faults), "no push was cut in its middle"
            assert test_windows.identity(board)["writes_unanswered"] >= 1
            assert server.store.repeats >= 1, server.log
        clock.close()


if __name__ == "__main__":
    machine.main(globals())
