// Requests to the service: problems, streams of events, and what was heard on the way.

/** An answer that is an error, with the members of its problem. */
export class Refused extends Error {
	constructor(problem) {
		super(problem.detail);
		this.problem = problem;
	}
}

const unreachable = {
	title: "No connection",
	detail: "The service cannot be reached. Check that it runs, and try again.",
	code: "no_connection",
	retryable: true,
};

/** Asks once. Throws `Refused`, or an AbortError when `signal` said so. */
export async function ask(path, init = {}) {
	let answer;
	try {
		answer = await fetch(path, init);
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Refused(unreachable);
	}
	if (answer.ok) return answer;
	const problem = await answer.json().catch(() => ({
		title: answer.statusText || "Error",
		detail: `The service answered with status ${answer.status}.`,
		code: `http_${answer.status}`,
	}));
	throw new Refused({ request_id: answer.headers.get("x-request-id"), ...problem });
}

/** The events of a stream of Server-Sent Events. `hear` is told of comments. */
export async function* eventsOf(answer, hear) {
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let data = [];
	try {
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return;
			const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
			rest = lines.pop();
			for (const line of lines) {
				if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
				else if (line.startsWith(":")) hear(line);
				else if (line === "" && data.length) {
					const event = JSON.parse(data.join("\n"));
					data = [];
					yield event;
				}
			}
		}
	} finally {
		// Leaving early ends the work, also at the model.
		reader.cancel().catch(() => {});
	}
}

/** Runs a task and yields its events. A stream without an end is an error of its own. */
export async function* run(request, signal, hear) {
	const { path, headers, body } = request;
	const answer = await ask(path, {
		method: "POST",
		headers: { ...headers, Accept: "text/event-stream" },
		body,
		signal,
	});
	let last;
	try {
		for await (const event of eventsOf(answer, hear)) {
			last = event.type;
			yield event;
		}
	} catch (error) {
		if (error.name === "AbortError" || signal.aborted) throw error;
	}
	if (last === "done" || last === "error" || signal.aborted) return;
	throw new Refused({
		title: "The stream was cut",
		detail: "The connection ended before the answer was complete. What is shown may be a part of it.",
		code: "stream_cut",
		retryable: true,
	});
}
