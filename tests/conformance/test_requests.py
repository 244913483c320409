"""Each rule of the validator finds what breaks it, and lets pass what does not."""

import base64
import contextlib
import io
import json
import unittest

import native

from requests import Unreadable, Validator, compile_pattern, report

try:
    from botocore.loaders import Loader
except ImportError:
    Loader = None

# A small service with every kind of shape; AWS's own would change under the tests.
MODEL = {
    "operations": {
        "Brew": {"http": {"method": "POST", "requestUri": "/pot/{potId}/brew"}, "input": {"shape": "BrewRequest"}},
        "Pour": {"http": {"method": "POST", "requestUri": "/pot/{potId}/pour"}, "input": {"shape": "PourRequest"}},
        "Rinse": {
            "http": {"method": "POST", "requestUri": "/pot/{potId}/water/{water}"},
            "input": {"shape": "RinseRequest"},
        },
    },
    "shapes": {
        "BrewRequest": {
            "type": "structure",
            "required": ["potId", "leaves"],
            "members": {
                "potId": {"shape": "PotId", "location": "uri", "locationName": "potId"},
                "leaves": {"shape": "Leaves"},
                "minutes": {"shape": "Minutes"},
                "strength": {"shape": "Strength"},
                "kind": {"shape": "Kind"},
                "source": {"shape": "Source"},
                "labels": {"shape": "Labels"},
                "sweet": {"shape": "Boolean"},
                "picture": {"shape": "Picture"},
                "notes": {"shape": "Notes"},
                "until": {"shape": "Until"},
                "grams": {"shape": "Long"},
                "cup": {"shape": "Cup", "locationName": "theCup"},
            },
        },
        "PourRequest": {
            "type": "structure",
            "required": ["potId"],
            "payload": "body",
            "members": {
                "potId": {"shape": "PotId", "location": "uri", "locationName": "potId"},
                "body": {"shape": "SmallBody"},
                "kind": {"shape": "Kind", "location": "header", "locationName": "X-Amzn-Bedrock-Kind"},
                "minutes": {"shape": "Minutes", "location": "header", "locationName": "X-Minutes"},
                "tags": {"shape": "Text", "location": "header", "locationName": "X-Tags", "jsonvalue": True},
            },
        },
        "RinseRequest": {
            "type": "structure",
            "required": ["potId", "water"],
            "members": {
                "potId": {"shape": "PotId", "location": "uri", "locationName": "potId"},
                "water": {"shape": "Kind", "location": "uri", "locationName": "water"},
            },
        },
        "PotId": {"type": "string", "min": 1, "max": 8, "pattern": "[a-z]+(:[0-9]+)?"},
        "Leaves": {"type": "list", "member": {"shape": "Leaf"}, "min": 1, "max": 3},
        "Leaf": {"type": "structure", "required": ["name"], "members": {"name": {"shape": "Text"}}},
        "Text": {"type": "string", "min": 1},
        "Minutes": {"type": "integer", "min": 1, "max": 10},
        "Long": {"type": "long"},
        "Strength": {"type": "float", "min": 0, "max": 1},
        "Kind": {"type": "string", "enum": ["green", "black"]},
        "Source": {"type": "structure", "union": True, "members": {"tin": {"shape": "Text"}, "bag": {"shape": "Text"}}},
        "Labels": {"type": "map", "key": {"shape": "PotId"}, "value": {"shape": "Text"}, "max": 2},
        "Boolean": {"type": "boolean"},
        "Picture": {"type": "blob", "min": 1, "max": 4},
        "SmallBody": {"type": "blob", "max": 20},
        "Notes": {"type": "structure", "members": {}, "document": True},
        "Until": {"type": "timestamp", "timestampFormat": "iso8601"},
        "Cup": {"type": "string"},
    },
}


TYPE = {"content-type": "application/json"}


def record(operation="Brew", **changed):
    sent = {"sequence": 1, "operation": operation, "model_id": "pot:1", "request": {"leaves": [{"name": "mint"}]}}
    return {**sent, "headers": TYPE, "signed_by": "somebody", **changed}


