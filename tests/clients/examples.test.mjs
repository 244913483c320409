// What stands in `examples/clients`, run as its reader would run it. The page is in `pages.test.mjs`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, test } from "node:test";
import { API, TEXT, billedCalls, chain, everyModel, gateway, modelCalls, reset, wholeAnswer } from "./service.mjs";
import { rendered } from "./react.mjs";

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
      await reset();
      await everyModel("cut-mid-frame");
      await fails(TEXT, /upstream_bad_response/);
      // Of an answer in one piece nothing has been told, so the service asks the next models, too.
      assert.equal((await modelCalls()).length, args.length ? 1 : (await chain()).length);
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
      const source = `export { Summary as Component } from ${JSON.stringify(example("Summary.jsx"))};`;
      const { window, main, act, until, leave } = await rendered(version, source, { api: `${api}/v1/summarize` });
      return {
        leave,
        output: () => main.querySelector("output").textContent,
        alert: () => main.querySelector("[role=alert]")?.textContent,
        async submit(text) {
          const area = main.querySelector("textarea");
          await act(() => {
            Object.getOwnPropertyDescriptor(window.HTMLTextAreaElement.prototype, "value").set.call(area, text);
            area.dispatchEvent(new window.Event("input", { bubbles: true }));
          });
          await act(() => main.querySelector("button").click());
          await until(() => main.querySelector("output").getAttribute("aria-busy") === "false");
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
