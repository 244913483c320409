// The tasks, their controls, and the request that they make. What can be chosen comes from the
// service; the tables here only say how it is shown, and what its words are called.

import { el } from "./render.js";
import { STARTERS } from "./samples.js";

const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const arePoints = (lines) => lines.length > 1 && lines.length <= 200 && lines.every((line) => line.length < 200);

// What the large field holds, and which members have a field beside it. Tasks that are not here
// are shown as the service describes them.
const TASKS = {
	summarize: { hint: "Paste a text, drop a file here, or begin with a sample." },
	rephrase: { compares: true, hint: "Paste a text to say in other words." },
	expand: { source: "Points or draft", member: (text) => (arePoints(linesOf(text)) ? "bullets" : "text"), hint: "One point per line, or a draft." },
	"blog-post": { source: "Topic", member: () => "topic", files: false, hint: "What the post is about." },
	"product-description": { source: "Features, one per line", member: () => "features", lines: true, files: false, hint: "What the product has and does." },
	"social-posts": { source: "Content", member: () => "content", files: false, hint: "What the posts are about." },
};
// Members that are no options but the text itself, under any of its names.
const TEXTS = ["text", "prompt", "input", "bullets", "document"];
// Members of every task that are shown only when they are asked for.
const SELDOM = ["format", "strategy", "preference", "max_words", "paragraphs", "output_language", "output", "n", "context", "chain"];
// Those that matter most stand first.
const FIRST = ["name", "type", "style", "platforms", "tone", "length", "audience", "target_audience"];
const NEVER = ["shared_context", "expected_input_languages", "stream", "include", "on_failover", "on_chunk_error"];
/** How the answer is told: the page's own choice, and said in every request. */
const HANDLING = {
	on_failover: { type: "string", values: ["restart", "error"], default: "error", first: "restart" },
	on_chunk_error: { type: "string", values: ["fail", "skip"], default: "fail" },
};
const LABELS = {
	on_failover: "When a model breaks off", on_chunk_error: "When a part fails", max_words: "Most words",
	output_language: "Language of the answer", preference: "Models", strategy: "Long texts", n: "Suggestions",
};
const WORDS = {
	tldr: "TL;DR", "as-is": "As is", "map-reduce": "In parts", refine: "One by one", single: "At once",
	x: "X", linkedin: "LinkedIn", json: "Data",
};
const WORDS_OF = {
	on_failover: { restart: "Start over", error: "Stop" },
	on_chunk_error: { fail: "Stop", skip: "Go on without" },
};

const titled = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/[-_]/g, " ");
const word = (name, value) => WORDS_OF[name]?.[value] ?? WORDS[value] ?? titled(value);

/** A row of radio buttons that looks like one control. */
export function segmented(root, name, choices, chosen, change) {
	root.replaceChildren(
		...choices.map(([value, label]) =>
			el("label", {}, el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => change(value) }), label),
		),
	);
}

/** What the service says of a member: its own words, or those of a JSON schema. */
function described(told, first) {
	const isList = told.type === "array";
	const words = told.values ?? told.enum ?? null;
	return {
		type: told.type ?? "string",
		values: isList ? null : words,
		items: isList ? (words ?? told.items?.enum ?? null) : null,
		default: told.default,
		first: told.first ?? first,
		least: told.minimum,
		most: told.maximum,
		language: told.format === "bcp-47" && !isList,
		long: (told.max_length ?? told.maxLength ?? 0) > 300,
		about: told.description,
	};
}

/** The tasks that the service offers, in the order of the table. */
export function tasksOf({ tasks }) {
	const order = Object.keys(TASKS);
	const place = ({ task }) => (order.includes(task) ? order.indexOf(task) : order.length);
	const shown = tasks.filter(({ task }) => task !== "refine").sort((a, b) => place(a) - place(b));
	return shown.map(({ task: name, path, options, input_schema: input }) => {
		const row = TASKS[name] ?? {};
		const told = { ...input?.properties, ...options };
		const text = Object.keys(told).find((member) => TEXTS.includes(member)) ?? "text";
		const member = row.member ?? (() => text);
		const isOption = (one) => !(TEXTS.includes(one) || NEVER.includes(one) || one === member(""));
		const offered = Object.keys(told).filter(isOption).map((one) => {
			// What must be there begins with an example.
			const example = input?.required?.includes(one) ? (told[one].examples ?? told[one].enum)?.[0] : undefined;
			return [one, described(told[one], name in TASKS ? STARTERS.options[one] : example)];
		});
		const handling = Object.keys(HANDLING).map((one) => [one, described(HANDLING[one])]);
		return {
			label: titled(name), source: "Text", hint: "The text to work on.", files: true,
			...row, name, path, member, options: new Map([...offered, ...handling]),
		};
	});
}

