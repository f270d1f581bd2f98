// The packages `openai` and `@anthropic-ai/sdk` against the gateway.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { GATEWAY_URL: url, APP_TOKEN, SCOPED_TOKEN, SPENT_TOKEN, REVOKED_TOKEN } = process.env;
const messages = [{ role: "user", content: "one two three" }];
let passed = 0;
let failed = 0;
let denials = 0;

function check(what, holds) {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`failed: ${what}`);
  }
}

/** A `fetch` that counts its requests: a hard denial is not tried again. */
function counting() {
  const sent = [];
  const fetched = (input, init) => {
    sent.push(String(input));
    return fetch(input, init);
  };
  return [fetched, sent];
}

/** The call must reject with exactly this error, status and code, after one request. */
async function rejects(what, kind, call, status, code, sent) {
  denials += 1;
  try {
    await call();
    check(`${what}: nothing was thrown`, false);
  } catch (error) {
    check(`${what}: ${error.constructor.name}`, error.constructor === kind);
    check(`${what}: status ${error.status}`, error.status === status);
    if (code !== undefined) check(`${what}: code ${error.code}`, error.code === code);
    if (sent !== undefined) check(`${what}: ${sent.length} requests`, sent.length === 1);
  }
}

async function all(stream, text) {
  let joined = "";
  for await (const part of stream) joined += text(part) ?? "";
  return joined;
}

async function openai() {
  const client = (apiKey) => {
    const [fetched, sent] = counting();
    return [new OpenAI({ baseURL: `${url}/v1`, apiKey, fetch: fetched }), sent];
  };
  const [app] = client(APP_TOKEN);
  const chat = await app.chat.completions.create({ model: "gpt-4o", messages });
  check("openai chat", chat.choices[0].message.content === "one two three" && chat.usage.total_tokens > 0);
  const stream = await app.chat.completions.create({ model: "gpt-4o", messages, stream: true });
  check("openai stream", (await all(stream, (chunk) => chunk.choices[0].delta.content)) === "one two three");
  check("openai responses", (await app.responses.create({ model: "gpt-4o", input: "hi" })).output_text === "hi");
  const events = await app.responses.create({ model: "gpt-4o", input: "one two", stream: true });
  const deltas = await all(events, (event) => (event.type === "response.output_text.delta" ? event.delta : ""));
  check("openai responses stream", deltas === "one two");
  const vectors = await app.embeddings.create({ model: "text-embedding-3-small", input: "a" });
  check("openai embeddings", vectors.data[0].embedding.length === 8);
  const models = [];
  for await (const model of app.models.list()) models.push(model.id);
  check("openai models", models.includes("gpt-4o"));

  const [scoped, sent] = client(SCOPED_TOKEN);
  for (const streaming of [false, true]) {
    sent.length = 0;
    const denied = () => scoped.chat.completions.create({ model: "gpt-4o", messages, stream: streaming });
    await rejects("openai 403", OpenAI.PermissionDeniedError, denied, 403, "model_not_allowed", sent);
  }
  sent.length = 0;
  await rejects("openai hidden model", OpenAI.NotFoundError, () => scoped.models.retrieve("gpt-4o"), 404, undefined, sent);
  for (const [token, kind, status, code] of [
    [REVOKED_TOKEN, OpenAI.AuthenticationError, 401, "token_revoked"],
    [SPENT_TOKEN, OpenAI.RateLimitError, 429, "insufficient_quota"],
  ]) {
    const [other, requests] = client(token);
    await rejects(`openai ${code}`, kind, () => other.chat.completions.create({ model: "gpt-4o", messages }), status, code, requests);
  }
}

async function anthropic() {
  const client = (apiKey) => {
    const [fetched, sent] = counting();
    return [new Anthropic({ baseURL: url, apiKey, fetch: fetched }), sent];
  };
  const ask = { model: "claude-sonnet-4-5", max_tokens: 100, messages };
  const [app] = client(APP_TOKEN);
  const message = await app.messages.create(ask);
  check("anthropic message", message.content[0].text === "one two three");
  check("anthropic stream", (await app.messages.stream(ask).finalText()) === "one two three");
  const counted = await app.messages.countTokens({ model: ask.model, messages });
  check("anthropic count", counted.input_tokens > 0);
  const models = [];
  for await (const model of app.models.list({ limit: 100 })) models.push(model.id);
  check("anthropic models", models.includes("claude-sonnet-4-5"));
  for (const [token, kind, status] of [
    [SCOPED_TOKEN, Anthropic.PermissionDeniedError, 403],
    [REVOKED_TOKEN, Anthropic.AuthenticationError, 401],
    [SPENT_TOKEN, Anthropic.RateLimitError, 429],
  ]) {
    const [other, requests] = client(token);
    await rejects(`anthropic ${status}`, kind, () => other.messages.create(ask), status, undefined, requests);
  }
}

await openai();
await anthropic();
console.log(`${denials} denials`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
