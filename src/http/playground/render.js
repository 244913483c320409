// Makes nodes: from Markdown, from two versions of a text, from anything else. Text of a model
// becomes text nodes and a closed list of elements; nothing is ever parsed as HTML.

/** An element. Members of `properties` that start with `on` are listeners, others are set. */
export function el(name, properties, ...children) {
	const node = document.createElement(name);
	if (name === "button") node.type = "button";
	for (const [key, value] of Object.entries(properties ?? {})) {
		if (value === undefined || value === null || value === false) continue;
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (key === "class") node.className = value;
		else if (key in node && !key.startsWith("aria")) node[key] = value;
		else node.setAttribute(key, value);
	}
	node.append(...children.filter(Boolean));
	return node;
}

// What is longer is not looked at for marks: nobody writes such a paragraph, and it would be slow.
const LONGEST_PARAGRAPH = 20000;
const DEEPEST = 8;
const INLINE =
	/(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|(!?)\[([^\]]*)\]\(\s*([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\s*\)|\*\*(?=\S)([\s\S]*?\S)\*\*(?!\*)|__(?=\S)([\s\S]*?\S)__(?![\w_])|\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)|(?<![\w_])_(?=[^\s_])([\s\S]*?[^\s_])_(?![\w_])|~~(?=\S)([\s\S]*?\S)~~|\\([!-/:-@[-`{-~])|(https?:\/\/[^\s<>]*[^\s<>.,;:!?)\]'"*_])|( {2,}\n|\\\n)/;

/** A link that leads to the web and nowhere else, or its text alone. */
function link(address, ...children) {
	let url;
	try {
		url = new URL(address);
	} catch {
		return children;
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") return children;
	return [el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children)];
}

function inline(text, depth = 0) {
	if (depth > DEEPEST || text.length > LONGEST_PARAGRAPH) return [text];
	const nodes = [];
	let rest = text;
	while (rest) {
		const found = INLINE.exec(rest);
		if (!found) break;
		if (found.index) nodes.push(rest.slice(0, found.index));
		const [all, , code, image, label, address, strong, strong2, em, em2, struck, escaped, url] = found;
		const within = (part) => inline(part, depth + 1);
		if (code !== undefined) nodes.push(el("code", {}, code.replace(/^ (.*\S.*) $/s, "$1")));
		else if (label !== undefined) nodes.push(...(image ? [label] : link(address, ...within(label))));
		else if (strong ?? strong2) nodes.push(el("strong", {}, ...within(strong ?? strong2)));
		else if (em ?? em2) nodes.push(el("em", {}, ...within(em ?? em2)));
		else if (struck) nodes.push(el("s", {}, ...within(struck)));
		else if (escaped) nodes.push(escaped);
		else if (url) nodes.push(...link(url, url));
		else nodes.push(el("br"));
		rest = rest.slice(found.index + all.length);
	}
	if (rest) nodes.push(rest);
	return nodes;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})\s+(\S.*)?$/;
const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const starts = (line) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((mark) => mark.test(line));
const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

/** The blocks of a piece of Markdown. */
export function blocks(text, depth = 0) {
	const lines = text.split("\n");
	const nodes = [];
	let at = 0;
	const take = (belongs) => {
		const from = at;
		while (at < lines.length && belongs(lines[at], at - from)) at += 1;
		return lines.slice(from, at);
	};
	while (at < lines.length) {
		const line = lines[at];
		let mark;
		if (!line.trim()) at += 1;
		else if (depth > DEEPEST) nodes.push(el("p", { class: "plain" }, take(() => true).join("\n")));
		else if ((mark = FENCE.exec(line))) {
			at += 1;
			const code = take((one) => !(one.trim().startsWith(mark[1]) && !one.trim().replaceAll(mark[1][0], "")));
			at += 1;
			nodes.push(el("pre", {}, el("code", {}, code.join("\n"))));
		} else if ((mark = HEADING.exec(line))) {
			at += 1;
			// The page itself has the first two levels.
			nodes.push(el(`h${Math.min(mark[1].length + 2, 6)}`, {}, ...inline((mark[2] ?? "").trim().replace(/(^|\s)#+$/, "").trim())));
		} else if (RULE.test(line)) {
			at += 1;
			nodes.push(el("hr"));
		} else if (QUOTE.test(line)) {
			const quoted = take((one) => QUOTE.test(one)).map((one) => one.replace(QUOTE, ""));
			nodes.push(el("blockquote", {}, ...blocks(quoted.join("\n"), depth + 1)));
		} else if ((mark = ITEM.exec(line))) nodes.push(list(mark));
		else if (line.includes("|") && lines[at + 1]?.includes("-") && lines[at + 1].length < 999 && DIVIDER.test(lines[at + 1])) {
			const [head, , ...rows] = take((one, index) => index < 2 || one.includes("|"));
			const row = (kind) => (one) => el("tr", {}, ...cells(one).map((cell) => el(kind, {}, ...inline(cell))));
			nodes.push(el("table", {}, el("thead", {}, row("th")(head)), el("tbody", {}, ...rows.map(row("td")))));
		} else {
			const words = take((one, index) => one.trim() && (!index || !starts(one)));
			nodes.push(el("p", {}, ...inline(words.join("\n"))));
		}
	}
	return nodes;

	function list([, indent, bullet]) {
		const ordered = /\d/.test(bullet);
		const node = el(ordered ? "ol" : "ul");
		if (ordered && parseInt(bullet, 10) !== 1) node.start = parseInt(bullet, 10);
		for (;;) {
			const mark = at < lines.length && ITEM.exec(lines[at]);
			if (!mark || mark[1].length < indent.length || /\d/.test(mark[2]) !== ordered) return node;
			const width = mark[0].length;
			const [first, ...others] = take(
				(one, index) => !index || (one.trim() && (/^ */.exec(one)[0].length > indent.length || !starts(one))),
			);
			const box = /^\[[ x]\] /i.exec(first.slice(width))?.[0];
			const start = box ? (box[1] === " " ? "☐ " : "☑ ") + first.slice(width + 4) : first.slice(width);
			const inner = [start, ...others.map((one) => one.replace(new RegExp(`^ {1,${width}}`), ""))];
			const content = blocks(inner.join("\n"), depth + 1);
			const lead = content[0]?.tagName === "P" ? [...content.shift().childNodes] : [];
			node.append(el("li", { class: box && "task" }, ...lead, ...content));
		}
	}
}

/** Markdown that grows. What is complete is rendered once; only the end is done again. */
export class Growing {
	constructor(root) {
		this.root = root;
		this.done = 0;
		this.tail = [];
		root.replaceChildren();
	}

	set(text) {
		for (const node of this.tail) node.remove();
		const border = lastBorder(text, this.done);
		this.root.append(...blocks(text.slice(this.done, border)));
		this.done = border;
		this.tail = blocks(text.slice(border));
		this.root.append(...this.tail);
	}
}

/** Where the last empty line ends that is not in a block of code. */
function lastBorder(text, from) {
	const border = text.lastIndexOf("\n\n") + 2;
	// Without an empty line, it is 1.
	if (border < 2 || border <= from) return from;
	const fences = text.slice(from, border).match(/^ {0,3}(```|~~~)/gm) ?? [];
	return fences.length % 2 ? from : border;
}

/** Data that is still being written: what of it can be read by now. */
export function partial(text) {
	const open = [];
	let inString = false;
	// Where it can be cut, and what would have to be closed there.
	let safe = [0, ""];
	const closed = () => open.toReversed().join("");
	for (let at = 0; at < text.length; at += 1) {
		const mark = text[at];
		if (inString) {
			if (mark === "\\") at += 1;
			else if (mark === '"') inString = false;
		} else if (mark === '"') inString = true;
		else if (mark === "{" || mark === "[") {
			open.push(mark === "{" ? "}" : "]");
			safe = [at + 1, closed()];
		} else if (mark === "}" || mark === "]") open.pop();
		else if (mark === ",") safe = [at, closed()];
	}
	// An escape may be half written.
	const whole = inString ? `${text.replace(/\\(u[\da-f]{0,3})?$/i, "")}"` : text;
	for (const one of [whole + closed(), text.slice(0, safe[0]) + safe[1]]) {
		try {
			return JSON.parse(one);
		} catch {
			// The next one.
		}
	}
	return null;
}

// What a thing is called stands first, and what there are many of last.
const rank = ([name, value]) => (/^(title|headline|name|heading)$/.test(name) ? 0 : Array.isArray(value) ? 2 : 1);

/** Data as it reads best: names with their values, lists as lists. */
export function shape(value, nameOf, depth = 0) {
	if (depth > DEEPEST) return [JSON.stringify(value)];
	const within = (one) => shape(one, nameOf, depth + 1);
	if (typeof value === "string") return blocks(value);
	if (typeof value !== "object" || !value) return [el("p", {}, String(value))];
	if (!Array.isArray(value)) {
		const rows = Object.entries(value).filter(([, one]) => one?.length !== 0).sort((a, b) => rank(a) - rank(b)).map(([name, one]) => el("div", {}, el("dt", {}, nameOf(name)), el("dd", {}, ...within(one))));
		return [el("dl", { class: "shape" }, ...rows)];
	}
	if (value.some((one) => one && typeof one === "object")) return value.map((one) => el("div", { class: "post" }, ...within(one)));
	return [el("ul", {}, ...value.map((one) => el("li", {}, ...inline(String(one)))))];
}

// Cells of the table below: 8 MB, and well under a tenth of a second.
const MOST_COMPARED = 4_000_000;

/** What was taken away and what was added, word by word; null when there is too much to compare. */
export function changes(before, after) {
	const words = (text) => text.match(/\S+\s*|^\s+/g) ?? [];
	const [old, now] = [words(before), words(after)];
	if (old.length * now.length > MOST_COMPARED) return null;
	const [a, b] = [old, now].map((all) => all.map((one) => one.trimEnd()));
	const same = (i, j) => i < a.length && j < b.length && a[i] === b[j];
	// The longest common subsequence of what begins at each pair of words.
	const width = now.length + 1;
	const longest = new Uint16Array((old.length + 1) * width);
	for (let i = old.length - 1; i >= 0; i -= 1) {
		for (let j = now.length - 1; j >= 0; j -= 1) {
			const below = (i + 1) * width + j;
			longest[i * width + j] = same(i, j) ? longest[below + 1] + 1 : Math.max(longest[below], longest[i * width + j + 1]);
		}
	}
	const steps = [];
	const step = (kind, word) => {
		if (steps.at(-1)?.kind === kind) steps.at(-1).text += word;
		else steps.push({ kind, text: word });
	};
	let [i, j] = [0, 0];
	while (i < old.length || j < now.length) {
		if (same(i, j)) {
			step("same", now[j]);
			i += 1;
			j += 1;
		} else if (j === now.length || (i < old.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
			step("del", old[i]);
			i += 1;
		} else {
			step("ins", now[j]);
			j += 1;
		}
	}
	return steps;
}