/** Whether an option stands among those that are folded away. */
export const isSeldom = (name) => SELDOM.includes(name) || name in HANDLING;

/** Draws the controls of a task and tells of each change. */
export function drawOptions(task, values, roots, changed) {
	const [main, more] = [[], []];
	const place = ([name]) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
	for (const [name, range] of [...task.options].sort((a, b) => place(a) - place(b))) {
		(isSeldom(name) ? more : main).push(control(name, range, values, changed));
	}
	roots.main.replaceChildren(...main);
	roots.more.replaceChildren(...more);
}

/** What holds when nothing was chosen. */
const untouched = (range) => range.first ?? range.default ?? "";

function control(name, range, values, changed) {
	const label = LABELS[name] ?? titled(name);
	const set = (value) => {
		const isEmpty = value === untouched(range) || (value === "" && !range.first) || Number.isNaN(value);
		if (isEmpty) delete values[name];
		else values[name] = value;
		changed();
	};
	const id = `option-${name}`;
	const about = range.about ? { title: range.about } : {};
	const legend = el("legend", about, label);
	if (range.items) {
		const chosen = new Set(values[name] ?? untouched(range));
		const box = (value) => {
			const toggle = (event) => {
				if (event.target.checked) chosen.add(value);
				else chosen.delete(value);
				set([...chosen]);
			};
			return el("label", {}, el("input", { type: "checkbox", name, value, checked: chosen.has(value), onchange: toggle }), word(name, value));
		};
		return el("fieldset", { class: "option wide" }, legend, el("div", { class: "segmented" }, ...range.items.map(box)));
	}
	if (range.values && range.values.length <= 5) {
		const row = el("div", { class: "segmented" });
		const choices = range.values.map((value) => [value, word(name, value)]);
		if (untouched(range) === "") choices.unshift(["", "Any"]);
		segmented(row, id, choices, values[name] ?? untouched(range), set);
		return el("fieldset", { class: choices.length > 3 ? "option wide" : "option" }, legend, row);
	}
	if (range.type === "boolean") {
		const box = el("input", { type: "checkbox", id, checked: values[name] ?? range.default, onchange: ({ target }) => set(target.checked) });
		return el("div", { class: "option" }, el("label", about, box, label));
	}
	const common = { id, value: shown(values[name]), oninput: (event) => set(read(event.target.value, range)) };
	let field;
	if (range.values) {
		const entries = untouched(range) === "" ? ["", ...range.values] : range.values;
		field = el("select", { id, onchange: (event) => set(event.target.value) }, ...entries.map((value) => el("option", { value, selected: value === (values[name] ?? untouched(range)) }, value ? word(name, value) : "Any")));
	} else if (range.long || range.type === "array") {
		field = el("textarea", { ...common, placeholder: range.type === "array" ? "one per line" : "" });
	} else if (range.type === "integer" || range.type === "number") {
		field = el("input", { ...common, type: "number", min: range.least, max: range.most, placeholder: shown(range.default) || "any" });
	} else {
		field = el("input", { ...common, type: "text", placeholder: range.language ? "that of the text, or a tag such as de" : shown(range.default) });
	}
	return el("div", { class: range.long ? "option wide" : "option" }, el("label", { htmlFor: id, ...about }, label), field);
}

const shown = (value) => (Array.isArray(value) ? value.join("\n") : String(value ?? ""));

function read(text, range) {
	if (range.type === "array") return linesOf(text);
	if (range.type === "integer" || range.type === "number") return text === "" ? "" : Number(text);
	return text.trim() ? text : "";
}

/** The options that a request names: those that differ from what the service does by itself. */
export function named(task, values) {
	const found = {};
	for (const [name, range] of task.options) {
		const value = values[name] ?? range.first;
		if (value !== undefined && value !== "" && value !== range.default) found[name] = value;
	}
	return found;
}

/** The member that holds the text. */
const textOf = (task, text) => ({ [task.member(text)]: task.lines ? linesOf(text) : text });