class Rules(unittest.TestCase):
    def problems(self, sent):
        return Validator(MODEL).request(sent)

    def found(self, words, sent):
        problems = self.problems(sent)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def brewed(self, **members):
        return record(request={"leaves": [{"name": "mint"}], **members})

    def passes(self, sent):
        self.assertEqual(self.problems(sent), [])

    def test_a_whole_request_passes(self):
        self.passes(record())
        self.passes(
            self.brewed(
                minutes=10,
                strength=1,
                kind="green",
                source={"tin": "old"},
                labels={"a": "b"},
                sweet=False,
                picture=base64.b64encode(b"abc").decode(),
                notes={"any": [1, None, {}]},
                until="2026-11-27T10:00:00Z",
                grams=2**40,
                theCup="blue",
            )
        )

    def test_an_operation_that_does_not_exist(self):
        self.found("no operation Boil", record("Boil"))

    def test_a_required_member_is_missing(self):
        self.found("body: leaves is missing", record(request={}))
        self.found("body.leaves[0]: name is missing", record(request={"leaves": [{}]}))

    def test_the_body_is_missing_or_no_object(self):
        self.found("body: null is no object", record(request=None))
        self.found("is no object", record(request=[]))

    def test_a_member_that_is_unknown(self):
        self.found("knows no member milk", self.brewed(milk=True))
        self.found("body.leaves[0]: the model knows no member age", record(request={"leaves": [{"name": "a", "age": 1}]}))
        self.found("knows no member cup", self.brewed(cup="the wire has another name for it"))

    def test_the_wrong_type(self):
        for member, wrong in [
            ("minutes", "3"),
            ("minutes", 3.0),
            ("minutes", True),
            ("strength", "0.5"),
            ("strength", True),
            ("kind", 1),
            ("source", "tin"),
            ("labels", []),
            ("sweet", "true"),
            ("picture", 1),
            ("picture", "no base64!"),
            ("until", 1764237600),
            ("grams", 2**63),
            ("minutes", None),
        ]:
            with self.subTest(member=member, wrong=wrong):
                self.found(f"body.{member}", self.brewed(**{member: wrong}))
        self.found("is no list", record(request={"leaves": {"name": "mint"}}))

    def test_less_than_the_least_and_more_than_the_most(self):
        self.found("0 is less than 1", self.brewed(minutes=0))
        self.found("11 is more than 10", self.brewed(minutes=11))
        self.found("-0.1 is less than 0", self.brewed(strength=-0.1))
        self.found("1.01 is more than 1", self.brewed(strength=1.01))
        self.assertEqual(len(self.problems(self.brewed(strength="NaN"))), 2)
        self.found("is more than 1", self.brewed(strength="Infinity"))

    def test_too_short_and_too_long(self):
        self.found("0 characters, at least 1", record(request={"leaves": [{"name": ""}]}))
        self.found("0 entries, at least 1", record(request={"leaves": []}))
        self.found("4 entries, at most 3", record(request={"leaves": [{"name": "a"}] * 4}))
        self.found("3 entries, at most 2", self.brewed(labels={"a": "x", "b": "x", "c": "x"}))
        self.found("0 bytes, at least 1", self.brewed(picture=""))
        self.found("5 bytes, at most 4", self.brewed(picture=base64.b64encode(b"abcde").decode()))
        self.found("10 characters, at most 8", record(model_id="abcdefgh:1"))

    def test_a_length_counts_characters_and_not_bytes(self):
        model = {**MODEL, "shapes": {**MODEL["shapes"], "Cup": {"type": "string", "max": 2}}}
        self.assertEqual(Validator(model).request(self.brewed(theCup="🍵é")), [])
        self.assertEqual(len(Validator(model).request(self.brewed(theCup="🍵éé"))), 1)

    def test_a_pattern_holds_for_all_of_the_text(self):
        for wrong in ["Pot", "pot:", "pot:1x", "1pot", "pot:1\n", "pot\n"]:
            with self.subTest(wrong=wrong):
                self.found("is not of the form", record(model_id=wrong))
        self.found("is not of the form", self.brewed(labels={"KEY": "x"}))

    def test_a_word_that_is_none_of_the_enumeration(self):
        self.found("'white' is none of green, black", self.brewed(kind="white"))

    def test_a_union_has_exactly_one_member(self):
        self.found("here are 2 (bag, tin)", self.brewed(source={"tin": "a", "bag": "b"}))
        self.found("here are 0", self.brewed(source={}))
        self.found("knows no member jar", self.brewed(source={"jar": "a"}))

    def test_labels_of_the_path(self):
        self.found("path: potId is missing", record(model_id=""))
        self.passes(record("Rinse", request=None))
        self.passes(record("Rinse", request=None, labels={"potId": "pot", "water": "green"}))
        self.found("none of green", record("Rinse", request=None, labels={"water": "hot"}))
        self.found("is missing", record("Rinse", request=None, labels={"water": ""}))

    def test_headers_are_checked_where_the_log_holds_them(self):
        self.passes(record("Pour", request={"a": 1}))
        told = {**TYPE, "x-amzn-bedrock-kind": "black", "x-minutes": "3", "x-tags": "eyJhIjoxfQ==", "accept": "*/*"}
        self.passes(record("Pour", request={"a": 1}, headers=told))
        for header, wrong, words in [
            ("x-amzn-bedrock-kind", "white", "none of green"),
            ("x-minutes", "three", "is no integer"),
            ("x-minutes", "11", "more than 10"),
            ("x-tags", "no base64", "is no string"),
            ("x-amzn-bedrock-kettle", "on", "knows no such header"),
        ]:
            with self.subTest(header=header, wrong=wrong):
                self.found(words, record("Pour", request={"a": 1}, headers={**TYPE, header: wrong}))

    def test_everything_is_sent_as_json(self):
        self.found("header content-type: null", record(headers={}))
        self.found("text/plain", record(headers={"content-type": "text/plain"}))

    def test_a_body_that_is_one_member(self):
        self.found("body: is empty or no JSON", record("Pour", request=None))
        self.found("at most 20", record("Pour", request={"a": "far too much for a cup"}))

    def test_patterns_that_python_would_read_otherwise_are_refused(self):
        for pattern in [r"\p{L}+", "[a[bc]]", "[a-z&&[^x]]", "(", r"a\z"]:
            with self.subTest(pattern=pattern), self.assertRaises(Unreadable):
                compile_pattern(pattern)
        self.assertTrue(compile_pattern(r"(?<part>[]a\]-]+)$").fullmatch("]a-"))
        self.assertIsNone(compile_pattern(r"\s\d").fullmatch("\u00a0\u0663"))


