// Published clients, used as docs/CLIENTS.md says, against the service: on good runs, on one that is refused, on one
// whose models fail before their first word, on one whose model breaks off, and on those whose connection does.
// No client may take a cut answer for a whole one, nor post again by itself more than once.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as react500 from "@ai-sdk/react5.0.0";
import * as react5 from "@ai-sdk/react5";
import * as react6 from "@ai-sdk/react6";
import * as react7 from "@ai-sdk/react7";
import * as ai500 from "ai5.0.0";
import * as ai5 from "ai5";
import * as ai6 from "ai6";
import * as ai7 from "ai7";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { createEventSource } from "eventsource-client";
import { EventSourceParserStream } from "eventsource-parser/stream";
import OpenAI from "openai";
import { code, run } from "./recipes.mjs";
import { API, TEXT, billedCalls, everyModel, firstModel, gateway, modelCalls, pause, reset, wholeAnswer } from "./service.mjs";
import { client } from "../../src/http/clients/client.js";

// What fetch-event-source takes from a page.
globalThis.window ??= globalThis;
globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };

/** The longest time after which one of these clients would post again by itself. */
const REPOST_MS = 3500;

/** Each takes an address and a text, and gives the text of a whole answer, or throws. */
const clients = {
  "client.js": (api, text) => client({ baseUrl: api }).summarize(text).text(),

  "@microsoft/fetch-event-source": (api, article) =>
    run(code("fetch-event-source"), api, { fetchEventSource, article }, "text"),

  "eventsource-client": (api, article) => run(code("eventsource-client"), api, { createEventSource, article }, "text"),

  "eventsource-parser": (api, article) => run(code("eventsource-parser"), api, { EventSourceParserStream, article }, "text"),

  "openai, as a stream": (api, text) =>
    run(code("OpenAI's clients"), api, { OpenAI, messages: [{ role: "user", content: text }] }, "text"),

  "openai, at once": async (api, text) => {
    const openai = new OpenAI({ baseURL: `${api}/v1`, apiKey: "none", maxRetries: 1 });
    const messages = [{ role: "user", content: text }];
    const completion = await openai.chat.completions.create({ model: "redraft/summarize", messages });
    const [{ message, finish_reason }] = completion.choices;
    if (finish_reason !== "stop") throw new Error("cut");
    return message.content;
  },
};

// The first of 5 takes chunks with no members but those that it knows.
const versions = Object.entries({ "5.0.0": [ai500, react500], 5: [ai5, react5], 6: [ai6, react6], 7: [ai7, react7] });

/** What the hook `useCompletion` does; `hooks.test.mjs` and `examples.test.mjs` run the hook itself. */
const completion = (ai, path, streamProtocol, body = {}) => (api, prompt) =>
  new Promise((resolve, reject) => {
    const nothing = () => {};
    const states = { setCompletion: nothing, setLoading: nothing, setError: nothing, setAbortController: nothing };
    const onFinish = (_prompt, answer) => resolve(answer);
    ai.callCompletionApi({ api: api + path, prompt, headers: {}, body, streamProtocol, onFinish, onError: reject, ...states });
  });

for (const [version, [ai, react]] of versions) {
  clients[`ai ${version}, useCompletion`] = completion(ai, "/v1/summarize", "data");
  clients[`ai ${version}, useCompletion of text`] = completion(ai, "/v1/summarize?stream=text", "text");

  clients[`ai ${version}, useChat`] = async (api, text) => {
    const { DefaultChatTransport } = ai;
    const transport = await run(code("AI SDK", "transport"), api, { DefaultChatTransport }, "transport");
    const chat = new react.Chat({ transport });
    await chat.sendMessage({ text });
    if (chat.status !== "ready") throw chat.error;
    const { metadata, parts } = chat.messages.at(-1);
    // The reason is told at the end alone.
    if (metadata?.finish_reason !== "stop") throw new Error("cut");
    assert.ok(metadata.request_id && metadata.model);
    return parts.filter((part) => part.type === "text").map((part) => part.text).join("");
  };
}

