#!/usr/bin/python3
"""Shaping against a tree: generated documents with duplicate and escaped keys go through generated rules,
once in the program under test (on bytes) and once here (on a tree); both must say the same bytes.

    test_shape_oracle.py SHAPE_REPLAY [CASES [SEED]]
"""
import json
import random
import subprocess
import sys

NAMES = ["a", "b", "c", "id", "", "a b", "ключ", "\U0001f600", "q\"q", "b\\", "collection", "content"]
NUMBERS = ["0", "-0", "1.50", "12345678901234567890", "1E+2", "-3.1e-9"]
SPACE = ["", "", "", " ", "\n\t", "  "]


# ---- The tree: ("object", [(raw key, node)]), ("array", [node]), ("other", raw text) ---------------------

def plain(raw):
    """A raw string as its text; half surrogates are U+FFFD."""
    text = json.loads(f'"{raw}"')
    return "".join("�" if "\ud800" <= c <= "\udfff" else c for c in text)


def text_of(node):
    kind, value = node
    if kind == "object":
        return "{" + ",".join(f'"{key}":{text_of(child)}' for key, child in value) + "}"
    if kind == "array":
        return "[" + ",".join(map(text_of, value)) + "]"
    return value


def last_of_equal(members):
    """Of equal keys the last one, in its place."""
    kept, seen = [], set()
    for key, child in reversed(members):
        if plain(key) not in seen:
            seen.add(plain(key))
            kept.append((key, child))
    return kept[::-1]


def rules_tree(paths, allows):
    root = {}
    for path in paths:
        level, parts = root, path.split(".")
        for i, part in enumerate(parts):
            if not allows and level.get(part) is True:
                break
            if i == len(parts) - 1:
                level[part] = True
            elif not isinstance(level.get(part), dict):
                level[part] = {}
            level = level[part]
    return root


def allow(members, rules):
    kept = []
    for key, child in last_of_equal(members):
        rule = rules.get(plain(key))
        if rule is True:
            kept.append((key, child))
        elif rule is not None and child[0] == "object":
            below = allow(child[1], rule)
            if below:
                kept.append((key, ("object", below)))
    return kept


def deny(members, rules):
    kept = []
    for key, child in last_of_equal(members):
        rule = rules.get(plain(key))
        if isinstance(rule, dict) and child[0] == "object":
            child = ("object", deny(child[1], rule))
        if rule is not True:
            kept.append((key, child))
    return kept


def quoted(text):
    out = ""
    for c in text:
        short = {'"': '\\"', "\\": "\\\\"}.get(c)
        out += short or c
    return out


def rename(members, mapping):
    """All at once; what gets a name takes it from who has it, of two that get it the later rule wins. What gets
    its own name goes (lura assigns, then deletes the former name)."""
    names = {plain(key) for key, _ in members}
    rules = [(old, new.split(".")[0]) for old, new in mapping.items() if old in names]
    kept = []
    for key, child in members:
        index = next((i for i, rule in enumerate(rules) if rule[0] == plain(key)), None)
        if index is None:
            if plain(key) not in [new for _, new in rules]:
                kept.append((key, child))
        elif rules[index][1] not in [rules[index][0]] + [new for _, new in rules[index + 1:]]:
            kept.append((quoted(rules[index][1]), child))
    return kept


def decode(node, backend):
    """None = refused."""
    encoding = backend.get("encoding", "json")
    is_list = backend.get("is_collection", False)
    if encoding == "safejson":
        if node[0] == "object":
            return node
        return ("object", [("collection" if node[0] == "array" else "result", node)])
    if is_list:
        good = node[0] == "array" or node == ("other", "null")
        return ("object", [("collection", node)]) if good else None
    return node if node[0] == "object" or node == ("other", "null") else None


def shaped(node, backend):
    node = decode(node, backend)
    if node is None:
        return None
    if backend.get("target"):
        for part in backend["target"].split("."):
            found = ("other", "")
            for key, child in node[1] if node[0] == "object" else []:
                found = child if plain(key) == part else found
            node = found
        node = node if node[0] == "object" else ("object", [])
    if node[0] == "object":
        members = last_of_equal(node[1])
        if backend.get("allow"):
            members = allow(members, rules_tree(backend["allow"], True))
        else:
            members = deny(members, rules_tree(backend.get("deny", []), False))
        node = ("object", rename(members, backend.get("mapping", {})))
    if backend.get("group"):
        node = ("object", [(quoted(backend["group"]), node)])
    return node


