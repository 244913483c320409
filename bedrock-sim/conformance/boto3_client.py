"""boto3 against the simulator: what a Python client sees, and whether it is what AWS's model allows."""

import json
import os
import struct
import sys
import urllib.error
import urllib.request

import boto3
import botocore.eventstream
import botocore.exceptions as errors
import botocore.session
import urllib3
from botocore.config import Config

ENDPOINT = os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
TEXT = "The bridge is open to all cyclists. It cost four million euros. Größe, 日本語, 🙂 and \"quotes\" stay."
MESSAGES = [{"role": "user", "content": [{"text": TEXT}]}]

passed = failed = 0


def check(name, test):
    global passed, failed
    try:
        test()
        passed += 1
    except Exception as error:  # any failure is reported with its name, and the next test runs
        failed += 1
        print(f"FAILED {name}: {type(error).__name__}: {error}")


def client(read_timeout=10, **more):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, connect_timeout=5, **more)
    return boto3.client("bedrock-runtime", config=config)


bedrock = client()
impatient = client(read_timeout=1)


def equal(seen, expected):
    assert seen == expected, f"{seen!r} is not {expected!r}"


def converse(model, using=bedrock, **more):
    return using.converse(modelId=model, messages=MESSAGES, **more)


def stream(model, using=bedrock, **more):
    return using.converse_stream(modelId=model, messages=MESSAGES, **more)["stream"]


def text_of(events):
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in events)


def raises(kind, action, code=None, status=None, message=None):
    try:
        seen = action()
    except kind as error:
        if code is not None:
            equal(error.response["Error"]["Code"], code)
        if status is not None:
            equal(error.response["ResponseMetadata"]["HTTPStatusCode"], status)
        if message is not None:
            assert message in str(error), str(error)
        return error
    raise AssertionError(f"nothing was raised, but {seen!r} returned")


# Healthy calls.


