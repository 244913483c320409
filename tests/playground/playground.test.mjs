// The playground, as somebody uses it. One test per thing that a reader does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { SERVICE, assertAccessible, ended, fault, onPage, runToEnd, shot } from "./browser.mjs";

const TEXT = "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. Visitors may borrow up to ten books at a time. The building cost 12 million euros, and the city paid half of it.";
const capabilities = await (await fetch(`${SERVICE}/v1/capabilities`)).json();
const tasks = capabilities.tasks.map(({ task }) => task).filter((task) => task !== "refine");

const output = (page) => page.innerText("#output");
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const status = (page, pattern) =>
  page.waitForFunction((source) => new RegExp(source, "s").test(document.getElementById("status").textContent), pattern.source);
const setFault = (name) =>
  fetch(`${SERVICE}/playground/fault`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ fault: name }) });

afterEach(() => setFault("none"));

test("there is a tab for each task that the service offers, and each gives an answer", async () => {
  await onPage({}, async (page) => {
    const tabs = await page.$$eval("#tabs [role=tab]", (all) => all.map(({ id }) => id.replace("tab-", "")));
    assert.deepEqual([...tabs].sort(), [...tasks].sort());
    const groups = await page.$$eval("#tabs .begins", (all) => all.map(({ id }) => id.replace("tab-", "")));
    assert.deepEqual(groups, ["blog-post", "extract-action-items"], "generators and the service's own tasks stand apart");
    for (const task of tabs) {
      await page.click(`#tab-${task}`);
      if (!(await page.inputValue("#source"))) await page.click("text=Note");
      await runToEnd(page);
      assert.equal(await page.$("#problem:not([hidden]):not(.mild)"), null, `${task}: ${await page.innerText("#problem")}`);
      assert.ok((await output(page)).length > 20, task);
      assert.match(await page.innerText("#figures"), /Cost/, task);
      assert.match(await page.innerText("#meter"), /tokens/, task);
      assert.equal(await page.getAttribute("#panel", "aria-labelledby"), `tab-${task}`);
      assert.match(page.url(), new RegExp(`#task=${task}`));
      await shot(page, `task-${task}`);
    }
  });
});

test("an answer streams, and tells what it took", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Article");
    await page.waitForFunction(() => /\d+ tokens · ≈ \$0\.\d+/.test(document.getElementById("meter").textContent));
    // The lengths that the answer had on its way.
    await page.evaluate(() => {
      window.lengths = new Set();
      window.busy = new Set();
      new MutationObserver(() => {
        const region = document.getElementById("output");
        window.lengths.add(region.textContent.length);
        window.busy.add(region.getAttribute("aria-busy"));
      }).observe(document.getElementById("output"), { childList: true, subtree: true, characterData: true, attributes: true });
    });
    await runToEnd(page);
    assert.ok((await page.evaluate(() => window.lengths.size)) > 4);
    assert.deepEqual(await page.evaluate(() => [...window.busy]), ["true", "false"]);
    assert.equal(await page.getAttribute("#output", "aria-live"), null);
    assert.ok((await page.$$("#output li")).length >= 2, "Markdown became a list");
    const figures = await page.innerText("#figures");
    for (const word of ["Model", "Time", "First token", "Speed", "tokens/s", "Tokens in", "Tokens out", "Cost", "Request"]) {
      assert.ok(figures.includes(word), `${word} in ${figures}`);
    }
    await status(page, /^Answer: /);
    await page.click("#request-id");
    assert.match(await clipboard(page), /^req_/);
    await page.click("#copy");
    const copied = await clipboard(page);
    assert.match(copied, /^- /);
    await page.click("label:has-text('Raw')");
    assert.equal((await output(page)).trim(), copied.trim());
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    assert.equal(download.suggestedFilename(), "summarize.md");
    assert.equal(readFileSync(await download.path(), "utf8"), copied);
  });
});

test("without streaming the answer appears when it is complete", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Preferences");
    await page.uncheck("#streaming");
    await page.keyboard.press("Escape");
    assert.equal(await page.getAttribute("#preferences", "open"), null);
    await page.click("text=Article");
    await page.evaluate(() => {
      window.lengths = new Set();
      const look = () => window.lengths.add(document.getElementById("output").textContent.length);
      new MutationObserver(look).observe(document.getElementById("output"), { childList: true, subtree: true, characterData: true });
    });
    await runToEnd(page);
    assert.deepEqual((await page.evaluate(() => [...window.lengths])).filter(Boolean).length, 1);
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    assert.equal(await page.isChecked("#streaming"), false, "it is remembered");
  });
});

