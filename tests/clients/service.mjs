// The running service and the simulator behind it, as run.sh started them.

import { createServer, request as connect } from "node:http";

export const API = process.env.REDRAFT_API;
export const SIM = process.env.REDRAFT_SIM;
if (!API || !SIM) throw new Error("tests/clients/run.sh runs these tests: they need a service and a simulator");

export const TEXT =
  "The new library opened on Monday. It holds 40,000 books, and entry is free for everybody. " +
  "The building cost 12 million euros, and the city paid half of it. A ferry leaves at nine every morning. " +
  "Its roof collects rain for the garden, where lessons are held in summer. The old house becomes a theatre.";

async function admin(path, method, body) {
  const answer = await fetch(SIM + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json().catch(() => null);
}

/** Whether a model may have been throttled. The tests before this file may have done so. */
let isThrottled = true;

/** Forgets what was set and what was seen, so that every test finds every model free. */
export async function reset() {
  await admin("/_sim/scenarios", "DELETE");
  if (isThrottled) {
    for (const model of await chain()) await recovered(model);
    isThrottled = false;
  }
  await admin("/_sim/calls", "DELETE");
}

/** The models that are asked, one after the other. */
export async function chain() {
  const { chains } = await (await fetch(`${API}/v1/models`)).json();
  return chains.find(({ name }) => name === "default").stages.flat().map(({ model }) => model);
}

/** Waits until the service asks this model again: it spares those that throttle, each time longer. */
async function recovered(model) {
  await everyModel("service-unavailable");
  await admin("/_sim/scenarios", "POST", { model, scenario: "normal" });
  for (let tries = 0; ; tries++) {
    const answer = await postText("summarize", { text: TEXT });
    await answer.text();
    if (answer.ok) break;
    if (tries === 100) throw new Error(`${model} is not asked again`);
    await pause(50);
  }
  await admin("/_sim/scenarios", "DELETE");
}

/** What all models do from now on. */
export async function everyModel(scenario) {
  isThrottled ||= scenario === "throttling";
  await admin("/_sim/scenarios", "POST", { scenario });
}

/** What the first model does from now on. */
export async function firstModel(scenario) {
  isThrottled ||= scenario === "throttling";
  const [model] = await chain();
  await admin("/_sim/scenarios", "POST", { model, scenario });
}

/** The calls of models since `reset`. */
export async function modelCalls() {
  const calls = await admin("/_sim/calls", "GET");
  return calls.filter((call) => call.operation.startsWith("Converse"));
}

/** Calls of models that cost something. */
export const billedCalls = async () =>
  (await modelCalls()).filter((call) => call.billed_input_tokens + call.billed_output_tokens > 0);

const postText = (task, body) =>
  fetch(`${API}/v1/${task}?stream=json`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** The whole answer, as JSON tells it. The simulator says the same to the same prompt. */
export async function wholeAnswer(task = "summarize", body = { text: TEXT }) {
  const answer = await postText(task, body);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()).text;
}

/** `fetch` that counts what it posts to the service. */
export function countingFetch() {
  const counted = async (input, init) => {
    const method = init?.method ?? input.method ?? "GET";
    if (method === "POST") counted.posts += 1;
    return fetch(input, init);
  };
  counted.posts = 0;
  return counted;
}

export const pause = (ms) => new Promise((go) => setTimeout(go, ms));

/**
 * A gateway before the service that counts what is posted through it, also by clients that bring a `fetch` of their
 * own. With `cutAfterBytes` it drops the connection once so many bytes of an answer have passed; when it `isPolite`, it
 * ends the answer there as if that were all of it. When it `isDeaf`, it drops the connection and passes nothing on.
 */
export async function gateway() {
  const { hostname, port } = new URL(API);
  const state = { posts: 0, cutAfterBytes: Infinity, isPolite: false, isDeaf: false };
  const server = createServer((request, response) => {
    if (request.method === "POST") state.posts += 1;
    if (state.isDeaf) return request.socket.destroy();
    const { method, url: path, headers } = request;
    const upstream = connect({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      let passed = 0;
      answer.on("data", (bytes) => {
        const allowed = bytes.subarray(0, state.cutAfterBytes - passed);
        passed += bytes.length;
        response.write(allowed);
        if (passed < state.cutAfterBytes) return;
        if (!state.isPolite) return response.socket?.end();
        response.end();
        upstream.destroy();
      });
      answer.on("end", () => response.end());
      answer.on("error", () => response.socket?.destroy());
    });
    upstream.on("error", () => response.socket?.destroy());
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  });
  await new Promise((go) => server.listen(0, "127.0.0.1", go));
  state.api = `http://127.0.0.1:${server.address().port}`;
  state.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return state;
}
