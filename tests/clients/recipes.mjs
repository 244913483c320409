// The code in docs/CLIENTS.md, so that the tests run what its readers copy.

import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../docs/CLIENTS.md", import.meta.url), "utf8");
const AsyncFunction = (async () => {}).constructor;

/** The block of code below a heading of that page: the first one, or the first with this word in it. */
export function code(heading, word = "") {
  const [, section] = page.split(new RegExp(`^## ${heading}$`, "m"));
  if (!section) throw new Error(`docs/CLIENTS.md has no heading ${heading}`);
  const blocks = [...section.split(/^## /m)[0].matchAll(/^```jsx?\n(.*?)^```$/gms)].map(([, block]) => block);
  const found = blocks.find((block) => block.includes(word));
  if (!found) throw new Error(`docs/CLIENTS.md has no code with ${word} below ${heading}`);
  return found;
}

/** With the address of a service in place of those that stand there. */
export const at = (api, block) => block.replaceAll("https://redraft.example", api).replaceAll('"/v1/', `"${api}/v1/`);

/** Runs a block with what it takes from its surroundings, and gives one of its variables. */
export const run = (block, api, surroundings, variable) =>
  new AsyncFunction(...Object.keys(surroundings), `${at(api, block)}\nreturn ${variable};`)(...Object.values(surroundings));
