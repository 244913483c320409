// The tasks, their controls, and the request that they make. What can be chosen comes from the
// service; the tables here only say how it is shown, and what its words are called.

import { el } from "./render.js";

// What the large field holds, and which members have a field beside it. Tasks that are not here
// are shown as the service describes them.
const points = (text) => {
  const lines = text.trim().split("\n");
  return lines.length > 1 && lines.length <= 200 && lines.every((line) => line.length < 200);
};
const TASKS = {
  summarize: { label: "Summarize", hint: "Paste a text, drop a file here, or begin with a sample." },
  rephrase: { label: "Rephrase", compares: true, hint: "Paste a text to say in other words." },
  expand: {
    label: "Expand",
    source: "Points or draft",
    member: (text) => (points(text) ? "bullets" : "text"),
    hint: "One point per line, or a draft.",
  },
  "blog-post": { label: "Blog post", source: "Topic", member: () => "topic", hint: "What the post is about." },
  "product-description": {
    label: "Product description",
    source: "Features, one per line",
    member: () => "features",
    lines: true,
    hint: "What the product has and does, one per line.",
  },
  "social-posts": {
    label: "Social posts",
    source: "Content",
    member: () => "content",
    hint: "What the posts are about.",
  },
};
// Members that are no options but the text itself, under any of its names.
const TEXTS = ["text", "prompt", "input", "bullets", "document"];
// Members of every task that are shown only when they are asked for.
const SELDOM = ["format", "strategy", "preference", "max_words", "paragraphs", "output_language", "output", "n", "context", "chain"];
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

/** What the service says of a member, whichever way it says it. */
function described(member) {
  const items = member.items ?? {};
  return {
    type: member.type ?? "string",
    values: member.values ?? member.enum ?? null,
    items: items.values ?? items.enum ?? (member.type === "array" ? member.values ?? null : null),
    default: member.default,
    first: member.first,
    least: member.minimum,
    most: member.maximum,
    language: member.format === "bcp-47",
    long: (member.max_length ?? member.maxLength ?? 0) > 300,
    about: member.description,
  };
}

/** The tasks that the service offers, in the order of the table. */
export function tasksOf(capabilities) {
  const order = Object.keys(TASKS);
  const place = (task) => (order.indexOf(task.task) + order.length + 1) % (order.length + 1);
  const known = capabilities.tasks.filter((task) => task.task !== "refine");
  return known
    .map((task) => {
      const shown = TASKS[task.task] ?? {};
      const schema = task.input?.properties ?? task.input_schema?.properties ?? {};
      const told = { ...schema, ...task.options };
      const strings = Object.keys(told).filter((name) => (told[name].type ?? "string") === "string" && !told[name].values && !told[name].enum);
      const text = Object.keys(told).find((name) => TEXTS.includes(name)) ?? (TASKS[task.task] || task.takes_text ? "text" : strings.find((name) => !SELDOM.includes(name) && !NEVER.includes(name)) ?? "text");
      const member = shown.member ?? (() => text);
      const sources = new Set([...TEXTS, member(""), text]);
      const offered = Object.entries({ ...told, ...HANDLING }).filter(([name]) => name in HANDLING || !(sources.has(name) || NEVER.includes(name)));
      return {
        name: task.task,
        label: shown.label ?? titled(task.task),
        source: shown.source ?? (text === "text" ? "Text" : titled(text)),
        path: task.path,
        hint: shown.hint ?? "The text to work on.",
        compares: shown.compares,
        lines: shown.lines ?? told[text]?.type === "array",
        files: !TASKS[task.task]?.member || task.task === "expand",
        member,
        options: new Map(offered.map(([name, range]) => [name, described(range)])),
      };
    })
    .sort((a, b) => place({ task: a.name }) - place({ task: b.name }));
}

/** Draws the controls of a task and tells of each change. */
export function drawOptions(task, values, roots, changed) {
  const [main, more] = [[], []];
  for (const [name, range] of task.options) {
    const isSeldom = SELDOM.includes(name) || name in HANDLING;
    (isSeldom ? more : main).push(control(name, range, values, changed));
  }
  roots.main.replaceChildren(...main);
  roots.more.replaceChildren(...more);
}

/** What holds when nothing was chosen. */
const untouched = (range) => range.first ?? range.default ?? "";

