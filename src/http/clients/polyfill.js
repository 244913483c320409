// Summarizer, Writer and Rewriter of the W3C's Writing Assistance APIs, done by Redraft.
// Importing this module installs those that the page has not got; `?force` replaces all.
// docs/CLIENTS.md explains it, and names what is different from a browser's own.

import { client } from "./client.js";

const HERE = new URL(import.meta.url);
const OURS = Symbol();
const FORMATS = ["markdown", "plain-text"];
const LENGTHS = ["short", "medium", "long"];
const LANGUAGES = ["expectedInputLanguages", "expectedContextLanguages"];

let settings = {};

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

/** The error that the specification has for one of the service's. */
function translated(error) {
  const { code, status, requested, quota } = error;
  const named = (name) => Object.assign(new DOMException(error.message, name), { cause: error });
  if (!(error instanceof Error) || error instanceof DOMException || !code) return error;
  if (status === 413) {
    // The figures are not there when the limit is one of bytes or of cost.
    const figures = quota <= requested ? { requested, quota } : {};
    if (typeof QuotaExceededError === "function") return new QuotaExceededError(error.message, figures);
    return Object.assign(named("QuotaExceededError"), { requested: null, quota: null, ...figures });
  }
  if (["content_filtered", "content_filter"].includes(code)) return named("NotReadableError");
  if (["network_error", "stream_cut"].includes(code)) return named("NetworkError");
  if (status === 401 || status === 403 || code === "upstream_auth") return named("NotAllowedError");
  if (status === 404 || status === 415 || status === 422) return named("NotSupportedError");
  return named("UnknownError");
}

/** Calls what answers with one JSON object and asks no model to write. */
async function ask(path, body, signal) {
  const { baseUrl = new URL(".", HERE), headers, fetch: send = fetch } = settings;
  const given = body && { method: "POST", body: JSON.stringify(body) };
  const type = body && { "content-type": "application/json" };
  let answer;
  try {
    answer = await send(`${baseUrl}`.replace(/\/$/, "") + path, { ...given, headers: { ...type, ...headers }, signal });
    const told = await answer.json();
    if (answer.ok) return told;
    throw Object.assign(new Error(told.detail), told);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error.code) throw translated(error);
    throw answer?.ok === false
      ? translated(Object.assign(new Error(`HTTP status ${answer.status}`), { code: "http", status: answer.status }))
      : new DOMException("The service cannot be reached.", "NetworkError");
  }
}

/** A class as Web IDL has its interfaces: their members can be listed, and they have a class string. */
function asInterface(Class, name) {
  for (const owner of [Class, Class.prototype]) {
    for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      const ofClass = owner === Class && ["prototype", "name", "length"].includes(key);
      if (ofClass || key === "constructor") continue;
      Object.defineProperty(owner, key, { ...member, enumerable: true });
    }
  }
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
  return Class;
}

