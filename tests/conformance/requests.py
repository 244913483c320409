"""Validates requests that were sent to Bedrock against AWS's published model of the Bedrock Runtime.

Reads the log of the simulator (`GET /_sim/calls`) and holds every request to the model that botocore ships: members,
types, limits, patterns, enumerations, unions, and where a member travels (path, header, body). The SDK writes most of
a request, but what it is given is ours, and it checks little of it.

What the log does not hold is not checked: headers of a record without `headers`, and labels of the path other than the
model. The model is the only judge: whether a certain model of AWS accepts a value is not told here.
"""

import argparse
import base64
import binascii
import json
import re
import sys
from collections import Counter

INTEGERS = {"integer": 32, "long": 64}
FLOATS = ("float", "double")
NOT_A_FLOAT = ("NaN", "Infinity", "-Infinity")
# Headers that only this service has: one that the operation does not know is a slip.
OWN_HEADERS = "x-amzn-bedrock-"


class Unreadable(Exception):
    """The model says something that this program does not understand."""


def compile_pattern(pattern):
    """A pattern of the model as Python reads it; what the two read differently is refused, not guessed."""
    inside = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            if pattern[position + 1 : position + 2] in ("p", "P", "Q", "z", "Z", "h", "R", "X", "G"):
                raise Unreadable(f"\\{pattern[position + 1]} in the pattern {pattern!r}")
            position += 2
            continue
        if inside and (character == "[" or pattern.startswith("&&", position)):
            raise Unreadable(f"a class within a class in the pattern {pattern!r}")
        if character == "[" and not inside:
            inside = True
            # A bracket that stands first is a member of the class.
            position += 2 if pattern[position + 1 : position + 2] == "^" else 1
            if pattern[position : position + 1] == "]":
                position += 1
            continue
        if character == "]":
            inside = False
        position += 1
    # (?<name>…) is (?P<name>…) here; (?<=…) and (?<!…) are the same in both.
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    try:
        # \s, \d and \w mean ASCII there.
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise Unreadable(f"{error} in the pattern {pattern!r}") from error


