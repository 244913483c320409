// What stands in `examples/clients`, run as its reader would run it. The page is in `pages.test.mjs`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, test } from "node:test";
import { build } from "esbuild";
import { JSDOM } from "jsdom";
import { API, TEXT, billedCalls, everyModel, gateway, modelCalls, reset, wholeAnswer } from "./service.mjs";

const example = (name) => fileURLToPath(new URL(`../../examples/clients/${name}`, import.meta.url));

/** Runs a program to its end. */
function run(command, args, { input = "", api = API } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, REDRAFT_API: api, PYTHONDONTWRITEBYTECODE: "1" } });
    const told = { out: "", err: "" };
    child.stdout.on("data", (bytes) => (told.out += bytes));
    child.stderr.on("data", (bytes) => (told.err += bytes));
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...told, code }));
    child.stdin.end(input);
  });
}

/** React waits by one of these; Node's own would keep the process alive. */
class Channel {
  port1 = {};
  port2 = { postMessage: () => setImmediate(() => this.port1.onmessage?.()) };
}

beforeEach(reset);

describe("curl", () => {
  test("asks in four ways", async () => {
    const { out, err, code } = await run("bash", [example("curl.sh")]);
    assert.equal(code, 0, err);
    const [, json, events, text, file] = out.split(/^# .*\n/m);
    const answer = JSON.parse(json);
    assert.equal(answer.finish_reason, "stop");
    assert.match(events, /^event: start$/m);
    assert.match(events, /^event: done$/m);
    assert.equal(text.trim(), answer.text);
    assert.ok(file.trim().length > 20);
    assert.equal((await modelCalls()).length, 4);
  });

  test("fails when the request is refused, and sends it once", async (t) => {
    await everyModel("throttling");
    const entrance = await gateway();
    t.after(() => entrance.close());
    const { code } = await run("bash", [example("curl.sh")], { api: entrance.api });
    assert.equal(code, 22);
    assert.equal(entrance.posts, 1);
  });
});

describe("Python", { skip: process.env.REDRAFT_PYTHON ? false : "there is no python3" }, () => {
  const python = (args, options) => run(process.env.REDRAFT_PYTHON, [example("summarize.py"), ...args], options);

  for (const args of [[], ["--stream"]]) {
    const way = args[0] ?? "JSON";
    test(`${way}: gives the whole text`, async () => {
      const { out, err, code } = await python(args, { input: TEXT });
      assert.equal(code, 0, err);
      assert.equal(out.trimEnd(), await wholeAnswer("summarize", { text: TEXT, type: "tldr" }));
    });

    test(`${way}: a refusal, a failure and a cut are errors, and nothing is sent twice`, async (t) => {
      const entrance = await gateway();
      t.after(() => entrance.close());
      const fails = async (input, pattern) => {
        entrance.posts = 0;
        const { err, code } = await python(args, { input, api: entrance.api });
        assert.equal(code, 1, err);
        assert.match(err, pattern);
        assert.equal(entrance.posts, 1);
      };
      await fails(" ", /validation_failed/);
      assert.equal((await modelCalls()).length, 0);
      await everyModel("throttling");
      await fails(TEXT, /model_capacity/);
      assert.equal((await billedCalls()).length, 0);
      await everyModel("cut-mid-frame");
      // The answer in one piece asks every model; those that throttled a moment ago are spared.
      await fails(TEXT, /upstream|model_capacity/);
      await reset();
      entrance.cutAfterBytes = 600;
      await fails(TEXT, /network_error|stream_cut/);
      assert.equal((await modelCalls()).length, 1);
    });
  }
});

for (const version of [5, 6, 7]) {
  describe(`React with useCompletion of ai ${version}`, () => {
    /** The component in a page, with what its user does. */
    async function shown(api) {
      const { window } = new JSDOM("<main></main>", { url: "http://page.test/", pretendToBeVisual: true });
      // What React and the hook look for; requests go through Node's own `fetch`.
      const { document, navigator } = window;
      const globals = { window, document, navigator, MessageChannel: Channel, IS_REACT_ACT_ENVIRONMENT: true };
      for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
      const source = `export { act, createElement } from "react";
        export { createRoot } from "react-dom/client";
        export { Summary } from ${JSON.stringify(example("Summary.jsx"))};`;
      const bundle = join(tmpdir(), `redraft-react-${version}-${process.pid}.mjs`);
      await build({
        stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
        alias: { "@ai-sdk/react": `@ai-sdk/react${version}` },
        nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
        jsx: "automatic",
        bundle: true,
        outfile: bundle,
        format: "esm",
        platform: "browser",
        define: { "process.env.NODE_ENV": '"development"' },
        logLevel: "error",
      });
      const { act, createElement, createRoot, Summary } = await import(bundle);
      await rm(bundle);
      const main = window.document.querySelector("main");
      const root = createRoot(main);
      await act(async () => root.render(createElement(Summary, { api: `${api}/v1/summarize` })));
      const output = () => main.querySelector("output").textContent;
      const alert = () => main.querySelector("[role=alert]")?.textContent;
      return {
        output,
        alert,
        async submit(text) {
          const area = main.querySelector("textarea");
          await act(async () => {
            Object.getOwnPropertyDescriptor(window.HTMLTextAreaElement.prototype, "value").set.call(area, text);
            area.dispatchEvent(new window.Event("input", { bubbles: true }));
          });
          await act(async () => main.querySelector("button").click());
          for (let waits = 0; main.querySelector("output").getAttribute("aria-busy") === "true"; waits++) {
            assert.ok(waits < 300, "it does not end");
            await act(async () => new Promise((go) => setTimeout(go, 20)));
          }
        },
        async leave() {
          await act(async () => root.unmount());
          window.close();
        },
      };
    }

    test("shows the whole text, and says so when it is not whole", async (t) => {
      const entrance = await gateway();
      t.after(() => entrance.close());
      const page = await shown(entrance.api);
      t.after(() => page.leave());
      await page.submit(TEXT);
      assert.equal(page.alert(), undefined);
      assert.equal(page.output(), await wholeAnswer("summarize", { text: TEXT, type: "tldr" }));
      assert.equal(entrance.posts, 1);

      await page.submit(" ");
      assert.match(page.alert(), /^The summary is not complete\. .*is empty/);
      await everyModel("throttling");
      await page.submit(TEXT);
      assert.match(page.alert(), /busy/);
      await reset();
      await everyModel("cut-mid-frame");
      entrance.posts = 0;
      await page.submit(TEXT);
      assert.match(page.alert(), /no usable answer/);
      assert.equal(entrance.posts, 1);
      assert.equal((await modelCalls()).length, 1);

      await reset();
      entrance.cutAfterBytes = 700;
      await page.submit(TEXT);
      assert.match(page.alert(), /not complete/);
      assert.equal((await modelCalls()).length, 1);
    });
  });
}