function control(name, range, values, changed) {
  const label = LABELS[name] ?? titled(name);
  const set = (value) => {
    const isEmpty = value === "" || value === untouched(range) || (Array.isArray(value) && !value.length) || Number.isNaN(value);
    if (isEmpty) delete values[name];
    else values[name] = value;
    changed();
  };
  const id = `option-${name}`;
  const about = range.about ? { title: range.about } : {};
  const legend = el("legend", about, label);
  if (range.items) {
    const chosen = new Set(values[name] ?? range.default ?? []);
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
    return el("fieldset", { class: range.values.length > 3 && choices.length > 4 ? "option wide" : "option" }, legend, row);
  }
  if (range.type === "boolean") {
    const box = el("input", { type: "checkbox", id, checked: values[name] ?? range.default, onchange: (event) => set(event.target.checked) });
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
  if (range.type === "array") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (range.type === "integer" || range.type === "number") return text === "" ? "" : Number(text);
  return text.trim() ? text : "";
}

/** The options that a request names: those that differ from what the service does by itself. */
export function named(task, values) {
  const found = {};
  for (const [name, range] of task.options) {
    const value = values[name] ?? range.first;
    if (value !== undefined && value !== range.default) found[name] = value;
  }
  return found;
}

/** The members of a JSON body. */
export function members(task, values, text) {
  const lines = () => text.split("\n").map((line) => line.trim()).filter(Boolean);
  return { [task.member(text)]: task.lines ? lines() : text, ...named(task, values) };
}

/** What is sent: JSON, or a form with the file. */
export function request(task, values, text, file, more = {}) {
  if (file) {
    const form = new FormData();
    form.append("options", JSON.stringify({ ...named(task, values), ...more }));
    form.append("file", file, file.name);
    return { path: task.path, headers: {}, body: form };
  }
  const body = JSON.stringify({ ...members(task, values, text), ...more });
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
  const options = named(task, values);
  const json = (value, space = 2) => JSON.stringify(value, null, space);
  const body = members(task, values, cut);
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  if (language === "curl") {
    const lines = file
      ? [`curl -N ${url}`, `-H 'accept: text/event-stream'`, `-F file=@${quoted(file.name)}`, `-F options=${quoted(json(options, 0))}`]
      : [`curl -N ${url}`, `-H 'content-type: application/json'`, `-H 'accept: text/event-stream'`, `-d ${quoted(json(body))}`];
    return lines.join(" \\\n  ");
  }
  if (language === "fetch") {
    const head = file
      ? `const form = new FormData();\nform.append("file", file);\nform.append("options", JSON.stringify(${json(options)}));\nconst answer = await fetch("${url}?stream=text", { method: "POST", body: form });`
      : `const answer = await fetch("${url}?stream=text", {\n  method: "POST",\n  headers: { "Content-Type": "application/json" },\n  body: JSON.stringify(${json(body).replaceAll("\n", "\n  ")}),\n});`;
    const plain = head.replace(/,?\n\s*"on_failover": "restart"/, "");
    return `${plain}\nif (!answer.ok) throw await answer.json();\nfor await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {\n  show(piece);\n}`;
  }
  if (language === "react") {
    const { on_failover: _, ...rest } = options;
    const api = hasUi ? `  api: "${url}",` : `  api: "${url}?stream=text",\n  streamProtocol: "text",`;
    return `import { useCompletion } from "@ai-sdk/react";\n\nconst { completion, complete, stop, isLoading, error } = useCompletion({\n${api}\n  body: ${json(rest).replaceAll("\n", "\n  ")},\n});\n\n<button onClick={() => complete(text)}>${task.label}</button>`;
  }
  const python = (value) => json(value, 4).replace(/(: |^\s*|\[\s*)(true|false|null)\b/gm, (_, before, one) => before + { true: "True", false: "False", null: "None" }[one]);
  const sent = file
    ? `    data={"options": json.dumps(${python(options)})},\n    files={"file": open(${json(file.name)}, "rb")},`
    : `    json=${python(body).replaceAll("\n", "\n    ")},`;
  return `import json\nimport httpx\n\nwith httpx.stream(\n    "POST",\n    "${url}?stream=ndjson",\n${sent}\n    timeout=300,\n) as answer:\n    for line in answer.iter_lines():\n        event = json.loads(line)\n        if event["type"] == "delta":\n            print(event["text"], end="", flush=True)\n        elif event["type"] == "error":\n            raise SystemExit(event["detail"])`;
}
