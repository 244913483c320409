// The page: reads what the service offers, draws it, and runs what the reader asks for.

import { Answer, count, find, money, write } from "./answer.js";
import { LANGUAGES, drawOptions, fromHash, hookOf, isSeldom, mark, named, request, segmented, snippet, sourceOf, tasksOf, titled, toHash } from "./options.js";
import { el } from "./render.js";
import { SAMPLES, STARTERS } from "./samples.js";
import { Refused, ask, run } from "./wire.js";

const status = find("status");
const source = find("source");

// A screen reader is told a new sentence even when it is the same as before.
const say = (text) => {
	status.textContent = "";
	setTimeout(() => (status.textContent = text), 50);
};

// What is kept in this browser. Private windows may refuse it; then nothing is kept.
const store = {
	read(key, otherwise) {
		try {
			return JSON.parse(localStorage.getItem(`redraft.${key}`)) ?? otherwise;
		} catch {
			return otherwise;
		}
	},
	write(key, value) {
		try {
			localStorage.setItem(`redraft.${key}`, JSON.stringify(value));
		} catch {
			// Nothing depends on it.
		}
	},
};

const preferences = { theme: "auto", streaming: true, keep: true, language: "curl", ...store.read("preferences", {}) };
const texts = {};
const chosen = {};
const page = {
	tasks: [], task: null, file: null, running: null, names: new Map(),
	// What the answer was made from, the rounds in which it was changed, and how to try once more.
	made: null, rounds: [], again: () => start(),
};

const nameOf = (model) => page.names.get(model) ?? model;
const answer = new Answer({ say, nameOf, again: () => page.again(), changed: drawRounds });

// Preferences

function applyPreferences() {
	const { theme } = preferences;
	if (theme === "auto") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
	write("theme", `Theme: ${theme}`);
	find("streaming").checked = preferences.streaming;
	find("keep").checked = preferences.keep;
	store.write("preferences", preferences);
}

find("theme").onclick = () => {
	const order = ["auto", "light", "dark"];
	preferences.theme = order[(order.indexOf(preferences.theme) + 1) % order.length];
	applyPreferences();
};
for (const name of ["streaming", "keep"]) {
	find(name).addEventListener("change", ({ target }) => {
		preferences[name] = target.checked;
		if (!preferences.keep) store.write("history", []);
		applyPreferences();
		drawHistory();
	});
}
document.onclick = (event) => {
	if (!find("preferences").contains(event.target)) find("preferences").open = false;
};

// Tabs: one for each task, and the drawers below the answer

function drawTabs(root, tabs, prefix, current, select) {
	const buttons = tabs.map(({ name, label, panel, group }, index) => {
		const begins = index && group !== tabs[index - 1].group;
		return el("button", { role: "tab", id: `${prefix}-${name}`, class: begins && "begins", "aria-controls": panel, onclick: () => pick(name) }, label);
	});
	const pick = (name, focus) => {
		for (const [index, button] of buttons.entries()) {
			const isCurrent = tabs[index].name === name;
			button.setAttribute("aria-selected", String(isCurrent));
			button.tabIndex = isCurrent ? 0 : -1;
			if (!isCurrent) continue;
			if (focus) button.focus({ preventScroll: true });
			// Where there are many, its neighbours can be seen as well.
			root.scrollLeft = button.offsetLeft - (root.clientWidth - button.offsetWidth) / 2;
		}
		select(name);
	};
	root.replaceChildren(...buttons);
	root.onkeydown = (event) => {
		const at = buttons.indexOf(document.activeElement);
		const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
		if (to === undefined || at < 0) return;
		event.preventDefault();
		pick(tabs.at(to % tabs.length).name, true);
	};
	pick(current);
	return pick;
}

let pickTask = () => {};

function showTask(name) {
	const next = page.tasks.find((task) => task.name === name);
	// Tasks that work on a text share it.
	const keyOf = (task) => (/^(text|content)$/.test(task.member("")) ? "text" : task.name);
	if (page.task) texts[keyOf(page.task)] = source.value;
	source.value = texts[keyOf(next)] ?? STARTERS[name] ?? "";
	page.task = next;
	chosen[name] ??= {};
	find("panel").setAttribute("aria-labelledby", `tab-${name}`);
	write("source-label", next.source);
	source.placeholder = next.hint;
	source.classList.toggle("small", Boolean(next.small));
	find("about").hidden = !next.about;
	write("about", next.about ?? "");
	find("open").hidden = !next.files;
	find("samples").hidden = keyOf(next) !== "text";
	if (!next.files) setFile(null);
	redraw();
}