def healthy_converse():
    answer = converse("us.amazon.nova-micro-v1:0", inferenceConfig={"maxTokens": 500, "temperature": 0.5})
    equal(answer["output"]["message"], {"role": "assistant", "content": [{"text": TEXT}]})
    equal(answer["stopReason"], "end_turn")
    equal(answer["usage"]["totalTokens"], answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"])
    equal(len(answer["ResponseMetadata"]["RequestId"]), 36)


def healthy_stream():
    events = list(stream("us.amazon.nova-micro-v1:0"))
    equal(text_of(events), TEXT)
    equal(next(iter(events[0])), "messageStart")
    equal(events[-2], {"messageStop": {"stopReason": "end_turn"}})
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0


def an_arn_is_a_model():
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-micro-v1:0"
    equal(converse(arn)["stopReason"], "end_turn")


def tokens_are_counted():
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    counted = bedrock.count_tokens(modelId=model, input={"converse": {"messages": MESSAGES}})
    equal(counted["inputTokens"], converse(f"us.{model}")["usage"]["inputTokens"])
    native = json.dumps({"messages": [{"role": "user", "content": "Hello."}]}).encode()
    assert bedrock.count_tokens(modelId=model, input={"invokeModel": {"body": native}})["inputTokens"] > 0
    action = lambda: bedrock.count_tokens(modelId=f"us.{model}", input={"converse": {"messages": MESSAGES}})
    text = "The provided model doesn't support counting tokens."
    raises(bedrock.exceptions.ValidationException, action, status=400, message=text)


def limits_end_an_answer():
    short = converse("sim.normal", inferenceConfig={"maxTokens": 3})
    equal((short["stopReason"], short["usage"]["outputTokens"]), ("max_tokens", 3))
    stopped = converse("sim.normal", inferenceConfig={"stopSequences": ["cost"]})
    equal(stopped["stopReason"], "stop_sequence")


for test in [healthy_converse, healthy_stream, an_arn_is_a_model, tokens_are_counted, limits_end_an_answer]:
    check(test.__name__, test)

# Guardrails, prompt caching and tools.

FORBIDDEN = "SIMULATED FORBIDDEN TOPIC"
BLOCKED = "Sorry, the simulated guardrail blocked this."
GUARDRAIL = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"}
SONNET = "us.anthropic.claude-sonnet-4-6"


def a_guardrail_blocks_a_conversation():
    marked = [{"text": TEXT}, {"guardContent": {"text": {"text": FORBIDDEN, "qualifiers": ["guard_content"]}}}]
    asked = {"modelId": "sim.normal", "messages": [{"role": "user", "content": marked}]}
    answer = bedrock.converse(**asked, guardrailConfig=GUARDRAIL)
    equal((answer["stopReason"], answer["output"]["message"]["content"]), ("guardrail_intervened", [{"text": BLOCKED}]))
    equal((answer["usage"]["inputTokens"], answer["usage"]["totalTokens"]), (0, 0))
    trace = answer["trace"]["guardrail"]
    equal(trace["inputAssessment"]["abc123"]["wordPolicy"]["customWords"][0]["match"], FORBIDDEN)
    events = list(bedrock.converse_stream(**asked, guardrailConfig=GUARDRAIL | {"streamProcessingMode": "async"})["stream"])
    equal(text_of(events), BLOCKED)
    equal(events[-2], {"messageStop": {"stopReason": "guardrail_intervened"}})
    equal(events[-1]["metadata"]["trace"]["guardrail"]["actionReason"], "Guardrail blocked.")
    passed_on = converse("sim.normal", guardrailConfig=GUARDRAIL)
    equal((passed_on["stopReason"], passed_on["trace"]["guardrail"]["actionReason"]), ("end_turn", "No action."))


def a_guardrail_is_applied():
    def applied(text, identifier="abc123"):
        content = [{"text": {"text": text, "qualifiers": ["guard_content"]}}]
        return bedrock.apply_guardrail(
            guardrailIdentifier=identifier, guardrailVersion="DRAFT", source="INPUT", content=content, outputScope="FULL"
        )

    fine, blocked = applied(TEXT), applied(f"A {FORBIDDEN}.")
    equal((fine["action"], fine["outputs"]), ("NONE", []))
    equal((blocked["action"], blocked["outputs"]), ("GUARDRAIL_INTERVENED", [{"text": BLOCKED}]))
    equal(blocked["usage"]["wordPolicyUnits"], 1)
    unknown = lambda: applied(TEXT, "unknownguardrail")
    raises(bedrock.exceptions.ResourceNotFoundException, unknown, status=404, message="does not exist")
    config = GUARDRAIL | {"guardrailIdentifier": "unknownguardrail"}
    in_converse = lambda: converse("sim.normal", guardrailConfig=config)
    raises(bedrock.exceptions.ValidationException, in_converse, status=400, message="does not exist")


def a_prompt_is_cached():
    system = [{"text": "Be short. " * 500}, {"cachePoint": {"type": "default"}}]
    first, second = (converse(SONNET, system=system)["usage"] for _ in range(2))
    assert first["cacheWriteInputTokens"] > 1_024 and first["cacheReadInputTokens"] == 0, first
    equal((second["cacheReadInputTokens"], second["cacheWriteInputTokens"]), (first["cacheWriteInputTokens"], 0))
    equal((second["inputTokens"], second["totalTokens"]), (first["inputTokens"], first["totalTokens"]))
    refused = lambda: converse("openai.gpt-oss-20b-1:0", system=system)
    raises(bedrock.exceptions.AccessDeniedException, refused, status=403, message="did not allow prompt caching")


def a_tool_is_used():
    schema = {"type": "object", "properties": {"points": {"type": "array", "items": {"type": "string"}}}}
    tools = {
        "tools": [{"toolSpec": {"name": "take_points", "inputSchema": {"json": schema}}}],
        "toolChoice": {"tool": {"name": "take_points"}},
    }
    answer = converse(SONNET, toolConfig=tools)
    (block,) = answer["output"]["message"]["content"]
    equal((answer["stopReason"], block["toolUse"]["name"]), ("tool_use", "take_points"))
    assert block["toolUse"]["input"]["points"][0] in TEXT
    events = list(stream(SONNET, toolConfig=tools))
    equal(events[1]["contentBlockStart"]["start"]["toolUse"]["name"], "take_points")
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    equal(json.loads("".join(delta["toolUse"]["input"] for delta in deltas)), block["toolUse"]["input"])
    refused = lambda: converse("us.deepseek.r1-v1:0", toolConfig=tools)
    raises(bedrock.exceptions.ValidationException, refused, message="doesn't support tool use")


for test in [a_guardrail_blocks_a_conversation, a_guardrail_is_applied, a_prompt_is_cached, a_tool_is_used]:
    check(test.__name__, test)

# Refusals, as a status for both operations.

STATUSES = {
    "access-denied": (403, "AccessDeniedException"),
    "not-authorized": (403, "AccessDeniedException"),
    "expired-token": (403, "ExpiredTokenException"),
    "unrecognized-client": (403, "UnrecognizedClientException"),
    "invalid-signature": (403, "InvalidSignatureException"),
    "resource-not-found": (404, "ResourceNotFoundException"),
    "end-of-life": (404, "ResourceNotFoundException"),
    "legacy-model": (404, "ResourceNotFoundException"),
    "use-case-missing": (404, "ResourceNotFoundException"),
    "model-timeout": (408, "ModelTimeoutException"),
    "throttling": (429, "ThrottlingException"),
    "throttling-requests": (429, "ThrottlingException"),
    "throttling-per-day": (429, "ThrottlingException"),
    "model-not-ready": (429, "ModelNotReadyException"),
    "model-error": (424, "ModelErrorException"),
    "service-quota-exceeded": (400, "ServiceQuotaExceededException"),
    "validation": (400, "ValidationException"),
    "input-too-long": (400, "ValidationException"),
    "invalid-model-id": (400, "ValidationException"),
    "on-demand-unsupported": (400, "ValidationException"),
    "internal-server": (500, "InternalServerException"),
    "service-unavailable": (503, "ServiceUnavailableException"),
    "too-many-connections": (503, "ServiceUnavailableException"),
    "untyped-throttling": (429, "429"),
    "html-bad-gateway": (502, "502"),
}

for name, (status, code) in STATUSES.items():
    for operation in (converse, stream):
        check(
            f"{name} by {operation.__name__}",
            lambda: raises(errors.ClientError, lambda: operation(f"sim.{name}"), code=code, status=status),
        )


def a_model_error_has_details():
    error = raises(bedrock.exceptions.ModelErrorException, lambda: converse("sim.model-error"))
    equal((error.response["originalStatusCode"], error.response["resourceName"]), (500, "sim.model-error"))


def wrong_requests_are_refused():
    refused = bedrock.exceptions.ValidationException
    cases = [
        ("us.anthropic.claude-opus-4-7", {"inferenceConfig": {"temperature": 0.5}}, "deprecated"),
        ("us.amazon.nova-micro-v1:0", {"inferenceConfig": {"maxTokens": 99_999}}, "exceed the model limit of 10000"),
        ("us.does-not-exist-v1:0", {}, "The provided model identifier is invalid."),
        ("anthropic.claude-haiku-5-5", {}, "with on-demand throughput isn’t supported"),
    ]
    for model, more, text in cases:
        raises(refused, lambda: converse(model, **more), status=400, message=text)
    blank = [{"role": "user", "content": [{"text": " "}]}]
    raises(refused, lambda: bedrock.converse(modelId="sim.normal", messages=blank), message="is blank")


for test in [a_model_error_has_details, wrong_requests_are_refused]:
    check(test.__name__, test)

# Refusals inside a stream.

MEMBERS = {
    "internal-server": "internalServerException",
    "model-stream-error": "modelStreamErrorException",
    "validation": "validationException",
    "throttling": "throttlingException",
    "service-unavailable": "serviceUnavailableException",
    "unmodelled": "InternalError",
}

for name, member in MEMBERS.items():
    for suffix, deltas in (("", 0), ("-late", 3)):

        def in_stream():
            events = []
            raises(errors.EventStreamError, lambda: events.extend(iter_into(f"sim.stream-{name}{suffix}", events)), code=member)
            equal(sum("contentBlockDelta" in event for event in events), deltas)

        def iter_into(model, events):
            for event in stream(model):
                events.append(event)
            return []

        check(f"stream-{name}{suffix}", in_stream)

# Broken transports and odd streams.


def breaks(model, kinds, using=bedrock):
    return lambda: raises(kinds, lambda: list(stream(model, using=using)))


CUTS = (errors.ResponseStreamingError, errors.HTTPClientError, urllib3.exceptions.ProtocolError)
check("cut-mid-frame", breaks("sim.cut-mid-frame", CUTS))
check("reset-before-headers", breaks("sim.reset-before-headers", CUTS))
for name in ("cut-between-frames", "reset-mid-stream"):
    check(name, breaks(f"sim.{name}", CUTS))
check("corrupt-crc", breaks("sim.corrupt-crc", botocore.eventstream.ChecksumMismatch))
SILENT = (errors.ReadTimeoutError, urllib3.exceptions.ReadTimeoutError)
for name in ("stall", "stalled-body", "slow-headers", "slow-first-event", "slow-first-delta", "pause", "byte-trickle"):
    check(f"{name} beyond the patience", breaks(f"sim.{name}", SILENT, using=impatient))
# Prose stays as it is where data would be spoilt.
ODD = ("duplicate-stop", "text-after-stop", "usage-negative", "usage-absurd", "usage-uncountable", "invalid-json")
for name in ("slow-headers", "slow-first-event", "slow-first-delta", "pause", "trickle", "unknown-event", *ODD):
    check(f"{name} in the end", lambda: equal(text_of(stream(f"sim.{name}")), TEXT))


def a_huge_delta():
    text = text_of(stream("sim.huge-delta"))
    assert len(text.encode()) >= 1_000_000 and text.startswith(TEXT)


def garbage():
    # Noise is read as lengths of frames, which are beyond measure or never come.
    for name, deltas in (("garbage-frames", 3), ("garbage-from-start", 0)):
        events = []
        try:
            events.extend(stream(f"sim.{name}"))
        except botocore.eventstream.ParserError:
            pass
        assert not any("messageStop" in event for event in events)
    raises((errors.BotoCoreError, UnicodeDecodeError), lambda: converse("sim.garbage-frames"))


def flapping():
    raises(errors.ClientError, lambda: converse("sim.flapping"), code="ServiceUnavailableException", status=503)
    assert converse("sim.flapping")["stopReason"]


def early_ends():
    kinds = lambda model: [next(iter(event)) for event in stream(model)]
    assert "messageStop" not in kinds("sim.end-without-message-stop")
    equal(kinds("sim.end-without-metadata")[-1], "messageStop")
    equal(kinds("sim.empty-content"), ["messageStart", "messageStop", "metadata"])
    equal(text_of(stream("sim.empty-text")), "")
    equal(converse("sim.empty-content")["output"]["message"]["content"], [])
    assert "output" not in converse("sim.empty-json")


def stop_reasons():
    for reason in [
        "end-turn", "tool-use", "max-tokens", "stop-sequence", "guardrail-intervened", "content-filtered",
        "malformed-model-output", "malformed-tool-use", "model-context-window-exceeded",
    ]:
        equal(converse(f"sim.stop-{reason}")["stopReason"], reason.replace("-", "_"))
        stops = [event["messageStop"] for event in stream(f"sim.stop-{reason}") if "messageStop" in event]
        equal(stops, [{"stopReason": reason.replace("-", "_")}])
    equal(converse("sim.stop-unknown")["stopReason"], "reason_of_a_later_version")


def reasoning():
    content = converse("sim.reasoning")["output"]["message"]["content"]
    assert content[0]["reasoningContent"]["reasoningText"]["signature"]
    equal(content[1]["text"], TEXT)
    deltas = [event["contentBlockDelta"] for event in stream("sim.gpt-oss-order") if "contentBlockDelta" in event]
    equal(deltas[0], {"contentBlockIndex": 0, "delta": {"text": ""}})
    equal({delta["contentBlockIndex"] for delta in deltas if "reasoningContent" in delta["delta"]}, {1})
    equal(deltas[-1]["contentBlockIndex"], 2)


def a_bucket_runs_dry():
    codes = []
    for _ in range(3):
        try:
            converse("sim.token-bucket")
            codes.append("OK")
        except errors.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    equal(codes, ["OK", "OK", "ThrottlingException"])


def a_certain_text_is_refused():
    def said(text):
        messages = [{"role": "user", "content": [{"text": text}]}]
        return bedrock.converse(modelId="sim.error-when", messages=messages)

    assert said("Tell me of this.")["stopReason"]
    for _ in range(2):
        refused = lambda: said("Please REFUSE THIS.")
        raises(errors.ClientError, refused, code="ServiceUnavailableException", status=503)


for test in [a_huge_delta, garbage, flapping, early_ends, stop_reasons, reasoning, a_bucket_runs_dry, a_certain_text_is_refused]:
    check(test.__name__, test)

# Native bodies: InvokeModel and InvokeModelWithResponseStream.

LLAMA_3 = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}],
}
IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
# Model, body, and where a whole answer and a chunk have their text.
NATIVE = {
    "claude": (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0", CLAUDE,
        lambda answer: answer["content"][0]["text"],
        lambda chunk: chunk.get("delta", {}).get("text", ""),
    ),
    "nova": (
        "us.amazon.nova-micro-v1:0", {"messages": MESSAGES, "inferenceConfig": {"maxTokens": 500}},
        lambda answer: answer["output"]["message"]["content"][0]["text"],
        lambda chunk: chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
    ),
    "llama": (
        "us.meta.llama3-3-70b-instruct-v1:0", {"prompt": LLAMA_3.format(TEXT), "max_gen_len": 500},
        lambda answer: answer["generation"],
        lambda chunk: chunk["generation"],
    ),
    "mistral": (
        "mistral.mixtral-8x7b-instruct-v0:1", {"prompt": f"<s>[INST] {TEXT} [/INST]"},
        lambda answer: answer["outputs"][0]["text"],
        lambda chunk: chunk["outputs"][0]["text"],
    ),
    "imported chat": (
        IMPORTED, {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 500},
        lambda answer: answer["choices"][0]["message"]["content"],
        lambda chunk: chunk["choices"][0]["delta"].get("content", ""),
    ),
}