test("every option is sent as it was chosen, stands in the code and in the address", async () => {
  await onPage({ hash: "#task=rephrase&tone=more-formal&style=no-such-style" }, async (page) => {
    assert.equal(await page.getAttribute("#tab-rephrase", "aria-selected"), "true");
    assert.equal(await page.isChecked("input[name=option-tone][value=more-formal]"), true);
    await page.fill("#source", TEXT);
    await page.click("#options label:has-text('Academic')");
    await page.click("#options label:has-text('Shorter')");
    await page.click("text=More options");
    await page.click("#more-options label:has-text('Plain text')");
    await page.click("#more-options label:has-text('Speed')");
    await page.fill("#option-max_words", "77");
    await page.fill("#option-output_language", "de");
    await page.fill("#option-context", "For the board.");
    await page.click("label:has-text('Go on without')");
    assert.equal(await page.innerText("#more-count"), "(6 set)");
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/rephrase"));
    await page.click("#run");
    const expected = {
      text: TEXT, tone: "more-formal", style: "academic", length: "shorter", format: "plain-text", preference: "speed",
      max_words: 77, output_language: "de", context: "For the board.", on_chunk_error: "skip", on_failover: "restart",
    };
    assert.deepEqual((await asked).postDataJSON(), expected);
    await ended(page);
    const url = page.url();
    for (const pair of ["tone=more-formal", "style=academic", "max_words=77", "output_language=de"]) assert.ok(url.includes(pair), url);
    assert.ok(!url.includes("board") && !url.includes("library"), "the address holds no text");
    for (const [language, words] of [["curl", ["curl -N", "'on_failover'".replaceAll("'", '"')]], ["fetch", ["?stream=text", "for await"]], ["useCompletion", ["useCompletion", '"more-formal"']], ["Python", ["httpx", '"max_words": 77']]]) {
      await page.click(`#languages label:has-text("${language}")`);
      const code = await page.innerText("#code");
      for (const word of [...words, "academic"]) assert.ok(code.includes(word), `${word} in ${code}`);
      await page.click("#copy-code");
      assert.equal((await clipboard(page)).trim(), code.trim());
    }
  });
});

test("changes of a rephrased text are marked word by word", async () => {
  await onPage({ hash: "#task=rephrase&tone=more-formal" }, async (page) => {
    await page.click("text=Note");
    await runToEnd(page);
    await page.click("label:has-text('Changes')");
    assert.ok((await page.$$("#output ins")).length > 2);
    const parts = await page.$$eval("#output .plain", ([node]) => [...node.childNodes].map(({ nodeName, textContent }) => [nodeName, textContent]));
    const without = (name) => parts.filter(([kind]) => kind !== name).map(([, text]) => text).join("").replace(/\s+/g, " ").trim();
    assert.equal(without("INS"), (await page.inputValue("#source")).replace(/\s+/g, " ").trim(), "without what was added it is the text");
    await page.click("#copy");
    assert.equal(without("DEL"), (await clipboard(page)).replace(/\s+/g, " ").trim(), "without what was taken away it is the answer");
    await shot(page, "changes");
  });
});

test("a long document shows its parts at work", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Long report");
    await page.waitForFunction(() => /\d+ parts/.test(document.getElementById("meter").textContent));
    await page.evaluate(() => {
      window.seen = new Set();
      window.stages = new Set();
      const look = () => {
        document.querySelectorAll("#grid span").forEach(({ className }) => window.seen.add(className));
        window.stages.add(document.getElementById("stage").textContent);
      };
      new MutationObserver(look).observe(document.getElementById("work"), { childList: true, subtree: true, attributes: true });
    });
    await page.click("#run");
    await page.waitForSelector("#grid span.started");
    await shot(page, "parts");
    await ended(page);
    const total = (await page.$$("#grid span")).length;
    assert.ok(total > 8, `${total} parts`);
    assert.equal((await page.$$("#grid span.completed")).length, total);
    assert.deepEqual([...(await page.evaluate(() => [...window.seen]))].sort(), ["completed", "started", "waiting"]);
    const stages = await page.evaluate(() => [...window.stages]);
    for (const stage of ["Splitting the text", "Working on the parts", "All parts are in the answer"]) assert.ok(stages.includes(stage), String(stages));
    assert.match(await page.getAttribute("#grid", "aria-label"), new RegExp(`^${total} parts: ${total} done$`));
    assert.equal(await page.innerText("#legend"), `${total} done`);
  });
});

test("Stop and Escape end a run and leave what was written", async () => {
  await onPage({ hash: "#task=rephrase" }, async (page) => {
    await page.click("text=Long report");
    for (const stop of [() => page.click("#stop"), () => page.keyboard.press("Escape")]) {
      await page.click("#run");
      await page.waitForFunction(() => document.getElementById("output").textContent.length > 200);
      await stop();
      await ended(page, 2000);
      assert.match(await page.innerText("#problem"), /Stopped/);
      assert.ok((await output(page)).length > 200);
      assert.equal(await page.getAttribute("#output", "aria-busy"), "false");
      await status(page, /^Stopped/);
    }
  });
});

test("the answer follows its end until the reader scrolls away", async () => {
  await onPage({ hash: "#task=rephrase" }, async (page) => {
    await page.click("text=Long report");
    await page.click("#run");
    const away = () => page.$eval("#output", (node) => node.scrollHeight - node.scrollTop - node.clientHeight);
    await page.waitForFunction(() => document.getElementById("output").scrollTop > 300);
    assert.ok((await away()) < 60);
    await page.$eval("#output", (node) => (node.scrollTop = 0));
    const length = (await output(page)).length;
    await page.waitForFunction((before) => document.getElementById("output").innerText.length > before + 500, length);
    assert.equal(await page.$eval("#output", (node) => node.scrollTop), 0);
    await page.click("#stop");
    await ended(page);
  });
});