for (const [name, summarize] of Object.entries(clients)) {
  describe(name, () => {
    let entrance;
    before(async () => (entrance = await gateway()));
    beforeEach(async () => {
      await reset();
      entrance.posts = 0;
      entrance.cutAfterBytes = Infinity;
      entrance.isPolite = false;
      entrance.isDeaf = false;
    });
    after(() => entrance.close());

    test("a whole answer is the one of JSON", async () => {
      assert.equal(await summarize(entrance.api, TEXT), await wholeAnswer());
      assert.equal(entrance.posts, 1);
      assert.equal((await modelCalls()).length, 2);
    });

    test("an answer of the next model is whole, too", async () => {
      await firstModel("throttling");
      assert.equal(await summarize(entrance.api, TEXT), await wholeAnswer());
      assert.equal(entrance.posts, 1);
    });

    test("an answer that ended at a limit is told as such", async () => {
      await everyModel("stop-max-tokens");
      // The hook `useCompletion` reads no reason, as docs/CLIENTS.md says.
      if (name.includes("useCompletion")) assert.ok(await summarize(entrance.api, TEXT));
      else await assert.rejects(summarize(entrance.api, TEXT), told);
      await posted(1);
    });

    test("a request that is refused is an error and costs nothing", async () => {
      await assert.rejects(summarize(entrance.api, " "), told);
      assert.equal(entrance.posts, 1);
      assert.equal((await modelCalls()).length, 0);
    });

    test("models that fail before the first word are an error and cost nothing", async () => {
      await everyModel("throttling");
      await assert.rejects(summarize(entrance.api, TEXT), told);
      assert.ok(entrance.posts <= 2, `${entrance.posts} posts`);
      assert.equal((await billedCalls()).length, 0);
    });

    test("a model that breaks off is an error, and what was told is paid for once", async () => {
      await everyModel("cut-mid-frame");
      await assert.rejects(summarize(entrance.api, TEXT), told);
      // Nothing of an answer in one piece has been told, so this client may post again; the others have shown words.
      if (name === "openai, at once") assert.ok(entrance.posts <= 2, `${entrance.posts} posts`);
      else await posted(1);
    });

    test("an answer that a proxy ends too early, but in good order, is told as such", async () => {
      entrance.isPolite = true;
      entrance.cutAfterBytes = name.includes("text") ? 40 : 700;
      // The hook `useCompletion` reads no end, as docs/CLIENTS.md says.
      if (name.includes("useCompletion")) assert.notEqual(await summarize(entrance.api, TEXT), await wholeAnswer());
      else await assert.rejects(summarize(entrance.api, TEXT), told);
      assert.equal(entrance.posts, 1);
    });

    test("a connection that breaks off before the answer is an error", async () => {
      entrance.isDeaf = true;
      await assert.rejects(summarize(entrance.api, TEXT), told);
      if (name.startsWith("openai")) assert.equal(entrance.posts, 2);
      else assert.equal(entrance.posts, 1);
      assert.equal((await modelCalls()).length, 0);
    });

    test("a connection that breaks off is an error and is paid for once", async () => {
      // Behind the first words.
      entrance.cutAfterBytes = name.includes("text") ? 40 : 700;
      await assert.rejects(summarize(entrance.api, TEXT), told);
      await posted(1);
    });

    test("nothing is posted again later", async () => {
      await everyModel("cut-mid-frame");
      await assert.rejects(summarize(entrance.api, TEXT), told);
      const { posts } = entrance;
      await pause(/eventsource|event-source/.test(name) ? REPOST_MS : 0);
      assert.equal(entrance.posts, posts);
    });

    async function posted(times) {
      assert.equal(entrance.posts, times);
      assert.equal((await modelCalls()).length, times);
    }
  });
}

test("OpenAI's client, left to its defaults, posts again once what the service refuses", async (t) => {
  const entrance = await gateway();
  t.after(() => entrance.close());
  const openai = new OpenAI({ baseURL: `${entrance.api}/v1`, apiKey: "none" });
  const messages = [{ role: "user", content: TEXT }];
  for (const stream of [false, true]) {
    await reset();
    await everyModel("throttling");
    entrance.posts = 0;
    await assert.rejects(openai.chat.completions.create({ model: "redraft/summarize", messages, stream }), told);
    assert.equal(entrance.posts, 2);
  }
});

// The SDK ends a stream with an error when it meets a chunk that it does not know.
describe("every kind of chunk", () => {
  const parts = { strategy: "map_reduce", include: ["partials"] };
  const long = Array.from({ length: 300 }, (_, n) => `Room ${n} of the library holds ${n * 7} books about boats and bread. `).join("");
  const table = [
    ["summarize", long, parts, ["data-progress", "data-partial", "data-fallback", "data-usage"]],
    ["rephrase", TEXT, { n: 3 }, ["data-suggestion", "data-usage"]],
  ];

  for (const [task, text, options, kinds] of table) {
    test(`${task}: ${kinds.join(", ")}`, async () => {
      await reset();
      await firstModel("throttling");
      const whole = await wholeAnswer(task, { text, ...options });
      const raw = await fetch(`${API}/v1/${task}?stream=ui`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text, ...options }),
      });
      const stream = await raw.text();
      for (const kind of kinds) assert.ok(stream.includes(`"type":"${kind}"`), kind);
      for (const [, [ai]] of versions) assert.equal(await completion(ai, `/v1/${task}`, "data", options)(API, text), whole);
    });
  }
});

function told(error) {
  assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), String(error?.stack ?? error));
  return true;
}