def invoke(model, body=CLAUDE, using=bedrock, **more):
    return using.invoke_model(modelId=model, body=json.dumps(body), **more)


def invoke_stream(model, body=CLAUDE, using=bedrock, **more):
    answer = using.invoke_model_with_response_stream(modelId=model, body=json.dumps(body), **more)
    equal(answer["contentType"], "application/json")
    return answer["body"]


def chunks_of(events):
    return [json.loads(event["chunk"]["bytes"]) for event in events if "chunk" in event]


for name, (model, body, text, chunk_text) in NATIVE.items():

    def whole_native_answer():
        answer = invoke(model, body)
        equal(answer["contentType"], "application/json")
        equal(text(json.load(answer["body"])), TEXT)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert int(headers["x-amzn-bedrock-input-token-count"]) > 0
        assert int(headers["x-amzn-bedrock-output-token-count"]) > 0
        assert int(headers["x-amzn-bedrock-invocation-latency"]) >= 0

    def streamed_native_answer():
        chunks = chunks_of(invoke_stream(model, body))
        equal("".join(chunk_text(chunk) for chunk in chunks), TEXT)
        metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
        equal(set(metrics), {"inputTokenCount", "outputTokenCount", "invocationLatency", "firstByteLatency"})
        assert metrics["outputTokenCount"] > 0

    def malformed_native_body():
        malformed = body | {"no_such_member": 1}
        for operation in (invoke, invoke_stream):
            refused = lambda: operation(model, malformed)
            text = "Malformed input request: #: extraneous key [no_such_member] is not permitted"
            raises(bedrock.exceptions.ValidationException, refused, status=400, message=text)

    for test in [whole_native_answer, streamed_native_answer, malformed_native_body]:
        check(f"{test.__name__} of {name}", test)