test("an error says what, with a way on", async () => {
  await onPage({ expect: [/status of 422/] }, async (page) => {
    await page.fill("#source", TEXT);
    await page.click("text=More options");
    await page.fill("#option-max_words", "9999");
    await runToEnd(page);
    const problem = await page.innerText("#problem");
    for (const words of ["Validation failed", "`max_words`", "validation_failed", "Status 422"]) assert.ok(problem.includes(words), problem);
    assert.equal(await page.getAttribute("#problem a", "href"), "/problems/validation_failed");
    assert.equal(await page.$("#again"), null, "nothing to try again");
    await assertAccessible(page, "an error");
    await page.fill("#option-max_words", "50");
    await runToEnd(page);
    assert.equal(await page.isHidden("#problem"), true, "the next run clears it");
  });
});

test("a fault in mid-stream is told, counts down, and can be tried again", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Article");
    await page.click("text=More options");
    await page.click(".option:has-text('When a model breaks off') label:has-text('Stop')");
    await fault(page, "Breaks off");
    await runToEnd(page);
    const problem = await page.innerText("#problem");
    assert.match(problem, /It is not the whole answer/);
    assert.ok((await output(page)).length > 20, "what was written stays");
    await shot(page, "error");
    assert.match(await page.innerText("#again"), /Try again in \d+ s/);
    assert.equal(await page.isDisabled("#again"), true);
    await page.waitForSelector("#again:enabled");
    await fault(page, "Works");
    await page.click("#again");
    await ended(page);
    assert.equal(await page.isHidden("#problem"), true);
  });
});

for (const [name, pill] of [["Throttled", /throttled|busy/], ["Falls silent", /silent/], ["Breaks off", null]]) {
  test(`a first model that is made to fail (${name}) is followed by the next one within seconds`, async () => {
    await onPage({}, async (page) => {
      await page.click("text=Article");
      await fault(page, name);
      const began = Date.now();
      await runToEnd(page);
      assert.ok(Date.now() - began < 10_000, `${Date.now() - began} ms`);
      const trail = await page.innerText("#trail");
      assert.match(trail, /Amazon Nova 2 Lite.*→ Claude/);
      if (pill) assert.match(trail, pill);
      else assert.match(await page.innerText("#problem"), /Started over/);
      assert.ok((await output(page)).length > 50);
      assert.match(await page.innerText("#figures"), /Claude/);
      await shot(page, `fallback-${name.split(" ")[0].toLowerCase()}`);
    });
  });
}

test("files: a text opens in the field, others are sent as they are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "redraft-files-"));
  try {
    writeFileSync(join(folder, "note.md"), "# A note\n\nThe library opened. It holds 40,000 books.");
    writeFileSync(join(folder, "page.html"), `<h1>Library</h1><p>${TEXT}</p>`);
    await onPage({}, async (page) => {
      await page.setInputFiles("#file", join(folder, "note.md"));
      await page.waitForFunction(() => document.getElementById("source").value.startsWith("# A note"));
      await page.setInputFiles("#file", join(folder, "page.html"));
      assert.equal(await page.innerText("#chip-name"), "page.html");
      await page.waitForFunction(() => /tokens/.test(document.getElementById("meter").textContent));
      await page.click("#options label:has-text('Headline')");
      const asked = page.waitForRequest((request) => request.url().endsWith("/v1/summarize"));
      await page.click("#run");
      assert.match((await asked).headers()["content-type"], /^multipart\/form-data/);
      await ended(page);
      assert.ok((await output(page)).length > 10);
      assert.match(await page.innerText("#code"), /-F file=@'page.html'/);
      await assertAccessible(page, "a file");
      await page.click("#chip-remove");
      assert.equal(await page.isVisible("#source"), true);
      // A file that is dropped is opened, too.
      const dropped = await page.evaluateHandle(() => {
        const data = new DataTransfer();
        data.items.add(new File(["Dropped text."], "dropped.txt", { type: "text/plain" }));
        return data;
      });
      await page.dispatchEvent("#panel", "dragover", { dataTransfer: dropped });
      await page.dispatchEvent("#panel", "drop", { dataTransfer: dropped });
      await page.waitForFunction(() => document.getElementById("source").value === "Dropped text.");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the inspector shows every event with its time", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Note");
    await page.click("#drawer-tab-events");
    await runToEnd(page);
    const rows = await page.$$eval("#events li", (all) => all.map((row) => [...row.children].map(({ textContent }) => textContent)));
    assert.equal(rows[0][1], "start");
    assert.deepEqual(rows.slice(-2).map(([, type]) => type), ["usage", "done"]);
    for (const [time, type, data] of rows) {
      assert.match(time, /^\+\d+ ms$/);
      assert.equal(JSON.parse(data).type, type);
    }
  });
});

