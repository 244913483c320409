// A React component with the AI SDK's `useCompletion`, as it is: no adapter, no route of your own in between.
// Works with `ai` 5 and `@ai-sdk/react` 2, 6 and 3, 7 and 4.
//
//   <Summary api="/v1/summarize" />

import { useCompletion } from "@ai-sdk/react";

export function Summary({ api = "/v1/summarize", options = { type: "tldr" } }) {
  const { completion, input, handleInputChange, handleSubmit, isLoading, stop, error } = useCompletion({
    api,
    // Everything that the task takes, beside the text.
    body: options,
    // One set of words for each task; two components with the same id share their state.
    id: api,
  });

  return (
    <form onSubmit={handleSubmit}>
      <textarea aria-label="Text" value={input} onChange={handleInputChange} />
      <button disabled={isLoading}>Summarize</button>
      <button type="button" onClick={stop} disabled={!isLoading}>
        Stop
      </button>
      <output aria-busy={isLoading}>{completion}</output>
      {error && <p role="alert">The summary is not complete. {sentence(error)}</p>}
    </form>
  );
}

/** What to tell the reader: a request that is refused is told as a problem in JSON, a failure later as a sentence. */
function sentence({ message }) {
  try {
    return JSON.parse(message).detail;
  } catch {
    return message;
  }
}