for name, (status, code) in STATUSES.items():
    for operation in (invoke, invoke_stream):
        check(
            f"{name} by {operation.__name__}",
            lambda: raises(errors.ClientError, lambda: operation(f"sim.{name}"), code=code, status=status),
        )

for name, member in (MEMBERS | {"model-timeout": "modelTimeoutException"}).items():
    for suffix, deltas in (("", 0), ("-late", 3)):

        def in_native_stream():
            events = []

            def read():
                for event in invoke_stream(f"sim.stream-{name}{suffix}"):
                    events.append(event)

            raises(errors.EventStreamError, read, code=member)
            told = [chunk for chunk in chunks_of(events) if chunk["type"] == "content_block_delta"]
            equal(len(told), deltas)

        check(f"stream-{name}{suffix} of chunks", in_native_stream)


def native_headers():
    more = {"serviceTier": "flex", "performanceConfigLatency": "optimized", "trace": "ENABLED"}
    for operation in (bedrock.invoke_model, bedrock.invoke_model_with_response_stream):
        answer = operation(modelId="sim.normal", body=json.dumps(CLAUDE), **more)
        equal((answer["serviceTier"], answer["performanceConfigLatency"]), ("flex", "optimized"))


def native_breaks():
    raises(CUTS, lambda: list(invoke_stream("sim.cut-mid-frame")))
    raises(SILENT, lambda: list(invoke_stream("sim.stall", using=impatient)))
    raises(botocore.eventstream.ChecksumMismatch, lambda: list(invoke_stream("sim.corrupt-crc")))
    kinds = [chunk["type"] for chunk in chunks_of(invoke_stream("sim.end-without-message-stop"))]
    assert "message_stop" not in kinds and "content_block_delta" in kinds
    untold = chunks_of(invoke_stream("sim.end-without-metadata"))
    equal(untold[-1], {"type": "message_stop"})


