// The answer of one run: its text, its parts, which models were asked, and what it took.

import { Growing, changes, el } from "./render.js";
import { segmented } from "./options.js";

const find = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const DENSE = 120;
// Further away from the end than this, the reader is reading.
const NEAR_THE_END = 40;

export const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`);
export const dollars = (usd) => `$${usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(2)}`.replace(/e-.*/, "");
const money = (usd) => (usd === 0 ? "$0" : usd < 0.0001 ? "< $0.0001" : usd < 0.01 ? `$${usd.toFixed(5)}` : `$${usd.toFixed(3)}`);
export { money };
const plural = (count, one, more) => `${number.format(count)} ${count === 1 ? one : more}`;

const STAGES = {
  split: "Splitting the text",
  map: "Working on the parts",
  reduce: "Merging",
  final: "Writing the answer",
};
const STATES = { completed: "done", started: "at work", cached: "known from before", failed: "failed", waiting: "waiting" };

/** The view. `say` tells a screen reader, `nameOf` gives the name of a model. */
export class Answer {
  constructor({ say, nameOf, again }) {
    Object.assign(this, { say, nameOf, again });
    this.output = find("output");
    this.output.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.output;
      this.follows = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    });
    this.view = "rendered";
    this.clear();
  }

  clear() {
    clearInterval(this.countdown);
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    Object.assign(this, {
      text: "", task: null, before: null, began: 0, first: null, parts: [], steps: [], calls: new Map(),
      model: null, running: false, done: null, usage: null, requestId: null, warnings: [], follows: true, stage: "",
    });
    for (const id of ["work", "problem", "trail", "figures"]) find(id).hidden = true;
    find("problem").replaceChildren();
    find("grid").replaceChildren();
    this.drawn = null;
    this.output.className = "output";
    this.output.replaceChildren(el("p", { class: "empty" }, "The answer appears here."));
    this.buttons();
    this.views();
  }

  start({ task, before, streams, plain }) {
    this.clear();
    Object.assign(this, { task, before, streams, plain, running: true, began: performance.now() });
    this.output.setAttribute("aria-busy", "true");
    this.output.replaceChildren();
    this.views();
    this.say(`${task.label}: at work.`);
    this.clock = setInterval(() => this.tick(), 100);
    this.tick();
  }

  /** Takes in one event. */
  take(event) {
    const tell = { start: "started", progress: "progressed", fallback: "fellBack", delta: "wrote", reset: "voided", usage: "counted", warning: "warned", done: "finished", error: "failed" }[event.type];
    if (tell) this[tell](event);
  }

  started(event) {
    this.requestId = event.request_id;
    this.model = event.model;
    this.strategy = event.strategy;
    if (event.chunks_total > 1) {
      this.parts = Array.from({ length: event.chunks_total }, () => ({ state: "waiting" }));
      this.drawGrid();
      this.drawParts("split");
    }
  }

  progressed(event) {
    if (event.stage === "map") {
      for (const { index, status, model } of event.chunks ?? []) {
        const part = this.parts[index];
        if (part) Object.assign(part, { state: status, model: model ?? part.model });
      }
    }
    // The parts may end after the last word about their stage.
    if (event.stage !== "map" && event.stage !== "split") {
      for (const { index, status } of event.chunks ?? []) if (status === "completed" && this.parts[index]?.state === "started" && event.stage === "final" && this.strategy !== "map_reduce") this.parts[index].state = status;
    }
    if (event.stage !== this.stage && this.parts.length) this.say(`${STAGES[event.stage]}.`);
    this.stage = event.stage;
    if (event.stage === "reduce" || event.stage === "final") {
      for (const part of this.parts) if (part.state === "started") part.state = "completed";
    }
    this.drawParts(event.stage, event);
  }

  fellBack(event) {
    const key = [event.from, event.reason, event.to].join("\n");
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
    const part = event.chunk_index !== undefined && event.stage === "map" ? this.parts[event.chunk_index] : null;
    if (part) part.fell = `${event.reason}, went on with ${this.nameOf(event.to)}`;
    if (this.calls.get(key) === 1) this.say(`${this.nameOf(event.from)}: ${said(event.reason)}. Now asking ${this.nameOf(event.to)}.`);
    this.drawTrail();
    if (part) this.drawParts(this.stage || "map");
  }

  wrote(event) {
    this.first ??= performance.now() - this.began;
    this.text += event.text;
    if (this.streams) this.paintSoon();
  }

  voided(event) {
    this.text = "";
    this.drawn = null;
    this.note("mild", "Started over", `A model broke off after ${plural(event.discarded_chars, "character", "characters")}. The next one writes the answer from the beginning.`);
    this.say("The model broke off. The next one starts over.");
    this.paintSoon();
  }

  counted(event) {
    this.usage = event;
  }

  warned(event) {
    this.warnings.push(event);
    this.note("mild", "Note", event.detail);
  }

  finished(event) {
    this.done = event;
    this.model = event.model;
    this.end();
    if (event.finish_reason === "length" && !this.warnings.some((one) => one.code === "truncated")) {
      this.note("mild", "Cut short", "The answer reached its length limit and may be incomplete.");
    }
    const words = this.text.split(/\s+/).filter(Boolean).length;
    // Once, as a whole; a long text is better read at one's own pace.
    this.say(words <= 150 ? `Answer: ${this.text}` : `The answer is complete: ${words} words.`);
  }

  failed(event) {
    this.refused(event);
  }

  /** The run ended in an error. */
  refused(problem) {
    this.requestId = problem.request_id ?? this.requestId;
    this.end();
    this.showProblem(problem);
    this.say(`${problem.title}. ${problem.detail}`);
  }

  stopped() {
    const time = seconds(performance.now() - this.began);
    this.end();
    this.note("mild", "Stopped", `You stopped it after ${time}. ${this.text ? "What was written stays." : "Nothing was written yet."}`);
    this.say("Stopped.");
  }

  end() {
    this.running = false;
    this.took = performance.now() - this.began;
    clearInterval(this.clock);
    this.output.setAttribute("aria-busy", "false");
    for (const part of this.parts) if (this.done && part.state === "started") part.state = "completed";
    if (this.parts.length) this.drawParts(this.done ? "done" : "ended");
    cancelAnimationFrame(this.frame);
    this.paint();
    this.buttons();
    this.views();
    this.drawFigures();
    this.drawTrail();
  }

  // What is written

  paintSoon() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = undefined;
    const { output, text } = this;
    const shows = this.view === "changes" && (!this.canCompare() || this.running) ? "rendered" : this.view;
    if (this.drawn?.view !== shows) this.drawn = { view: shows };
    output.className = shows === "raw" ? "output raw" : "output";
    if (shows === "raw") this.grow(text);
    else if (shows === "changes") this.compare();
    else this.render(text);
    if (!text && !this.running && this.task) output.replaceChildren(el("p", { class: "empty" }, "There is no answer."));
    if (this.running && this.follows) output.scrollTop = output.scrollHeight;
    find("copy").disabled = find("download").disabled = !text;
  }

  render(text) {
    if (!this.running && /^\s*[[{]/.test(text)) {
      const nodes = structured(text);
      if (nodes) return this.output.replaceChildren(...nodes);
    }
    if (this.plain || /^\s*[{[]/.test(text)) {
      this.output.classList.add("plain", "raw");
      if (this.plain) this.output.classList.remove("raw");
      return this.grow(text);
    }
    this.drawn.growing ??= new Growing(this.output);
    this.drawn.growing.set(text);
  }

  /** One text node that grows: what the reader has selected stays selected. */
  grow(text) {
    if (!this.drawn.node) {
      this.drawn.node = document.createTextNode("");
      this.output.replaceChildren(el("div", { class: "plain" }, this.drawn.node));
    }
    const { node } = this.drawn;
    if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
    else node.data = text;
  }

  canCompare() {
    return Boolean(this.task?.compares && this.before && this.text);
  }

  compare() {
    const steps = changes(this.before, this.text);
    if (!steps) {
      this.output.replaceChildren(el("p", { class: "empty" }, "Too many words differ to compare them one by one."));
      return;
    }
    const show = ({ kind, text }) => (kind === "same" ? text : el(kind, {}, text));
    this.output.replaceChildren(el("div", { class: "plain" }, ...steps.map(show)));
  }

  views() {
    const choices = [["rendered", "Rendered"], ["raw", "Raw"]];
    if (this.task?.compares && this.before) choices.push(["changes", "Changes"]);
    if (!choices.some(([view]) => view === this.view)) this.view = "rendered";
    const root = find("views").querySelector("div");
    if (root.childElementCount === choices.length) return;
    segmented(root, "view", choices, this.view, (view) => {
      this.view = view;
      this.drawn = null;
      if (this.task) this.paint();
    });
  }

  buttons() {
    find("copy").disabled = find("download").disabled = !this.text;
  }

  // The parts of a long document

  drawGrid() {
    find("work").hidden = false;
    const cells = this.parts.map((part, index) => (part.cell = el("li", {}, String(index + 1))));
    find("grid").replaceChildren(...cells);
    find("grid").classList.toggle("dense", cells.length > DENSE);
  }

  drawParts(stage, event) {
    if (!this.parts.length) return;
    const counts = {};
    for (const [index, part] of this.parts.entries()) {
      counts[part.state] = (counts[part.state] ?? 0) + 1;
      const shown = `${part.state}${part.fell ? " fell" : ""}`;
      if (part.shown === shown) continue;
      part.shown = shown;
      part.cell.className = shown;
      part.cell.title = `Part ${index + 1}: ${STATES[part.state]}${part.model ? `, ${this.nameOf(part.model)}` : ""}${part.fell ? ` (${part.fell})` : ""}`;
    }
    const done = (counts.completed ?? 0) + (counts.cached ?? 0);
    const labels = { done: "All parts are in the answer", ended: "Ended early" };
    find("stage").textContent = labels[stage] ?? STAGES[stage] ?? stage;
    const merging = stage === "reduce" ? `round ${event.level}, ${event.done} of ${event.total}` : "";
    find("stage-detail").textContent = merging || `${done} of ${this.parts.length} parts`;
    const legend = Object.entries(STATES).filter(([state]) => counts[state]).map(([state, words]) => `${counts[state]} ${words}`);
    const fell = this.parts.filter((part) => part.fell).length;
    if (fell) legend.push(`${fell} ↷ by another model`);
    find("legend").textContent = legend.join(" · ");
    find("grid").setAttribute("aria-label", `${this.parts.length} parts: ${legend.join(", ")}`);
  }

  // Which models were asked

  drawTrail() {
    const trail = find("trail");
    trail.hidden = !this.calls.size;
    const steps = [...this.calls].map(([key, times]) => {
      const [from, reason, to] = key.split("\n");
      return [el("b", {}, this.nameOf(from)), el("em", {}, said(reason) + (times > 1 ? ` ×${times}` : "")), el("i", {}, "→"), to];
    });
    const nodes = [];
    let at = null;
    for (const [from, reason, arrow, to] of steps) {
      if (at === null || at !== from.textContent) nodes.push(nodes.length ? " · " : "", from);
      nodes.push(" ", reason, arrow, el("b", {}, this.nameOf(to)));
      at = this.nameOf(to);
    }
    trail.replaceChildren("Fallback: ", ...nodes);
  }

  // What it took

  tick() {
    this.drawFigures();
  }

  drawFigures() {
    const rows = [];
    const row = (name, value, more, wide) => rows.push(el("div", { class: wide ? "wide" : "" }, el("dt", {}, name), el("dd", { title: `${value}${more ? ` ${more}` : ""}` }, value, more ? el("small", {}, ` ${more}`) : "")));
    const { usage, timing, cost } = this.usage ?? {};
    if (this.model) row("Model", this.nameOf(this.model), "", true);
    row("Time", seconds(timing?.total_ms ?? (this.running ? performance.now() - this.began : this.took)));
    const first = timing?.time_to_first_token_ms ?? this.first;
    row("First token", first == null ? "…" : seconds(first));
    if (timing?.tokens_per_second) row("Speed", number.format(Math.round(timing.tokens_per_second)), "tokens/s");
    if (usage) {
      row("Tokens in", number.format(usage.input_tokens), usage.cache_read_input_tokens ? `${number.format(usage.cache_read_input_tokens)} cached` : "");
      row("Tokens out", number.format(usage.output_tokens), usage.model_calls > 1 ? `in ${usage.model_calls} calls` : "");
    }
    if (cost) row("Cost", cost.usd == null ? "unknown" : money(cost.usd), cost.estimated ? "estimated" : "");
    if (this.requestId) {
      const id = this.requestId;
      const copy = el("button", { type: "button", id: "request-id", title: "Copy the request id", onclick: () => this.copied(id, "request id") }, id);
      rows.push(el("div", { class: "wide" }, el("dt", {}, "Request"), el("dd", {}, copy)));
    }
    const figures = find("figures");
    // A button under the pointer or with the focus must not be replaced by its twin.
    if (figures.contains(document.activeElement)) return;
    figures.hidden = false;
    figures.replaceChildren(...rows);
  }

  async copied(text, what) {
    await navigator.clipboard.writeText(text);
    this.say(`Copied: ${what}.`);
  }

  // What went wrong

  note(kind, title, detail) {
    const box = find("problem");
    box.hidden = false;
    box.classList.toggle("mild", kind === "mild" && (box.classList.contains("mild") || !box.childElementCount));
    box.append(el("h3", {}, title), el("p", {}, detail));
  }

  showProblem(problem) {
    const box = find("problem");
    box.replaceChildren();
    box.hidden = false;
    box.classList.remove("mild");
    const foot = el("p", { class: "foot" });
    const hasPage = problem.code && !["no_connection", "stream_cut"].includes(problem.code) && !problem.code.startsWith("http_");
    if (problem.retryable) foot.append(this.retry(problem.retry_after_ms ?? 0));
    foot.append(hasPage ? el("a", { href: `/problems/${problem.code}`, target: "_blank", rel: "noopener" }, el("code", {}, problem.code)) : el("code", {}, problem.code ?? "error"));
    if (problem.status) foot.append(el("span", {}, `Status ${problem.status}`));
    const mistakes = (problem.errors ?? []).map(({ pointer, detail }) => el("li", {}, el("code", {}, pointer), ` ${detail}`));
    box.append(el("h3", {}, problem.title), el("p", {}, problem.detail));
    if (mistakes.length) box.append(el("ul", {}, ...mistakes));
    if (problem.partial) box.append(el("p", {}, "What was written before it stays below. It is not the whole answer."));
    box.append(foot);
  }

  retry(wait) {
    const until = performance.now() + wait;
    const button = el("button", { type: "button", class: "primary", id: "again", onclick: () => this.again() });
    const draw = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      if (left > 0) return;
      clearInterval(this.countdown);
      if (wait > 0) this.say("You can try again now.");
    };
    this.countdown = setInterval(draw, 250);
    draw();
    return button;
  }
}

const REASONS = {
  throttled: "throttled", model_capacity: "throttled", upstream_timeout: "silent", timeout: "silent",
  stream_cut: "broke off", upstream_error: "failed", rejected: "rejected",
};
const said = (reason) => REASONS[reason] ?? String(reason).replaceAll("_", " ");

/** Data of a task that answers with data: posts as cards, everything else as it is. */
function structured(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  const posts = Array.isArray(data) ? data : data.posts;
  if (Array.isArray(posts) && posts.every((post) => post?.platform && typeof post.text === "string")) {
    return posts.map((post) => {
      const tags = Array.isArray(post.hashtags) && post.hashtags.length ? `\n${post.hashtags.map((tag) => (tag.startsWith("#") ? tag : `#${tag}`)).join(" ")}` : "";
      const whole = post.hashtags?.every((tag) => post.text.includes(tag)) ? post.text : post.text + tags;
      return el("div", { class: "post" }, el("h3", {}, `${post.platform} · ${[...whole].length} characters`), whole);
    });
  }
  return [el("pre", {}, el("code", {}, JSON.stringify(data, null, 2)))];
}