test("the history stays in this browser, can be opened, cleared and switched off", async () => {
  await onPage({ hash: "#task=rephrase&tone=more-formal" }, async (page) => {
    await page.fill("#source", TEXT);
    await runToEnd(page);
    const answer = await output(page);
    await page.click("#tab-summarize");
    await page.fill("#source", "Something else.");
    await page.click("#drawer-tab-history");
    assert.match(await page.innerText("#history-note"), /stay in this browser/);
    await page.click("#history button");
    assert.equal(await page.inputValue("#source"), TEXT);
    assert.equal(await page.getAttribute("#tab-rephrase", "aria-selected"), "true");
    assert.equal(await output(page), answer);
    for (let run = 0; run < 21; run += 1) {
      await page.evaluate(() => {
        const runs = JSON.parse(localStorage.getItem("redraft.history"));
        localStorage.setItem("redraft.history", JSON.stringify([...runs, runs[0]]));
      });
    }
    await runToEnd(page);
    assert.equal((await page.$$("#history li")).length, 20, "twenty are kept");
    await page.click("#clear");
    assert.equal((await page.$$("#history li")).length, 0);
    await page.click("text=Preferences");
    await page.uncheck("#keep");
    await page.keyboard.press("Escape");
    await runToEnd(page);
    assert.equal(await page.evaluate(() => localStorage.getItem("redraft.history")), "[]");
  });
});

test("what a model writes is never taken for HTML", async () => {
  const answer = [
    "# <img src=x onerror=window.hacked=1>", "", "<script>window.hacked = 1</script>", "",
    "![picture](https://evil.example/pixel.png) [bad](javascript:window.hacked=1) [good](https://example.com/a_(b)) **bold** `code <b>`", "",
    "| a | b |", "|---|---|", "| <b>1</b> | 2 |", "", "1. one", "   - [x] inner", "2. two", "", "```html", "<i>", "", "</i>", "```", "> quoted",
  ].join("\n");
  await onPage({}, async (page) => {
    const event = (data) => `event: ${data.type}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`;
    const body = [{ type: "start", request_id: "req_x", model: "m", chunks_total: 1 }, ...answer.match(/[\s\S]{1,7}/g).map((text) => ({ type: "delta", text })), { type: "done", model: "m", finish_reason: "stop" }];
    await page.route("**/v1/summarize", (route) => route.fulfill({ contentType: "text/event-stream", body: `: hb\n${body.map(event).join("")}` }));
    await page.fill("#source", TEXT);
    await runToEnd(page);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.$("#output img, #output script, #output b, #output i"), null);
    assert.deepEqual(await page.$$eval("#output a", (all) => all.map(({ href, rel }) => [href, rel])), [["https://example.com/a_(b)", "noopener noreferrer nofollow"]]);
    assert.equal(await page.innerText("#output h3"), "<img src=x onerror=window.hacked=1>");
    assert.equal(await page.innerText("#output td"), "<b>1</b>");
    assert.equal(await page.innerText("#output pre"), "<i>\n\n</i>");
    assert.equal(await page.innerText("#output strong"), "bold");
    assert.equal((await page.$$("#output ol > li")).length, 2);
    assert.equal(await page.innerText("#output ol > li ul"), "☑ inner");
    assert.equal(await page.innerText("#output blockquote"), "quoted");
  });
});

