"""InfluxDB's line protocol, read strictly: only what every version of InfluxDB takes the same way, and
what Limpet promises (sorted tags, a stamp on each line). Used by influx_api.py."""
import re

INT = re.compile(r"(0|-?[1-9][0-9]*)i")
FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
STAMP = re.compile(r"-?[1-9][0-9]*|0")


class BadLine(Exception):
    pass


class Point:
    """`types` has "integer" or "float" for each field."""

    def __init__(self, text, measurement, tags, fields, types, stamp):
        self.text = text
        self.measurement, self.tags = measurement, tags
        self.fields, self.types, self.stamp = fields, types, stamp
        self.series = (measurement, tuple(tags.items()))


def split(text, separator, escaped):
    """At each `separator` that no backslash stands before; a backslash goes before `escaped` only."""
    parts, part, at = [], "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1:at + 2] in escaped and at + 1 < len(text):
            part += text[at:at + 2]
            at += 2
            continue
        if text[at] == separator:
            parts.append(part)
            part = ""
        else:
            part += text[at]
        at += 1
    return parts + [part]


def unescape(text, escaped, what, line):
    """The text behind it; what would have needed a backslash is an error."""
    result, at = "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1:at + 2] in escaped and at + 1 < len(text):
            at += 1
        elif text[at] in escaped:
            raise BadLine(f"{what} with {text[at]!r}: {line}")
        result += text[at]
        at += 1
    if not result:
        raise BadLine(f"{what} is empty: {line}")
    if text.endswith("\\"):
        raise BadLine(f"{what} ends in a backslash: {line}")
    return result


def number(text, line):
    if INT.fullmatch(text):
        value = int(text[:-1])
        if not -2**63 <= value < 2**63:
            raise BadLine(f"integer out of range: {line}")
        return value, "integer"
    if FLOAT.fullmatch(text):
        return float(text), "float"
    raise BadLine(f"value {text!r}: {line}")


def parse_tags(parts, line):
    tags = {}
    for part in parts:
        pair = split(part, "=", ",= ")
        if len(pair) != 2:
            raise BadLine(f"tag {part!r}: {line}")
        name = unescape(pair[0], ",= ", "tag key", line)
        if name in tags or (tags and name < list(tags)[-1]):
            raise BadLine(f"tag {name} twice or not in order: {line}")
        tags[name] = unescape(pair[1], ",= ", "tag value", line)
    return tags


def parse_fields(text, line):
    fields, types = {}, {}
    for part in split(text, ",", ",= "):
        pair = split(part, "=", ",= ")
        if len(pair) != 2:
            raise BadLine(f"field {part!r}: {line}")
        name = unescape(pair[0], ",= ", "field key", line)
        if name in fields:
            raise BadLine(f"field {name} twice: {line}")
        fields[name], types[name] = number(pair[1], line)
    return fields, types


def parse_line(line):
    parts = split(line, " ", ",= ")
    if len(parts) != 3:
        raise BadLine(f"not series, fields and stamp: {line!r}")
    if re.search(r"[\x00-\x1f\x7f]", line) or line.startswith("#"):
        raise BadLine(f"control byte, or a comment: {line!r}")
    measurement, *tags = split(parts[0], ",", ",= ")
    measurement = unescape(measurement, ", ", "measurement", line)
    if not STAMP.fullmatch(parts[2]):
        raise BadLine(f"stamp {parts[2]!r}: {line}")
    return Point(line, measurement, parse_tags(tags, line), *parse_fields(parts[1], line), int(parts[2]))


def parse(body):
    """The points of a request's body; every line, the last one too, ends with a newline."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: {error}") from None
    if not text.endswith("\n"):
        raise BadLine("no newline at the end")
    return [parse_line(line) for line in text[:-1].split("\n")]