function redraw() {
	drawOptions(page.task, chosen[page.task.name], { lead: find("lead"), main: find("options"), more: find("more-options") }, changed);
	changed();
}

function changed() {
	const { task } = page;
	const set = Object.keys(chosen[task.name]).filter(isSeldom).length;
	write("more-count", set ? `(${set} set)` : "");
	history.replaceState(null, "", toHash(task, chosen[task.name]));
	drawCode();
	measureSoon();
}

// Text and file

const LARGEST_TEXT_FILE = 1 << 20;
const size = (bytes) => (bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`);

function setFile(file) {
	page.file = file;
	find("chip").hidden = !file;
	source.hidden = Boolean(file);
	if (!file) return;
	write("chip-name", file.name);
	write("chip-size", `${size(file.size)}, sent as it is`);
}

/** Texts of a moderate size can be edited; everything else goes to the service as it is. */
async function openFile(file) {
	if (!file) return;
	const isText = /\.(txt|text|log|md|markdown)$/i.test(file.name) || file.type === "text/plain";
	if (isText && file.size <= LARGEST_TEXT_FILE) {
		setFile(null);
		source.value = await file.text();
	} else setFile(file);
	say(`Opened ${file.name}.`);
	changed();
}

find("open").onclick = () => find("file").click();
find("file").onchange = (event) => {
	openFile(event.target.files[0]);
	event.target.value = "";
};
find("chip-remove").onclick = () => {
	setFile(null);
	source.focus();
	changed();
};
source.oninput = () => {
	drawCode();
	measureSoon();
};
const panel = find("panel");
const carriesFile = (event) => event.dataTransfer?.types.includes("Files") && page.task?.files;
panel.ondragover = (event) => {
	if (!carriesFile(event)) return;
	event.preventDefault();
	panel.classList.add("drop");
};
panel.ondragleave = () => panel.classList.remove("drop");
panel.ondrop = (event) => {
	panel.classList.remove("drop");
	if (!carriesFile(event)) return;
	event.preventDefault();
	openFile(event.dataTransfer.files[0]);
};

find("samples").append(
	...SAMPLES.map(({ name, text, strategy }) => {
		const take = () => {
			setFile(null);
			source.value = text();
			source.scrollTop = 0;
			delete chosen.summarize?.strategy;
			if (strategy && page.task.name === "summarize") chosen.summarize.strategy = strategy;
			redraw();
			say(`Sample: ${name}.`);
		};
		return el("button", { class: "quiet", onclick: take }, name);
	}),
);

// What it would take

let measuring;
let measureTimer;

function measureSoon() {
	clearTimeout(measureTimer);
	measuring?.abort();
	const length = source.value.length;
	if (page.file || !source.value.trim()) meter([]);
	if (!page.file && !source.value.trim()) return;
	measureTimer = setTimeout(measure, length > 100000 ? 600 : 300);
}

async function measure() {
	const { task, file } = page;
	measuring = new AbortController();
	const asked = request(task, chosen[task.name], source.value, file, { task: task.name });
	try {
		const told = await (await ask("/v1/measure", { method: "POST", ...asked, signal: measuring.signal })).json();
		const { input_usage: tokens, chunks, estimated_cost_usd: cost, estimated_time_ms: time, fits, input_quota: quota } = told;
		const said = [`${count(tokens)} tokens`];
		if (chunks > 1) said.push(`${count(chunks)} parts`);
		if (cost != null) said.push(`≈ ${money(cost)}`);
		if (time >= 1000) said.push(`≈ ${Math.round(time / 1000)} s`);
		if (!fits) said.push(`too long: at most ${count(quota)} tokens`);
		meter(said, !fits);
	} catch ({ name }) {
		// What is wrong with a request is said by its run.
		if (name !== "AbortError") meter([]);
	}
}

function meter(said, isOver) {
	find("meter").classList.toggle("over", Boolean(isOver));
	// An empty line keeps its height.
	write("meter", said.join(" · ") || "\u200b");
}

// A run

async function start() {
	if (!page.task || page.running) return;
	if (!page.file && !source.value.trim()) {
		say("There is no text yet.");
		source.focus();
		return;
	}
	const { task, file } = page;
	const values = { ...chosen[task.name] };
	const text = file ? "" : source.value;
	Object.assign(page, { made: { task, values, text, file }, rounds: [], again: start });
	await perform(task, request(task, values, text, file), { before: text, plain: values.format === "plain-text" });
	remember(page.made);
}

/** Asks for the answer as it is, with what its reader wishes of it. */
async function change() {
	const wish = find("wish").value.trim();
	if (page.running || !wish) return find("wish").focus();
	const { task, values, text, file } = page.made;
	const kept = Object.fromEntries(["context", "output_language", "preference"].filter((name) => named(task, values)[name]).map((name) => [name, values[name]]));
	const round = { result: answer.readable, instruction: wish, shown: answer.shown };
	const history = page.rounds.slice(-MOST_ROUNDS).map(({ result, instruction }) => ({ result, instruction }));
	const more = { task: task.name, result: round.result, instruction: wish, ...(history.length && { history }) };
	page.rounds.push(round);
	page.again = change;
	await perform(page.refine, request(page.refine, kept, sourceOf(task, values, text), file, more), { before: round.result, plain: answer.ending !== "md" });
	if (answer.text) {
		find("wish").value = "";
		remember(page.made, `“${wish}”`);
		return;
	}
	// Nothing came of it: what was there stays.
	Object.assign(answer, page.rounds.pop().shown);
	answer.controls();
	answer.paint();
}

/** Runs a request and shows what comes of it. */
async function perform(task, asked, shown) {
	mark();
	setRunning(new AbortController());
	const { signal } = page.running;
	answer.start({ task, streams: preferences.streaming, ...shown });
	events.begin();
	try {
		for await (const event of run(asked, signal, (line) => events.add("comment", line))) {
			events.add(event.type, event);
			answer.take(event);
		}
	} catch (error) {
		if (signal.aborted) answer.stopped();
		else if (error instanceof Refused) {
			events.add("problem", error.problem);
			answer.on_error(error.problem);
			mark(error.problem.errors);
		} else {
			answer.on_error({ title: "The page failed", detail: "It could not read the answer. Reload it and try again.", code: "page" });
			console.error(error);
		}
	}
	setRunning(null);
}

// The service takes no more.
const MOST_ROUNDS = 10;

function drawRounds() {
	const { rounds, made, refine } = page;
	const canChange = refine && made && (made.text || made.file) && answer.several.length < 2;
	find("change").hidden = !canChange || !(answer.text || rounds.length);
	find("rounds").hidden = !rounds.length;
	write("wishes", rounds.map(({ instruction }) => `“${instruction}”`).join(" → "));
}

find("change").onsubmit = (event) => {
	event.preventDefault();
	change();
};
find("back").onclick = () => {
	if (page.running) return;
	answer.restore(page.rounds.pop().shown);
	find("wish").focus();
	say("The answer before is back.");
};

/** Run and Stop stand in the same place, and hand the focus over. */
function setRunning(running) {
	page.running = running;
	const [gone, there] = running ? [find("run"), find("stop")] : [find("stop"), find("run")];
	const hadFocus = document.activeElement === gone;
	gone.hidden = true;
	there.hidden = false;
	if (hadFocus) there.focus();
}

const stop = () => page.running?.abort();

find("run").onclick = start;
find("stop").onclick = stop;
document.onkeydown = (event) => {
	if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
		event.preventDefault();
		start();
	} else if (event.key === "Escape") {
		if (find("preferences").open) {
			find("preferences").open = false;
			find("preferences").querySelector("summary").focus();
		} else stop();
	}
};
if (/Mac|iPhone|iPad/.test(navigator.platform)) write("run-key", "⌘ ↵");

find("copy").onclick = () => answer.copy(answer.whole, "the answer");
find("download").onclick = () => {
	const url = URL.createObjectURL(new Blob([answer.whole], { type: "text/plain;charset=utf-8" }));
	el("a", { href: url, download: `${page.made.task.name}.${answer.ending}` }).click();
	setTimeout(() => URL.revokeObjectURL(url), 1000);
};

// Code, events and history

let drawer = "code";
drawTabs(
	find("drawers"),
	["code", "events", "history"].map((name) => ({ name, label: titled(name), panel: `drawer-${name}` })),
	"drawer-tab",
	"code",
	(name) => {
		drawer = name;
		for (const one of ["code", "events", "history"]) find(`drawer-${one}`).hidden = one !== name;
		if (name === "events") events.draw();
		if (name === "history") drawHistory();
	},
);

function drawCode() {
	if (!page.task) return;
	const text = source.value.slice(0, 4000);
	find("languages").querySelector("[value=react]").nextSibling.data = hookOf(page.task, chosen[page.task.name]);
	write("code", snippet(preferences.language, page.task, chosen[page.task.name], text, page.file));
}

segmented(find("languages").querySelector("div"), "language", LANGUAGES, preferences.language, (language) => {
	preferences.language = language;
	store.write("preferences", preferences);
	drawCode();
});
find("copy-code").onclick = () => answer.copy(find("code").textContent, "the code");

const MOST_EVENTS = 1000;
const events = {
	all: [],
	begin() {
		Object.assign(this, { all: [], drawn: 0, began: performance.now() });
		find("events").replaceChildren();
	},
	add(type, data) {
		this.all.push({ at: performance.now() - this.began, type, data });
		if (drawer === "events") this.frame ??= requestAnimationFrame(() => this.draw());
	},
	draw() {
		this.frame = undefined;
		const list = find("events");
		const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
		const shown = this.all.slice(this.drawn, MOST_EVENTS);
		list.append(
			...shown.map(({ at, type, data }) =>
				el("li", {}, el("time", {}, `+${Math.round(at)} ms`), el("b", {}, type), el("span", {}, typeof data === "string" ? data : JSON.stringify(data))),
			),
		);
		this.drawn += shown.length;
		if (this.all.length) write("events-note", `${count(this.drawn)} of ${count(this.all.length)} events, with the time since the request.`);
		if (follows) list.scrollTop = list.scrollHeight;
	},
};

const MOST_RUNS = 20;
const LONGEST_KEPT = 20000;
const past = () => store.read("history", []);

function remember({ task, values, text, file }, about = file?.name ?? text) {
	if (!preferences.keep) return;
	const kept = (one) => (one.length <= LONGEST_KEPT ? one : "");
	const entry = {
		at: Date.now(), task: task.name, values, text: kept(text), about: about.trim().slice(0, 90), result: kept(answer.text),
		suggestions: kept(answer.whole) && answer.several,
	};
	store.write("history", [entry, ...past()].slice(0, MOST_RUNS));
	if (drawer === "history") drawHistory();
}

function drawHistory() {
	const runs = past();
	find("clear").hidden = !runs.length;
	write("history-note", preferences.keep ? "The last 20 runs. They stay in this browser." : "No history is kept.");
	const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
	find("history").replaceChildren(
		...runs.map((entry) =>
			el("li", {}, el("button", { onclick: () => restore(entry) }, el("b", {}, titled(entry.task)), el("span", {}, entry.about), el("time", {}, time(entry.at)))),
		),
	);
}

function restore(entry) {
	if (page.running || !page.tasks.some((task) => task.name === entry.task)) return;
	chosen[entry.task] = { ...entry.values };
	setFile(null);
	pickTask(entry.task);
	source.value = entry.text;
	const { task } = page;
	Object.assign(page, { made: { task, values: entry.values, text: entry.text }, rounds: [] });
	answer.restore({ task, before: entry.text, text: entry.result, plain: entry.values.format === "plain-text", suggestions: entry.suggestions || [] });
	changed();
	say(entry.text ? "Restored." : "Restored without its text, which was too long to keep.");
}

find("clear").onclick = () => {
	store.write("history", []);
	drawHistory();
	say("The history is empty.");
};

// The simulator's switch

const FAULTS = [["none", "Works"], ["throttle", "Throttled"], ["stall", "Falls silent"], ["cut", "Breaks off"]];

async function showFaults() {
	const { fault } = await (await ask("/playground/fault")).json();
	if (fault === null) return;
	find("badge").hidden = find("faults").hidden = false;
	const choose = async (value) => {
		try {
			await ask("/playground/fault", { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ fault: value }) });
			say(`First model: ${FAULTS.find(([one]) => one === value)[1]}.`);
		} catch (error) {
			answer.showProblem(error.problem);
		}
	};
	segmented(find("faults").querySelector("div"), "fault", FAULTS, fault, choose);
}

// The beginning

async function begin() {
	applyPreferences();
	try {
		const [capabilities, models] = await Promise.all(["/v1/capabilities", "/v1/models"].map(async (path) => (await ask(path)).json()));
		Object.assign(page, tasksOf(capabilities));
		page.names = new Map(models.models.map(({ id, name }) => [id, name]));
	} catch (error) {
		answer.showProblem(error.problem ?? { title: "The page failed", detail: "Reload it and try again." });
		return;
	}
	const { task, values } = fromHash(page.tasks, location.hash);
	if (task) chosen[task.name] = values;
	const tabs = page.tasks.map(({ name, label, group }) => ({ name, label, group, panel: "panel" }));
	pickTask = drawTabs(find("tabs"), tabs, "tab", task?.name ?? tabs[0].name, showTask);
	showFaults().catch(() => {});
	document.documentElement.dataset.ready = "true";
}

begin();
