// Redraft's client; docs/CLIENTS.md explains it.

const fail = (problem, text, cause) =>
	Object.assign(new Error(problem.detail ?? problem.code, { cause }), problem, { text });

async function* read(url, body, signal, { fetch: send = fetch, headers, retries = 2 }) {
	headers = { accept: "text/event-stream", "content-type": "application/json", ...headers };
	let answer, rest = "";
	for (let n = 0; !(answer = await send(url, { method: "POST", headers, body, signal })).ok; n++) {
		const { status } = answer;
		const problem = await answer.json().catch(() => 0);
		const wait = problem.retry_after_ms ?? 1000 << n;
		// Only what was refused before a model was asked is posted again.
		const again = problem.retryable && !problem.attempts?.length && [429, 503].includes(status);
		if (!again || n >= retries || wait > 1e4) throw fail({ code: "http_" + status, ...problem, status }, "");
		await new Promise((go, leave) => {
			setTimeout(go, wait);
			signal.onabort = leave;
		});
	}
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const lines = (rest + value).split("\n");
		rest = lines.pop();
		for (const line of lines) if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
	}
}

export function client(settings) {
	const run = (path, body, options) => {
		const all = { ...settings, ...options };
		const url = `${all.baseUrl ?? new URL(".", import.meta.url)}`.replace(/\/$/, "") + path;
		const stop = new AbortController();
		const signal = AbortSignal.any([stop.signal, all.signal ?? stop.signal]);
		const result = { text: "" };
		let failed;
		const events = (async function* () {
			try {
				for await (const event of read(url, JSON.stringify(body), signal, all)) {
					const { type, seq, text, ...members } = event;
					if (type == "error") throw fail(members, result.text);
					if (type == "delta") result.text += text;
					if (type == "reset") result.text = "";
					if (/start|usage|done/.test(type)) Object.assign(result, members);
					yield event;
				}
				if (!result.finish_reason) throw fail({ code: "stream_cut" }, result.text);
			} catch (error) {
				if (result.finish_reason) return;
				if (!error.code) error = fail({ code: "network_error" }, result.text, error);
				throw (failed = signal.aborted ? signal.reason : error);
			} finally {
				stop.abort();
			}
		})();
		return {
			result,
			abort: (reason) => stop.abort(reason),
			[Symbol.asyncIterator]: () => events,
			async text() {
				for await (const _ of events);
				const { text, finish_reason: code = "stopped" } = result;
				if (code == "stop") return text;
				throw failed ?? fail({ code }, text);
			},
		};
	};
	const task = (name) => (text, { signal, ...options } = {}) =>
		run("/v1/" + name, { [text.map ? "bullets" : "text"]: text, ...options }, { signal });
	return { run, summarize: task("summarize"), rephrase: task("rephrase"), expand: task("expand") };
}

export const { run, summarize, rephrase, expand } = client();
