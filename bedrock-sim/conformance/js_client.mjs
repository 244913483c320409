// The AWS SDK for JavaScript against the simulator: what a Node client sees, over HTTP/2 and over HTTP/1.1.

import assert from "node:assert/strict";
import * as sdk from "@aws-sdk/client-bedrock-runtime";

const { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand } = sdk;
const { InvokeModelCommand, InvokeModelWithResponseStreamCommand } = sdk;
const endpoint = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME;
const text = 'The bridge is open to all cyclists. It cost four million euros. Größe, 日本語, 🙂 and "quotes" stay.';
const messages = [{ role: "user", content: [{ text }] }];

let passed = 0;
let failed = 0;
async function check(name, test) {
  try {
    await within(20_000, test());
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error?.name}: ${error?.message}`);
  }
}

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took more than ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const { NodeHttpHandler } = await import("@smithy/node-http-handler");
const settings = { endpoint, region: "us-east-1", maxAttempts: 1 };
// The client's own choice for this service is HTTP/2.
const clients = {
  h2: new BedrockRuntimeClient(settings),
  h1: new BedrockRuntimeClient({ ...settings, requestHandler: new NodeHttpHandler({ requestTimeout: 15_000 }) }),
};

const converse = (client, modelId, more = {}) => client.send(new ConverseCommand({ modelId, messages, ...more }));
async function stream(client, modelId, events = [], signal = undefined) {
  const command = new ConverseStreamCommand({ modelId, messages });
  const answer = await client.send(command, signal ? { abortSignal: signal } : {});
  for await (const event of answer.stream) events.push(event);
  return events;
}
const textOf = (events) => events.map((event) => event.contentBlockDelta?.delta?.text ?? "").join("");

const claude = {
  anthropic_version: "bedrock-2023-05-31",
  max_tokens: 500,
  messages: [{ role: "user", content: [{ type: "text", text }] }],
};
const llamaPrompt =
  `<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n${text}<|eot_id|>` +
  "<|start_header_id|>assistant<|end_header_id|>\n\n";
// Model, body, and where a whole answer and a chunk have their text.
const native = {
  claude: [
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    claude,
    (answer) => answer.content[0].text,
    (chunk) => chunk.delta?.text,
  ],
  nova: [
    "us.amazon.nova-micro-v1:0",
    { messages, inferenceConfig: { maxTokens: 500 } },
    (answer) => answer.output.message.content[0].text,
    (chunk) => chunk.contentBlockDelta?.delta.text,
  ],
  llama: [
    "us.meta.llama3-3-70b-instruct-v1:0",
    { prompt: llamaPrompt, max_gen_len: 500 },
    (answer) => answer.generation,
    (chunk) => chunk.generation,
  ],
};
const json = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const invoke = (client, modelId, body = claude) =>
  client.send(new InvokeModelCommand({ modelId, body: JSON.stringify(body), contentType: "application/json" }));
async function invokeStream(client, modelId, body = claude, chunks = []) {
  const command = new InvokeModelWithResponseStreamCommand({ modelId, body: JSON.stringify(body) });
  const answer = await client.send(command);
  for await (const event of answer.body) if (event.chunk) chunks.push(json(event.chunk.bytes));
  return chunks;
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const statuses = {
  "access-denied": [403, "AccessDeniedException"],
  "not-authorized": [403, "AccessDeniedException"],
  "expired-token": [403, "ExpiredTokenException"],
  "unrecognized-client": [403, "UnrecognizedClientException"],
  "invalid-signature": [403, "InvalidSignatureException"],
  "resource-not-found": [404, "ResourceNotFoundException"],
  "end-of-life": [404, "ResourceNotFoundException"],
  "legacy-model": [404, "ResourceNotFoundException"],
  "use-case-missing": [404, "ResourceNotFoundException"],
  "model-timeout": [408, "ModelTimeoutException"],
  throttling: [429, "ThrottlingException"],
  "throttling-requests": [429, "ThrottlingException"],
  "throttling-per-day": [429, "ThrottlingException"],
  "model-not-ready": [429, "ModelNotReadyException"],
  "model-error": [424, "ModelErrorException"],
  "service-quota-exceeded": [400, "ServiceQuotaExceededException"],
  validation: [400, "ValidationException"],
  "input-too-long": [400, "ValidationException"],
  "invalid-model-id": [400, "ValidationException"],
  "on-demand-unsupported": [400, "ValidationException"],
  "internal-server": [500, "InternalServerException"],
  "service-unavailable": [503, "ServiceUnavailableException"],
  "too-many-connections": [503, "ServiceUnavailableException"],
};

const members = {
  "internal-server": "InternalServerException",
  "model-stream-error": "ModelStreamErrorException",
  validation: "ValidationException",
  throttling: "ThrottlingException",
  "service-unavailable": "ServiceUnavailableException",
};

const reasons = [
  "end-turn", "tool-use", "max-tokens", "stop-sequence", "guardrail-intervened", "content-filtered",
  "malformed-model-output", "malformed-tool-use", "model-context-window-exceeded",
];

for (const [protocol, client] of Object.entries(clients)) {
  const test = (name, body) => check(`${name} over ${protocol}`, body);

  await test("converse", async () => {
    const answer = await converse(client, "us.amazon.nova-micro-v1:0", { inferenceConfig: { maxTokens: 500 } });
    assert.deepEqual(answer.output.message, { role: "assistant", content: [{ text }] });
    assert.equal(answer.stopReason, "end_turn");
    assert.equal(answer.usage.totalTokens, answer.usage.inputTokens + answer.usage.outputTokens);
    assert.equal(answer.$metadata.requestId.length, 36);
  });
  await test("converse stream", async () => {
    const events = await stream(client, "us.amazon.nova-micro-v1:0");
    assert.equal(textOf(events), text);
    assert.equal(events[0].messageStart.role, "assistant");
    assert.equal(events.at(-2).messageStop.stopReason, "end_turn");
    assert.ok(events.at(-1).metadata.usage.outputTokens > 0);
  });
  await test("count tokens", async () => {
    const modelId = "anthropic.claude-haiku-4-5-20251001-v1:0";
    const count = (id) => client.send(new CountTokensCommand({ modelId: id, input: { converse: { messages } } }));
    const answer = await converse(client, `us.${modelId}`);
    assert.equal((await count(modelId)).inputTokens, answer.usage.inputTokens);
    assert.equal((await failure(count(`us.${modelId}`))).message, "The provided model doesn't support counting tokens.");
  });
  for (const [name, [modelId, body, textIn, textInChunk]] of Object.entries(native)) {
    await test(`invoke model with ${name}`, async () => {
      const answer = await invoke(client, modelId, body);
      assert.equal(textIn(json(answer.body)), text);
      assert.equal(answer.contentType, "application/json");
      const chunks = await invokeStream(client, modelId, body);
      assert.equal(chunks.map((chunk) => textInChunk(chunk) ?? "").join(""), text);
      assert.ok(chunks.at(-1)["amazon-bedrock-invocationMetrics"].outputTokenCount > 0);
      const error = await failure(invoke(client, modelId, { ...body, noSuchMember: 1 }));
      assert.equal(error.name, "ValidationException");
      assert.match(error.message, /extraneous key \[noSuchMember\] is not permitted/);
    });
  }
  for (const [name, [status, type]] of Object.entries(statuses)) {
    await test(name, async () => {
      for (const call of [converse, stream, invoke, invokeStream]) {
        const error = await failure(call(client, `sim.${name}`));
        assert.equal(error.name, type);
        assert.equal(error.$metadata.httpStatusCode, status);
        assert.ok(error.message.length > 5);
      }
    });
  }
  for (const name of ["untyped-throttling", "html-bad-gateway"]) {
    await test(name, async () => {
      const error = await failure(converse(client, `sim.${name}`));
      const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
      assert.equal(status, name === "html-bad-gateway" ? 502 : 429);
    });
  }
  for (const [name, type] of Object.entries(members)) {
    for (const [suffix, deltas] of [["", 0], ["-late", 3]]) {
      await test(`stream-${name}${suffix}`, async () => {
        const events = [];
        const error = await failure(stream(client, `sim.stream-${name}${suffix}`, events));
        assert.equal(error.name, type);
        assert.equal(events.filter((event) => event.contentBlockDelta).length, deltas);
      });
    }
  }
  for (const [name, type] of Object.entries({ ...members, "model-timeout": "ModelTimeoutException" })) {
    await test(`stream-${name}-late of chunks`, async () => {
      const chunks = [];
      const error = await failure(invokeStream(client, `sim.stream-${name}-late`, claude, chunks));
      assert.equal(error.name, type);
      assert.equal(chunks.filter((chunk) => chunk.type === "content_block_delta").length, 3);
    });
  }
  await test("chunks that are cut", async () => {
    assert.ok((await failure(invokeStream(client, "sim.cut-mid-frame"))) instanceof Error);
    const chunks = await invokeStream(client, "sim.end-without-message-stop");
    assert.ok(chunks.every((chunk) => chunk.type !== "message_stop"));
  });
  for (const name of ["stream-unmodelled", "cut-mid-frame", "cut-between-frames", "reset-before-headers", "corrupt-crc", "garbage-from-start", "json-instead-of-stream"]) {
    await test(name, async () => {
      const error = await failure(stream(client, `sim.${name}`));
      assert.ok(error instanceof Error);
    });
  }
  for (const name of ["slow-headers", "slow-first-event", "slow-first-delta", "pause", "trickle", "unknown-event", "duplicate-stop", "text-after-stop", "usage-negative"]) {
    await test(name, async () => assert.equal(textOf(await stream(client, `sim.${name}`)), text));
  }
  await test("reset-mid-stream", async () => {
    const events = [];
    // Over HTTP/1.1 the reset is thrown; over HTTP/2 the stream just ends. A reset discards
    // what the client has not read yet, so how many events it saw is chance.
    let failed = false;
    await stream(client, "sim.reset-mid-stream", events).catch(() => { failed = true; });
    assert.ok(events.every((event) => !event.messageStop));
    assert.ok(failed || protocol === "h2", "over HTTP/1.1 the reset is thrown");
  });
  await test("a stall that the client ends", async () => {
    const events = [];
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 300);
    // Over HTTP/1.1 the abort is thrown; over HTTP/2 the stream just ends.
    await stream(client, "sim.stall", events, abort.signal).catch(() => {});
    clearTimeout(timer);
    assert.equal(events.filter((event) => event.contentBlockDelta).length, 3);
  });
  await test("stop reasons", async () => {
    for (const reason of reasons) {
      assert.equal((await converse(client, `sim.stop-${reason}`)).stopReason, reason.replaceAll("-", "_"));
    }
  });
  await test("empty and early", async () => {
    assert.deepEqual((await converse(client, "sim.empty-content")).output.message.content, []);
    assert.equal(textOf(await stream(client, "sim.empty-text")), "");
    assert.ok((await stream(client, "sim.end-without-message-stop")).every((event) => !event.messageStop));
    assert.ok((await stream(client, "sim.end-without-metadata")).at(-1).messageStop);
    assert.equal((await converse(client, "sim.empty-json")).output, undefined);
  });
  await test("reasoning", async () => {
    const content = (await converse(client, "sim.reasoning")).output.message.content;
    assert.ok(content[0].reasoningContent.reasoningText.signature);
    assert.equal(content[1].text, text);
    const deltas = (await stream(client, "sim.gpt-oss-order")).flatMap((event) => event.contentBlockDelta ?? []);
    assert.deepEqual(deltas[0], { contentBlockIndex: 0, delta: { text: "" } });
    assert.equal(deltas.at(-1).contentBlockIndex, 2);
  });
}

for (const client of Object.values(clients)) client.destroy();
console.log(`js on node ${process.version}: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
