// The answer of one run: its text, its parts, which models were asked, and what it took.

import { segmented, titled, word } from "./options.js";
import { Growing, changes, el, partial, shape } from "./render.js";

export const find = (id) => document.getElementById(id);
export const write = (id, words) => (find(id).textContent = words);
export const count = (value) => value.toLocaleString("en");
export const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`);
export const money = (usd) => (usd && usd < 0.0001 ? "< $0.0001" : `$${usd.toFixed(usd < 0.01 ? 5 : 3)}`);
/** Whether an answer is data, which is always an object, rather than prose. */
const isData = (text) => /^\s*{/.test(text);

// From so many parts on, cells are small and without numbers.
const DENSE = 80;
// Further away from the end than this, the reader is reading.
const NEAR_THE_END = 40;
const LONGEST_READ_OUT = 150;

const STAGES = {
	split: "Splitting the text", map: "Working on the parts", reduce: "Merging", final: "Writing the answer",
	done: "All parts are in the answer", ended: "Ended early",
};
const STATES = { completed: "done", started: "at work", cached: "known from before", failed: "failed", waiting: "waiting" };
const REASONS = { target_busy: "busy", breaker_open: "resting", first_event_timeout: "silent" };
const said = (reason) => REASONS[reason] ?? reason.replaceAll("_", " ");

/** The view. `say` tells a screen reader, `nameOf` gives the name of a model. */
export class Answer {
	constructor({ say, nameOf, again, changed }) {
		Object.assign(this, { say, nameOf, again, changed, view: "rendered" });
		this.output = find("output");
		this.output.addEventListener("scroll", () => {
			const { scrollTop, scrollHeight, clientHeight } = this.output;
			this.follows = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
		});
		this.clear();
	}

	clear() {
		clearInterval(this.countdown);
		Object.assign(this, {
			text: "", task: null, before: null, first: null, parts: [], trail: new Map(), stage: "", model: null,
			running: false, done: null, usage: null, requestId: null, follows: true, drawn: {}, suggestions: [],
		});
		for (const id of ["work", "problem", "trail", "figures"]) find(id).hidden = true;
		find("problem").replaceChildren();
		this.empty("The answer appears here.");
		this.controls();
	}

	empty(words) {
		this.drawn = {};
		this.output.className = "output";
		this.output.replaceChildren(el("p", { class: "empty" }, words));
	}

	/** What is needed to show it again. */
	get shown() {
		const { task, before, text, plain, suggestions } = this;
		return { task, before, text, plain, suggestions };
	}

	/** Shows an answer of the past. */
	restore(shown) {
		this.clear();
		Object.assign(this, shown);
		this.controls();
		if (this.text) this.paint();
	}

	/** All that was written, as it is copied and kept. */
	get whole() {
		const all = this.several;
		return all.length ? all.map(({ text }) => text).join("\n\n") : this.text;
	}

	get several() {
		return this.suggestions.filter(Boolean);
	}

	get ending() {
		return isData(this.text) ? "json" : this.plain ? "txt" : "md";
	}

	/** As one text that a reader would wish changes of. */
	get readable() {
		const { posts } = (isData(this.text) && partial(this.text)) || {};
		return Array.isArray(posts) ? posts.map(({ platform, text }) => `${word("", platform)}:\n${text}`).join("\n\n") : this.text;
	}

	start({ task, before, streams, plain }) {
		this.clear();
		Object.assign(this, { task, before, streams, plain, running: true, began: performance.now() });
		this.output.setAttribute("aria-busy", "true");
		this.output.replaceChildren();
		this.controls();
		this.say(`${task.label}: at work.`);
		this.clock = setInterval(() => this.drawFigures(), 100);
		this.drawFigures();
	}

	/** Takes in one event; a type that is not known is passed over. */
	take(event) {
		this[`on_${event.type}`]?.(event);
	}

	on_start({ request_id, model, chunks_total }) {
		Object.assign(this, { requestId: request_id, model });
		if (chunks_total < 2) return;
		this.parts = Array.from({ length: chunks_total }, (_, index) => ({ state: "waiting", cell: el("span", {}, String(index + 1)) }));
		find("work").hidden = false;
		find("grid").replaceChildren(...this.parts.map(({ cell }) => cell));
		find("grid").classList.toggle("dense", chunks_total > DENSE);
		this.drawParts("split");
	}

	on_progress(event) {
		const { stage, chunks = [] } = event;
		if (stage === "map") {
			for (const { index, status, model } of chunks) if (this.parts[index]) Object.assign(this.parts[index], { state: status, model });
		} else if (stage !== "split") this.completeParts();
		if (stage !== this.stage && this.parts.length) this.say(`${STAGES[stage]}.`);
		this.stage = stage;
		this.drawParts(stage, event);
	}

	// The last word about a stage may be that of the next one.
	completeParts() {
		for (const part of this.parts) if (part.state === "started") part.state = "completed";
	}

	on_fallback({ from, to, reason, stage, chunk_index }) {
		const way = `${from}\n${to}`;
		const reasons = this.trail.get(way) ?? new Map();
		this.trail.set(way, reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
		if (reasons.get(reason) === 1) this.say(`${this.nameOf(from)}: ${said(reason)}. Now asking ${this.nameOf(to)}.`);
		this.drawTrail();
		if (stage === "final") this.model = to;
		const part = stage === "map" ? this.parts[chunk_index] : null;
		if (!part) return;
		part.fell = `${said(reason)}, then ${this.nameOf(to)}`;
		this.drawParts(this.stage || "map");
	}

	on_delta({ text }) {
		this.first ??= performance.now() - this.began;
		this.text += text;
		if (this.streams) this.paintSoon();
	}

	// All of them come before the text, which is the first one again.
	on_suggestion({ index, text, model }) {
		this.suggestions[index] = { index, text, model };
		if (this.streams) this.paintSoon();
	}

	on_reset({ discarded_chars }) {
		this.text = "";
		this.drawn = {};
		const detail = `A model broke off after ${count(discarded_chars)} characters. The next one writes the answer from the beginning.`;
		this.note("Started over", detail);
		this.say(detail);
		this.paintSoon();
	}

	on_usage(event) {
		this.usage = event;
	}

	on_warning({ detail }) {
		this.note("Note", detail);
	}

	on_done(event) {
		Object.assign(this, { done: event, model: event.model });
		this.end();
		const text = this.several.length ? this.whole : this.readable;
		const words = text.split(/\s+/).filter(Boolean).length;
		// Once, as a whole; a long text is better read at one's own pace.
		this.say(words <= LONGEST_READ_OUT ? `Answer: ${text}` : `The answer is complete: ${words} words.`);
	}

	on_error(problem) {
		this.requestId = problem.request_id ?? this.requestId;
		this.end();
		this.showProblem(problem);
		this.say(`${problem.title}. ${problem.detail}`);
	}

	stopped() {
		this.end();
		this.note("Stopped", `You stopped it after ${seconds(this.took)}. ${this.text ? "What was written stays." : "Nothing was written yet."}`);
		this.say("Stopped.");
	}

	end() {
		this.running = false;
		this.took = performance.now() - this.began;
		clearInterval(this.clock);
		this.output.setAttribute("aria-busy", "false");
		if (this.done) this.completeParts();
		this.drawParts(this.done ? "done" : "ended");
		this.controls();
		this.paint();
		this.drawFigures();
	}

	// What is written

	paintSoon() {
		this.frame ??= requestAnimationFrame(() => this.paint());
	}

	paint() {
		cancelAnimationFrame(this.frame);
		this.frame = undefined;
		const { output, text, running, view } = this;
		const several = this.several;
		if (!text && !several.length && !running) return this.empty("There is no answer.");
		output.className = view === "raw" ? "output raw" : "output";
		const differs = view === "changes" && !running;
		if (view === "raw") this.grow(several.length ? this.whole : text);
		else if (several.length) output.replaceChildren(...several.map((one) => this.suggestion(one, differs)));
		else if (differs) output.replaceChildren(el("div", { class: "plain" }, ...this.compared(text)));
		else if (isData(text)) output.replaceChildren(...this.data(partial(text)));
		else if (this.plain) this.grow(text);
		else (this.drawn.markdown ??= new Growing(output)).set(text);
		// Cards are read from the first one on.
		if (running && this.follows && !output.querySelector("article")) output.scrollTop = output.scrollHeight;
	}

	/** One text node that grows: what the reader has selected stays selected. */
	grow(text) {
		// What was shown before need not be how this one begins.
		if (!this.drawn.node || !text.startsWith(this.drawn.node.data)) {
			this.drawn.node = document.createTextNode("");
			this.output.replaceChildren(el("div", { class: "plain" }, this.drawn.node));
		}
		this.drawn.node.appendData(text.slice(this.drawn.node.length));
	}

	compared(text) {
		const steps = changes(this.before, text);
		if (!steps) return ["Too many words differ to compare them one by one."];
		const show = ({ kind, text }) => (kind === "same" ? [text] : [el(kind, {}, text.trimEnd()), text.slice(text.trimEnd().length)]);
		return steps.flatMap(show);
	}

	suggestion({ index, text, model }, differs) {
		const by = model && this.model && model !== this.model ? this.nameOf(model) : null;
		return this.card(`Suggestion ${index + 1}`, by, text, differs ? this.compared(text) : [text]);
	}

	/** Posts as cards with their length, everything else by its names. */
	data(found) {
		if (!Array.isArray(found?.posts)) return found ? shape(found, titled) : [];
		return found.posts.filter(Boolean).map(({ platform = "", text = "", length, max_length: most }) => {
			const bar = most && el("span", { class: "length", "aria-hidden": "true" }, el("i"));
			bar?.firstChild.style.setProperty("width", `${Math.min(100, (length / most) * 100)}%`);
			const size = most && el("small", {}, `${count(length)} of ${count(most)}`);
			const parts = text.split(/(#[\p{L}\p{N}_]+)/u).map((part, index) => (index % 2 ? el("span", { class: "tag" }, part) : part));
			return this.card(word("", platform), [size, bar], text, parts);
		});
	}

	card(title, more, text, content) {
		const copy = el("button", { class: "quiet", "aria-label": `Copy: ${title}`, onclick: () => this.copy(text, title) }, "Copy");
		const head = el("div", { class: "head" }, el("h3", {}, title), ...[more].flat(), copy);
		return el("article", { class: "post" }, head, el("div", { class: "plain" }, ...content));
	}

	controls() {
		this.changed?.();
		find("copy").disabled = find("download").disabled = this.running || !this.text;
		const choices = [["rendered", "Rendered"], ["raw", "Raw"]];
		if (this.task?.compares && this.before) choices.push(["changes", "Changes"]);
		else if (this.view === "changes") this.view = "rendered";
		const root = find("views").querySelector("div");
		if (root.childElementCount === choices.length) return;
		segmented(root, "view", choices, this.view, (view) => {
			Object.assign(this, { view, drawn: {} });
			if (this.task) this.paint();
		});
	}

	// The parts of a long document

	drawParts(stage, { level, done, total } = {}) {
		if (!this.parts.length) return;
		const counts = {};
		for (const [index, part] of this.parts.entries()) {
			const { state, cell, model, fell } = part;
			counts[state] = (counts[state] ?? 0) + 1;
			cell.className = fell ? `${state} fell` : state;
			cell.title = [`Part ${index + 1}: ${STATES[state]}`, model && this.nameOf(model), fell].filter(Boolean).join(", ");
		}
		const ready = (counts.completed ?? 0) + (counts.cached ?? 0);
		write("stage", STAGES[stage] ?? stage);
		write("stage-detail", stage === "reduce" ? `round ${level}, ${done} of ${total}` : `${ready} of ${this.parts.length} parts`);
		const legend = Object.keys(STATES).filter((state) => counts[state]).map((state) => `${counts[state]} ${STATES[state]}`);
		const fell = this.parts.filter((part) => part.fell).length;
		if (fell) legend.push(`${fell} ↷ by another model`);
		write("legend", legend.join(" · "));
		find("grid").setAttribute("aria-label", `${this.parts.length} parts: ${legend.join(", ")}`);
	}

	// Which models were asked, and what it took

	drawTrail() {
		const nodes = [];
		let at;
		for (const [way, reasons] of this.trail) {
			const [from, to] = way.split("\n");
			if (at !== from) nodes.push(nodes.length ? " · " : "", el("b", {}, this.nameOf(from)));
			for (const [reason, times] of reasons) nodes.push(" ", el("em", {}, said(reason) + (times > 1 ? ` ×${times}` : "")));
			nodes.push(el("i", {}, " → "), el("b", {}, this.nameOf(to)));
			at = to;
		}
		find("trail").hidden = false;
		find("trail").replaceChildren(...nodes);
	}

	drawFigures() {
		const { usage, timing, cost } = this.usage ?? {};
		const figures = find("figures");
		// A button with the focus must not be replaced by its twin.
		if (figures.contains(document.activeElement) && this.running) return;
		figures.replaceChildren();
		figures.hidden = false;
		const row = (name, value, more, wide) =>
			value && figures.append(el("div", { class: wide }, el("dt", {}, name), el("dd", {}, value, more && el("small", {}, ` ${more}`))));
		const first = timing ? timing.time_to_first_token_ms : this.first;
		const { input_tokens, output_tokens, cache_read_input_tokens: cached, model_calls } = usage ?? {};
		row("Model", this.model && this.nameOf(this.model), "", "wide");
		const id = this.requestId;
		row("Request", id && el("button", { id: "request-id", title: "Copy the request id", onclick: () => this.copy(id, "request id") }, id), "", "wide");
		row("Time", seconds(timing?.total_ms ?? (this.running ? performance.now() - this.began : this.took)));
		row("First token", first == null ? "–" : seconds(first));
		row("Speed", timing?.tokens_per_second && count(Math.round(timing.tokens_per_second)), "tokens/s");
		row("Tokens in", usage && count(input_tokens), cached && `${count(cached)} cached`);
		row("Tokens out", usage && count(output_tokens), model_calls > 1 && `${model_calls} calls`);
		row("Cost", cost && (cost.usd == null ? "unknown" : (cost.estimated ? "≈ " : "") + money(cost.usd)));
	}

	async copy(text, what) {
		await navigator.clipboard.writeText(text);
		this.say(`Copied: ${what}.`);
	}

	// What went wrong, or is worth a word

	note(title, ...detail) {
		const box = find("problem");
		if (box.hidden) box.classList.add("mild");
		box.hidden = false;
		box.append(el("h3", {}, title), ...detail.map((one) => (typeof one === "string" ? el("p", {}, one) : one)));
		return box;
	}

	showProblem({ title, detail, code, status, errors = [], partial, retryable, retry_after_ms }) {
		const foot = el("p", { class: "foot" });
		if (retryable) foot.append(this.retry(retry_after_ms ?? 0));
		const name = el("code", {}, code);
		foot.append(status ? el("a", { href: `/problems/${code}`, target: "_blank", rel: "noopener" }, name) : name);
		if (status) foot.append(`Status ${status}`);
		const mistakes = errors.map((one) => el("li", {}, el("code", {}, one.pointer), ` ${one.detail}`));
		const more = partial ? ["What was written before it stays below. It is not the whole answer."] : [];
		// One alone is told in the sentence before.
		if (mistakes.length > 1) more.push(el("ul", {}, ...mistakes));
		this.note(title, detail, ...more, foot).classList.remove("mild");
	}

	retry(wait) {
		const until = performance.now() + wait;
		const button = el("button", { class: "primary", id: "again", onclick: () => this.again() });
		const draw = () => {
			const left = Math.ceil((until - performance.now()) / 1000);
			button.disabled = left > 0;
			button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
			if (left > 0) return;
			clearInterval(this.countdown);
			if (wait) this.say("You can try again now.");
		};
		this.countdown = setInterval(draw, 250);
		draw();
		return button;
	}
}