class Validator:
    """Holds values to the shapes of a service model."""

    def __init__(self, model):
        self.operations = model["operations"]
        self.shapes = model["shapes"]
        self.patterns = {}

    def request(self, record):
        """What is wrong with a record of the log, one sentence each."""
        operation = self.operations.get(record["operation"])
        if operation is None:
            return [f"the model has no operation {record['operation']}"]
        shape = self.shapes[operation["input"]["shape"]]
        body = record.get("request")
        found = []
        bodily = {}
        for name, member in shape["members"].items():
            location = member.get("location")
            if location == "uri":
                self.label(name, member, shape, operation, record, found)
            elif location in ("header", "headers"):
                self.header(name, member, shape, record, found)
            elif location is None:
                bodily[name] = member
            else:
                raise Unreadable(f"{name} travels in {location}")
        if "payload" in shape:
            self.payload(shape["payload"], bodily, shape, body, found)
        else:
            required = [name for name in shape.get("required", ()) if name in bodily]
            # Without members in the body, none is sent.
            if bodily and not (body is None and not required):
                self.members(bodily, required, body, "body", found)
        self.strange_headers(shape, record, found)
        return found

    def label(self, name, member, shape, operation, record, found):
        labels = record.get("labels") or {}
        first = re.search(r"\{(\w+)\+?\}", operation["http"]["requestUri"]).group(1)
        if name in labels:
            value = labels[name]
        elif member.get("locationName", name) == first:
            value = record.get("model_id")
        else:
            return
        if value in (None, ""):
            found.append(f"path: {name} is missing")
        else:
            self.value(member["shape"], value, f"path.{name}", found)

    def header(self, name, member, shape, record, found):
        headers = record.get("headers")
        if headers is None:
            return
        header = member["locationName"].lower()
        place = f"header {header}"
        if member["location"] == "headers":
            value = {key[len(header) :]: text for key, text in headers.items() if key.startswith(header)}
            if not value:
                return
        elif header not in headers:
            if name in shape.get("required", ()):
                found.append(f"{place}: is missing")
            return
        else:
            value = self.from_header(member, headers[header], place, found)
        if value is not None:
            self.value(member["shape"], value, place, found)

    def from_header(self, member, text, place, found):
        """The value that a header's text stands for; `None` where it stands for none."""
        kind = self.shapes[member["shape"]]["type"]
        try:
            if member.get("jsonvalue") or self.shapes[member["shape"]].get("jsonvalue"):
                return json.dumps(json.loads(base64.b64decode(text, validate=True)))
            if kind in INTEGERS:
                return int(text)
            if kind in FLOATS:
                return float(text)
            if kind == "boolean":
                return {"true": True, "false": False}[text]
        except (ValueError, KeyError):
            found.append(f"{place}: {text!r} is no {kind}")
            return None
        return text

    def payload(self, name, bodily, shape, body, found):
        """The body is one member as a whole."""
        member = self.shapes[bodily[name]["shape"]]
        if body is None:
            # The log has null for a body that is no JSON, and every model's own format is JSON.
            found.append("body: is empty or no JSON")
        elif member["type"] == "blob":
            # The log holds the body as JSON; its bytes are not many more or fewer than these.
            self.length(member, len(json.dumps(body, ensure_ascii=False).encode()), "bytes", "body", found)
        else:
            self.value(bodily[name]["shape"], body, "body", found)

    def strange_headers(self, shape, record, found):
        known = {
            member["locationName"].lower()
            for member in shape["members"].values()
            if member.get("location") == "header"
        }
        for header in record.get("headers") or {}:
            if header.startswith(OWN_HEADERS) and header not in known:
                found.append(f"header {header}: the operation knows no such header")

    def value(self, name, value, place, found):
        shape = self.shapes[name]
        kind = shape["type"]
        if shape.get("document") or shape.get("jsonvalue"):
            return
        if value is None:
            found.append(f"{place}: null stands for a {kind}")
        elif kind == "structure":
            self.structure(shape, value, place, found)
        elif kind == "list":
            self.list(shape, value, place, found)
        elif kind == "map":
            self.map(shape, value, place, found)
        elif kind == "string":
            self.string(name, shape, value, place, found)
        elif kind == "blob":
            self.blob(shape, value, place, found)
        elif kind == "boolean":
            if not isinstance(value, bool):
                found.append(f"{place}: {told(value)} is no boolean")
        elif kind in INTEGERS or kind in FLOATS:
            self.number(shape, kind, value, place, found)
        elif kind == "timestamp":
            self.timestamp(shape, value, place, found)
        else:
            raise Unreadable(f"a shape of the type {kind}")

    def structure(self, shape, value, place, found):
        if not isinstance(value, dict):
            found.append(f"{place}: {told(value)} is no object")
            return
        if shape.get("union") and len(value) != 1:
            members = ", ".join(sorted(value)) or "none"
            found.append(f"{place}: a union has exactly one member, here are {len(value)} ({members})")
        required = shape.get("required", ())
        self.members(shape["members"], required, value, place, found)

    def members(self, members, required, value, place, found):
        if not isinstance(value, dict):
            found.append(f"{place}: {told(value)} is no object")
            return
        by_name = {member.get("locationName", name): (name, member) for name, member in members.items()}
        for name in required:
            if members[name].get("locationName", name) not in value:
                found.append(f"{place}: {name} is missing")
        for key, inner in value.items():
            if key not in by_name:
                found.append(f"{place}: the model knows no member {key}")
            else:
                self.value(by_name[key][1]["shape"], inner, f"{place}.{key}", found)

    def list(self, shape, value, place, found):
        if not isinstance(value, list):
            found.append(f"{place}: {told(value)} is no list")
            return
        self.length(shape, len(value), "entries", place, found)
        for index, entry in enumerate(value):
            self.value(shape["member"]["shape"], entry, f"{place}[{index}]", found)

    def map(self, shape, value, place, found):
        if not isinstance(value, dict):
            found.append(f"{place}: {told(value)} is no map")
            return
        self.length(shape, len(value), "entries", place, found)
        for key, entry in value.items():
            self.value(shape["key"]["shape"], key, f"{place}, key {key!r}", found)
            self.value(shape["value"]["shape"], entry, f"{place}[{key!r}]", found)

    def string(self, name, shape, value, place, found):
        if not isinstance(value, str):
            found.append(f"{place}: {told(value)} is no string")
            return
        self.length(shape, len(value), "characters", place, found)
        if "enum" in shape and value not in shape["enum"]:
            found.append(f"{place}: {value!r} is none of {', '.join(shape['enum'])}")
        if "pattern" in shape:
            if name not in self.patterns:
                self.patterns[name] = compile_pattern(shape["pattern"])
            # The pattern holds for all of the text, whether or not it says so with ^ and $.
            if self.patterns[name].fullmatch(value) is None:
                found.append(f"{place}: {value[:80]!r} is not of the form {shape['pattern']}")

    def blob(self, shape, value, place, found):
        if not isinstance(value, str):
            found.append(f"{place}: {told(value)} is no base64")
            return
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            found.append(f"{place}: is no base64: {error}")
            return
        self.length(shape, len(content), "bytes", place, found)

    def number(self, shape, kind, value, place, found):
        if kind in INTEGERS:
            bits = INTEGERS[kind]
            if isinstance(value, bool) or not isinstance(value, int):
                found.append(f"{place}: {told(value)} is no {kind}")
                return
            if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                found.append(f"{place}: {value} does not fit into {bits} bits")
        elif isinstance(value, str) and value in NOT_A_FLOAT:
            value = float(value.replace("Infinity", "inf"))
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            found.append(f"{place}: {told(value)} is no {kind}")
            return
        # Not written as two comparisons that are false for what is no number.
        if "min" in shape and not value >= shape["min"]:
            found.append(f"{place}: {value} is less than {shape['min']}")
        if "max" in shape and not value <= shape["max"]:
            found.append(f"{place}: {value} is more than {shape['max']}")

    def timestamp(self, shape, value, place, found):
        written = shape.get("timestampFormat", "unixTimestamp")
        if written == "unixTimestamp":
            fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        elif written == "iso8601":
            fits = isinstance(value, str) and re.fullmatch(
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value
            )
        else:
            raise Unreadable(f"a timestamp in the format {written}")
        if not fits:
            found.append(f"{place}: {told(value)} is no timestamp in the format {written}")

    def length(self, shape, length, unit, place, found):
        if "min" in shape and length < shape["min"]:
            found.append(f"{place}: {length} {unit}, at least {shape['min']} are needed")
        if "max" in shape and length > shape["max"]:
            found.append(f"{place}: {length} {unit}, at most {shape['max']} are allowed")