def merged(nodes):
    keys = [[plain(key) for key, _ in node[1]] for node in nodes]
    return [("object", [m for m in node[1] if not any(plain(m[0]) in later for later in keys[i + 1:])])
            for i, node in enumerate(nodes)]


# ---- Generating ------------------------------------------------------------------------------------------

def raw_key(r, name):
    """One of the spellings of a name."""
    out = ""
    for c in name:
        units = c.encode("utf-16-be")
        escape = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
        if c in '"\\':
            out += r.choice(["\\" + c, escape])
        else:
            out += r.choice([c, c, c, escape, escape.upper().replace("\\U", "\\u")])
    return out


def document(r, depth=0):
    kind = r.random()
    if depth == 0:
        kind = r.choice([0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.9])
    if kind < 0.45 and depth < 6:
        return ("object", [(raw_key(r, r.choice(NAMES)), document(r, depth + 1))
                           for _ in range(r.choice([0, 1, 2, 3, 4, 8]))])
    if kind < 0.6 or (depth == 0 and kind < 0.8):
        return ("array", [document(r, depth + 1) for _ in range(r.randrange(3))])
    return ("other", r.choice(NUMBERS + ["true", "null", '" s, } ] "', '"\\u00e9\\n"', '"é\\ud800"', "null"]))


def spaced(r, node):
    """The text of a node with white space between its tokens."""
    kind, value = node
    gap = lambda: r.choice(SPACE)  # noqa: E731
    if kind == "object":
        inside = ",".join(f'{gap()}"{key}"{gap()}:{gap()}{spaced(r, child)}{gap()}' for key, child in value)
        return "{" + (inside or gap()) + "}"
    if kind == "array":
        return "[" + (",".join(gap() + spaced(r, child) + gap() for child in value) or gap()) + "]"
    return value


def path(r):
    return ".".join(r.choice(NAMES) for _ in range(r.choice([1, 1, 1, 2, 2, 3])))


def backend_rules(r):
    backend = {"url_pattern": "/"}
    if r.random() < 0.5:
        backend[r.choice(["allow", "deny"])] = [path(r) for _ in range(r.randrange(1, 6))]
    if r.random() < 0.3:
        backend["mapping"] = {r.choice(NAMES): r.choice(NAMES) for _ in range(r.randrange(1, 5))}
    if r.random() < 0.2:
        backend["target"] = path(r)
    if r.random() < 0.2:
        backend["group"] = r.choice(NAMES)
    if r.random() < 0.2:
        backend["is_collection"] = True
    elif r.random() < 0.2:
        backend["encoding"] = "safejson"
    return backend


# ---- Comparing -------------------------------------------------------------------------------------------

class Replay:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, config, bodies, size):
        head = " ".join(str(n) for n in [len(config), size] + [len(body) for body in bodies])
        self.process.stdin.write(head.encode() + b"\n" + config + b"".join(bodies))
        self.process.stdin.flush()
        one, merge = [], []
        while True:
            line = self.process.stdout.readline().decode().split()
            if line == ["."]:
                return one, merge
            if line == ["-"]:
                one.append(None)
                continue
            value = self.process.stdout.read(int(line[-1]) + 1)[:-1].decode()
            (merge if line[0] == "merged" else one).append(value)


def main():
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    replay = Replay(sys.argv[1])
    for case in range(cases):
        r = random.Random(f"{seed}/{case}")
        backends = [backend_rules(r) for _ in range(r.choice([1, 1, 2, 3]))]
        nodes = [document(r) for _ in backends]
        bodies = [(r.choice(SPACE) + spaced(r, node) + r.choice(["", " ", "\n", " x", "}"])).encode()
                  for node in nodes]
        config = json.dumps({"version": 3, "host": ["http://h"], "endpoints": [
            {"endpoint": "/", "backend": backends}]}, ensure_ascii=False).encode()
        want = [shaped(node, backend) for node, backend in zip(nodes, backends)]
        objects = [node for node in want if node is not None and node[0] == "object"]
        got, merge = replay.run(config, bodies, 1 << 20)
        expected = [None if node is None else text_of(node) for node in want]
        joined = [text_of(node) for node in merged(objects)]
        if got != expected or merge != joined:
            print(f"case {seed}/{case}\nrules {json.dumps(backends, ensure_ascii=False)}\nbodies {bodies}\n"
                  f"want {expected}\ngot  {got}\nmerged {joined}\ngot    {merge}", file=sys.stderr)
            return 1
    print(f"{cases} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
