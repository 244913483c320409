"""Summarizes a text with httpx: at once as JSON, and word by word as a stream.

    pip install httpx
    python summarize.py [--stream] < article.txt

The service's address is taken from REDRAFT_API.
"""

import json
import os
import sys

import httpx

API = os.environ.get("REDRAFT_API", "http://127.0.0.1:8080")


class NotWhole(Exception):
    """There is no whole answer. Its argument is the problem as the service told it."""


def summarize(client, text, **options):
    """The whole answer: its text, what it cost, and which model wrote it."""
    answer = client.post("/v1/summarize", json={"text": text, **options})
    body = answer.json()
    if answer.is_error or body["finish_reason"] != "stop":
        raise NotWhole(body)
    return body


def stream(client, text, **options):
    """The pieces of the text as they are written. Raises NotWhole when the last one is not the end."""
    headers = {"Accept": "text/event-stream"}
    with client.stream("POST", "/v1/summarize", json={"text": text, **options}, headers=headers) as answer:
        if answer.is_error:
            answer.read()
            raise NotWhole(answer.json())
        for line in answer.iter_lines():
            # Other lines are the id, the event's name and heartbeats.
            if not line.startswith("data:"):
                continue
            event = json.loads(line.removeprefix("data:"))
            if event["type"] == "delta":
                yield event["text"]
            elif event["type"] == "error":
                raise NotWhole(event)
            elif event["type"] == "done":
                if event["finish_reason"] != "stop":
                    raise NotWhole(event)
                return
    raise NotWhole({"code": "stream_cut", "detail": "The answer was cut on its way."})


def main():
    text = sys.stdin.read()
    # A stream may be silent for ten seconds, and a whole answer may take a minute.
    with httpx.Client(base_url=API, timeout=httpx.Timeout(10, read=70)) as client:
        try:
            if "--stream" in sys.argv:
                for piece in stream(client, text, type="tldr"):
                    print(piece, end="", flush=True)
                print()
            else:
                body = summarize(client, text, type="tldr")
                print(body["text"])
                print(f"{body['model']}: {body['usage']['total_tokens']} tokens", file=sys.stderr)
        except NotWhole as problem:
            sys.exit(f"{problem.args[0].get('code')}: {problem.args[0].get('detail')}")
        except httpx.TransportError as error:
            # Not sent again: the service may have worked on it already.
            sys.exit(f"network_error: {error}")


if __name__ == "__main__":
    main()