/** What is sent: JSON, or a form with the file. */
export function request(task, values, text, file, more = {}) {
	if (file) {
		const form = new FormData();
		form.append("options", JSON.stringify({ ...named(task, values), ...more }));
		form.append("file", file, file.name);
		return { path: task.path, headers: {}, body: form };
	}
	const body = JSON.stringify({ ...textOf(task, text), ...named(task, values), ...more });
	return { path: task.path, headers: { "Content-Type": "application/json" }, body };
}

/** Options for the address: words, numbers and language tags, never what somebody wrote. */
export function toHash(task, values) {
	const pairs = new URLSearchParams({ task: task.name });
	for (const [name, value] of Object.entries(values)) {
		const range = task.options.get(name);
		const isClosed = range && (range.values || range.items || range.language || range.type !== "string");
		if (isClosed && !(range.type === "array" && !range.items)) pairs.set(name, value);
	}
	return `#${pairs}`;
}

/** The task and the options that an address names; what nobody offers is passed over. */
export function fromHash(tasks, hash) {
	const pairs = new URLSearchParams(hash.slice(1));
	const task = tasks.find((one) => one.name === pairs.get("task"));
	const values = {};
	for (const [name, text] of task ? pairs : []) {
		const range = task.options.get(name);
		if (!range) continue;
		if (range.items) values[name] = text.split(",").filter((value) => range.items.includes(value));
		else if (range.values) range.values.includes(text) && (values[name] = text);
		else if (range.type === "boolean") values[name] = text === "true";
		else if (range.type === "integer") Number.isInteger(Number(text)) && (values[name] = Number(text));
		else if (range.language && /^[\w-]{2,35}$/.test(text)) values[name] = text;
	}
	return { task, values };
}

export const LANGUAGES = [["curl", "curl"], ["fetch", "fetch"], ["react", "useCompletion"], ["python", "Python"]];
const LONGEST_SHOWN = 160;

/** Code that makes the same request. Long texts are cut: code is for reading. */
export function snippet(language, task, values, text, file, hasUi) {
  const url = location.origin + task.path;
  const cut = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN).trimEnd()} …` : text || "Your text.";
  const { on_failover, ...options } = named(task, values);
  const handling = on_failover && { on_failover };
  const json = (value, indent = 2, margin = "  ") => JSON.stringify(value, null, indent).replaceAll("\n", `\n${margin}`);
  const body = (more) => ({ ...textOf(task, cut), ...options, ...more });
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  if (language === "curl") {
    const sent = file
      ? [`-F file=@${quoted(file.name)}`, `-F options=${quoted(json({ ...options, ...handling }, 0))}`]
      : ["-H 'content-type: application/json'", `-d ${quoted(json(body(handling)))}`];
    return [`curl -N ${url}`, "-H 'accept: text/event-stream'", ...sent].join(" \\\n  ");
  }
  if (language === "react") {
    const api = hasUi ? `api: "${url}",` : `api: "${url}?stream=text",\n  streamProtocol: "text",`;
    return `import { useCompletion } from "@ai-sdk/react";

const { completion, complete, stop, isLoading, error } = useCompletion({
  ${api}
  body: ${json(options)},
});

<button onClick={() => complete(text)}>${task.label}</button>`;
  }
  if (language === "fetch") {
    const form = `const form = new FormData();
form.append("file", file);
form.append("options", JSON.stringify(${json(options, 2, "")}));
`;
    const sent = file ? "body: form," : `headers: { "Content-Type": "application/json" },\n  body: JSON.stringify(${json(body())}),`;
    return `${file ? form : ""}const answer = await fetch("${url}?stream=text", {
  method: "POST",
  ${sent}
});
if (!answer.ok) throw await answer.json();
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  show(piece);
}`;
  }
  const python = (value) => json(value, 4, "    ").replace(/(: |^\s*)(true|false|null)(?=,?$)/gm, (_, before, one) => before + { true: "True", false: "False", null: "None" }[one]);
  const sent = file
    ? `data={"options": json.dumps(${python({ ...options, ...handling })})},\n    files={"file": open(${json(file.name)}, "rb")},`
    : `json=${python(body(handling))},`;
  return `import json
import httpx

with httpx.stream(
    "POST",
    "${url}?stream=ndjson",
    ${sent}
    timeout=300,
) as answer:
    for line in answer.iter_lines():
        event = json.loads(line)
        if event["type"] == "delta":
            print(event["text"], end="", flush=True)
        elif event["type"] == "error":
            raise SystemExit(event["detail"])`;
}