class Reports(unittest.TestCase):
    def report(self, records, expected, members=None):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            well = report(MODEL, records, expected, members)
        return well, printed.getvalue()

    def test_what_is_not_signed_or_came_without_headers_is_a_failure(self):
        for changed, words in [({"signed_by": None}, "is not signed"), ({"headers": None}, "has no headers")]:
            well, printed = self.report([record(**changed)], [])
            self.assertFalse(well)
            self.assertIn(words, printed)

    def test_the_members_that_are_sent_are_those_of_the_list(self):
        sent = record(request={"leaves": [{"name": "a"}, {"name": "b"}], "labels": {"a": "x"}, "kind": "green"})
        members = {"body.leaves[].name", "body.labels{}", "body.kind=green", "path.potId"}
        members = {f"Brew {member}" for member in members}
        well, printed = self.report([sent], [], members)
        self.assertTrue(well, printed)
        self.assertIn("body.leaves[].name (2)", printed)
        well, printed = self.report([sent], [], members | {"Brew body.kind=black"})
        self.assertFalse(well)
        self.assertIn("FAILED Brew body.kind=black was never sent", printed)
        well, printed = self.report([sent], [], members - {"Brew body.kind=green"})
        self.assertFalse(well)
        self.assertIn("FAILED Brew body.kind=green is sent, and the list", printed)

    def test_it_counts_per_operation(self):
        well, printed = self.report([record(), record(), record("Rinse", request=None)], ["Brew"])
        self.assertTrue(well)
        self.assertIn("Brew: 2 requests checked", printed)
        self.assertIn("Rinse: 1 requests checked", printed)

    def test_an_expected_operation_that_never_came_is_a_failure(self):
        well, printed = self.report([record()], ["Brew", "Pour"])
        self.assertFalse(well)
        self.assertIn("Pour was never called", printed)

    def test_a_log_that_lost_calls_is_a_failure(self):
        well, printed = self.report([record(sequence=2), record(sequence=3)], [])
        self.assertFalse(well)
        self.assertIn("1 calls are missing", printed)

    def test_a_problem_names_its_call(self):
        well, printed = self.report([record(sequence=7, request={})], [])
        self.assertFalse(well)
        self.assertIn("call 7, Brew of pot:1: body: leaves is missing", printed)


