"""Validates requests that were sent to Bedrock against AWS's published model of the Bedrock Runtime.

Reads the log of the simulator (`GET /_sim/calls`) and holds every request to the model that botocore ships: members,
types, limits, patterns, enumerations, unions, and where a member travels (path, header, body). The SDK writes most of
a request, but what it is given is ours, and it checks little of it.

What the log does not hold is not checked. Two things are judged by rules of our own, since AWS's model does not: what
stands in the body of InvokeModel (`native.py`), and in the header that holds metadata as JSON. Whether a certain model
of AWS accepts a value is not told here.

Every member that is seen is noted, and the notes are held to a list (`members.txt`): a member of the list that was
never sent was not checked, and one that is sent and not listed shows a list that has grown old.
"""

import argparse
import base64
import binascii
import json
import re
import sys
from collections import Counter

import native

INTEGERS = {"integer": 32, "long": 64}
FLOATS = ("float", "double")
NOT_A_FLOAT = ("NaN", "Infinity", "-Infinity")
# Headers that only this service has: one that the operation does not know is a slip.
OWN_HEADERS = "x-amzn-bedrock-"
JSON = "application/json"
# A header whose text is JSON without the model saying so, and what it holds.
JSON_HEADERS = {"x-amzn-bedrock-request-metadata": "RequestMetadata"}


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
        self.shapes = {**model["shapes"], **native.SHAPES}
        self.patterns = {}
        # The members that were there, by operation.
        self.seen = {}
        self.noted = Counter()

    def request(self, record):
        """What is wrong with a record of the log, one sentence each."""
        operation = self.operations.get(record["operation"])
        if operation is None:
            return [f"the model has no operation {record['operation']}"]
        self.noted = self.seen.setdefault(record["operation"], Counter())
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
            self.payload(shape["payload"], bodily, record, found)
        else:
            required = [name for name in shape.get("required", ()) if name in bodily]
            # Without members in the body, none is sent.
            if bodily and not (body is None and not required):
                self.members(bodily, required, body, "body", found)
        self.strange_headers(shape, record, found)
        self.media_types(shape, record, found)
        return found

    def note(self, place):
        """A member was there: of lists and maps, which entry does not matter."""
        if ", key " not in place:
            self.noted[re.sub(r"\['[^']*'\]", "{}", re.sub(r"\[\d+\]", "[]", place))] += 1

    def label(self, name, member, shape, operation, record, found):
        labels = record.get("labels") or {}
        if "guardrail_version" in record:
            labels = {"guardrailVersion": record["guardrail_version"], **labels}
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
            if isinstance(value, str) and value.startswith("arn:"):
                self.note(f"path.{name}=arn of {value.split(':', 5)[-1].split('/')[0]}")

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
            if header in JSON_HEADERS:
                self.json_header(JSON_HEADERS[header], value, place, found)

    def json_header(self, shape, text, place, found):
        try:
            self.value(shape, json.loads(text), place, found)
        except ValueError:
            found.append(f"{place}: {told(text)} is no JSON")

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

    def payload(self, name, bodily, record, found):
        """The body is one member as a whole."""
        member, body = self.shapes[bodily[name]["shape"]], record.get("request")
        if body is None:
            # The log has null for a body that is no JSON, and every model's own format is JSON.
            found.append("body: is empty or no JSON")
        elif member["type"] == "blob":
            # The log holds the body as JSON; its bytes are not many more or fewer than these.
            self.length(member, len(json.dumps(body, ensure_ascii=False).encode()), "bytes", "body", found)
            if record["operation"].startswith("InvokeModel"):
                native.judge(self, record, found)
        else:
            self.value(bodily[name]["shape"], body, "body", found)

    def media_types(self, shape, record, found):
        """Everything that is sent is JSON; and so is what is asked for, where that is ours to say."""
        headers = record.get("headers")
        if headers is None:
            return
        ours = ["content-type"]
        ours += [member["locationName"].lower() for name, member in shape["members"].items() if name == "accept"]
        for header in ours:
            if headers.get(header) != JSON:
                found.append(f"header {header}: {told(headers.get(header))} and not {JSON}")

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
        self.note(place)
        if "enum" in shape and value in shape["enum"]:
            self.note(f"{place}={value}")
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


def report(model, records, expected, members=None):
    """Prints what was checked and what was found; whether all is well."""
    validator = Validator(model)
    seen, found = Counter(), []
    for record in records:
        seen[record["operation"]] += 1
        problems = validator.request(record)
        if record.get("headers") is None:
            problems.append("the log has no headers of it")
        if not record.get("signed_by"):
            problems.append("it is not signed")
        call = f"call {record.get('sequence')}, {record['operation']} of {(record.get('model_id') or '')[:120]}"
        found += [f"{call}: {problem}" for problem in problems]
    lost = max((record.get("sequence", 0) for record in records), default=0) - len(records)
    if lost > 0:
        found.append(f"{lost} calls are missing in the log: it holds the newest only")
    for operation in sorted(set(seen) | set(expected)):
        noted = validator.seen.get(operation, {})
        told_of = innermost(noted)
        print(f"{operation}: {seen[operation]} requests checked, {len(told_of)} members seen")
        if members is not None:
            for member in told_of:
                print(f"    {member} ({noted[member]})")
    print(f"models: {len({record.get('model_id') for record in records})} ids were called")
    for operation in expected:
        if not seen[operation]:
            found.append(f"{operation} was never called, so nothing is known of it")
    if members is not None:
        sent = {f"{operation} {member}" for operation, noted in validator.seen.items() for member in innermost(noted)}
        found += [f"{member} was never sent, so nothing is known of it" for member in sorted(members - sent)]
        found += [f"{member} is sent, and the list of members does not hold it" for member in sorted(sent - members)]
    # A mistake is made in each request anew: a few of them tell it.
    for problem in found[:20]:
        print(f"FAILED {problem}")
    if len(found) > 20:
        print(f"FAILED and {len(found) - 20} more")
    return not found


def innermost(noted):
    """Members without those that hold others, which say the same."""
    holders = {member[:end] for member in noted for end in range(len(member)) if member[end] in ".[{="}
    return sorted(set(noted) - holders)


def listed(path):
    """The members that a file names, one a line."""
    with open(path, encoding="utf-8") as lines:
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def main():
    parser = argparse.ArgumentParser(description="Validates logged requests against AWS's model.")
    parser.add_argument("log", help="the JSON of GET /_sim/calls, in a file")
    parser.add_argument("--expect", default="", help="operations that must have been called, separated by commas")
    parser.add_argument("--members", help="a file with the members that must have been sent, and no others")
    arguments = parser.parse_args()
    # Imported here, so that the rules above can be tried without it.
    from botocore.loaders import Loader

    model = Loader().load_service_model("bedrock-runtime", "service-2", "2023-09-30")
    with open(arguments.log, encoding="utf-8") as log:
        records = json.load(log)
    expected = [name for name in arguments.expect.split(",") if name]
    members = listed(arguments.members) if arguments.members else None
    sys.exit(0 if report(model, records, expected, members) else 1)


if __name__ == "__main__":
    main()
