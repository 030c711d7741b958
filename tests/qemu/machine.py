"""A board in QEMU: its firmware, its configuration partition, its console and its published ports.

Used by the tests beside this file and by tools/qemu. QEMU accepts connections before the guest listens,
so "ready" always means a complete HTTP answer. A request that comes before the guest listens is tried
again by QEMU's network only after seconds, so the console is asked first.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration")) # servers and certificates of its tests
BUILD = os.environ.get("LIMPET_BUILD") or os.path.join(ROOT, "build", "mps2-an385")
FULL = bool(os.environ.get("LIMPET_FULL"))
QEMU = "qemu-system-arm"
GATEWAY_PORT = 8080
STATS_PORT = 8090

# How long anything may take on a loaded machine.
SECONDS_MAX = 30


def boards():
    return sorted(name for name in os.listdir(os.path.join(ROOT, "board"))
                  if os.path.exists(os.path.join(ROOT, "board", name, "qemu.args")))


def elf_of(build):
    """The firmware in a build directory."""
    return os.path.join(build, f"limpet-{board_of(build)}.elf")


CONFIG_IMAGE = os.path.join(ROOT, "tools", "config-image")


def board_of(build):
    return re.sub("-(small|standard|tls)$", "", os.path.basename(build))


def config_image(board, config_path, image_path, time_server=None):
    extra = ["--time-server", time_server] if time_server else []
    subprocess.run([sys.executable, CONFIG_IMAGE, config_path, "-o", image_path, "--published",
                    "--board", board, *extra], check=True)


STORAGE_LEN = 16 << 20


def new_storage(path):
    """Storage that was never used: all ones, as flash comes."""
    with open(path, "wb") as file:
        for _ in range(STORAGE_LEN >> 20):
            file.write(b"\xff" * (1 << 20))


def time_answer(question, offset_s=0):
    """SNTP's (RFC 4330 section 4)."""
    stamp = int((time.time() + offset_s + 2208988800) * 2**32) % 2**64
    return bytes([0x24, 2, 6, 0xEC]) + bytes(20) + question[40:48] + stamp.to_bytes(8, "big") * 2


class TimeServer:
    """SNTP on a free port of 127.0.0.1, with this host's time plus `offset_s`; the guest finds it at
    `address`."""

    def __init__(self, offset_s=0):
        self.offset_s = offset_s
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"10.0.2.2:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(512)
                self.socket.sendto(time_answer(question, self.offset_s), peer)
            except OSError:
                return

    def close(self):
        self.socket.close()


def listeners(config):
    """[(host address or "", port)] of the gateway and, where there is one, of the metrics listener."""
    found = [(host_part(config.get("listen_ip", "")), int(config.get("port", GATEWAY_PORT)))]
    metrics = config.get("extra_config", {}).get("telemetry/metrics")
    if metrics is not None and not metrics.get("endpoint_disabled"):
        host, _, port = metrics.get("listen_address", f":{STATS_PORT}").rpartition(":")
        found.append((host_part(host), int(port)))
    return found


def host_part(text):
    return "127.0.0.1" if text == "localhost" else "" if text == "0.0.0.0" else text