class NativeBodies(unittest.TestCase):
    """Bodies of each family, as they may be and as they may not."""

    OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream")
    MODELS = {
        "anthropic_messages": "us.anthropic.claude-haiku-5-5",
        "anthropic_text": "anthropic.claude-v2:1",
        "amazon_nova": "us.amazon.nova-micro-v1:0",
        "amazon_titan_text": "amazon.titan-text-express-v1",
        "meta_llama2": "meta.llama2-13b-chat-v1",
        "meta_llama3": "us.meta.llama3-3-70b-instruct-v1:0",
        "meta_llama4": "us.meta.llama4-scout-17b-instruct-v1:0",
        "mistral": "mistral.mixtral-8x7b-instruct-v0:1",
        "cohere_command": "cohere.command-text-v14",
        "cohere_command_r": "cohere.command-r-v1:0",
        "ai21_jurassic": "ai21.j2-mid-v1",
        "ai21_jamba": "ai21.jamba-1-5-mini-v1:0",
        "deepseek": "us.deepseek.r1-v1:0",
        "openai": "openai.gpt-oss-120b-1:0",
    }
    LLAMA_3 = (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    CHAT = {"messages": [{"role": "system", "content": "b"}, {"role": "user", "content": "Hello."}], "max_tokens": 5}
    BODIES = {
        "anthropic_messages": {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 5,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello."}]}],
            "system": "b",
            "temperature": 0.3,
        },
        "anthropic_text": {
            "prompt": "\n\nHuman: Hello.\n\nAssistant:",
            "max_tokens_to_sample": 5,
            "stop_sequences": ["\n\nHuman:"],
        },
        "amazon_nova": {
            "schemaVersion": "messages-v1",
            "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
            "system": [{"text": "b"}],
            "inferenceConfig": {"maxTokens": 5, "temperature": 0},
        },
        "amazon_titan_text": {"inputText": "User: Hello.\nBot:", "textGenerationConfig": {"maxTokenCount": 5}},
        "meta_llama2": {"prompt": "<s>[INST] <<SYS>>\nb\n<</SYS>>\n\nHello. [/INST]", "max_gen_len": 5},
        "meta_llama3": {"prompt": LLAMA_3, "max_gen_len": 5},
        "meta_llama4": {
            "prompt": LLAMA_3.replace("start_header_id", "header_start")
            .replace("end_header_id", "header_end")
            .replace("eot_id", "eot"),
            "max_gen_len": 5,
        },
        "mistral": {"prompt": "<s>[INST] Hello. [/INST]", "max_tokens": 5},
        "cohere_command": {"prompt": "Hello.", "max_tokens": 5, "stream": False},
        "cohere_command_r": {"message": "Hello.", "preamble": "b", "max_tokens": 5},
        "ai21_jurassic": {"prompt": "Hello.", "maxTokens": 5},
        "ai21_jamba": CHAT,
        "deepseek": {"prompt": "<｜begin▁of▁sentence｜><｜User｜>Hello.<｜Assistant｜><think>\n", "max_tokens": 5},
        "openai": CHAT,
    }

    def problems(self, name, body, operation="InvokeModel", headers=None):
        sent = {"operation": operation, "model_id": self.MODELS[name], "request": body, "headers": headers or {}}
        found = []
        native.judge(Validator(MODEL), sent, found)
        return found

    def test_each_family_has_a_body_that_passes_and_other_families_refuse_it(self):
        self.assertEqual(set(self.MODELS), set(self.BODIES))
        self.assertEqual(set(self.MODELS), {name for _, name in native.MARKS})
        for name, body in self.BODIES.items():
            with self.subTest(name=name):
                self.assertEqual(native.format_of(self.MODELS[name]), name)
                self.assertEqual(self.problems(name, body), [])
                for other in set(self.BODIES) - {name}:
                    if self.BODIES[other] != body:
                        self.assertNotEqual(self.problems(other, body), [], other)

    def test_a_member_more_or_less_is_a_problem(self):
        for name, body in self.BODIES.items():
            with self.subTest(name=name):
                self.assertIn("no member top_x", self.problems(name, {**body, "top_x": 1})[0])
                required = native.SHAPES[f"native:{name}"]["required"]
                for member in required:
                    rest = {key: value for key, value in body.items() if key != member}
                    self.assertIn(f"{member} is missing", self.problems(name, rest)[0])

    def test_a_mark_of_the_template_stands_in_no_text(self):
        for name, mark in [
            ("anthropic_text", "\n\nHuman:"),
            ("amazon_titan_text", "\nBot:"),
            ("meta_llama2", "[/INST]"),
            ("meta_llama3", "<|eot_id|>"),
            ("meta_llama4", "<|eot|>"),
            ("mistral", "</s>"),
            ("deepseek", "</think>"),
        ]:
            with self.subTest(name=name):
                body = self.BODIES[name]
                text = "inputText" if name == "amazon_titan_text" else "prompt"
                spoilt = body[text].replace("Hello.", f"Hello.{mark}Hello.")
                self.assertNotEqual(spoilt, body[text])
                self.assertIn("is not of the form", self.problems(name, {**body, text: spoilt})[0])

    def test_a_stream_is_asked_for_in_one_way(self):
        whole, streamed = self.OPERATIONS
        command = self.BODIES["cohere_command"]
        self.assertIn("the other way", self.problems("cohere_command", command, streamed)[0])
        self.assertIn("the other way", self.problems("cohere_command", {**command, "stream": True}, whole)[0])
        self.assertIn("no streams", self.problems("ai21_jurassic", self.BODIES["ai21_jurassic"], streamed)[0])

    def test_a_conversation_is_of_turns_that_take_turns(self):
        header = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
        said = [("user", "One."), ("assistant", "Two."), ("user", "Hello.")]
        turns = [{"role": role, "content": text} for role, text in said]
        blocks = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in said]
        nova = [{"role": role, "content": [{"text": text}]} for role, text in said]
        history = [{"role": "USER", "message": "One."}, {"role": "CHATBOT", "message": "Two."}]
        claude = "\n\nHuman: One.\n\nAssistant: Two.\n\nHuman: Hello.\n\nAssistant:"
        llama = "<|begin_of_text|>" + "".join(header.format(*turn) for turn in said)
        llama += "<|start_header_id|>assistant<|end_header_id|>\n\n"
        deepseek = (
            "<｜begin▁of▁sentence｜><｜User｜>One.<｜Assistant｜>Two.<｜end▁of▁sentence｜>"
            "<｜User｜>Hello.<｜Assistant｜><think>\n"
        )
        told = {
            "anthropic_messages": {"messages": blocks},
            "amazon_nova": {"messages": nova},
            "openai": {"messages": self.CHAT["messages"][:1] + turns},
            "cohere_command_r": {"chat_history": history},
            "anthropic_text": {"prompt": claude},
            "amazon_titan_text": {"inputText": "User: One.\nBot: Two.\nUser: Hello.\nBot:"},
            "meta_llama2": {"prompt": "<s>[INST] One. [/INST] Two. </s><s>[INST] Hello. [/INST]"},
            "meta_llama3": {"prompt": llama},
            "mistral": {"prompt": "<s>[INST] One. [/INST] Two.</s>[INST] Hello. [/INST]"},
            "deepseek": {"prompt": deepseek},
        }
        for name, members in told.items():
            with self.subTest(name=name):
                self.assertEqual(self.problems(name, {**self.BODIES[name], **members}), [])
                # The assistant does not have the last word, and nobody speaks twice.
                for place, value in members.items():
                    if isinstance(value, str):
                        half = value.replace("Two.", "Two." + value[:40], 1)
                        wrong = {place: half}
                    elif place == "messages":
                        wrong = {place: value[:-1]}
                    else:
                        wrong = {place: value[:1]}
                    self.assertNotEqual(self.problems(name, {**self.BODIES[name], **wrong}), [], wrong)

    def test_turns_stand_in_order(self):
        turned = {**self.CHAT, "messages": self.CHAT["messages"][::-1]}
        self.assertIn("turns of user, system", self.problems("openai", turned)[0])

    def test_a_guardrail_stands_in_headers_body_and_text(self):
        headers = {"x-amzn-bedrock-guardrailidentifier": "gr1"}
        tagged = f"<{native.TAG}_ab12>a</{native.TAG}_ab12>"
        plain = {"prompt": f"<s>[INST] {tagged} [/INST]", "max_tokens": 5}
        body = {**plain, native.GUARDRAIL: {"tagSuffix": "ab12"}}
        streamed = {**body, native.GUARDRAIL: {"tagSuffix": "ab12", "streamProcessingMode": "ASYNCHRONOUS"}}
        self.assertEqual(self.problems("mistral", body, headers=headers), [])
        self.assertEqual(self.problems("mistral", streamed, self.OPERATIONS[1], headers), [])
        quoted = {**body, "prompt": f"<s>[INST] {tagged}{tagged} [/INST]"}
        self.assertEqual(self.problems("mistral", quoted, headers=headers), [])
        for wrong, told, operation, words in [
            (body, {}, 0, "name no guardrail"),
            (self.BODIES["mistral"], headers, 0, "is missing"),
            (plain, {}, 0, "tags without a guardrail"),
            ({**body, "prompt": "<s>[INST] a [/INST]"}, headers, 0, "open 0 times"),
            ({**body, "prompt": f"<s>[INST] {tagged}<{native.TAG}_ab12> [/INST]"}, headers, 0, "open 2 times"),
            ({**body, native.GUARDRAIL: {"tagSuffix": "ab-12"}}, headers, 0, "is not of the form"),
            (body, headers, 1, "streamProcessingMode is missing"),
            (streamed, headers, 0, "no member streamProcessingMode"),
        ]:
            with self.subTest(words=words):
                found = self.problems("mistral", wrong, self.OPERATIONS[operation], told)
                self.assertIn(words, found[0])

    def test_a_model_whose_format_nobody_knows_is_a_problem(self):
        found = []
        native.judge(Validator(MODEL), record("InvokeModel", model_id="a.one"), found)
        self.assertEqual(len(found), 1)