/** Runs a task whose answer is made up here. */
async function answered(page, path, events) {
  const body = [{ type: "start", request_id: "req_x", model: "m", chunks_total: 1 }, ...events, { type: "done", model: "m", finish_reason: "stop" }];
  await page.unroute(`**${path}`);
  await page.route(`**${path}`, (route) => route.fulfill({ contentType: "text/event-stream", body: body.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") }));
}
const deltas = (text) => text.match(/[\s\S]{1,7}/g).map((text) => ({ type: "delta", text }));
const cards = (page) => page.$$eval("#output article", (all) => all.map((card) => [card.querySelector("h3").textContent, card.querySelector(".plain").textContent]));

test("suggestions stand side by side, each with its changes, to be copied and kept", async () => {
  await onPage({ hash: "#task=rephrase&n=2" }, async (page) => {
    assert.equal(await page.isChecked("input[name=option-n][value='2']"), true, "the address says how many");
    await page.click("text=Note");
    await page.click(".option[data-name=n] label:has-text('3')");
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/rephrase"));
    await runToEnd(page);
    assert.equal((await asked).postDataJSON().n, 3);
    const shown = await cards(page);
    assert.deepEqual(shown.map(([title]) => title), ["Suggestion 1", "Suggestion 2", "Suggestion 3"]);
    assert.equal(new Set(shown.map(([, text]) => text)).size, 3);
    await status(page, /^The answer is complete: \d+ words/);
    await page.click("#output article:nth-of-type(2) button");
    assert.equal(await clipboard(page), shown[1][1]);
    await page.click("#copy");
    const all = shown.map(([, text]) => text).join("\n\n");
    assert.equal(await clipboard(page), all);
    await page.click("label:has-text('Raw')");
    assert.equal((await output(page)).trim(), all);
    await page.click("label:has-text('Changes')");
    for (let nth = 1; nth <= 3; nth += 1) assert.ok((await page.$$(`#output article:nth-of-type(${nth}) ins`)).length, `suggestion ${nth}`);
    await shot(page, "suggestions");
    await assertAccessible(page, "suggestions");
    // They are in the history as well.
    await page.click("#tab-summarize");
    await page.click("#drawer-tab-history");
    await page.click("#history button");
    await page.click("label:has-text('Rendered')");
    assert.deepEqual(await cards(page), shown);
    // They come in any order.
    await answered(page, "/v1/rephrase", [{ type: "suggestion", index: 1, text: "Two.", model: "other" }, { type: "suggestion", index: 0, text: "One.", model: "m" }, { type: "delta", text: "One." }]);
    await runToEnd(page);
    assert.deepEqual(await cards(page), [["Suggestion 1", "One."], ["Suggestion 2", "Two."]]);
    assert.match(await page.innerText("#output article:nth-of-type(2) .head"), /other/, "another model is named");
  });
});

test("posts are cards with their length, for the platforms that are chosen", async () => {
  await onPage({ hash: "#task=social-posts" }, async (page) => {
    await page.fill("#source", TEXT);
    const chosen = () => page.$$eval("input[name=platforms]:checked", (all) => all.map(({ value }) => value));
    assert.deepEqual(await chosen(), ["x", "linkedin", "mastodon"]);
    await page.click("#options label:has-text('LinkedIn')");
    // A platform is a switch of its own: the keyboard reaches each.
    await page.focus("input[name=platforms][value=threads]");
    await page.keyboard.press("Space");
    await page.fill("#option-tone", "proud");
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/generate/social-posts"));
    await runToEnd(page);
    assert.deepEqual((await asked).postDataJSON(), { content: TEXT, platforms: ["x", "threads", "mastodon"], tone: "proud", on_failover: "restart" });
    const shown = await cards(page);
    assert.deepEqual(shown.map(([title]) => title), ["X", "Threads", "Mastodon"]);
    assert.match(await page.innerText("#output article:first-of-type .head"), /\d+ of 280/);
    assert.ok((await page.$$("#output .tag")).length, "hashtags stand out");
    await page.click("#output article:nth-of-type(3) button");
    assert.equal(await clipboard(page), shown[2][1]);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    assert.equal(download.suggestedFilename(), "social-posts.json");
    assert.equal(JSON.parse(readFileSync(await download.path(), "utf8")).posts.length, 3);
    assert.match(page.url(), /platforms=x%2Cthreads%2Cmastodon/);
  });
});

test("what is missing is said at its control, also where that is folded away", async () => {
  await onPage({ hash: "#task=product-description", expect: [/status of 422/] }, async (page) => {
    await page.fill("#option-name", "");
    await page.click("text=More options");
    await page.fill("#option-max_words", "9999");
    await page.click("text=More options");
    await runToEnd(page);
    assert.deepEqual(await page.$$eval("#problem li code", (all) => all.map(({ textContent }) => textContent)), ["/name", "/max_words"]);
    assert.match(await page.innerText(".option[data-name=name] .mistake"), /name/);
    assert.match(await page.innerText(".option[data-name=max_words] .mistake"), /max_words/);
    await assertAccessible(page, "mistakes");
    await page.fill("#option-name", "Lumo");
    await page.fill("#option-max_words", "");
    await runToEnd(page);
    assert.equal(await page.$(".mistake"), null);
  });
});

test("a generator has a form of its own, and its data can be read while it grows", async () => {
  await onPage({ hash: "#task=product-description" }, async (page) => {
    assert.ok(await page.inputValue("#option-name"), "it begins with an example");
    assert.equal(await page.isVisible("#open"), false, "there is no file to send");
    await page.fill("#option-name", "Lumo");
    await page.fill("#source", "warm light\n\n clips to a book ");
    await page.fill("#option-target_audience", "readers");
    await page.click("#options label:has-text('Short')");
    await page.click("#options label:has-text('Data')");
    let asked = page.waitForRequest((request) => request.url().endsWith("/v1/generate/product-description"));
    await runToEnd(page);
    assert.deepEqual((await asked).postDataJSON(), {
      name: "Lumo", features: ["warm light", "clips to a book"], target_audience: "readers", length: "short", output: "json", on_failover: "restart",
    });
    assert.deepEqual(await page.$$eval("#output dt", (all) => all.map(({ textContent }) => textContent)), ["Headline", "Description", "Highlights"]);
    await page.click("#tab-blog-post");
    await page.fill("#source", "Reading aloud");
    await page.fill("#option-audience", "new parents");
    await page.fill("#option-keywords", "bedtime\npictures");
    await page.fill("#option-outline", "Why\nHow");
    await page.click("#options label:has-text('Data')");
    await page.evaluate(() => {
      window.shown = [];
      new MutationObserver(() => window.shown.push(document.querySelectorAll("#output dt").length)).observe(document.getElementById("output"), { childList: true, subtree: true });
    });
    asked = page.waitForRequest((request) => request.url().endsWith("/v1/generate/blog-post"));
    await runToEnd(page);
    assert.deepEqual((await asked).postDataJSON(), {
      topic: "Reading aloud", audience: "new parents", keywords: ["bedtime", "pictures"], outline: ["Why", "How"], output: "json", on_failover: "restart",
    });
    assert.ok((await page.evaluate(() => new Set(window.shown).size)) > 4, "its parts came one by one");
    assert.equal((await page.$$("#output .post")).length, 2, "one card for each section");
    await page.click("label:has-text('Raw')");
    assert.ok(JSON.parse(await output(page)).sections);
    assert.ok(!page.url().includes("Reading") && !page.url().includes("bedtime"), "the address holds nothing that was written");
  });
});

test("a task from a file has the form that its schema says", async () => {
  await onPage({ hash: "#task=translate", expect: [/status of 422/] }, async (page) => {
    assert.match(await page.innerText("#about"), /Translates a text/);
    assert.equal(await page.inputValue("#option-target_language"), "de", "what must be there begins with an example");
    await page.fill("#source", TEXT);
    await page.fill("#option-target_language", "pt-BR");
    await page.click("#options label:has-text('Informal')");
    await page.fill("#option-glossary", "library = biblioteca");
    let asked = page.waitForRequest((request) => request.url().endsWith("/v1/tasks/translate"));
    await runToEnd(page);
    assert.deepEqual((await asked).postDataJSON(), { text: TEXT, target_language: "pt-BR", formality: "informal", glossary: "library = biblioteca", on_failover: "restart" });
    assert.ok((await output(page)).includes("40,000"));
    await page.fill("#option-target_language", "");
    await runToEnd(page);
    assert.match(await page.innerText(".option[data-name=target_language] .mistake"), /target_language/);
    await page.click("#tab-extract-action-items");
    assert.equal(await page.inputValue("#source"), TEXT, "tasks on a text share it");
    await page.click("text=Note");
    await page.check("#option-include_done");
    await page.fill("#option-owner", "Marta");
    asked = page.waitForRequest((request) => request.url().endsWith("/v1/tasks/extract-action-items"));
    await runToEnd(page);
    const { text, ...options } = (await asked).postDataJSON();
    assert.deepEqual(options, { include_done: true, owner: "Marta", on_failover: "restart" });
    assert.match(page.url(), /include_done=true/);
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    assert.equal(await page.isChecked("#option-include_done"), true);
  });
});

test("a generator falls back, stops and is kept like any task", async () => {
  await onPage({ hash: "#task=blog-post" }, async (page) => {
    await fault(page, "Throttled");
    await runToEnd(page);
    assert.match(await page.innerText("#trail"), /→ Claude/);
    await fault(page, "Works");
    await page.click("#run");
    await page.waitForFunction(() => document.getElementById("output").textContent.length > 100);
    await page.keyboard.press("Escape");
    await ended(page, 2000);
    assert.match(await page.innerText("#problem"), /Stopped/);
    await page.click("#drawer-tab-history");
    assert.match(await page.innerText("#history li:first-of-type"), /Blog post/);
  });
});

test("the code that is shown does what the page does, for every task", async () => {
  const AsyncFunction = (async () => {}).constructor;
  await onPage({}, async (page) => {
    const codeOf = async (language) => {
      await page.click(`#languages label:has(input[value=${language}])`);
      return page.innerText("#code");
    };
    for (const [task, option] of [...tasks.map((task) => [task]), ["rephrase", "3"], ["blog-post", "Data"]]) {
      await page.click(`#tab-${task}`);
      if (!(await page.inputValue("#source"))) await page.click("text=Note");
      if (option) await page.click(`#options label:has-text('${option}')`);
      const where = `${task} ${option ?? ""}`;
      const events = execFileSync("bash", ["-c", (await codeOf("curl")).replace("curl ", "curl -s ")], { encoding: "utf8" });
      assert.match(events, /event: done/, where);
      const shown = [];
      await new AsyncFunction("show", await codeOf("fetch"))((piece) => shown.push(piece));
      assert.ok(shown.length, where);
      if (option === "3") assert.equal(shown[0].length, 3, where);
      if (option === "Data" || task === "social-posts") assert.equal(typeof shown[0], "object", where);
      assert.match(await codeOf("react"), option === "Data" || task === "social-posts" ? /useObject/ : /useCompletion/, where);
      assert.match(await codeOf("python"), new RegExp(`/${task}\\?stream=ndjson`), where);
    }
  });
});

test("an answer is changed as its reader wishes, and the one before comes back", async () => {
  await onPage({}, async (page) => {
    // What the service offers, with and without the task.
    const offer = (refine) =>
      page.route("**/v1/capabilities", async (route) => {
        const others = capabilities.tasks.filter(({ task }) => task !== "refine");
        const words = { context: { type: "string", max_length: 10000 }, preference: { type: "string", default: "auto", values: ["auto", "speed"] } };
        await route.fulfill({ json: { ...capabilities, tasks: refine ? [...others, { task: "refine", path: "/v1/refine", options: words }] : others } });
      });
    await offer(false);
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    await page.fill("#source", TEXT);
    await runToEnd(page);
    assert.equal(await page.isVisible("#change"), false, "a service without it offers none");
    await page.unroute("**/v1/capabilities");
    await offer(true);
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    assert.equal(await page.isVisible("#change"), false, "there is nothing to change yet");
    assert.equal(await page.$("#tab-refine"), null);
    await page.fill("#source", TEXT);
    await page.click("text=More options");
    await page.fill("#option-context", "For the board.");
    await answered(page, "/v1/summarize", deltas("- First.\n- Second."));
    await runToEnd(page);
    await answered(page, "/v1/refine", deltas("- Second."));
    const wish = async (words) => {
      await page.fill("#wish", words);
      const asked = page.waitForRequest((request) => request.url().endsWith("/v1/refine"));
      await page.keyboard.press("Enter");
      const request = (await asked).postDataJSON();
      await ended(page);
      return request;
    };
    const common = { task: "summarize", input: TEXT, context: "For the board.", on_failover: "restart" };
    assert.deepEqual(await wish("shorter"), { ...common, result: "- First.\n- Second.", instruction: "shorter" });
    assert.equal((await output(page)).trim(), "Second.");
    assert.equal(await page.inputValue("#wish"), "");
    await status(page, /^Answer: - Second/);
    await page.click("label:has-text('Changes')");
    assert.deepEqual(await page.$$eval("#output del", (all) => all.map(({ textContent }) => textContent.trim())), ["First.\n-"]);
    await answered(page, "/v1/refine", deltas("Second."));
    const history = [{ result: "- First.\n- Second.", instruction: "shorter" }];
    assert.deepEqual(await wish("no list"), { ...common, result: "- Second.", instruction: "no list", history });
    assert.equal(await page.innerText("#wishes"), "“shorter” → “no list”");
    await assertAccessible(page, "a change");
    await shot(page, "change");
    await page.click("#back");
    await page.click("label:has-text('Raw')");
    assert.equal((await output(page)).trim(), "- Second.");
    assert.equal(await page.innerText("#wishes"), "“shorter”");
    await page.unroute("**/v1/refine");
    await page.route("**/v1/refine", (route) => route.fulfill({ contentType: "text/event-stream", body: "" }));
    await wish("longer");
    assert.match(await page.innerText("#problem"), /The stream was cut/);
    assert.equal((await output(page)).trim(), "- Second.", "when nothing comes of it, the answer stays");
    assert.equal(await page.inputValue("#wish"), "longer");
    await page.click("#drawer-tab-history");
    assert.match(await page.innerText("#history li:first-of-type"), /“no list”/);
    await runToEnd(page);
    assert.equal(await page.isVisible("#rounds"), false, "a new run begins anew");
  });
});

test("the service itself changes answers: of a text, of a file, and of posts", async () => {
  const folder = mkdtempSync(join(tmpdir(), "redraft-files-"));
  try {
    writeFileSync(join(folder, "page.html"), `<h1>Library</h1><p>${TEXT}</p>`);
    await onPage({}, async (page) => {
      const change = async (path) => {
        await runToEnd(page);
        const before = await output(page);
        await page.fill("#wish", "shorter");
        const asked = page.waitForResponse((answer) => answer.url().endsWith("/v1/refine"));
        await page.click("#change .second");
        assert.equal((await asked).status(), 200, path);
        await ended(page);
        assert.equal(await page.$("#problem:not([hidden])"), null, `${path}: ${await page.innerText("#problem")}`);
        assert.ok((await output(page)).length > 10 && (await output(page)) !== before, path);
        assert.match(await page.innerText("#figures"), /Cost/);
      };
      await page.click("text=Article");
      await change("a text");
      await page.setInputFiles("#file", join(folder, "page.html"));
      await change("a file");
      await page.click("#tab-social-posts");
      await page.fill("#source", TEXT);
      await change("posts");
      await page.click("#back");
      await page.waitForSelector("#output article");
      await page.click("#tab-product-description");
      await change("a product");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a second wish goes with the first one", async () => {
  await onPage({}, async (page) => {
    await page.click("text=Article");
    await runToEnd(page);
    for (const wish of ["shorter", "mention the price"]) {
      await page.fill("#wish", wish);
      await page.keyboard.press("Enter");
      await page.waitForSelector("#stop:not([hidden])");
      await ended(page);
    }
    assert.equal(await page.innerText("#wishes"), "“shorter” → “mention the price”");
    assert.equal(await page.$("#problem:not([hidden])"), null);
  });
});

test("a stream that is cut is not taken for a whole answer", async () => {
  await onPage({}, async (page) => {
    await page.route("**/v1/summarize", (route) => route.fulfill({ contentType: "text/event-stream", body: 'data: {"type":"delta","text":"Half an"}\n\n' }));
    await page.fill("#source", TEXT);
    await runToEnd(page);
    assert.match(await page.innerText("#problem"), /The stream was cut/);
    assert.equal((await output(page)).trim(), "Half an");
  });
});

test("everything can be done with the keyboard alone", async () => {
  await onPage({}, async (page) => {
    const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.tagName);
    const tabTo = async (id) => {
      for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press("Tab");
        if ((await focus()) === id) {
          const outlined = await page.evaluate(() => {
            const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement.closest(".segmented label") ?? document.activeElement);
            return outlineStyle !== "none" && outlineWidth !== "0px";
          });
          assert.ok(outlined, `the focus on ${id} can be seen`);
          return;
        }
      }
      assert.fail(`${id} cannot be reached`);
    };
    const order = await page.$$eval("#tabs [role=tab]", (all) => all.map(({ id }) => id.replace("tab-", "")));
    await tabTo("tab-summarize");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focus(), "tab-rephrase");
    // One row of tabs, whatever groups it has.
    for (const task of [...order.slice(2), order[0], order.at(-1)]) {
      await page.keyboard.press(task === order.at(-1) && (await focus()) === `tab-${order[0]}` ? "ArrowLeft" : "ArrowRight");
      assert.equal(await focus(), `tab-${task}`);
      assert.equal(await page.getAttribute(`#tab-${task}`, "aria-selected"), "true");
    }
    await page.keyboard.press("Home");
    await tabTo("source");
    await page.keyboard.type(TEXT);
    await tabTo("key-points");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.isChecked("input[value=tldr]"), true);
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => document.getElementById("figures").textContent.includes("Cost"));
    await tabTo("run");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("run").hidden === false && document.getElementById("figures").textContent.includes("Cost"));
    assert.equal(await focus(), "run", "the focus comes back from Stop");
    await tabTo("output");
    await tabTo("wish");
    await page.keyboard.type("shorter");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#rounds:not([hidden])");
    await ended(page);
    assert.equal(await focus(), "wish", "the next wish can follow");
    await page.keyboard.press("Shift+Tab");
    assert.equal(await focus(), "back");
    await page.keyboard.press("Enter");
    assert.equal(await page.isVisible("#rounds"), false);
    await tabTo("drawer-tab-code");
    await page.keyboard.press("End");
    assert.equal(await focus(), "drawer-tab-history");
  });
});