def arguments(board, **words):
    """QEMU's arguments from board/<name>/qemu.args."""
    result = []
    with open(os.path.join(ROOT, "board", board, "qemu.args"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                option, _, value = line.strip().partition(" ")
                result += [option] + ([value.format(**words)] if value else [])
    return result


def symbols(elf):
    """Names of everything that is defined in the firmware."""
    text = subprocess.run(["arm-none-eabi-nm", "--defined-only", elf], check=True, capture_output=True,
                          text=True).stdout
    return [line.split()[-1] for line in text.splitlines()]


def symbol_address(elf, symbol):
    text = subprocess.run(["arm-none-eabi-nm", elf], check=True, capture_output=True, text=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {symbol}$", text, re.M).group(1), 16) & ~1


def check_stack(stats):
    """What was ever used is no more than the calls can take by the compiler's call graph, and that has room.
    The three numbers as words."""
    tool = os.path.join(ROOT, "tools", "board-stack")
    said = subprocess.run([tool, BUILD], check=True, capture_output=True, text=True).stdout
    used, room = (stats[f"limpet.firmware.stack_{name}"] for name in ("bytes_max", "bytes"))
    words = f"{used} of {room} bytes were used, the calls can take {said.split()[0]}"
    assert used <= int(said.split()[0]) <= room, words
    return words


def wait_until(condition, what, seconds=SECONDS_MAX):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.01)


class Answer:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Debugger:
    """GDB's remote protocol. The machine stands while it is there."""

    def __init__(self, port):
        self.channel = socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
        # Single registers are there for those who have read the description only.
        self.ask("qXfer:features:read:target.xml:0,fff")

    def packet(self, text, is_answer):
        """Sends a packet; the first one that comes and is an answer to it."""
        self.channel.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
        received = b""
        while True:
            received += self.channel.recv(4096)
            for answer in re.findall(rb"\$([^#]*)#..", received):
                if is_answer(answer):
                    self.channel.sendall(b"+")
                    return answer.decode()

    def ask(self, text):
        """A report that the machine has stopped may come first."""
        return self.packet(text, lambda answer: not answer.startswith(b"T"))

    def read(self, address, length):
        return bytes.fromhex(self.ask(f"m{address:x},{length:x}"))

    def write(self, address, data):
        self.ask(f"M{address:x},{len(data):x}:{data.hex()}")

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def set_register(self, number, value):
        self.ask(f"P{number:x}={value.to_bytes(4, 'little').hex()}")

    def run_to(self, address):
        self.ask(f"Z0,{address:x},2")
        self.packet("c", lambda answer: answer.startswith(b"T"))
        self.ask(f"z0,{address:x},2")


def read_prompt(channel):
    text = b""
    while not text.endswith(b"(qemu) "):
        piece = channel.recv(4096)
        assert piece, text
        text += piece


def monitor_says(path, command):
    """Returns when QEMU has done it; `path`: the socket of its monitor."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(path)
        channel.settimeout(SECONDS_MAX)
        read_prompt(channel)
        channel.sendall(command.encode() + b"\n")
        read_prompt(channel)


class Machine:
    """A running board. `config` is a dictionary, or bytes that are written to the partition as they
    are; its listeners are published on free ports of 127.0.0.1, and a UDP port where nobody listens."""

    def __init__(self, build, config, extra=(), wait=True, time_server=None, storage=None):
        self.time_server = time_server
        self.folder = tempfile.mkdtemp(prefix="limpet-qemu.")
        self.console_path = os.path.join(self.folder, "console")
        self.image_path = os.path.join(self.folder, "config.bin")
        self.monitor_path = os.path.join(self.folder, "monitor")
        self.board = board_of(build)
        self.write_image(config)
        if storage is None:
            storage = os.path.join(self.folder, "storage")
            new_storage(storage)
        guest = {"gateway": ("tcp", GATEWAY_PORT), "stats": ("tcp", STATS_PORT), "nobody": ("udp", 9)}
        self.ports = {name: free_port() for name in guest}
        forwards = "".join(f",hostfwd={protocol}:127.0.0.1:{self.ports[name]}-:{port}"
                           for name, (protocol, port) in guest.items())
        elf = self.elf = elf_of(build)
        with open(os.path.join(self.folder, "qemu.log"), "wb") as log:
            self.process = subprocess.Popen(
                [QEMU, *arguments(self.board, elf=elf, config=self.image_path,
                                   storage=storage, forwards=forwards),
                 "-display", "none", "-serial", f"file:{self.console_path}",
                 "-monitor", f"unix:{self.monitor_path},server,nowait", *extra],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        if wait:
            self.wait_ready_or_close()

    def write_image(self, config):
        if isinstance(config, bytes):
            with open(self.image_path, "wb") as file:
                file.write(config)
            return
        path = os.path.join(self.folder, "krakend.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        config_image(self.board, path, self.image_path, self.time_server)

    # -- Requests --

    def request(self, method, path, body=None, headers=None, listener="gateway"):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[listener],
                                                timeout=SECONDS_MAX)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def stats(self):
        """An answer that is cut, since the window had to close (limpet.stats.answers_cut), is asked for
        again: on a loaded machine the board is as slow as that."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                answer = self.request("GET", "/__stats/", listener="stats")
                assert answer.status == 200, answer.status
                return answer.json()
            except http.client.IncompleteRead:
                if time.monotonic() > deadline:
                    raise

    def wait_ready(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"QEMU ended with {self.process.returncode}: {self.log()}")
            try:
                return self.request("GET", "/__stats/", listener="stats").status == 200
            except (OSError, http.client.HTTPException):
                return False
        self.wait_console("READY")
        wait_until(answers, f"a complete answer of /__stats/; the console:\n{self.console()}")

    def wait_ready_or_close(self):
        try:
            self.wait_ready()
        except BaseException:
            print(self.console())
            self.close()
            raise

    # -- Console, monitor, end --

    def console(self):
        try:
            with open(self.console_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log(self):
        with open(os.path.join(self.folder, "qemu.log"), encoding="utf-8") as file:
            return file.read()

    def wait_console(self, pattern, count=1):
        return wait_until(lambda: len(re.findall(pattern, self.console())) >= count,
                          f"{count} x {pattern!r} on the console:\n{self.console()}")

    def monitor(self, command):
        monitor_says(self.monitor_path, command)

    @contextlib.contextmanager
    def debugger(self):
        port = free_port()
        self.monitor(f"gdbserver tcp:127.0.0.1:{port}")
        debugger = Debugger(port)
        with debugger.channel:
            yield debugger
            debugger.ask("D")
        self.monitor("gdbserver none")

    def patch(self, symbol, code):
        """Overwrites the first bytes of a function in the running machine; returns what they were.
        A reset loads the firmware anew on some boards only."""
        address = symbol_address(self.elf, symbol)
        with self.debugger() as debugger:
            before = debugger.read(address, len(code))
            debugger.write(address, code)
        return before

    def kill(self):
        """As if the power went. QEMU tells the guest that a flash write is done before the file has it, in
        any order: what the guest was told is brought there first, nothing else."""
        self.monitor("stop")
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.terminate()
        self.process.wait(SECONDS_MAX)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"---- console\n{self.console()}---- QEMU\n{self.log()[:2000]}")
        self.close()


# ---- Runner --------------------------------------------------------------------------------------

def main(module):
    """Runs every test_* function of the module, or those named on the command line."""
    names = sys.argv[1:] or [name for name in module if name.startswith("test_") and
                             callable(module[name])]
    failed = 0
    for name in names:
        start = time.monotonic()
        try:
            module[name]()
            result = "ok  "
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
            result = "FAIL"
            failed += 1
        print(f"{result} {name} ({time.monotonic() - start:.1f} s)", flush=True)
    sys.exit(1 if failed or not names else 0)
