"""TCP around a board, played one step at a time: a client of it and the backends it connects to.

A step sends one frame and waits until the guest sleeps again; then everything that the guest sent is
answered, in order. So the frames of an exchange are the same ones each time, whatever the host does
meanwhile, and the guest's instructions can be counted (tests/bench/count_firmware). Nothing here repeats a
segment; what the guest repeats, since the host was too slow for its timers, is acknowledged again.
"""
import collections
import os
import select
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "qemu"))
import test_network as net  # pylint: disable=wrong-import-position

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS_OPTION = struct.pack("!BBH", 2, 4, 1460)
WINDOW = 65535
BACKEND_PORT = 8081
DEADLINE_S = 30
HANDED_OVER_S = 0.001 # from the socket to `arrived`


class End:
    """Our end of one connection. `received`: what came and was not taken yet."""

    def __init__(self, port, guest_port, sequence):
        self.ports = port, guest_port
        self.sequence = sequence
        self.acknowledged = 0
        self.received = b""
        self.owes_ack = False
        self.open = False

    def segment(self, flags, payload=b""):
        options = MSS_OPTION if flags & SYN else b""
        head = struct.pack("!HHIIBBHHH", *self.ports, self.sequence, self.acknowledged,
                           (20 + len(options)) // 4 << 4, flags, WINDOW, 0, 0) + options
        pseudo = net.SERVER + net.GUEST + struct.pack("!BBH", 0, 6, len(head) + len(payload))
        total = net.checksum(pseudo + head + payload)
        self.sequence += len(payload) + (1 if flags & (SYN | FIN) else 0)
        self.owes_ack = False
        return net.ip4(6, net.SERVER, net.GUEST, head[:16] + struct.pack("!H", total) + head[18:] + payload)

    def take(self, sequence, flags, payload):
        length = len(payload) + (1 if flags & (SYN | FIN) else 0)
        if flags & SYN:
            self.open = True
        elif sequence != self.acknowledged:
            self.owes_ack = True
            return
        self.acknowledged = sequence + length
        self.received += payload
        self.owes_ack = self.owes_ack or length > 0


class StepNetwork(net.Network):
    """`count(at_least)` waits until the guest has run so many instructions and sleeps, and returns how many
    it has run; `answer(request)` is what the backend at `url` says to one."""

    url = f"http://10.9.0.1:{BACKEND_PORT}"

    def __init__(self, count, answer):
        self.arrived = collections.deque() # filled by the thread that serves
        self.ends = {}
        self.count = count
        self.answer = answer
        super().__init__()

    def other(self, frame):
        if frame[12:14] == b"\x08\0" and frame[23] == 6:
            self.arrived.append(frame)

    def step(self, packet):
        before = self.count()
        self.send(net.ethernet(self.mac, 0x0800, packet))
        self.rest(before + 1)

    def rest(self, at_least):
        """Until the guest sleeps and all that it sent is here."""
        self.count(at_least)
        while select.select([self.socket], [], [], 0)[0]:
            time.sleep(HANDED_OVER_S)
        time.sleep(HANDED_OVER_S)

    def turn(self):
        """Takes what has arrived, then answers as each end would: a backend at once with its answer, the
        others with one acknowledgement."""
        if not self.arrived:
            self.rest(0)
        while self.arrived:
            self.take(self.arrived.popleft())
        for end in list(self.ends.values()):
            if end.ports[0] == BACKEND_PORT and end.received.endswith(b"\r\n\r\n"):
                request, end.received = end.received, b""
                self.step(end.segment(PSH | ACK, self.answer(request)))
            elif end.owes_ack:
                self.step(end.segment(ACK))

    def take(self, frame):
        length = struct.unpack("!H", frame[16:18])[0]
        tcp = frame[34:14 + length]
        source, target, sequence = struct.unpack("!HHI", tcp[:8])
        flags = tcp[13]
        end = self.ends.get((target, source))
        if end is None and flags == SYN:
            end = self.ends[(target, source)] = End(target, source, 1000)
            end.take(sequence, flags, b"")
            self.step(end.segment(SYN | ACK))
        elif end is not None:
            end.take(sequence, flags, tcp[(tcp[12] >> 4) * 4:])
            if flags & (FIN | RST): # the guest closes what was idle; no answer, it resets it then
                del self.ends[(target, source)]

    def connect(self, port, guest_port):
        end = self.ends[(port, guest_port)] = End(port, guest_port, 2000)
        self.step(end.segment(SYN))
        self.until(lambda: end.open)
        return end

    def until(self, condition):
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the guest is silent"
            self.turn()

    def ask(self, end, path):
        """The whole answer of the guest to one GET."""
        self.step(end.segment(PSH | ACK, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()))
        self.until(lambda: is_whole(end.received) and not end.owes_ack)
        answer, end.received = end.received, b""
        return answer


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) == int(value)
    return body.endswith(b"0\r\n\r\n")
