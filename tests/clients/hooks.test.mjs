// The AI SDK's hooks as docs/CLIENTS.md shows them, in a component: `useCompletion`, and `useObject` with a generator.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { TEXT, billedCalls, everyModel, gateway, modelCalls, reset, wholeAnswer } from "./service.mjs";
import { at, code } from "./recipes.mjs";
import { rendered } from "./react.mjs";

const PRODUCT = { name: "Lumo reading lamp", features: ["warm light", "clips to a book"], output: "json" };

/** A component of one recipe, which tells what it has each time it is rendered. */
const component = (imports, api, recipe, members) => `
  ${imports}
  const seen = globalThis.seen = { finished: [] };
  export function Component() {
    ${at(api, recipe)}
    Object.assign(seen, { ${members} });
    return null;
  }`;

const USE_COMPLETION = 'import { useCompletion } from "@ai-sdk/react";';
const USE_OBJECT = `
  import { experimental_useObject } from "@ai-sdk/react";
  import { z } from "zod";
  const schema = z.object({ headline: z.string(), description: z.string(), highlights: z.array(z.string()) });
  const useObject = (options) => experimental_useObject({ ...options, onFinish: (told) => seen.finished.push(told) });`;

/** Each: what its component is made of, what starts it, what it shows, and what it shows in the end. */
const hooks = {
  useCompletion: {
    source: (api) => component(USE_COMPLETION, api, code("AI SDK", "useCompletion"), "completion, complete, error"),
    start: (seen, input) => seen.complete(input),
    input: TEXT,
    shown: (seen) => seen.completion,
    whole: () => wholeAnswer("summarize", { text: TEXT, type: "tldr" }),
    refused: " ",
  },
  useObject: {
    source: (api) => component(USE_OBJECT, api, code("AI SDK", "useObject"), "object, submit, write, error"),
    start: (seen, input) => (input === PRODUCT ? seen.write() : seen.submit(input)),
    input: PRODUCT,
    shown: (seen) => seen.object,
    whole: async () => JSON.parse(await wholeAnswer("generate/product-description", PRODUCT)),
    refused: { ...PRODUCT, name: "" },
  },
};

for (const version of [5, 6, 7]) {
  for (const [name, { source, start, input, shown, whole, refused }] of Object.entries(hooks)) {
    describe(`${name} of ai ${version}`, () => {
      let entrance, page, seen;

      before(async () => {
        entrance = await gateway();
        page = await rendered(version, source(entrance.api));
        seen = globalThis.seen;
      });
      beforeEach(async () => {
        await reset();
        Object.assign(entrance, { posts: 0, cutAfterBytes: Infinity, isDeaf: false });
        seen.finished.length = 0;
      });
      after(async () => {
        await page.leave();
        entrance.close();
      });

      const run = (given = input) => page.act(() => start(seen, given));

      async function fails(given) {
        await run(given);
        assert.ok(seen.error instanceof Error);
        assert.deepEqual(seen.finished, []);
        assert.equal(entrance.posts, 1);
      }

      test("shows the whole answer", async () => {
        await run();
        assert.equal(seen.error, undefined);
        assert.deepEqual(shown(seen), await whole());
        assert.equal(entrance.posts, 1);
        if (name === "useObject") assert.deepEqual(seen.finished, [{ object: await whole(), error: undefined }]);
      });

      test("has the problem when the request is refused", async () => {
        await fails(refused);
        assert.equal(JSON.parse(seen.error.message).code, "validation_failed");
        assert.equal((await modelCalls()).length, 0);
      });

      test("has an error when no model answers", async () => {
        await everyModel("throttling");
        await fails();
        assert.match(seen.error.message, /model_capacity/);
        assert.equal((await billedCalls()).length, 0);
      });

      test("has an error when a model breaks off, and keeps what had come", async () => {
        await everyModel({ kind: "cut-mid-frame", after_deltas: 2 });
        await fails();
        assert.equal((await modelCalls()).length, 1);
        const cut = shown(seen);
        await reset();
        assert.ok(cut);
        assert.notDeepEqual(cut, await whole());
      });

      test("has an error when the connection breaks", async () => {
        entrance.cutAfterBytes = name === "useObject" ? 40 : 700;
        await fails();
        assert.equal((await modelCalls()).length, 1);
        entrance.posts = 0;
        entrance.isDeaf = true;
        await fails();
      });
    });
  }
}
