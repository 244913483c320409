"""The bodies of InvokeModel: what each family's body may hold, in the words of AWS's model files.

AWS's model knows the body as bytes only. So the shapes stand here, written from AWS's pages on the parameters of
models: no member that the service has no use for, none missing (the greatest length of an answer never is), and the
text in the template that the family was trained on, whose marks stand nowhere else in it. A body must be of the format
that the model's id tells.
"""

import json
import re

# What a model's id holds, and the format of such a model. Ids that accounts make up are made up to fit in
# `models.toml`. The first that fits counts.
MARKS = (
    (r"claude-v2|claude-instant|claudetext", "anthropic_text"),
    (r"claude", "anthropic_messages"),
    (r"nova", "amazon_nova"),
    (r"titan", "amazon_titan_text"),
    (r"llama2", "meta_llama2"),
    (r"llama3", "meta_llama3"),
    (r"llama4", "meta_llama4"),
    (r"mixtral|mistral-7b", "mistral"),
    (r"commandr|command-r", "cohere_command_r"),
    (r"command", "cohere_command"),
    (r"jurassic|j2-", "ai21_jurassic"),
    (r"jamba", "ai21_jamba"),
    (r"deepseek", "deepseek"),
    (r"openai|qwen|ministral", "openai"),
)
# What Bedrock itself reads of any body.
GUARDRAIL = "amazon-bedrock-guardrailConfig"
TAG = "amazon-bedrock-guardrails-guardContent"


def format_of(model_id):
    return next((name for marks, name in MARKS if re.search(marks, model_id)), None)


def structure(required, **members):
    return {
        "type": "structure",
        "required": list(required),
        "members": {name: {"shape": f"native:{shape}"} for name, shape in members.items()},
    }


def asked(length, tokens_of, **text):
    """A text, the greatest length of the answer, and a temperature: all that most families are sent."""
    members = {**text, length: tokens_of}
    return structure(members, **members, temperature="Temperature")


def tokens(most):
    return {"type": "integer", "min": 1, "max": most}


def listed(shape, least=1, most=None):
    return {"type": "list", "member": {"shape": f"native:{shape}"}, "min": least, **({"max": most} if most else {})}


def template(before, after, marks, between):
    """A prompt between `before` and `after`, in which nothing is taken for a mark of the template. Where an answer was
    answered, `between` parts what the user says from that answer, and that from what the user says to it."""
    said = f"(?:(?!{marks})[\\s\\S])+"
    answer, user = between
    return {"type": "string", "pattern": f"{before}{said}(?:{answer}{said}{user}{said})*{after}"}


def turns(begin, header, end):
    """A prompt of Llama from its third generation on: rules, if there are any, and the turns, the user's first."""
    said = r"(?:(?!<\|\w+\|>)[\s\S])+"
    rules, user, answer = (header.format(role) + r"\n\n" for role in ("system", "user", "assistant"))
    first, later = f"{user}{said}{end}", f"{answer}{said}{end}{user}{said}{end}"
    return {"type": "string", "pattern": f"{begin}(?:{rules}{said}{end})?{first}(?:{later})*{answer}"}


