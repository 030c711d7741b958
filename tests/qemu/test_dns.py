#!/usr/bin/python3
"""A name server that lies to a board: what it says is not believed, or is no address to connect to; the
console says why nothing is pushed, and the first true answer is enough to go on."""
import json
import struct

import machine
from test_network import Board, GUEST, Network, SERVER, ethernet, ip4, udp

NAME = "influx.example"
PORT = 8086
STRANGER = bytes([10, 9, 0, 9])
# What lies say that must not be believed; nobody may ever ask for its way.
NEVER = bytes([10, 9, 0, 66])
A, CNAME, AAAA = 1, 5, 28
RESPONSE, NO_SUCH_NAME, SERVER_FAILED, QUERY = 0x8180, 0x8183, 0x8182, 0x0100
OWNER = b"\xc0\x0c" # the name in the question

TIME = ["--time-server", ".".join(map(str, SERVER))] # nothing is pushed without the time

# lwIP asks so many times before it gives up, when what comes is none of its answers.
ASKED_PER_LOOKUP = 4


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(kind, data, ttl=1):
    return OWNER + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def message(query, records, flags=RESPONSE, number=None, question=None, questions=1):
    """An answer to the query, as asked but for what is given."""
    number = query[:2] if number is None else number
    head = number + struct.pack("!HHHHH", flags, questions, len(records), 0, 0)
    return head + (query[12:] if question is None else question) + b"".join(records)


def address(query, ip):
    return message(query, [record(A, ip)])


def never(query, **wrong):
    return message(query, [record(A, NEVER)], **wrong)


# Each makes the datagrams that are the answer to one query: [(source address, source port, bytes)].

def say(make):
    return lambda query: [(SERVER, 53, make(query))]


def other_number(query):
    return never(query, number=bytes([query[0] ^ 0xFF, query[1]]))


def silence(_):
    return []


UNBELIEVED = [
    [silence,
     say(other_number),
     say(lambda q: never(q, question=labels("elsewhere.example") + q[-4:])),
     lambda q: [(STRANGER, 53, never(q)), (STRANGER, 5353, never(q)), (SERVER, 5353, other_number(q))]],
    [say(lambda q: never(q, flags=QUERY)),
     say(lambda q: never(q, questions=0)),
     say(lambda q: never(q, question=q[12:-4] + struct.pack("!HH", AAAA, 1))),
     say(lambda q: never(q)[:20])],
    [say(lambda q: never(q)[:-2]),
     say(lambda q: never(q, question=OWNER + q[-4:])), # a name that points to itself
     say(lambda q: never(q, question=b"\x3f" + q[13:])), # a label that is longer than the message
     say(lambda q: q[:2])],
]
BELIEVED = [
    [say(lambda q: address(q, bytes(4))),
     say(lambda q: address(q, bytes([127, 0, 0, 1]))),
     say(lambda q: address(q, bytes([224, 0, 0, 1])))],
    [say(lambda q: address(q, b"\xff" * 4)),
     say(lambda q: message(q, [record(CNAME, OWNER)] * 9)), # a loop
     say(lambda q: message(q, [], NO_SUCH_NAME))],
    [say(lambda q: message(q, [], SERVER_FAILED)),
     say(lambda q: message(q, [])),
     say(lambda q: message(q, [record(A, b"\x0a\x09")]))], # half an address
]


class NameServer(Network):
    """Tells the lies of the list, one a query, then the truth: InfluxDB is where the name server is."""

    def __init__(self, lies):
        self.lies = list(lies)
        self.asked = 0
        self.connects = set()  # where to: (address, port)
        self.sought = set()    # whose hardware address was asked for
        super().__init__()

    def other(self, frame):
        kind, protocol = frame[12:14], frame[23]
        if kind == b"\x08\x06":
            self.sought.add(frame[38:42])
        elif kind == b"\x08\0" and protocol == 17:
            port, asked = struct.unpack("!HH", frame[34:38])
            if asked == 53:
                self.answer(frame[42:], port)
            elif asked == 123:
                self.tell(SERVER, 123, port, machine.time_answer(frame[42:90]))
        elif kind == b"\x08\0" and protocol == 6:
            self.connects.add((frame[30:34], struct.unpack("!H", frame[36:38])[0]))

    def answer(self, query, port):
        self.asked += 1
        tell = self.lies.pop(0) if self.lies else say(lambda q: address(q, SERVER))
        for source, source_port, data in tell(query):
            self.tell(source, source_port, port, data)

    def tell(self, source, source_port, port, data):
        self.send(ethernet(self.mac, 0x0800, ip4(17, source, GUEST, udp(source_port, port, data))))


def config():
    return json.dumps({"version": 3, "port": machine.GATEWAY_PORT, "endpoints": [], "extra_config": {
        "telemetry/metrics": {"collection_time": "1s"},
        "telemetry/influx": {"address": f"http://{NAME}:{PORT}", "ttl": "1s"}}})


def check(lies, lookups):
    """So many lookups fail, then one is true."""
    with NameServer(lies) as network, Board(network, config(), TIME) as board:
        board.wait("READY")
        board.wait("host name not resolved")
        machine.wait_until(lambda: network.connects, f"a connection; asked {network.asked} times:\n"
                           f"{board.console()}", 60)
        assert network.connects == {(SERVER, PORT)}, network.connects
        assert not network.sought & {NEVER, bytes(4), bytes([127, 0, 0, 1])}, network.sought
        assert not network.lies
        # The ping and the first write say it, what fails again does not.
        assert 1 <= board.console().count("host name not resolved") <= lookups, board.console()
        machine.wait_until(lambda: network.answers_ping(GUEST), "an echo")
        assert board.console().count("limpet 0.") == 1, board.console()


def test_answers_that_are_none():
    for lies in UNBELIEVED:
        assert len(lies) == ASKED_PER_LOOKUP
        check(lies, 1)


def test_answers_that_lead_nowhere():
    for lies in BELIEVED:
        check(lies, len(lies))


if __name__ == "__main__":
    machine.main(globals())
