// In a browser: the example page, and the polyfill as a page gets it, from a service of another origin.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { at, code } from "./recipes.mjs";
import { API, TEXT, everyModel, modelCalls, pause, reset, wholeAnswer } from "./service.mjs";

const executablePath = process.env.REDRAFT_CHROMIUM;
const here = (file) => new URL(file, import.meta.url);

/** The harness of the web platform's tests, and the web's interfaces, as they are published. */
function harness(path) {
  const [, folder, name] = path.match(/^\/(resources|interfaces)\/([\w-]+\.(?:js|idl))$/) ?? [];
  if (!folder) return [];
  const file = { resources: "node_modules/wpt-runner/testharness", interfaces: "node_modules/@webref/idl" }[folder];
  return [folder === "resources" ? "text/javascript" : "text/plain", readFileSync(here(`${file}/${name}`), "utf8")];
}

describe("pages", { skip: executablePath ? false : "there is no Chromium" }, () => {
  let server, origin, folder, browser;

  before(async () => {
    const page = (await readFile(here("../../examples/clients/page.html"), "utf8")).replaceAll("http://127.0.0.1:8080", API);
    const snippet = (heading) => `<!doctype html><title>${heading}</title><output></output><script type="module">
      const output = document.querySelector("output"), article = ${JSON.stringify(TEXT)};
      ${at(API, code(heading))}
      document.title = "Done";</script>`;
    const files = {
      "/client.html": ["text/html", snippet("client.js")],
      "/polyfill.html": ["text/html", snippet("polyfill.js")],
      "/idl.html": ["text/html", await readFile(here("idl.html"), "utf8")],
      "/page.html": ["text/html", page],
      "/empty.html": ["text/html", "<!doctype html><title>Empty</title>"],
      "/interfaces.mjs": ["text/javascript", await readFile(here("interfaces.mjs"), "utf8")],
    };
    server = createServer(({ url }, response) => {
      const [path] = url.split("?");
      const [type, text] = files[path] ?? harness(path);
      response.writeHead(type ? 200 : 404, { "content-type": `${type ?? "text/plain"}; charset=utf-8` }).end(text);
    });
    await new Promise((go) => server.listen(0, "127.0.0.1", go));
    origin = `http://127.0.0.1:${server.address().port}`;
    folder = await mkdtemp(join(tmpdir(), "redraft-chromium-"));
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
    browser = await chromium.launchPersistentContext(folder, {
      executablePath,
      args: [...args, "--disable-component-update", "--disable-sync"],
    });
  });

  after(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  beforeEach(reset);

  async function open(path, setUp = () => {}) {
    const page = await browser.newPage();
    await page.addInitScript(setUp);
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(origin + path);
    return { page, errors };
  }

  test("the example shows the whole text", async () => {
    const { page, errors } = await open("/page.html");
    await page.fill("#text", TEXT);
    await page.click("text=Summarize >> nth=-1");
    await page.waitForFunction(() => document.querySelector("#status").textContent.startsWith("Done by"));
    const whole = await wholeAnswer("summarize", { text: TEXT, type: "tldr", format: "plain-text" });
    assert.equal(await page.textContent("#summary"), whole);
    assert.deepEqual(errors, []);
    await page.close();
  });

  test("the example says when the text is not whole, and stops when it is told to", async () => {
    const { page, errors } = await open("/page.html");
    await page.fill("#text", TEXT);
    await everyModel("cut-mid-frame");
    await page.click("text=Summarize >> nth=-1");
    await page.waitForFunction(() => document.querySelector("#status").textContent.includes("not all"));
    assert.ok((await page.textContent("#summary")).length > 0);
    assert.equal((await modelCalls()).length, 1);
    await reset();
    await everyModel("stall");
    await page.click("text=Summarize >> nth=-1");
    await page.waitForFunction(() => document.querySelector("#summary").textContent.length > 0);
    await page.click("#stop");
    await page.waitForFunction(() => document.querySelector("#status").textContent === "Stopped");
    for (let tries = 0; (await modelCalls())[0].outcome.kind !== "client-gone"; tries++) {
      assert.ok(tries < 100, "the call of the model goes on");
      await pause(20);
    }
    assert.deepEqual(errors, []);
    await page.close();
  });

  test("the modules do what docs/CLIENTS.md begins with", async () => {
    const table = [["/client.html", { type: "tldr", output_language: "de" }], ["/polyfill.html", { type: "tldr", output_language: "en" }]];
    for (const [path, options] of table) {
      // As a browser that has no such interface: this one may have it, and no model for it.
      const { page, errors } = await open(path, () => delete globalThis.Summarizer);
      await page.waitForFunction(() => document.title === "Done").catch(() => assert.fail(`${path}: ${errors}`));
      assert.equal(await page.textContent("output"), await wholeAnswer("summarize", { text: TEXT, ...options }));
      assert.deepEqual(errors, []);
      await page.close();
    }
  });

  test("the polyfill passes the web platform's own interface tests", async () => {
    const { page } = await open(`/idl.html?${encodeURIComponent(API)}`);
    await page.waitForFunction(() => globalThis.results);
    const { harness, tests } = await page.evaluate(() => globalThis.results);
    assert.equal(harness, 0);
    assert.deepEqual(tests.filter(({ status }) => status !== 0), []);
    for (const name of ["Summarizer", "Writer", "Rewriter", "CreateMonitor"]) {
      assert.ok(tests.some((test) => test.name.startsWith(`${name} interface: `)), name);
    }
    assert.ok(tests.length > 100, `${tests.length} tests`);
    await page.close();
  });

  test("the polyfill has the interfaces of the draft, and works", async () => {
    const { page, errors } = await open("/empty.html");
    const whole = await wholeAnswer("summarize", { text: TEXT, type: "tldr" });
    const seen = await page.evaluate(async ({ api, text }) => {
      const native = ["Summarizer", "Writer", "Rewriter"].filter((name) => name in globalThis);
      const before = globalThis.Summarizer;
      const polyfill = await import(`${api}/polyfill.js`);
      const kept = native.includes("Summarizer") ? globalThis.Summarizer === before : globalThis.Summarizer === polyfill.Summarizer;
      polyfill.install({ force: true });
      const { checkInterface, interfaces } = await import("/interfaces.mjs");
      const wrong = [];
      for (const [name, members] of Object.entries(interfaces)) {
        wrong.push(...(await checkInterface(globalThis, name, members, await globalThis[name].create())));
      }
      const progress = [];
      const monitor = (m) => m.addEventListener("downloadprogress", (event) => progress.push([event instanceof ProgressEvent, event.loaded, event.total]));
      const summarizer = await Summarizer.create({ type: "tldr", monitor });
      const chunks = [];
      const reader = summarizer.summarizeStreaming(text).getReader();
      for (let read; !(read = await reader.read()).done; ) chunks.push(read.value);
      const failure = (promise) => promise.then(() => null, (error) => ({ name: error.name, requested: error.requested, quota: error.quota, isDom: error instanceof DOMException }));
      const aborted = new AbortController();
      const promise = failure(summarizer.summarize(text, { signal: aborted.signal }));
      aborted.abort();
      return {
        native,
        kept,
        wrong,
        progress,
        availability: await Summarizer.availability(),
        whole: await summarizer.summarize(text),
        chunks,
        measured: await summarizer.measureInputUsage(text),
        quota: summarizer.inputQuota,
        tooLong: await failure(summarizer.summarize(text.repeat(2000))),
        aborted: await promise,
        destroyed: (summarizer.destroy(), await failure(summarizer.summarize(text))),
      };
    }, { api: API, text: TEXT });
    assert.deepEqual(seen.wrong, []);
    assert.ok(seen.kept);
    assert.equal(seen.availability, "available");
    assert.equal(seen.whole, whole);
    assert.equal(seen.chunks.join(""), whole);
    assert.deepEqual(seen.progress, [[true, 0, 1], [true, 1, 1]]);
    assert.ok(seen.measured > 0 && seen.quota > seen.measured);
    assert.equal(seen.tooLong.name, "QuotaExceededError");
    assert.ok(seen.tooLong.isDom && seen.tooLong.requested > seen.tooLong.quota);
    assert.deepEqual([seen.aborted.name, seen.destroyed.name], ["AbortError", "AbortError"]);
    assert.deepEqual(errors, []);
    await page.close();
  });

  test("a browser's own interfaces are left, unless `force` is asked for", async () => {
    const { page } = await open("/empty.html");
    const seen = await page.evaluate(async (api) => {
      const own = class Summarizer {};
      globalThis.Summarizer = own;
      await import(`${api}/polyfill.js?kept`);
      const kept = globalThis.Summarizer === own;
      const { Summarizer: ours } = await import(`${api}/polyfill.js?force`);
      return { kept, forced: globalThis.Summarizer === ours, writer: typeof Writer };
    }, API);
    assert.deepEqual(seen, { kept: true, forced: true, writer: "function" });
    await page.close();
  });
});
