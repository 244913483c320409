// The tasks, their controls, and the request that they make. What can be chosen comes from the
// service; the tables here only say how it is shown, and what its words are called.

import { el } from "./render.js";
import { STARTERS } from "./samples.js";

const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const arePoints = (lines) => lines.length > 1 && lines.length <= 200 && lines.every((line) => line.length < 200);

// What the large field holds, and what stands before it. Tasks that are not here are shown as
// the service describes them.
const TASKS = {
	summarize: { hint: "Paste a text, drop a file here, or begin with a sample." },
	rephrase: { compares: true, hint: "Paste a text to say in other words." },
	expand: { source: "Points or draft", member: (text) => (arePoints(linesOf(text)) ? "bullets" : "text"), hint: "One point per line, or a draft." },
	"blog-post": { source: "Topic", member: () => "topic", small: true, hint: "What the post is about." },
	"product-description": { source: "Features, one per line", member: () => "features", lines: true, small: true, lead: ["name"], hint: "What the product has and does." },
	"social-posts": { source: "Content", member: () => "content", hint: "What the posts are about." },
};
// Members that are no options but the text itself, under any of its names.
const TEXTS = ["text", "prompt", "input", "bullets", "document"];
// Members of every task that are shown only when they are asked for.
const SELDOM = ["format", "strategy", "preference", "max_words", "paragraphs", "output_language", "context", "chain"];
// Those that matter most stand first.
const FIRST = ["type", "style", "platforms", "tone", "length", "n", "audience", "target_audience", "output"];
const NEVER = ["shared_context", "expected_input_languages", "stream", "include", "on_failover", "on_chunk_error"];
/** How the answer is told: the page's own choice, and said in every request. */
const HANDLING = {
	on_failover: { type: "string", values: ["restart", "error"], default: "error", first: "restart" },
	on_chunk_error: { type: "string", values: ["fail", "skip"], default: "fail" },
};
const LABELS = {
	on_failover: "When a model breaks off", on_chunk_error: "When a part fails", max_words: "Most words",
	output_language: "Language of the answer", preference: "Models", strategy: "Long texts", n: "Suggestions", output: "Answer as",
};
const WORDS = {
	tldr: "TL;DR", "as-is": "As is", "map-reduce": "In parts", refine: "One by one", single: "At once",
	x: "X", linkedin: "LinkedIn", json: "Data",
};
const WORDS_OF = {
	on_failover: { restart: "Start over", error: "Stop" },
	on_chunk_error: { fail: "Stop", skip: "Go on without" },
	style: { "": "As is" },
};
const HINTS = {
	tone: "such as warm and plain", audience: "such as newcomers", target_audience: "such as hikers", outline: "one section per line",
};
const SIZES = ["short", "medium", "long"];

/** Where a name stands in a list; one that does not stands behind all. */
const place = (list, name) => list.indexOf(name) + 1 || 99;
export const titled = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/[-_]/g, " ");
export const word = (name, value) => WORDS_OF[name]?.[value] ?? WORDS[value] ?? titled(String(value || "any"));

/** A row of radio buttons that looks like one control. */
export function segmented(root, name, choices, chosen, change) {
	root.replaceChildren(
		...choices.map(([value, label]) =>
			el("label", {}, el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => change(value) }), label),
		),
	);
}

/** What the service says of a member: its own words, or those of a JSON schema. */
function described(told, first, isRequired) {
	const isList = told.type === "array";
	let words = told.values ?? told.enum ?? null;
	const choices = told.maximum - told.minimum + 1;
	if (told.type === "integer" && choices <= 5) words = Array.from({ length: choices }, (_, index) => told.minimum + index);
	if (words?.every((one) => SIZES.includes(one))) words = SIZES.filter((one) => words.includes(one));
	return {
		type: "string",
		first,
		...told,
		values: isList ? null : words,
		items: isList ? (words ?? told.items?.enum ?? null) : null,
		numbers: /number|integer/.test(isList ? told.items?.type : told.type),
		isRequired,
		language: told.format === "bcp-47" && !isList,
		long: (told.max_length ?? told.maxLength ?? 0) > 300,
	};
}

