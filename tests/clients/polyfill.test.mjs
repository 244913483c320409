// `/polyfill.js` against the interfaces of the Writing Assistance APIs, in Node: what the draft's Web IDL says of every
// member, and what the draft asks of their behaviour. Where there is a browser, `pages.test.mjs` runs the web platform's
// own interface tests, on the Web IDL as it is published.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { API, SIM, TEXT, countingFetch, everyModel, modelCalls, reset, wholeAnswer } from "./service.mjs";
import { Rewriter, Summarizer, Writer, install } from "../../src/http/clients/polyfill.js";
import { checkInterface, interfaces } from "./interfaces.mjs";

const LONG = "The new library opened on Monday. It holds 40,000 books. ".repeat(6000);

install({ baseUrl: API });

const kinds = [
  { Model: Summarizer, method: "summarize", task: "summarize" },
  { Model: Writer, method: "write", task: "expand" },
  { Model: Rewriter, method: "rewrite", task: "rephrase" },
];

const isDomException = (name) => (error) => {
  assert.ok(error instanceof DOMException, String(error?.stack ?? error));
  assert.equal(error.name, name);
  return true;
};

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe("interfaces", () => {
  for (const [name, members] of Object.entries(interfaces)) {
    test(name, async () => {
      const object = await globalThis[name].create();
      assert.deepEqual(await checkInterface(globalThis, name, members, object), []);
    });
  }

  test("installing leaves what is there, unless it is forced", () => {
    const own = class {};
    globalThis.Summarizer = own;
    install({ baseUrl: API });
    assert.equal(globalThis.Summarizer, own);
    install({ baseUrl: API, force: true });
    assert.equal(globalThis.Summarizer, Summarizer);
    assert.deepEqual(Object.getOwnPropertyDescriptor(globalThis, "Writer"), {
      value: Writer, writable: true, enumerable: false, configurable: true,
    });
  });
});