def converse_refuses_imported_models():
    refused = bedrock.exceptions.ValidationException
    raises(refused, lambda: converse(IMPORTED), status=400, message="doesn't support the model")


def a_guardrail_blocks_native_bodies():
    named = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "ENABLED"}
    tags = "<amazon-bedrock-guardrails-guardContent_x7>{}</amazon-bedrock-guardrails-guardContent_x7>"
    config = {"tagSuffix": "x7", "streamProcessingMode": "SYNCHRONOUS"}

    def asked(text):
        return CLAUDE | {"messages": [{"role": "user", "content": text}], "amazon-bedrock-guardrailConfig": config}

    # The first phrase is outside of the guarded part, and the answer ends before it.
    fine = asked(f"{FORBIDDEN} {tags.format('Hello.')}") | {"max_tokens": 1}
    model = "sim.normal"
    equal(json.load(invoke(model, fine, **named)["body"])["amazon-bedrock-guardrailAction"], "NONE")
    blocked = asked(f"Hello. {tags.format(FORBIDDEN)}")
    answer = invoke(model, blocked, **named)
    equal(answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"], "0")
    answer = json.load(answer["body"])
    equal((answer["content"][0]["text"], answer["amazon-bedrock-guardrailAction"]), (BLOCKED, "INTERVENED"))
    found = answer["amazon-bedrock-trace"]["guardrail"]["input"]["abc123"]["wordPolicy"]
    equal(found["customWords"][0]["match"], FORBIDDEN)
    chunks = chunks_of(invoke_stream(model, blocked, **named))
    equal("".join(chunk.get("delta", {}).get("text", "") for chunk in chunks), BLOCKED)
    equal(chunks[-1]["amazon-bedrock-guardrailAction"], "INTERVENED")
    for operation in (invoke, invoke_stream):
        unknown = lambda: operation(model, fine, **named | {"guardrailIdentifier": "unknownguardrail"})
        raises(bedrock.exceptions.ValidationException, unknown, status=400, message="does not exist")


for test in [native_headers, native_breaks, converse_refuses_imported_models, a_guardrail_blocks_native_bodies]:
    check(test.__name__, test)

# Every JSON member that is sent stands in AWS's own model, with the right type.

MODEL = botocore.session.get_session().get_service_model("bedrock-runtime")
UNMODELLED = {
    ("TokenUsage", name) for name in ("serverToolUsage", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
}
TYPES = {
    "string": str, "integer": int, "long": int, "float": (int, float), "double": (int, float), "boolean": bool,
    "list": list, "map": dict, "structure": dict, "blob": str,
}


def conforms(value, shape, path, event=False):
    assert isinstance(value, TYPES[shape.type_name]), f"{path} is {value!r}, no {shape.type_name}"
    if shape.type_name == "list":
        for index, item in enumerate(value):
            conforms(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "structure":
        if getattr(shape, "is_tagged_union", False):
            equal(len(value), 1)
        for name in shape.required_members:
            assert name in value, f"{path} lacks {name}"
        for name, member in value.items():
            if (shape.name, name) in UNMODELLED or (event and name == "p"):
                continue
            assert name in shape.members, f"{path}.{name} stands in no model"
            conforms(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum, f"{path} is {value!r}"


def raw(model, operation, body):
    return raw_at(f"model/{model}/{operation}", body)


def raw_at(path, body):
    request = urllib.request.Request(
        f"{ENDPOINT}/{path}",
        json.dumps(body).encode(),
        {"authorization": "Bearer key", "content-type": "application/json"},
    )
    try:
        return urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        return error


def frames(body):
    at = 0
    while at < len(body):
        total, headers_length = struct.unpack(">II", body[at : at + 8])
        headers, cursor = {}, at + 12
        while cursor < at + 12 + headers_length:
            size = body[cursor]
            name = body[cursor + 1 : cursor + 1 + size].decode()
            (length,) = struct.unpack(">H", body[cursor + size + 2 : cursor + size + 4])
            headers[name] = body[cursor + size + 4 : cursor + size + 4 + length].decode()
            cursor += size + 4 + length
        yield headers, body[at + 12 + headers_length : at + total - 4]
        at += total


RICH = {"messages": MESSAGES, "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "standard"}}
BLOCKING = {"messages": [{"role": "user", "content": [{"text": FORBIDDEN}]}], "guardrailConfig": GUARDRAIL}
MASKING = {"messages": MESSAGES, "guardrailConfig": GUARDRAIL | {"guardrailIdentifier": "masks"}}
CACHED = {"messages": [{"role": "user", "content": [{"text": TEXT * 99}, {"cachePoint": {"type": "default"}}]}]}
ANY_TOOL = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}], "toolChoice": {"any": {}}}
ANSWERS = ["normal", "reasoning", "gpt-oss-order", "empty-content", "empty-text", "stop-tool-use", "stop-max-tokens"]
ANSWERS = [(name, name, RICH) for name in ANSWERS] + [
    ("a blocked prompt", "normal", BLOCKING),
    ("a masked answer", "normal", MASKING),
    ("a cached prompt", "normal", CACHED),
    ("a tool use", "normal", {"messages": MESSAGES, "toolConfig": ANY_TOOL}),
]
masked = [{"phrase": "bridge", "name": "ADDRESS"}, {"phrase": "cyclists", "name": "people"}]
rules = {"guardrail": "masks", "rules": {"masked": masked}}
equal(raw_at("_sim/guardrails", rules).status, 204)
for what, name, body in ANSWERS:

    def answer_conforms():
        shape = MODEL.operation_model("Converse").output_shape
        conforms(json.load(raw(f"sim.{name}", "converse", body)), shape, "response")

    def events_conform():
        shape = MODEL.operation_model("ConverseStream").output_shape.members["stream"]
        for headers, payload in frames(raw(f"sim.{name}", "converse-stream", body).read()):
            member = shape.members[headers[":event-type"]]
            conforms(json.loads(payload), member, headers[":event-type"], event=True)

    check(f"the answer of {what} conforms", answer_conforms)
    check(f"the events of {what} conform", events_conform)


def count_conforms():
    body = {"input": {"converse": {"messages": MESSAGES}}}
    answer = json.load(raw("anthropic.claude-sonnet-5", "count-tokens", body))
    conforms(answer, MODEL.operation_model("CountTokens").output_shape, "response")


def guardrail_conforms():
    for text in (TEXT, FORBIDDEN):
        body = {"source": "OUTPUT", "content": [{"text": {"text": text}}]}
        answer = json.load(raw_at("guardrail/masks/version/1/apply", body))
        conforms(answer, MODEL.operation_model("ApplyGuardrail").output_shape, "response")


def errors_conform():
    modelled = {shape.name: shape for shape in MODEL.operation_model("InvokeModel").error_shapes}
    for name, (status, code) in STATUSES.items():
        if code not in modelled:
            continue
        response = raw(f"sim.{name}", "converse", {"messages": MESSAGES})
        equal((response.status, response.headers["x-amzn-errortype"].split(":")[0]), (status, code))
        equal(status, modelled[code].metadata["error"]["httpStatusCode"])
        conforms(json.load(response), modelled[code], code)


def exceptions_in_streams_conform():
    shape = MODEL.operation_model("ConverseStream").output_shape.members["stream"]
    for name, member in MEMBERS.items():
        if name == "unmodelled":
            continue
        ((headers, payload),) = frames(raw(f"sim.stream-{name}", "converse-stream", {"messages": MESSAGES}).read())
        equal(headers[":exception-type"], member)
        conforms(json.loads(payload), shape.members[member], member)


def chunks_conform():
    shape = MODEL.operation_model("InvokeModelWithResponseStream").output_shape.members["body"]
    operation = "invoke-with-response-stream"
    for model in ("sim.normal", "sim.stream-model-timeout-late", "sim.stream-model-stream-error-late"):
        for headers, payload in frames(raw(model, operation, CLAUDE).read()):
            name = headers.get(":event-type") or headers[":exception-type"]
            conforms(json.loads(payload), shape.members[name], name, event=True)


for test in [count_conforms, guardrail_conforms, errors_conform, exceptions_in_streams_conform, chunks_conform]:
    check(test.__name__, test)


def every_scenario_was_tried():
    names = set(json.load(urllib.request.urlopen(f"{ENDPOINT}/_sim/scenarios"))["names"])
    calls = json.load(urllib.request.urlopen(f"{ENDPOINT}/_sim/calls"))
    tried = {call["model_id"].removeprefix("sim.") for call in calls}
    untried = names - tried - {"json-instead-of-stream"}
    assert not untried, f"not tried: {sorted(untried)}"


def json_instead_of_a_stream():
    # Two bytes of JSON are read as lengths of a frame that never comes.
    kinds = (errors.BotoCoreError, botocore.eventstream.ParserError)
    raises(kinds, lambda: list(stream("sim.json-instead-of-stream", using=impatient)))


for test in [json_instead_of_a_stream, every_scenario_was_tried]:
    check(test.__name__, test)

print(f"boto3 {boto3.__version__}: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