@unittest.skipIf(Loader is None, "botocore is not installed")
class TheModelOfAws(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = Loader().load_service_model("bedrock-runtime", "service-2", "2023-09-30")

    def problems(self, operation, body, model_id="us.anthropic.claude-haiku-5-5", **more):
        accept = {"InvokeModel": "accept", "InvokeModelWithResponseStream": "x-amzn-bedrock-accept"}
        told = {**TYPE, **more.pop("headers", {})}
        if operation in accept:
            told[accept[operation]] = "application/json"
        sent = {"operation": operation, "model_id": model_id, "request": body, "headers": told, **more}
        return Validator(self.model).request(sent)

    def test_requests_that_aws_takes_pass(self):
        turn = {"role": "user", "content": [{"text": "Hello."}, {"cachePoint": {"type": "default"}}]}
        converse = {
            "messages": [turn],
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.2},
            "additionalModelRequestFields": {"thinking": {"type": "disabled"}},
            "requestMetadata": {"team": "a b"},
        }
        profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
        for model in ["us.anthropic.claude-haiku-5-5", "amazon.nova-micro-v1:0", profile]:
            self.assertEqual(self.problems("Converse", converse, model), [])
            self.assertEqual(self.problems("ConverseStream", converse, model), [])
        counted = {"input": {"converse": {"messages": [turn]}}}
        self.assertEqual(self.problems("CountTokens", counted, "anthropic.claude-haiku-5-5"), [])
        told = {"x-amzn-bedrock-trace": "ENABLED", "x-amzn-bedrock-request-metadata": '{"team": "a b"}'}
        chat = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}
        for operation in ["InvokeModel", "InvokeModelWithResponseStream"]:
            self.assertEqual(self.problems(operation, chat, "openai.gpt-oss-20b-1:0", headers=told), [])
        guarded = {"source": "OUTPUT", "content": [{"text": {"text": "Hello.", "qualifiers": ["query"]}}]}
        labels = {"guardrailIdentifier": "abc123", "guardrailVersion": "DRAFT"}
        self.assertEqual(self.problems("ApplyGuardrail", guarded, "abc123", labels=labels), [])
        for version, found in [("7", 0), ("07", 1), (None, 1)]:
            problems = self.problems("ApplyGuardrail", guarded, "abc123", guardrail_version=version)
            self.assertEqual(len(problems), found, problems)

    def test_requests_that_aws_refuses_do_not(self):
        turn = {"role": "user", "content": [{"text": "Hello."}]}
        for operation, body, model, words in [
            ("Converse", {"messages": [turn], "inferenceConfig": {"maxTokens": 0}}, "a.b", "less than 1"),
            ("Converse", {"messages": [turn], "inferenceConfig": {"temperature": 1.1}}, "a.b", "more than 1"),
            ("Converse", {"messages": [{**turn, "role": "robot"}]}, "a.b", "none of user, assistant"),
            ("ConverseStream", {"messages": [{"role": "user"}]}, "a.b", "content is missing"),
            ("ConverseStream", {"messages": [turn], "max_tokens": 1}, "a.b", "no member max_tokens"),
            ("Converse", {"messages": [turn]}, "a model", "is not of the form"),
            ("Converse", {"messages": [turn], "system": [{"text": "a", "cachePoint": {"type": "default"}}]}, "a.b", "exactly one"),
            ("CountTokens", {}, "a.b", "input is missing"),
            ("CountTokens", {"input": {"invokeModel": {"body": "?"}}}, "a.b", "no base64"),
            ("ApplyGuardrail", {"source": "BOTH", "content": []}, "abc", "none of INPUT, OUTPUT"),
        ]:
            with self.subTest(words=words):
                found = self.problems(operation, body, model)
                self.assertEqual(len(found), 1, found)
                self.assertIn(words, found[0])

    def test_metadata_in_a_header_is_that_of_the_body(self):
        chat = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}
        for metadata, words in [
            ("team", "is no JSON"),
            ("{}", "at least 1"),
            ('{"team": "ü"}', "is not of the form"),
            ('{"team": 1}', "is no string"),
            (json.dumps({"team": "x" * 257}), "at most 256"),
            (json.dumps({"team": "x" * 8500}), "at most 8500"),
        ]:
            with self.subTest(words=words):
                told = {"x-amzn-bedrock-request-metadata": metadata}
                found = self.problems("InvokeModel", chat, "openai.gpt-oss-20b-1:0", headers=told)
                self.assertTrue(any(words in problem for problem in found), found)

    def test_every_pattern_of_the_model_can_be_read(self):
        shapes = Validator(self.model).shapes
        patterns = [shape["pattern"] for shape in shapes.values() if "pattern" in shape]
        self.assertGreater(len(patterns), 10)
        for pattern in patterns:
            compile_pattern(pattern)


if __name__ == "__main__":
    unittest.main()