def told(value):
    """A value as it is told: short, for it may be a document."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:60] + "…"


def report(model, records, expected):
    """Prints what was checked and what was found; whether all is well."""
    validator = Validator(model)
    seen, found = Counter(), []
    with_headers = 0
    for record in records:
        seen[record["operation"]] += 1
        with_headers += record.get("headers") is not None
        for problem in validator.request(record):
            found.append(f"call {record.get('sequence')}, {record['operation']} of {record.get('model_id')}: {problem}")
    for operation in sorted(set(seen) | set(expected)):
        print(f"{operation}: {seen[operation]} requests checked")
    if with_headers < len(records):
        print(f"headers: {len(records) - with_headers} requests came without, so theirs were not checked")
    print(f"models: {len({record.get('model_id') for record in records})} ids were called")
    # A mistake is made in each request anew: a few of them tell it.
    for problem in found[:20]:
        print(f"FAILED {problem}")
    if len(found) > 20:
        print(f"FAILED and {len(found) - 20} more")
    lost = max((record.get("sequence", 0) for record in records), default=0) - len(records)
    if lost > 0:
        print(f"FAILED {lost} calls are missing in the log: it holds the newest only")
    unseen = [operation for operation in expected if not seen[operation]]
    for operation in unseen:
        print(f"FAILED {operation} was never called, so nothing is known of it")
    return not found and not unseen and lost <= 0


def main():
    parser = argparse.ArgumentParser(description="Validates logged requests against AWS's model.")
    parser.add_argument("log", help="the JSON of GET /_sim/calls, in a file")
    parser.add_argument("--expect", default="", help="operations that must have been called, separated by commas")
    arguments = parser.parse_args()
    # Imported here, so that the rules above can be tried without it.
    from botocore.loaders import Loader

    model = Loader().load_service_model("bedrock-runtime", "service-2", "2023-09-30")
    with open(arguments.log, encoding="utf-8") as log:
        records = json.load(log)
    expected = [name for name in arguments.expect.split(",") if name]
    sys.exit(0 if report(model, records, expected) else 1)


if __name__ == "__main__":
    main()
