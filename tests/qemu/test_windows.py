#!/usr/bin/python3
"""Windows over resets: a board killed at any moment and started again with the same storage loses no
closed window and sends none twice, to a real InfluxDB 1.x."""
import os
import random
import tempfile

import machine
import lib  # pylint: disable=wrong-import-order
import test_influx

ROUNDS = 40 if machine.FULL else 6


def config(stub, influxdb, **influx):
    return {
        "version": 3, "port": machine.GATEWAY_PORT,
        "endpoints": [lib.endpoint("/a", stub)],
        "extra_config": {
            "telemetry/metrics": {"collection_time": "1s", "listen_address": ":8090"},
            "telemetry/influx": {"address": influxdb.url, "ttl": "1s", "buffer_size": 1000000,
                                 **influx},
            "telemetry/logging": {"level": "INFO"}}}


def identity(board):
    values = {key[len("limpet.influx."):]: value for key, value in board.stats().items()
              if key.startswith("limpet.influx.")}
    produced, written, buffered, dropped = (
        values["windows_" + name] for name in ("produced", "written", "buffered", "dropped"))
    assert produced == written + buffered + dropped, values
    return values


def send(board, count):
    for _ in range(count):
        assert board.get("/a").status == 200


def wait_closed(board, count):
    """Until the requests of this boot are in closed windows."""
    machine.wait_until(lambda: board.stats()["krakend.router.connected-total"] >= count,
                       "the window's end")


def wait_written(board):
    machine.wait_until(lambda: identity(board)["windows_buffered"] <= 1, "the windows arrive", 60)


def stamps_in(influxdb):
    """Each window has one such point."""
    return len(influxdb.query("select * from router where direction='in'")[0]["values"])


class Storage:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="limpet-qemu.")
        self.path = os.path.join(self.folder.name, "storage")
        machine.new_storage(self.path)
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


def start(what, clock, storage):
    return machine.Machine(machine.BUILD, what, time_server=clock.address, storage=storage.path)


def test_killed_at_any_moment():
    """Requests whose window was seen closed arrive, each once; those of the moment of the kill may or
    may not. InfluxDB is away now and then."""
    chance = random.Random(seed := random.randrange(1 << 30))
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as stub, test_influx.InfluxDB() as influxdb, \
            Storage() as storage:
        clock = machine.TimeServer()
        what = config(stub, influxdb)
        certain = possible = produced = 0
        for _ in range(ROUNDS):
            away = chance.random() < 0.5
            if away:
                influxdb.kill()
            with start(what, clock, storage) as board:
                machine.wait_until(lambda b=board: b.stats()["limpet.clock.known"] == 1, "the time")
                assert identity(board)["windows_produced"] >= produced, seed
                count = chance.randrange(1, 6)
                send(board, count)
                possible += count
                if chance.random() < 0.7:
                    wait_closed(board, count)
                    certain += count
                values = identity(board)
                produced = values["windows_produced"]
                assert values["windows_dropped"] == 0, (seed, values)
                machine.time.sleep(chance.random())
                board.kill()
            if away:
                influxdb.start()
        with start(what, clock, storage) as board:
            wait_written(board)
            values = identity(board)
            assert values["windows_dropped"] == 0 and values["windows_produced"] >= produced, (seed, values)
            assert certain <= influxdb.sum() <= possible, (seed, certain, possible)
            # What is written between the looks is one more row.
            looks = [identity(board)["windows_written"], stamps_in(influxdb),
                     identity(board)["windows_written"] + 1]
            assert looks == sorted(looks), (seed, looks)
        clock.close()


def test_reset_keeps_what_waits():
    """A board that was reset sends the windows of the run before, under their numbers."""
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as stub, test_influx.InfluxDB() as influxdb, \
            Storage() as storage:
        clock = machine.TimeServer()
        influxdb.kill()
        with start(config(stub, influxdb), clock, storage) as board:
            machine.wait_until(lambda: board.stats()["limpet.clock.known"] == 1, "the time")
            send(board, 3)
            wait_closed(board, 3)
            board.monitor("system_reset")
            board.wait_console(r"windows? found in storage")
            board.wait_console("READY", 2)
            influxdb.start()
            machine.wait_until(lambda: influxdb.sum() == 3, "the requests before the reset", 60)
            assert identity(board)["windows_dropped"] == 0
        clock.close()


def test_storage_holds_what_memory_cannot():
    """An outage longer than the board's memory holds, with a reset in it: every window arrives, once."""
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as stub, test_influx.InfluxDB() as influxdb, \
            Storage() as storage:
        clock = machine.TimeServer()
        what = config(stub, influxdb)
        influxdb.kill()
        sent = 0
        for windows in (16, 24):
            with start(what, clock, storage) as board:
                machine.wait_until(lambda b=board: b.stats()["limpet.clock.known"] == 1, "the time")
                send(board, 3)
                sent += 3
                machine.wait_until(lambda b=board, n=windows: identity(b)["windows_produced"] >= n,
                                   "more windows than the memory holds", 60)
                values = identity(board)
                assert values["windows_buffered"] >= windows and values["windows_dropped"] == 0, values
                assert values["spool_bytes"] <= values["spool_bytes_limit"], values
                board.kill()
        influxdb.start()
        with start(what, clock, storage) as board:
            wait_written(board)
            values = identity(board)
            assert values["windows_dropped"] == 0 and influxdb.sum() == sent, (values, sent)
        clock.close()


def test_noise_in_storage():
    """The log begins anew: sector by sector, whatever was there. A board whose storage kept no seed has
    another name with each image: here it has the same."""
    with lib.Backend({"/a": lib.Answer({"a": 1})}) as stub, test_influx.InfluxDB() as influxdb, \
            Storage() as storage:
        clock = machine.TimeServer()
        with open(storage.path, "r+b") as file:
            file.write(os.urandom(1 << 20))
        for requests in (2, 4):
            with start(config(stub, influxdb, host_tag="board"), clock, storage) as board:
                send(board, 2)
                machine.wait_until(lambda n=requests: influxdb.sum() >= n, "the requests", 60)
                values = identity(board)
                assert influxdb.sum() == requests, (influxdb.sum(), values)
                assert values["windows_dropped"] == 0 and values["storage_failures"] == 0, values
                board.kill()
        assert values["windows_produced"] > 1, values
        clock.close()


if __name__ == "__main__":
    machine.main(globals())
