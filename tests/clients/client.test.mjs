// `/client.js`: its rules on answers made by hand, then the service itself.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, describe, test } from "node:test";
import { API, TEXT, billedCalls, countingFetch, everyModel, modelCalls, pause, reset, wholeAnswer } from "./service.mjs";
import { client } from "../../src/http/clients/client.js";

const frame = (type, members = {}) => `id: gen_1-0\nevent: ${type}\ndata: ${JSON.stringify({ type, seq: 0, ...members })}\n\n`;
const START = frame("start", { id: "gen_1" });
const DONE = frame("done", { finish_reason: "stop", model: "m" });

/** A 200 whose body arrives in these pieces; `breaks` ends the connection after them. */
function stream(pieces, { breaks = false } = {}) {
  const bytes = pieces.map((piece) => (typeof piece === "string" ? new TextEncoder().encode(piece) : piece));
  const body = new ReadableStream({
    pull(controller) {
      if (bytes.length) return controller.enqueue(bytes.shift());
      return breaks ? controller.error(new TypeError("terminated")) : controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

const problem = (status, members) =>
  new Response(JSON.stringify({ status, detail: "A sentence.", ...members }), {
    status,
    headers: { "content-type": "application/problem+json" },
  });

/** A client whose posts get these answers, one after the other. */
function answering(...answers) {
  const posts = [];
  const send = async (url, init) => {
    posts.push({ url, ...init });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { ...client({ baseUrl: "http://service.test/", fetch: send }), posts };
}

const failure = (code, text) => (error) => {
  assert.equal(error.code, code, error.stack);
  if (text !== undefined) assert.equal(error.text, text);
  return true;
};

describe("by hand", () => {
  test("posts the body once, and gives the events and the text", async () => {
    const { summarize, posts } = answering(
      stream([START, frame("delta", { text: "A b" }), frame("delta", { text: " c." }), frame("usage", { usage: { input_tokens: 3 } }), DONE]),
    );
    const answer = summarize("A text.", { type: "tldr" });
    const types = [];
    for await (const event of answer) types.push(event.type);
    assert.deepEqual(types, ["start", "delta", "delta", "usage", "done"]);
    assert.equal(await answer.text(), "A b c.");
    assert.equal(answer.result.usage.input_tokens, 3);
    assert.equal(answer.result.id, "gen_1");
    assert.equal(posts.length, 1);
    assert.equal(posts[0].url, "http://service.test/v1/summarize");
    assert.equal(posts[0].headers.accept, "text/event-stream");
    assert.deepEqual(JSON.parse(posts[0].body), { text: "A text.", type: "tldr" });
  });

  test("expands bullets and texts, runs any path, adds headers", async () => {
    const answers = () => stream([START, frame("delta", { text: "x" }), DONE]);
    const api = answering(answers(), answers(), answers(), answers());
    await api.expand(["a", "b"], { tone: "formal" }).text();
    await api.expand("a draft").text();
    await api.rephrase("a text").text();
    await api.run("/v1/tasks/translate", { text: "x" }, { headers: { authorization: "Bearer t" } }).text();
    assert.deepEqual(api.posts.map(({ url, body }) => [url.slice(19), JSON.parse(body)]), [
      ["/v1/expand", { bullets: ["a", "b"], tone: "formal" }],
      ["/v1/expand", { text: "a draft" }],
      ["/v1/rephrase", { text: "a text" }],
      ["/v1/tasks/translate", { text: "x" }],
    ]);
    assert.equal(api.posts[3].headers.authorization, "Bearer t");
  });

  test("reads frames that are cut anywhere, with heartbeats between", async () => {
    const bytes = new TextEncoder().encode(`: hb\n${START}: hb\n${frame("delta", { text: "Größe 日本語 \u2028 \ud83c\udf75" })}: hb\n${DONE}`);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const pieces = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
      assert.equal(await answering(stream(pieces)).summarize("x").text(), "Größe 日本語 \u2028 \ud83c\udf75");
    }
  });

  test("a stream without its end is an error, however it ends, and is not posted again", async () => {
    const pieces = [START, frame("delta", { text: "Half" })];
    for (const [breaks, code] of [[false, "stream_cut"], [true, "network_error"]]) {
      const api = answering(stream(pieces, { breaks }));
      const answer = api.summarize("x");
      await assert.rejects(answer.text(), failure(code, "Half"));
      await assert.rejects(answer.text(), failure(code, "Half"));
      await assert.rejects(async () => {
        for await (const _ of answering(stream(pieces, { breaks })).summarize("x"));
      }, failure(code, "Half"));
      assert.equal(api.posts.length, 1);
    }
    // A page of a proxy is no answer either.
    await assert.rejects(answering(new Response("<html>Sign in</html>")).summarize("x").text(), failure("stream_cut", ""));
    await assert.rejects(answering(new Response(null)).summarize("x").text(), failure("network_error", ""));
  });

  test("what breaks after the end spoils nothing", async () => {
    const answer = answering(stream([START, frame("delta", { text: "All." }), DONE], { breaks: true })).summarize("x");
    assert.equal(await answer.text(), "All.");
  });

  test("the event error is thrown, and is not posted again", async () => {
    const error = frame("error", { code: "model_capacity", status: 503, retryable: true, partial: true, detail: "Busy." });
    const api = answering(stream([START, frame("delta", { text: "Half" }), error]));
    const seen = [];
    await assert.rejects(async () => {
      for await (const event of api.summarize("x")) seen.push(event.type);
    }, (thrown) => failure("model_capacity", "Half")(thrown) && thrown.partial && thrown.retryable && thrown.message === "Busy.");
    assert.deepEqual(seen, ["start", "delta"]);
    assert.equal(api.posts.length, 1);
  });

  test("a text that ended early is not a whole one", async () => {
    for (const finish_reason of ["length", "content_filter", "other"]) {
      const answer = answering(stream([START, frame("delta", { text: "Half" }), frame("done", { finish_reason })])).summarize("x");
      await assert.rejects(answer.text(), failure(finish_reason, "Half"));
    }
  });

  test("a reset voids what came before it", async () => {
    const pieces = [START, frame("delta", { text: "Old" }), frame("reset", { discarded_chars: 3 }), frame("delta", { text: "New" }), DONE];
    assert.equal(await answering(stream(pieces)).summarize("x", { on_failover: "restart" }).text(), "New");
  });

  test("what was refused before a model was asked is posted again, as often as is allowed", async () => {
    const refused = () => problem(503, { code: "overloaded", retryable: true, retry_after_ms: 1 });
    const whole = () => stream([START, frame("delta", { text: "All." }), DONE]);
    const patient = answering(refused(), problem(429, { code: "rate_limited", retryable: true, retry_after_ms: 1 }), whole());
    assert.equal(await patient.summarize("x").text(), "All.");
    assert.equal(patient.posts.length, 3);
    const tired = answering(refused(), refused(), refused(), whole());
    await assert.rejects(tired.summarize("x").text(), failure("overloaded"));
    assert.equal(tired.posts.length, 3);
    const never = answering(refused(), whole());
    await assert.rejects(never.run("/v1/summarize", { text: "x" }, { retries: 0 }).text(), failure("overloaded"));
    assert.equal(never.posts.length, 1);
  });

  test("nothing else is posted again", async () => {
    const answers = [
      new TypeError("fetch failed"),
      problem(503, { code: "model_capacity", retryable: true, retry_after_ms: 1, attempts: [{ model: "m" }] }),
      problem(503, { code: "overloaded", retryable: true, retry_after_ms: 60000 }),
      problem(503, { code: "upstream_auth", retryable: false }),
      problem(500, { code: "internal", retryable: true, retry_after_ms: 1 }),
      problem(502, { code: "upstream_error", retryable: true, retry_after_ms: 1 }),
      problem(504, { code: "upstream_timeout", retryable: true, retry_after_ms: 1 }),
      problem(422, { code: "validation_failed", retryable: false }),
      new Response("<html>Bad gateway</html>", { status: 503 }),
    ];
    for (const answer of answers) {
      const api = answering(answer, stream([START, DONE]));
      const status = answer.status;
      await assert.rejects(api.summarize("x").text(), (error) => error.status === status && typeof error.code === "string");
      assert.equal(api.posts.length, 1, String(status));
    }
  });

  test("aborting gives the reason: before, while waiting, and in mid-stream", async () => {
    const reason = new Error("no longer needed");
    const endless = () => (_url, { signal }) => {
      signal.throwIfAborted();
      return stream([START, frame("delta", { text: "Half" })].concat(Array(1000).fill(": hb\n")));
    };
    const before = client({ baseUrl: "http://service.test", fetch: async (...given) => endless()(...given) });
    await assert.rejects(before.summarize("x", { signal: AbortSignal.abort(reason) }).text(), (error) => error === reason);

    const waiting = answering(problem(503, { code: "overloaded", retryable: true, retry_after_ms: 9000 }), stream([START, DONE]));
    const waits = waiting.summarize("x");
    setTimeout(() => waits.abort(reason), 20);
    const began = Date.now();
    await assert.rejects(waits.text(), (error) => error === reason);
    assert.ok(Date.now() - began < 5000);
    assert.equal(waiting.posts.length, 1);
  });

  test("a reader that leaves ends the request, and has no whole text", async () => {
    const api = answering(stream([START, frame("delta", { text: "One " }), frame("delta", { text: "two." }), DONE]));
    const answer = api.summarize("x");
    for await (const event of answer) if (event.type === "delta") break;
    assert.ok(api.posts[0].signal.aborted);
    await assert.rejects(answer.text(), failure("stopped", "One "));
    assert.equal(api.posts.length, 1);
  });
});

describe("the service", () => {
  beforeEach(reset);

  test("serves this very file", async () => {
    for (const file of ["client.js", "polyfill.js"]) {
      const served = await fetch(`${API}/${file}`);
      assert.equal(served.headers.get("content-type"), "text/javascript; charset=utf-8");
      assert.equal(await served.text(), await readFile(new URL(`../../src/http/clients/${file}`, import.meta.url), "utf8"));
    }
  });

  test("a text is the same as in JSON", async () => {
    const { summarize, rephrase, expand } = client({ baseUrl: API });
    const answer = summarize(TEXT, { type: "tldr" });
    assert.equal(await answer.text(), await wholeAnswer("summarize", { text: TEXT, type: "tldr" }));
    assert.ok(answer.result.usage.output_tokens > 0);
    assert.equal(await rephrase(TEXT).text(), await wholeAnswer("rephrase"));
    assert.equal(await expand(["a ferry", "at nine"]).text(), await wholeAnswer("expand", { bullets: ["a ferry", "at nine"] }));
    const { run } = client({ baseUrl: API });
    const topic = "Reading aloud";
    assert.equal(await run("/v1/generate/blog-post", { topic }).text(), await wholeAnswer("generate/blog-post", { topic }));
  });

  test("a request that is refused costs nothing", async () => {
    const fetch = countingFetch();
    await assert.rejects(client({ baseUrl: API, fetch }).summarize(" ").text(), failure("validation_failed", ""));
    assert.equal(fetch.posts, 1);
    assert.equal((await modelCalls()).length, 0);
  });

  test("models that fail before their first word are asked once each, by one post", async () => {
    await everyModel("throttling");
    const fetch = countingFetch();
    await assert.rejects(client({ baseUrl: API, fetch }).summarize(TEXT).text(), failure("model_capacity", ""));
    assert.equal(fetch.posts, 1);
    assert.equal((await billedCalls()).length, 0);
  });

  test("a model that breaks off in mid-stream is paid for once", async () => {
    await everyModel("cut-mid-frame");
    const fetch = countingFetch();
    await assert.rejects(client({ baseUrl: API, fetch }).summarize(TEXT).text(), (error) => {
      assert.ok(error.partial && error.text.length > 0 && error.status >= 500, error.stack);
      return true;
    });
    assert.equal(fetch.posts, 1);
    assert.equal((await modelCalls()).length, 1);
  });

  test("stop ends the call of the model", async () => {
    await everyModel("stall");
    const answer = client({ baseUrl: API }).summarize(TEXT);
    const began = Date.now();
    await assert.rejects(async () => {
      for await (const event of answer) if (event.type === "delta") answer.abort();
    }, { name: "AbortError" });
    assert.ok(Date.now() - began < 5000);
    for (let tries = 0; ; tries++) {
      const [call] = await modelCalls();
      if (call.outcome.kind === "client-gone") break;
      assert.ok(tries < 100, JSON.stringify(call));
      await pause(20);
    }
  });
});
