// The browser, and pages that complain: a page on which the policy was broken, a script failed or
// something was written to the console as an error fails its test.

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const SHOTS = process.env.REDRAFT_PLAYGROUND_SHOTS;
export const SERVICE = process.env.REDRAFT_PLAYGROUND;

/** Runs a test on a fresh page with a profile of its own, which is gone afterwards. */
export async function onPage({ hash = "", width = 1440, height = 900, scheme = "light", reduced = false, expect = [] }, test) {
  const profile = mkdtempSync(join(tmpdir(), "redraft-playground-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    args: ARGUMENTS,
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: reduced ? "reduce" : "no-preference",
    permissions: ["clipboard-read", "clipboard-write"],
    acceptDownloads: true,
  });
  const complaints = [];
  try {
    await context.addInitScript(() => {
      window.broken = [];
      addEventListener("securitypolicyviolation", (event) => window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.stack));
    await page.goto(`${SERVICE}/${hash}`);
    await page.waitForSelector("html[data-ready]");
    await test(page, context);
    complaints.push(...(await page.evaluate(() => window.broken)));
    const unexpected = complaints.filter((one) => !expect.some((pattern) => pattern.test(one)));
    assert.deepEqual(unexpected, []);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Nothing that axe finds, at any level of WCAG up to AA, and none of its best practices. */
export async function assertAccessible(page, where) {
  // Its script is evaluated by the debugger, past the page's policy; the page itself stays as it is.
  await page.evaluate(await import("node:fs").then(({ readFileSync }) => readFileSync(AXE, "utf8")));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  assert.deepEqual(told, [], where);
}

/** Waits for the end of a run. */
export async function ended(page, timeout = 60_000) {
  await page.waitForSelector("#run:not([hidden])", { timeout });
}

/** Runs what is on the page and waits for the end. */
export async function runToEnd(page) {
  await page.click("#run");
  await page.waitForSelector("#stop:not([hidden])", { timeout: 2000 }).catch(() => {});
  await ended(page);
}

/** Sets the simulator's switch by its control. */
export async function fault(page, name) {
  const set = page.waitForResponse((answer) => answer.url().endsWith("/playground/fault") && answer.request().method() === "PUT");
  await page.click(`#faults label:has-text("${name}")`);
  assert.equal((await set).status(), 200);
}

export async function shot(page, name, fullPage = false) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage });
}