for (const { Model, method, task } of kinds) {
  const streaming = `${method}Streaming`;
  describe(Model.name, () => {
    beforeEach(reset);

    test("is available where the service has models, and not where nobody answers", async () => {
      assert.equal(await Model.availability(), "available");
      assert.equal(await Model.availability({ expectedInputLanguages: ["en", "de"], outputLanguage: "ja" }), "available");
      install({ baseUrl: "http://127.0.0.1:9" });
      try {
        assert.equal(await Model.availability(), "unavailable");
        await assert.rejects(Model.create(), isDomException("NetworkError"));
      } finally {
        install({ baseUrl: API });
      }
    });

    test("attributes mirror the options, and languages are canonical", async () => {
      const defaults = await Model.create();
      for (const [attribute, { values }] of Object.entries(interfaces[Model.name].attributes)) {
        if (values) assert.equal(defaults[attribute], values[0], attribute);
        for (const value of values ?? []) {
          assert.equal((await Model.create({ [attribute]: value }))[attribute], value);
        }
      }
      assert.equal(defaults.sharedContext, "");
      assert.equal(defaults.outputLanguage, null);
      assert.equal(defaults.expectedInputLanguages, null);
      assert.ok(defaults.inputQuota > 0);
      const object = await Model.create({
        sharedContext: "For readers in a hurry.",
        expectedInputLanguages: ["EN-us", "de", "en-US"],
        expectedContextLanguages: ["fr"],
        outputLanguage: "PT-br",
      });
      assert.equal(object.sharedContext, "For readers in a hurry.");
      assert.deepEqual(object.expectedInputLanguages, ["en-US", "de"]);
      assert.deepEqual(object.expectedContextLanguages, ["fr"]);
      assert.ok(Object.isFrozen(object.expectedInputLanguages));
      assert.equal(object.outputLanguage, "pt-BR");
      assert.equal((await Model.create({ expectedInputLanguages: [] })).expectedInputLanguages, null);
    });

    test("what cannot be converted is a TypeError, and no language tag a RangeError", async () => {
      for (const wrong of [
        { format: "html" }, { length: "huge" }, { length: null }, { signal: {} }, { monitor: 1 }, { expectedInputLanguages: "en" }, 7,
      ]) {
        await assert.rejects(Model.create(wrong), TypeError, JSON.stringify(wrong));
      }
      for (const wrong of [{ outputLanguage: "en-abc-invalid" }, { expectedInputLanguages: ["_"] }, { expectedContextLanguages: [""] }]) {
        await assert.rejects(Model.create(wrong), RangeError);
        await assert.rejects(Model.availability(wrong), RangeError);
      }
      const object = await Model.create();
      await assert.rejects(object[method](), TypeError);
      await assert.rejects(object[method]("x", { signal: "x" }), TypeError);
      await assert.rejects(object.measureInputUsage(), TypeError);
      assert.throws(() => object[streaming](), TypeError);
      await assert.rejects(Model.prototype[method].call({}, "x"), TypeError);
      assert.throws(() => new Model(), TypeError);
    });

    test("a monitor is told of a download from 0 to 1, before the object is there", async () => {
      const events = [];
      let handled = 0;
      const object = await Model.create({
        monitor(monitor) {
          assert.ok(monitor instanceof EventTarget && monitor instanceof globalThis.CreateMonitor);
          monitor.ondownloadprogress = () => (handled += 1);
          monitor.addEventListener("downloadprogress", (event) => events.push(event));
        },
      });
      assert.ok(object instanceof Model);
      assert.deepEqual(events.map(({ loaded, total, lengthComputable }) => [loaded, total, lengthComputable]), [[0, 1, true], [1, 1, true]]);
      assert.equal(handled, 2);
      const thrown = new Error("from the monitor");
      await assert.rejects(Model.create({ monitor() { throw thrown; } }), (error) => error === thrown);
    });

    test("create can be aborted, also by a listener of its monitor", async () => {
      await aborts((signal) => Model.create({ signal }));
      for (const at of [0, 1]) {
        const controller = new AbortController();
        const reason = new Error("test");
        const monitor = (m) => m.addEventListener("downloadprogress", ({ loaded }) => loaded === at && controller.abort(reason));
        await assert.rejects(Model.create({ monitor, signal: controller.signal }), (error) => error === reason);
      }
    });

    test(`${method} gives the whole text, with its context and languages`, async () => {
      const object = await Model.create({ sharedContext: "A series about the town.", outputLanguage: "de", expectedInputLanguages: ["en"] });
      const text = await object[method](TEXT, { context: "For children." });
      const options = { shared_context: "A series about the town.", output_language: "de", expected_input_languages: ["en"] };
      assert.equal(text, await wholeAnswer(task, { text: TEXT, context: "For children.", ...options }));
      const told = JSON.stringify((await modelCalls())[0].request);
      for (const word of ["For children.", "A series about the town.", "German", "English"]) {
        assert.ok(told.includes(word) || told.includes({ German: "de", English: "en" }[word]), `${word}: ${told}`);
      }
    });

    test("an option changes the request", async () => {
      const object = await Model.create({ length: interfaces[Model.name].attributes.length.values[2], format: "plain-text" });
      await object[method](TEXT);
      const [changed] = await modelCalls();
      await reset();
      await (await Model.create())[method](TEXT);
      assert.notEqual(JSON.stringify((await modelCalls())[0].request.system), JSON.stringify(changed.request.system));
    });

    test("a stream gives the same text in pieces", async () => {
      const object = await Model.create();
      const stream = object[streaming](TEXT);
      assert.ok(stream instanceof ReadableStream);
      const chunks = await read(stream);
      assert.ok(chunks.length > 1 && chunks.every((chunk) => typeof chunk === "string"));
      assert.equal(chunks.join(""), await wholeAnswer(task));
    });

    test("an input without letters gives an empty text and costs nothing", async () => {
      const object = await Model.create();
      for (const input of ["", " \n"]) {
        assert.equal(await object[method](input), "");
        assert.deepEqual(await read(object[streaming](input)), []);
        assert.equal(await object.measureInputUsage(input), 0);
      }
      assert.equal((await modelCalls()).length, 0);
      assert.notEqual(await object[method](TEXT, { context: " " }), "");
    });

    test("aborting rejects with the reason", async () => {
      const object = await Model.create();
      await aborts((signal) => object[method](TEXT, { signal }));
      await aborts((signal) => object.measureInputUsage(TEXT, { signal }));
      for (const reason of [undefined, new DOMException("test", "VersionError")]) {
        const controller = new AbortController();
        const stream = object[streaming](TEXT, { signal: controller.signal });
        controller.abort(reason);
        const isReason = reason ? (error) => error === reason : isDomException("AbortError");
        await assert.rejects(stream.pipeTo(new WritableStream()), isReason);
        assert.throws(() => object[streaming](TEXT, { signal: controller.signal }), isReason);
      }
      const late = new AbortController();
      await read(object[streaming](TEXT, { signal: late.signal }));
      late.abort();
    });

    test("destroy, or the signal of create, ends what runs and what comes", async () => {
      const calls = [(object) => object[method](TEXT), (object) => object.measureInputUsage(TEXT), (object) => read(object[streaming](TEXT))];
      const destroyed = await Model.create();
      const running = calls.map((call) => call(destroyed));
      destroyed.destroy();
      destroyed.destroy();
      for (const promise of running) await assert.rejects(promise, isDomException("AbortError"));
      for (const call of calls) await assert.rejects(async () => call(destroyed), isDomException("AbortError"));

      const controller = new AbortController();
      const reason = new Error("the signal of create");
      const object = await Model.create({ signal: controller.signal });
      const others = calls.map((call) => call(object));
      controller.abort(reason);
      for (const promise of others) await assert.rejects(promise, (error) => error === reason);
      for (const call of calls) await assert.rejects(async () => call(object), (error) => error === reason);
    });

    test("a cancelled stream ends the request, and objects work side by side", async () => {
      const object = await Model.create();
      await everyModel("stall");
      const reader = object[streaming](TEXT).getReader();
      assert.equal(typeof (await reader.read()).value, "string");
      await reader.cancel();
      await reset();
      const [one, two] = await Promise.all([object[method](TEXT), object[method](TEXT)]);
      assert.equal(one, two);
    });

    test("usage is measured without a model's answer, and grows with the input", async () => {
      const object = await Model.create();
      const short = await object.measureInputUsage(TEXT);
      assert.ok(short > 0 && short < object.inputQuota);
      assert.ok((await object.measureInputUsage(TEXT + TEXT)) > short);
      assert.equal((await modelCalls()).length, 0);
    });

    test("too long an input is a QuotaExceededError with its figures", async () => {
      const object = await Model.create();
      for (const call of [() => object[method](LONG), () => read(object[streaming](LONG))]) {
        await assert.rejects(call, (error) => {
          isDomException("QuotaExceededError")(error);
          assert.equal(error.quota, object.inputQuota);
          assert.ok(error.requested > error.quota);
          return true;
        });
      }
      assert.equal((await modelCalls()).length, 0);
    });

    test("failures have the draft's names, and a cut answer is none", async () => {
      const object = await Model.create();
      const table = [
        ["stop-content-filtered", "NotReadableError"],
        ["throttling", "UnknownError"],
        ["access-denied", "NotAllowedError"],
        ["cut-mid-frame", "UnknownError"],
        ["end-without-message-stop", "UnknownError"],
        ["stop-max-tokens", "UnknownError"],
      ];
      for (const [scenario, name] of table) {
        await everyModel(scenario);
        await assert.rejects(object[method](TEXT), isDomException(name), scenario);
        await assert.rejects(read(object[streaming](TEXT)), isDomException(name), scenario);
      }
    });

    test("nothing is posted twice", async () => {
      const fetch = countingFetch();
      install({ baseUrl: API, fetch });
      try {
        const object = await Model.create();
        for (const scenario of ["throttling", "cut-mid-frame"]) {
          await everyModel(scenario);
          fetch.posts = 0;
          await assert.rejects(object[method](TEXT));
          await assert.rejects(read(object[streaming](TEXT)));
          assert.equal(fetch.posts, 2, scenario);
        }
      } finally {
        install({ baseUrl: API });
      }
    });

    test("what the service refuses has a name, too", async () => {
      const answer = (status, members, type = "application/problem+json") => async (url, init) =>
        String(url).endsWith("/v1/capabilities") ? fetch(url, init) : new Response(members && JSON.stringify({ status, detail: "A sentence.", ...members }), { status, headers: { "content-type": type } });
      const table = [
        [401, { code: "unauthenticated" }, "NotAllowedError"],
        [403, null, "NotAllowedError"],
        [404, { code: "not_found" }, "NotSupportedError"],
        [422, { code: "unsupported_language" }, "NotSupportedError"],
        [422, { code: "content_filtered" }, "NotReadableError"],
        [413, { code: "payload_too_large", limit_bytes: 1 }, "QuotaExceededError"],
        [500, { code: "internal" }, "UnknownError"],
        [502, null, "UnknownError"],
      ];
      for (const [status, members, name] of table) {
        install({ baseUrl: API, fetch: answer(status, members) });
        try {
          const object = await Model.create();
          await assert.rejects(object[method](TEXT), isDomException(name), `${status}`);
          await assert.rejects(object.measureInputUsage(TEXT), isDomException(name), `${status}`);
          await assert.rejects(read(object[streaming](TEXT)), isDomException(name), `${status}`);
        } finally {
          install({ baseUrl: API });
        }
      }
      assert.ok(SIM);
    });
  });
}

/** A method that takes a signal and gives a promise: aborted after its begin, and before it. */
async function aborts(call) {
  for (const reason of [undefined, new Error("test")]) {
    const controller = new AbortController();
    const promise = call(controller.signal);
    controller.abort(reason);
    const isReason = reason ? (error) => error === reason : isDomException("AbortError");
    await assert.rejects(promise, isReason);
    await assert.rejects(call(controller.signal), isReason);
  }
}