/** A task with its controls. */
function taskOf({ task: name, path, options, input_schema: input, description: about }) {
	const row = TASKS[name] ?? {};
	const told = { ...input?.properties, ...options };
	const text = Object.keys(told).find((member) => TEXTS.includes(member)) ?? "text";
	const member = row.member ?? (() => text);
	const isGenerator = path.includes("/generate/");
	const isOption = (one) => !(TEXTS.includes(one) || NEVER.includes(one) || one === member(""));
	const offered = Object.keys(told).filter(isOption).map((one) => {
		const isRequired = input?.required?.includes(one);
		// What must be there begins with an example.
		const example = isRequired ? (told[one].examples ?? told[one].enum)?.[0] : undefined;
		return [one, described(told[one], name in TASKS ? STARTERS.options[one] : example, isRequired)];
	});
	const all = new Map(offered);
	// One suggestion is what the service makes unless it is told otherwise.
	if (all.has("n")) all.get("n").default = 1;
	// What a generator writes has no parts.
	for (const [one, range] of Object.entries(HANDLING)) if (!isGenerator || one !== "on_chunk_error") all.set(one, described(range));
	return {
		label: titled(name), source: "Text", hint: "The text to work on.", files: !isGenerator, about,
		group: isGenerator ? "generate" : input ? "own" : "text",
		...row, name, path, member, options: all,
	};
}

/** The tasks that the service offers, in the order of the table, and how an answer is changed. */
export function tasksOf({ tasks }) {
	const shown = tasks.filter(({ task }) => task !== "refine").sort((a, b) => place(Object.keys(TASKS), a.task) - place(Object.keys(TASKS), b.task));
	const refine = tasks.find(({ task }) => task === "refine");
	return { tasks: shown.map(taskOf), refine: refine && { ...taskOf(refine), label: "Change", compares: true, member: () => "input" } };
}

/** Whether an option stands among those that are folded away. */
export const isSeldom = (name) => SELDOM.includes(name) || name in HANDLING;

/** Draws the controls of a task and tells of each change. */
export function drawOptions(task, values, roots, changed) {
	const drawn = { lead: [], main: [], more: [] };
	const rank = ([name, { isRequired }]) => (isRequired ? 0 : place(FIRST, name));
	for (const [name, range] of [...task.options].sort((a, b) => rank(a) - rank(b))) {
		// A choice of one is none.
		if (range.values?.length === 1) continue;
		const where = task.lead?.includes(name) ? "lead" : isSeldom(name) ? "more" : "main";
		drawn[where].push(control(name, range, values, changed));
	}
	for (const where of Object.keys(roots)) roots[where].replaceChildren(...drawn[where]);
}

/** Marks the controls that a problem is about; without one, none. */
export function mark(errors = []) {
	for (const one of document.querySelectorAll(".mistake")) one.remove();
	for (const { pointer, detail } of errors) {
		const root = [...document.querySelectorAll(".option")].find(({ dataset }) => pointer.split("/")[1] === dataset.name);
		if (!root) continue;
		root.append(el("p", { class: "mistake" }, detail.replaceAll("`", "")));
		const folded = root.closest("details");
		if (folded) folded.open = true;
	}
}

/** What holds when nothing was chosen. */
const untouched = (range) => range.first ?? range.default ?? "";

function control(name, range, values, changed) {
	const label = LABELS[name] ?? range.title ?? titled(name);
	const set = (value) => {
		const isEmpty = value === untouched(range) || (value === "" && !range.first) || Number.isNaN(value);
		if (isEmpty) delete values[name];
		else values[name] = value;
		changed();
	};
	const id = `option-${name}`;
	const is = values[name] ?? untouched(range);
	const about = { title: range.description };
	const shell = (kind, width, ...children) => el(kind, { class: width ? `option ${width}` : "option", "data-name": name }, ...children);
	const legend = el("legend", about, label);
	if (range.items) {
		const chosen = new Set(is);
		const box = (value) => {
			const toggle = (event) => {
				if (event.target.checked) chosen.add(value);
				else chosen.delete(value);
				// In the order of the list, whatever the order of the clicks.
				set(range.items.filter((one) => chosen.has(one)));
			};
			return el("label", {}, el("input", { type: "checkbox", name, value, checked: chosen.has(value), onchange: toggle }), word(name, value));
		};
		return shell("fieldset", "wide", legend, el("div", { class: "segmented" }, ...range.items.map(box)));
	}
	const isOpen = untouched(range) === "";
	if (range.values && range.values.length <= 5) {
		const row = el("div", { class: "segmented" });
		const choices = (isOpen ? ["", ...range.values] : range.values).map((value) => [value, word(name, value)]);
		segmented(row, id, choices, is, set);
		return shell("fieldset", choices.length > 3 && choices.join().length > 50 && "wide", legend, row);
	}
	if (range.type === "boolean") {
		const box = el("input", { type: "checkbox", id, checked: Boolean(is), onchange: ({ target }) => set(target.checked) });
		return shell("div", "", el("label", { ...about, class: "check" }, box, label));
	}
	const isList = range.type === "array";
	const hint = HINTS[name] ?? (range.examples ? `such as ${range.examples[0]}` : range.description?.replaceAll("`", ""));
	const common = { id, ...about, value: shown(is), oninput: (event) => set(read(event.target.value, range)) };
	let field;
	if (range.values) {
		const entries = isOpen ? ["", ...range.values] : range.values;
		const pick = ({ target }) => set(entries[target.selectedIndex]);
		field = el("select", { id, ...about, onchange: pick }, ...entries.map((value) => el("option", { value, selected: value === is }, word(name, value))));
	} else if (range.long || isList) {
		field = el("textarea", { ...common, placeholder: hint ?? (isList ? "one per line" : "") });
	} else if (range.numbers) {
		field = el("input", { ...common, type: "number", min: range.minimum, max: range.maximum, placeholder: "any" });
	} else {
		field = el("input", { ...common, type: "text", placeholder: range.language ? "that of the text, or a tag such as de" : (hint ?? "") });
	}
	return shell("div", range.long && !isList && "wide", el("label", { htmlFor: id, ...about }, label), field);
}

