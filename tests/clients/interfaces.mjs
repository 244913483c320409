// The interfaces of the Writing Assistance APIs, as data, and a check of an implementation against them.
// The members and their values are those of the draft's Web IDL. Runs in Node and in pages.

const FORMATS = ["markdown", "plain-text"];
const LENGTHS = ["short", "medium", "long"];
const shared = {
  sharedContext: { type: "string" },
  expectedInputLanguages: { type: "list" },
  expectedContextLanguages: { type: "list" },
  outputLanguage: { type: "string?" },
  inputQuota: { type: "number" },
};
const operations = (method) => ({
  [method]: { length: 1, gives: "promise" },
  [`${method}Streaming`]: { length: 1, gives: "stream" },
  measureInputUsage: { length: 1, gives: "promise" },
  destroy: { length: 0 },
});

export const interfaces = {
  Summarizer: {
    attributes: {
      ...shared,
      type: { type: "string", values: ["key-points", "tldr", "teaser", "headline"] },
      format: { type: "string", values: FORMATS },
      length: { type: "string", values: LENGTHS },
      preference: { type: "string", values: ["auto", "speed", "capability"] },
    },
    operations: operations("summarize"),
  },
  Writer: {
    attributes: {
      ...shared,
      tone: { type: "string", values: ["neutral", "formal", "casual"] },
      format: { type: "string", values: FORMATS },
      length: { type: "string", values: LENGTHS },
    },
    operations: operations("write"),
  },
  Rewriter: {
    attributes: {
      ...shared,
      tone: { type: "string", values: ["as-is", "more-formal", "more-casual"] },
      format: { type: "string", values: ["as-is", "plain-text", "markdown"] },
      length: { type: "string", values: ["as-is", "shorter", "longer"] },
    },
    operations: operations("rewrite"),
  },
};

/** Everything in which an interface and an object of it differ from what Web IDL makes of the draft. */
export async function checkInterface(globals, name, { attributes, operations }, object) {
  const wrong = [];
  const expect = (holds, what) => holds || wrong.push(`${name}: ${what}`);
  const global = Object.getOwnPropertyDescriptor(globals, name);
  expect(global?.writable && global.configurable && !global.enumerable, "the property of the global object");
  const { value: api } = global;
  expect(typeof api === "function" && api.name === name && api.length === 0, "name and length of the interface object");
  expect(Object.getPrototypeOf(api) === Function.prototype, "it inherits from nothing");
  const { prototype } = api;
  expect(!Object.getOwnPropertyDescriptor(api, "prototype").writable, "`prototype` cannot be replaced");
  expect(Object.getPrototypeOf(prototype) === Object.prototype, "the prototype's prototype");
  expect(prototype[Symbol.toStringTag] === name && `${object}` === `[object ${name}]`, "the class string");
  expect(object instanceof api, "instanceof");
  expect(throws(() => new api(), TypeError) && throws(() => api(), TypeError), "it cannot be constructed");

  for (const method of ["create", "availability"]) {
    const property = Object.getOwnPropertyDescriptor(api, method);
    expect(property?.enumerable && property.configurable && property.writable, `static ${method}: its property`);
    expect(property?.value.length === 0 && property.value.name === method, `static ${method}: name and length`);
    expect(await rejects(api[method](1)), `static ${method}: a number is no dictionary`);
  }
  for (const [attribute, { type, values }] of Object.entries(attributes)) {
    const property = Object.getOwnPropertyDescriptor(prototype, attribute);
    expect(property?.get && !property.set && property.enumerable && property.configurable, `${attribute}: its property`);
    expect(property?.get.name === `get ${attribute}`, `${attribute}: the getter's name`);
    expect(throws(() => property.get.call({}), TypeError) && throws(() => prototype[attribute], TypeError), `${attribute}: of another object`);
    expect(!Object.hasOwn(object, attribute), `${attribute}: not the object's own`);
    const value = object[attribute];
    const fits = {
      string: typeof value === "string" && (!values || values.includes(value)),
      "string?": value === null || typeof value === "string",
      list: value === null || (Array.isArray(value) && Object.isFrozen(value)),
      number: typeof value === "number",
    }[type];
    expect(fits, `${attribute}: its value ${JSON.stringify(value)}`);
    expect(throws(() => Object.assign(object, { [attribute]: "x" }), TypeError), `${attribute}: it is read only`);
  }
  for (const [method, { length, gives }] of Object.entries(operations)) {
    const property = Object.getOwnPropertyDescriptor(prototype, method);
    expect(property?.enumerable && property.configurable && property.writable, `${method}: its property`);
    const { value } = property ?? {};
    expect(value?.length === length && value.name === method, `${method}: name and length`);
    const refuses = gives === "promise" ? await rejects(value.call({}, "x")) : throws(() => value.call({}, "x"), TypeError);
    expect(refuses, `${method}: of another object`);
    if (length) expect(gives === "promise" ? await rejects(object[method]()) : throws(() => object[method](), TypeError), `${method}: without its argument`);
    expect(!("prototype" in value), `${method}: it is no constructor`);
  }
  const known = new Set([...Object.keys(attributes), ...Object.keys(operations), "constructor"]);
  const others = Object.getOwnPropertyNames(prototype).filter((key) => !known.has(key));
  expect(others.length === 0, `members that the draft has not got: ${others}`);
  return wrong;
}

function throws(act, type) {
  try {
    act();
    return false;
  } catch (error) {
    return error instanceof type;
  }
}

const rejects = (promise) => Promise.resolve(promise).then(() => false, (error) => error instanceof TypeError);