for (const scheme of ["light", "dark"]) {
  test(`axe finds nothing in ${scheme}, empty, at work, done and in every drawer`, async () => {
    await onPage({ scheme, reduced: true }, async (page) => {
      await assertAccessible(page, "empty");
      await page.click("text=More options");
      await page.click("text=Preferences");
      await assertAccessible(page, "open");
      await page.keyboard.press("Escape");
      await page.click("text=Long report");
      await fault(page, "Throttled");
      await page.click("#run");
      await page.waitForSelector("#grid span.started");
      await assertAccessible(page, "at work");
      await ended(page);
      await page.waitForTimeout(200);
      await assertAccessible(page, "done");
      for (const drawer of ["events", "history"]) {
        await page.click(`#drawer-tab-${drawer}`);
        await assertAccessible(page, drawer);
      }
      await page.click("#tab-rephrase");
      await page.click("text=Note");
      await page.click("#options label:has-text('More formal')");
      await runToEnd(page);
      await page.click("label:has-text('Changes')");
      await assertAccessible(page, "changes");
      await fault(page, "Works");
      await page.click("label:has-text('Rendered')");
      for (const task of tasks) {
        await page.click(`#tab-${task}`);
        await assertAccessible(page, task);
        if (!(await page.inputValue("#source"))) await page.click("text=Note");
        const data = await page.$("#options label:has-text('Data')");
        if (data) await data.click();
        await runToEnd(page);
        await assertAccessible(page, `${task}, done`);
      }
      await shot(page, `whole-${scheme}`, true);
    });
  });
}