const shown = (value) => (Array.isArray(value) ? value.join("\n") : String(value ?? ""));

function read(text, range) {
	if (range.type === "array") return linesOf(text).map((one) => (range.numbers ? Number(one) : one));
	if (range.numbers) return text === "" ? "" : Number(text);
	return text.trim() ? text : "";
}

/** The options that a request names: those that differ from what the service does by itself. */
export function named(task, values) {
	const found = {};
	for (const [name, range] of task.options) {
		const value = values[name] ?? range.first;
		const isNothing = value === undefined || value === "" || value === range.default;
		if (!isNothing && !(Array.isArray(value) && !value.length)) found[name] = value;
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

/** What an answer was made from, as one text: a generator has no text but a brief. */
export function sourceOf(task, values, text) {
	if (task.group !== "generate" || task.name === "social-posts") return text;
	const brief = Object.entries({ ...textOf(task, text), ...named(task, values) });
	return brief.filter(([name]) => name !== "output" && !isSeldom(name)).map(([name, value]) => `${titled(name)}: ${[value].flat().join("; ")}`).join("\n");
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
		else if (range.values) {
			const value = range.values.find((one) => String(one) === text);
			if (value !== undefined) values[name] = value;
		}
		else if (range.type === "boolean") values[name] = text === "true";
		else if (range.numbers) Number.isFinite(Number(text)) && (values[name] = Number(text));
		else if (range.language && /^[\w-]{2,35}$/.test(text)) values[name] = text;
	}
	return { task, values };
}

export const LANGUAGES = [["curl", "curl"], ["fetch", "fetch"], ["react", "useCompletion"], ["python", "Python"]];
const LONGEST_SHOWN = 160;

/** Whether the answer is data of a fixed shape. */
const isData = ({ options }, values) => (values.output ?? options.get("output")?.default) === "json";
/** The AI SDK has another hook for data. */
export const hookOf = (task, values) => (isData(task, values) ? "useObject" : "useCompletion");

/** Code that makes the same request. Long texts are cut: code is for reading. */
export function snippet(language, task, values, text, file) {
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
  if (language === "react" && isData(task, values)) {
    return `import { experimental_useObject as useObject } from "@ai-sdk/react";
import { z } from "zod";

const { object, submit, stop, isLoading, error } = useObject({
  api: "${url}?stream=text",
  schema: z.any(),
});

<button onClick={() => submit(${json(body())})}>${task.label}</button>`;
  }
  if (language === "react") {
    const parts = [`api: "${url}",`, `body: ${json(options)},`];
    return `import { useCompletion } from "@ai-sdk/react";

const { completion, complete, stop, isLoading, error } = useCompletion({
  ${parts.join("\n  ")}
});

<button onClick={() => complete(text)}>${task.label}</button>`;
  }
  // What is not one text comes as a whole.
  const whole = isData(task, values) ? "data" : options.n ? "suggestions" : null;
  if (language === "fetch") {
    const form = `const form = new FormData();
form.append("file", file);
form.append("options", JSON.stringify(${json(options, 2, "")}));
`;
    const sent = file ? "body: form," : `headers: { "Content-Type": "application/json" },\n  body: JSON.stringify(${json(body())}),`;
    const read = whole
      ? `const { ${whole} } = await answer.json();
show(${whole});`
      : `for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  show(piece);
}`;
    return `${file ? form : ""}const answer = await fetch("${url}${whole ? "" : "?stream=text"}", {
  method: "POST",
  ${sent}
});
if (!answer.ok) throw await answer.json();
${read}`;
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
    if answer.is_error:
        raise SystemExit(answer.read().decode())
    done = False
    for line in answer.iter_lines():
        event = json.loads(line)
        if event["type"] == "${options.n ? "suggestion" : "delta"}":
            print(event["text"], end="${options.n ? "\\n\\n" : ""}", flush=True)
        elif event["type"] == "error":
            raise SystemExit(event["detail"])
        done = event["type"] == "done"
    if not done:
        raise SystemExit("The answer was cut.")`;
}
