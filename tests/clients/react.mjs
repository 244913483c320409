// Components in a page without a browser, with the hooks of each version of the AI SDK.

import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { JSDOM } from "jsdom";

/** React waits by one of these; Node's own would keep the process alive. */
class Channel {
  port1 = {};
  port2 = { postMessage: () => setImmediate(() => this.port1.onmessage?.()) };
}

/**
 * Renders the export `Component` of a module in JSX. `act` does what a user does; `until` waits for something to hold,
 * while the component goes on.
 */
export async function rendered(version, source, props = {}) {
  const { window } = new JSDOM("<main></main>", { url: "http://page.test/", pretendToBeVisual: true });
  // What React and the hooks look for; requests go through Node's own `fetch`.
  const { document, navigator } = window;
  const globals = { window, document, navigator, MessageChannel: Channel, IS_REACT_ACT_ENVIRONMENT: true };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const bundle = join(tmpdir(), `redraft-react-${process.pid}-${Date.now()}.mjs`);
  await build({
    stdin: {
      contents: `export { act, createElement } from "react"; export { createRoot } from "react-dom/client"; ${source}`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      loader: "jsx",
    },
    alias: { "@ai-sdk/react": `@ai-sdk/react${version}` },
    nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
    jsx: "automatic",
    bundle: true,
    outfile: bundle,
    format: "esm",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
  });
  const { act, createElement, createRoot, Component } = await import(bundle);
  await rm(bundle);
  const main = document.querySelector("main");
  const root = createRoot(main);
  await act(async () => root.render(createElement(Component, props)));
  return {
    window,
    main,
    act: (what) => act(async () => what()),
    async until(holds) {
      for (let waits = 0; !holds(); waits++) {
        if (waits === 300) throw new Error("it does not end");
        await act(async () => new Promise((go) => setTimeout(go, 20)));
      }
    },
    async leave() {
      await act(async () => root.unmount());
      window.close();
    },
  };
}
