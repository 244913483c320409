// Published clients, used as docs/CLIENTS.md says, against the service: on a good run, on one that is refused, on one
// whose models fail before their first word, on one whose model breaks off, and on one whose connection does.
// No client may take a cut answer for a whole one, nor post again by itself more than once.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as react5 from "@ai-sdk/react5";
import * as react6 from "@ai-sdk/react6";
import * as react7 from "@ai-sdk/react7";
import * as ai5 from "ai5";
import * as ai6 from "ai6";
import * as ai7 from "ai7";
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { createEventSource } from "eventsource-client";
import { EventSourceParserStream } from "eventsource-parser/stream";
import OpenAI from "openai";
import { TEXT, billedCalls, everyModel, gateway, modelCalls, pause, reset, wholeAnswer } from "./service.mjs";
import { client } from "../../src/http/clients/client.js";

// What fetch-event-source takes from a page.
globalThis.window ??= globalThis;
globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };

const JSON_TYPE = { "content-type": "application/json" };

/** The longest time after which one of these clients would post again by itself. */
const REPOST_MS = 3500;

/** Each takes an address and a text, and gives the text of a whole answer, or throws. */
const clients = {
  "client.js": (api, text) => client({ baseUrl: api }).summarize(text).text(),

  "@microsoft/fetch-event-source": async (api, text) => {
    let answer = "";
    let whole = false;
    await fetchEventSource(`${api}/v1/summarize`, {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify({ text }),
      openWhenHidden: true,
      async onopen(response) {
        if (!response.ok) throw Object.assign(new Error("refused"), await response.json());
      },
      onmessage({ data }) {
        if (!data) return;
        const event = JSON.parse(data);
        if (event.type === "delta") answer += event.text;
        if (event.type === "error") throw Object.assign(new Error(event.detail), event);
        if (event.type === "done") whole = event.finish_reason === "stop";
      },
      onclose() {
        if (!whole) throw new Error("cut");
      },
      onerror(error) {
        throw error;
      },
    });
    return answer;
  },

  "eventsource-client": (api, text) =>
    new Promise((resolve, reject) => {
      let answer = "";
      const source = createEventSource({
        url: `${api}/v1/summarize`,
        method: "POST",
        headers: JSON_TYPE,
        body: JSON.stringify({ text }),
        async fetch(url, init) {
          const response = await fetch(url, init);
          if (response.ok) return response;
          const refused = Object.assign(new Error("refused"), await response.json());
          source.close();
          reject(refused);
          throw refused;
        },
        onMessage({ data }) {
          const event = JSON.parse(data);
          if (event.type === "delta") answer += event.text;
          if (event.type !== "done" && event.type !== "error") return;
          source.close();
          if (event.finish_reason === "stop") resolve(answer);
          else reject(Object.assign(new Error("not whole"), event));
        },
        onScheduleReconnect() {
          source.close();
          reject(new Error("cut"));
        },
      });
    }),

  "eventsource-parser": async (api, text) => {
    const response = await fetch(`${api}/v1/summarize`, {
      method: "POST",
      headers: { ...JSON_TYPE, accept: "text/event-stream" },
      body: JSON.stringify({ text }),
    });
    if (!response.ok) throw Object.assign(new Error("refused"), await response.json());
    let answer = "";
    for await (const { data } of response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
      const event = JSON.parse(data);
      if (event.type === "delta") answer += event.text;
      if (event.type === "error") throw Object.assign(new Error(event.detail), event);
      if (event.type === "done" && event.finish_reason === "stop") return answer;
    }
    throw new Error("cut");
  },

  "openai, as a stream": async (api, text) => {
    const openai = new OpenAI({ baseURL: `${api}/v1`, apiKey: "none", maxRetries: 1 });
    const messages = [{ role: "user", content: text }];
    const stream = await openai.chat.completions.create({ model: "redraft/summarize", messages, stream: true });
    let answer = "";
    let reason = null;
    for await (const { choices } of stream) {
      answer += choices[0]?.delta.content ?? "";
      reason = choices[0]?.finish_reason ?? reason;
    }
    if (reason !== "stop") throw new Error("cut");
    return answer;
  },

  "openai, at once": async (api, text) => {
    const openai = new OpenAI({ baseURL: `${api}/v1`, apiKey: "none", maxRetries: 1 });
    const messages = [{ role: "user", content: text }];
    const completion = await openai.chat.completions.create({ model: "redraft/summarize", messages });
    const [{ message, finish_reason }] = completion.choices;
    if (finish_reason !== "stop") throw new Error("cut");
    return message.content;
  },
};

for (const [version, [ai, react]] of Object.entries({ 5: [ai5, react5], 6: [ai6, react6], 7: [ai7, react7] })) {
  // What the hook `useCompletion` does; `examples.test.mjs` runs the hook itself.
  const completion = (path, streamProtocol) => (api, prompt) =>
    new Promise((resolve, reject) => {
      const nothing = () => {};
      const states = { setCompletion: nothing, setLoading: nothing, setError: nothing, setAbortController: nothing };
      const onFinish = (_prompt, answer) => resolve(answer);
      ai.callCompletionApi({ api: api + path, prompt, headers: {}, body: {}, streamProtocol, onFinish, onError: reject, ...states });
    });
  clients[`ai ${version}, useCompletion`] = completion("/v1/summarize", "data");
  clients[`ai ${version}, useCompletion of text`] = completion("/v1/summarize?stream=text", "text");

  clients[`ai ${version}, useChat`] = async (api, text) => {
    const transport = new ai.DefaultChatTransport({
      api: `${api}/v1/summarize`,
      prepareSendMessagesRequest: ({ messages }) => ({ body: { prompt: messages.at(-1).parts[0].text } }),
    });
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
    let posts = 0;
    before(async () => (entrance = await gateway()));
    beforeEach(async () => {
      await reset();
      entrance.posts = 0;
      entrance.cutAfterBytes = Infinity;
    });
    after(() => entrance.close());

    test("a whole answer is the one of JSON", async () => {
      assert.equal(await summarize(entrance.api, TEXT), await wholeAnswer());
      assert.equal(entrance.posts, 1);
      assert.equal((await modelCalls()).length, 2);
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
      if (name === "openai, at once") assert.ok(entrance.posts <= 2);
      else await posted(1);
    });

    test("a connection that breaks off is an error and is paid for once", async () => {
      // Behind the first words.
      entrance.cutAfterBytes = name.includes("text") ? 40 : 700;
      await assert.rejects(summarize(entrance.api, TEXT), told);
      await posted(1);
    });

    test("nothing is posted again later", async () => {
      posts = entrance.posts;
      await pause(/eventsource|event-source/.test(name) ? REPOST_MS : 0);
      assert.equal(entrance.posts, posts);
    });

    async function posted(times) {
      assert.equal(entrance.posts, times);
      assert.equal((await modelCalls()).length, times);
    }
  });
}

function told(error) {
  assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), String(error?.stack ?? error));
  return true;
}