/** Tells of a download, of which there is none: the model is where the service is. */
const CreateMonitor = asInterface(class CreateMonitor extends EventTarget {
  #handler = null;
  constructor(...given) {
    super();
    if (given[0] !== OURS) throw new TypeError("Illegal constructor");
  }
  get ondownloadprogress() {
    return this.#handler;
  }
  set ondownloadprogress(handler) {
    if (this.#handler) this.removeEventListener("downloadprogress", this.#handler);
    this.#handler = typeof handler === "function" ? handler : null;
    if (this.#handler) this.addEventListener("downloadprogress", this.#handler);
  }
}, "CreateMonitor");

function tellProgress(monitor, loaded) {
  const told = { loaded, total: 1, lengthComputable: true };
  const event =
    typeof ProgressEvent === "function"
      ? new ProgressEvent("downloadprogress", told)
      : Object.assign(new Event("downloadprogress"), told);
  monitor?.dispatchEvent(event);
}

/** Options as Web IDL reads a dictionary. */
function dictionary(given) {
  if (given === undefined || given === null) return {};
  if (!isObject(given)) throw new TypeError("The options must be an object.");
  return given;
}

function signalOf({ signal }) {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("`signal` must be an AbortSignal.");
  return signal;
}

const tag = (language) => Intl.getCanonicalLocales(`${language}`)[0];

/** The options that decide whether a model is available. */
function coreOptions(words, given) {
  const options = {};
  for (const [name, values] of Object.entries(words)) {
    const value = given[name] === undefined ? values[0] : `${given[name]}`;
    if (!values.includes(value)) throw new TypeError(`\`${name}\` must be one of ${values.join(", ")}, not ${value}.`);
    options[name] = value;
  }
  for (const name of LANGUAGES) {
    const list = given[name];
    if (list === undefined) continue;
    if (!isObject(list) || !list[Symbol.iterator]) throw new TypeError(`\`${name}\` must be a sequence.`);
    const tags = [...new Set([...list].map(tag))];
    if (tags.length) options[name] = Object.freeze(tags);
  }
  if (given.outputLanguage !== undefined) options.outputLanguage = tag(given.outputLanguage);
  return options;
}

/** One interface: `method` of its objects does `task`; `words` are its own options, the default first. */
function define(name, method, task, words) {
  const streaming = `${method}Streaming`;

  const Model = class {
    #options;
    #quota;
    #end = new AbortController();

    constructor(...given) {
      const [key, options, quota, signal] = given;
      if (key !== OURS) throw new TypeError("Illegal constructor");
      this.#options = options;
      this.#quota = quota;
      signal?.addEventListener("abort", () => this.#end.abort(signal.reason));
    }

    static async availability(given = undefined) {
      coreOptions(words, dictionary(given));
      const told = await ask("/v1/capabilities").catch(() => null);
      return told?.tasks.find((known) => known.task === task)?.availability ?? "unavailable";
    }

    static async create(given = undefined) {
      const asked = dictionary(given);
      const options = coreOptions(words, asked);
      const signal = signalOf(asked);
      const { monitor } = asked;
      if (monitor !== undefined && typeof monitor !== "function") throw new TypeError("`monitor` must be a function.");
      options.sharedContext = asked.sharedContext === undefined ? "" : `${asked.sharedContext}`;
      signal?.throwIfAborted();
      const watcher = monitor && new CreateMonitor(OURS);
      monitor?.(watcher);
      const { tasks } = await ask("/v1/capabilities", null, signal);
      const known = tasks.find((known) => known.task === task);
      if (known?.availability !== "available") throw new DOMException(`The service has no ${name} now.`, "NotSupportedError");
      for (const loaded of [0, 1]) {
        tellProgress(watcher, loaded);
        // A listener may have aborted, now or as soon as it goes on.
        await new Promise((go) => setTimeout(go));
        signal?.throwIfAborted();
      }
      return new Model(OURS, options, known.input_quota_tokens, signal);
    }

    /** The body of a request, and what ends it. Brand checks and aborts come before everything else. */
    #call(count, input, given) {
      if (count === 0) throw new TypeError("An input is needed.");
      const text = `${input}`;
      const asked = dictionary(given);
      const { expectedContextLanguages: _, sharedContext, expectedInputLanguages, outputLanguage, ...own } = this.#options;
      const signal = AbortSignal.any([this.#end.signal, signalOf(asked) ?? this.#end.signal]);
      signal.throwIfAborted();
      const context = asked.context === undefined ? undefined : `${asked.context}`;
      const body = {
        text,
        ...own,
        shared_context: sharedContext.trim() || undefined,
        context: context?.trim() ? context : undefined,
        expected_input_languages: expectedInputLanguages,
        output_language: outputLanguage,
      };
      return { body, signal, isBlank: !text.trim() };
    }

    async [method](input, options = undefined) {
      const { body, signal, isBlank } = this.#call(arguments.length, input, options);
      if (isBlank) return "";
      try {
        return await client(settings).run(`/v1/${task}`, body, { signal }).text();
      } catch (error) {
        throw signal.aborted ? signal.reason : translated(error);
      }
    }

    [streaming](input, options = undefined) {
      const { body, signal, isBlank } = this.#call(arguments.length, input, options);
      const answer = client(settings).run(`/v1/${task}`, body, { signal });
      const events = answer[Symbol.asyncIterator]();
      return new ReadableStream({
        async pull(controller) {
          try {
            signal.throwIfAborted();
            for (;;) {
              const { value, done } = isBlank ? { done: true } : await events.next();
              if (value?.type === "delta") return controller.enqueue(value.text);
              if (!done) continue;
              // Throws when what was told is not all of it.
              if (!isBlank) await answer.text();
              return controller.close();
            }
          } catch (error) {
            controller.error(signal.aborted ? signal.reason : translated(error));
          }
        },
        cancel: (reason) => answer.abort(reason),
      });
    }

    async measureInputUsage(input, options = undefined) {
      const { body, signal, isBlank } = this.#call(arguments.length, input, options);
      if (isBlank) return 0;
      return (await ask("/v1/measure", { task, ...body }, signal)).input_usage;
    }

    destroy() {
      this.#end.abort();
    }

    get inputQuota() {
      return this.#quota;
    }

    static {
      Object.defineProperty(this, "name", { value: name, configurable: true });
      for (const attribute of ["sharedContext", ...Object.keys(words), ...LANGUAGES, "outputLanguage"]) {
        const getter = {
          get [attribute]() {
            return this.#options[attribute] ?? null;
          },
        };
        Object.defineProperty(this.prototype, attribute, Object.getOwnPropertyDescriptor(getter, attribute));
      }
    }
  };

  return asInterface(Model, name);
}

export const Summarizer = define("Summarizer", "summarize", "summarize", {
  type: ["key-points", "tldr", "teaser", "headline"],
  format: FORMATS,
  length: LENGTHS,
  preference: ["auto", "speed", "capability"],
});

export const Writer = define("Writer", "write", "expand", {
  tone: ["neutral", "formal", "casual"],
  format: FORMATS,
  length: LENGTHS,
});

export const Rewriter = define("Rewriter", "rewrite", "rephrase", {
  tone: ["as-is", "more-formal", "more-casual"],
  format: ["as-is", "plain-text", "markdown"],
  length: ["as-is", "shorter", "longer"],
});

/** Installs what the page has not got, or all of it. The other settings are those of `client()`. */
export function install({ force = false, ...others } = {}) {
  settings = others;
  for (const [name, value] of Object.entries({ Summarizer, Writer, Rewriter, CreateMonitor })) {
    if (force || !(name in globalThis)) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    }
  }
}

install({ force: HERE.searchParams.has("force") });