SHAPES = {
    "Text": {"type": "string", "min": 1},
    "Flag": {"type": "boolean"},
    "Temperature": {"type": "double", "min": 0, "max": 1},
    "Speaker": {"type": "string", "enum": ["user", "assistant"]},
    "Role": {"type": "string", "enum": ["system", "user", "assistant"]},
    # Anthropic, Claude 3 and later.
    "anthropic_messages": structure(
        ("anthropic_version", "max_tokens", "messages"),
        anthropic_version="AnthropicVersion",
        max_tokens="TokensOfClaude",
        messages="AnthropicTurns",
        system="Text",
        temperature="Temperature",
    ),
    "AnthropicVersion": {"type": "string", "enum": ["bedrock-2023-05-31"]},
    "TokensOfClaude": tokens(128_000),
    "AnthropicTurns": listed("AnthropicTurn"),
    "AnthropicTurn": structure(("role", "content"), role="Speaker", content="AnthropicBlocks"),
    "AnthropicBlocks": listed("AnthropicBlock"),
    "AnthropicBlock": structure(("type", "text"), type="AnthropicBlockType", text="Text"),
    "AnthropicBlockType": {"type": "string", "enum": ["text"]},
    # Anthropic, Claude 2.
    "anthropic_text": structure(
        ("prompt", "max_tokens_to_sample"),
        prompt="AnthropicPrompt",
        max_tokens_to_sample="TokensOfClaude",
        stop_sequences="Stops",
        temperature="Temperature",
    ),
    "AnthropicPrompt": template(
        r"\n\nHuman: ", r"\n\nAssistant:", r"\n\n(?:Human|Assistant):", (r"\n\nAssistant: ", r"\n\nHuman: ")
    ),
    "Stops": listed("Text"),
    # Amazon.
    "amazon_nova": structure(
        ("messages", "inferenceConfig"),
        schemaVersion="NovaVersion",
        messages="NovaTurns",
        system="NovaSystem",
        inferenceConfig="NovaInference",
    ),
    "NovaVersion": {"type": "string", "enum": ["messages-v1"]},
    "NovaTurns": listed("NovaTurn"),
    "NovaTurn": structure(("role", "content"), role="Speaker", content="NovaBlocks"),
    "NovaBlocks": listed("NovaBlock"),
    "NovaSystem": listed("NovaBlock"),
    "NovaBlock": structure(("text",), text="Text"),
    "NovaInference": structure(("maxTokens",), maxTokens="TokensOfNova", temperature="Temperature"),
    "TokensOfNova": tokens(65_536),
    "amazon_titan_text": structure(
        ("inputText", "textGenerationConfig"), inputText="TitanPrompt", textGenerationConfig="TitanConfig"
    ),
    "TitanPrompt": template("User: ", r"\nBot:", r"\n(?:User|Bot):", (r"\nBot: ", r"\nUser: ")),
    "TitanConfig": structure(("maxTokenCount",), maxTokenCount="TokensOfTitan", temperature="Temperature"),
    "TokensOfTitan": tokens(8_192),
    # Meta.
    "meta_llama2": asked("max_gen_len", "TokensOfLlama", prompt="Llama2Prompt"),
    "meta_llama3": asked("max_gen_len", "TokensOfLlama", prompt="Llama3Prompt"),
    "meta_llama4": asked("max_gen_len", "TokensOfLlama", prompt="Llama4Prompt"),
    "TokensOfLlama": tokens(8_192),
    "Llama2Prompt": template(
        r"<s>\[INST\] (?:<<SYS>>\n(?:(?!</?s>|\[/?INST\]|<</?SYS>>)[\s\S])+\n<</SYS>>\n\n)?",
        r" \[/INST\]",
        r"</?s>|\[/?INST\]|<</?SYS>>",
        (r" \[/INST\] ", r" </s><s>\[INST\] "),
    ),
    "Llama3Prompt": turns(
        r"<\|begin_of_text\|>", r"<\|start_header_id\|>{}<\|end_header_id\|>", r"<\|eot_id\|>"
    ),
    "Llama4Prompt": turns(r"<\|begin_of_text\|>", r"<\|header_start\|>{}<\|header_end\|>", r"<\|eot\|>"),
    # Mistral, DeepSeek.
    "mistral": asked("max_tokens", "TokensOfMistral", prompt="MistralPrompt"),
    "MistralPrompt": template(
        r"<s>\[INST\] ",
        r" \[/INST\]",
        r"</?s>|\[/?(?:INST|AVAILABLE_TOOLS|TOOL_RESULTS)\]",
        (r" \[/INST\] ", r"</s>\[INST\] "),
    ),
    "TokensOfMistral": tokens(8_192),
    "deepseek": asked("max_tokens", "TokensOfDeepSeek", prompt="DeepSeekPrompt"),
    "DeepSeekPrompt": template(
        "<｜begin▁of▁sentence｜><｜User｜>",
        r"<｜Assistant｜><think>\n",
        "<｜|</?think>",
        ("<｜Assistant｜>", "<｜end▁of▁sentence｜><｜User｜>"),
    ),
    "TokensOfDeepSeek": tokens(32_768),
    # Cohere.
    "cohere_command": structure(
        ("prompt", "max_tokens", "stream"),
        prompt="Text",
        max_tokens="TokensOfCohere",
        temperature="Temperature",
        stream="Flag",
    ),
    "cohere_command_r": structure(
        ("message", "max_tokens"),
        message="Text",
        preamble="Text",
        chat_history="CohereTurns",
        max_tokens="TokensOfCohere",
        temperature="Temperature",
    ),
    "CohereTurns": listed("CohereTurn", least=2),
    "CohereTurn": structure(("role", "message"), role="CohereSpeaker", message="Text"),
    "CohereSpeaker": {"type": "string", "enum": ["USER", "CHATBOT"]},
    "TokensOfCohere": tokens(4_096),
    # AI21.
    "ai21_jurassic": asked("maxTokens", "TokensOfJurassic", prompt="Text"),
    "TokensOfJurassic": tokens(8_191),
    "ai21_jamba": asked("max_tokens", "TokensOfJamba", messages="ChatTurns"),
    "TokensOfJamba": tokens(4_096),
    # Chat completions.
    "openai": asked("max_tokens", "TokensOfChat", messages="ChatTurns"),
    "TokensOfChat": tokens(128_000),
    "ChatTurns": listed("ChatTurn"),
    "ChatTurn": structure(("role", "content"), role="Role", content="Text"),
    # Bedrock's own.
    "WholeGuardrail": structure(("tagSuffix",), tagSuffix="TagSuffix"),
    "StreamedGuardrail": structure(
        ("tagSuffix", "streamProcessingMode"), tagSuffix="TagSuffix", streamProcessingMode="StreamMode"
    ),
    "TagSuffix": {"type": "string", "pattern": "[a-zA-Z0-9]{1,20}"},
    "StreamMode": {"type": "string", "enum": ["SYNCHRONOUS", "ASYNCHRONOUS"]},
}
SHAPES = {f"native:{name}": shape for name, shape in SHAPES.items()}