test("the colours can be chosen, whatever the system says", async () => {
  await onPage({ scheme: "dark" }, async (page) => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.click("#theme");
    const light = await background();
    assert.notEqual(light, dark);
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    assert.equal(await background(), light, "it is remembered");
    await page.click("#theme");
    assert.equal(await background(), dark);
  });
});

test("nothing sticks out at a width of 360 pixels", async () => {
  await onPage({ width: 360, height: 740 }, async (page) => {
    const fits = async (where) =>
      assert.deepEqual(
        await page.evaluate(() => {
          const stickingOut = [...document.querySelectorAll("body *")].filter((node) => {
            const { right, width } = node.getBoundingClientRect();
            return width > 0 && right > innerWidth + 1 && !node.closest(".tabs, .hidden");
          });
          return [document.documentElement.scrollWidth > innerWidth, stickingOut.map(({ tagName, id, className }) => `${tagName}#${id}.${className}`)];
        }),
        [false, []],
        where,
      );
    await fits("empty");
    await page.click("text=More options");
    await page.click("text=Long report");
    await page.click("#run");
    await page.waitForSelector("#grid span");
    await fits("at work");
    await ended(page);
    await fits("done");
    for (const drawer of ["events", "history"]) {
      await page.click(`#drawer-tab-${drawer}`);
      await fits(drawer);
    }
    await page.click("text=Preferences");
    await fits("preferences");
    await page.keyboard.press("Escape");
    for (const task of tasks) {
      await page.click(`#tab-${task}`);
      const [left, right] = await page.$eval(`#tab-${task}`, (tab) => [tab.getBoundingClientRect().left, tab.getBoundingClientRect().right]);
      assert.ok(left >= 0 && right <= 360, `the tab ${task} can be seen whole`);
      await fits(task);
      // The long report was for the grid alone.
      if (await page.isVisible("#samples")) await page.click("text=Note");
      if (task === "rephrase") await page.click(".option[data-name=n] label:has-text('2')");
      await runToEnd(page);
      await fits(`${task}, done`);
      await shot(page, `narrow-${task}`, true);
    }
  });
});

test("the page may talk to its own service alone", async () => {
  const answer = await fetch(SERVICE);
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; script-src 'self';.*require-trusted-types-for 'script'$/);
  const requested = new Set();
  await onPage({}, async (page) => {
    page.on("request", (request) => requested.add(new URL(request.url()).origin));
    await page.reload();
    await page.waitForSelector("html[data-ready]");
    await page.click("text=Note");
    await runToEnd(page);
  });
  assert.deepEqual([...requested].filter((origin) => origin !== "null" && !origin.startsWith("data")), [SERVICE]);
});
