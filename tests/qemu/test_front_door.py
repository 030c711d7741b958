#!/usr/bin/python3
"""tools/qemu, which is ./dev qemu without the build: ready means an answer of the board, and what is wrong is
said in one line."""
import http.client
import json
import os
import signal
import subprocess
import tempfile

import machine
from test_firmware import Backend, BUILD, config


class FrontDoor:
    """tools/qemu with a firmware of its own folder, where its storage comes to lie."""

    def __init__(self, folder, what):
        self.build = os.path.join(folder, os.path.basename(BUILD))
        if not os.path.exists(self.build):
            os.mkdir(self.build)
            os.symlink(machine.elf_of(BUILD), machine.elf_of(self.build))
        self.config = os.path.join(folder, "krakend.json")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(what)
        self.said = os.path.join(folder, "said")
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen([os.path.join(machine.ROOT, "tools", "qemu"), self.build, "-c",
                                             self.config], stdout=said, stderr=said)

    def text(self):
        with open(self.said, encoding="utf-8", errors="replace") as file:
            return file.read()

    def refuses(self, words):
        assert self.process.wait(machine.SECONDS_MAX) == 1, self.text()
        assert words in self.text() and "Traceback" not in self.text(), self.text()


def ask_port(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=machine.SECONDS_MAX)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_front_door():
    with Backend() as backend, tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder:
        ports = [machine.free_port() for _ in range(2)]
        what = config(backend, port=ports[0], listen_ip="127.0.0.1")
        what["extra_config"]["telemetry/metrics"]["listen_address"] = f"127.0.0.1:{ports[1]}"
        door = FrontDoor(folder, json.dumps(what))
        machine.wait_until(lambda: "qemu: ready" in door.text(), "ready")
        for line in (f"gateway: http://127.0.0.1:{ports[0]}/", f"metrics: http://127.0.0.1:{ports[1]}/__stats/",
                     "READY"):
            assert line in door.text(), door.text()
        assert ask_port(ports[0], "/json/1")[0] == 200
        assert ask_port(ports[1], "/__stats/")[0] == 200
        with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as other:
            FrontDoor(other, json.dumps(what)).refuses(f"cannot listen on 127.0.0.1:{ports[0]}")
        door.process.send_signal(signal.SIGINT)
        assert door.process.wait(machine.SECONDS_MAX) == 0
        assert os.path.exists(os.path.splitext(machine.elf_of(door.build))[0] + ".storage")


def test_front_door_says_what_is_wrong_with_the_file():
    with tempfile.TemporaryDirectory(prefix="limpet-qemu.") as folder:
        port = machine.free_port()
        for what, words in (('{"version":', "line 1 column 12"), ("[]", "no listeners"),
                            ('{"version":3,"port":"x"}', "no listeners"),
                            (json.dumps({"port": port, "client_tls": {"ca_certs": ["/nowhere.pem"]}}),
                             "/nowhere.pem: No such file")):
            FrontDoor(folder, what).refuses(words)


if __name__ == "__main__":
    machine.main(globals())