def judge(validator, record, found):
    """What is wrong with the body of a record of InvokeModel or InvokeModelWithResponseStream."""
    body, streams = record["request"], record["operation"] == "InvokeModelWithResponseStream"
    name = format_of(record["model_id"])
    if name is None:
        found.append("body: no format is known for such a model id")
        return
    if not isinstance(body, dict):
        found.append("body: is no object")
        return
    place = f"body {name}"
    validator.value(f"native:{name}", {key: value for key, value in body.items() if key != GUARDRAIL}, place, found)
    if name == "cohere_command" and body.get("stream") is not streams:
        found.append(f"{place}.stream: {json.dumps(body.get('stream'))} for an answer that comes the other way")
    if name == "ai21_jurassic" and streams:
        found.append(f"{place}: the family has no streams")
    roles = [turn.get("role") for turn in body.get("messages", ()) if isinstance(turn, dict)]
    # Rules, if there are any; then the user first and last, with an answer between two turns of the user's.
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if roles and (len(spoken) % 2 == 0 or spoken != (["user", "assistant"] * len(spoken))[: len(spoken)]):
        found.append(f"{place}.messages: turns of {', '.join(map(str, roles))}")
    guarded(validator, record, streams, f"{place}.{GUARDRAIL}", found)


def guarded(validator, record, streams, place, found):
    """A guardrail stands in the headers and the body, or in neither; and its tags stand once."""
    body = record["request"]
    asks = "x-amzn-bedrock-guardrailidentifier" in (record.get("headers") or {})
    if asks != (GUARDRAIL in body):
        found.append(f"{place}: {'is missing' if asks else 'the headers name no guardrail'}")
    text = json.dumps({key: value for key, value in body.items() if key != GUARDRAIL}, ensure_ascii=False)
    if GUARDRAIL not in body:
        if f"<{TAG}" in text:
            found.append(f"{place}: tags without a guardrail")
        return
    config = body[GUARDRAIL]
    validator.value("native:StreamedGuardrail" if streams else "native:WholeGuardrail", config, place, found)
    suffix = config.get("tagSuffix", "") if isinstance(config, dict) else ""
    opened, closed = text.count(f"<{TAG}_{suffix}>"), text.count(f"</{TAG}_{suffix}>")
    # One pair for the document, and more where the prompt quotes it elsewhere.
    marks = [mark[1] == "/" for mark in re.findall(f"</?{TAG}_{re.escape(suffix)}>", text)]
    if not marks or marks != [False, True] * (len(marks) // 2):
        found.append(f"{place}: the tags of the suffix open {opened} times and close {closed} times")
