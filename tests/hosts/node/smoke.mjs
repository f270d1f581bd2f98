// Loads the component in Node and asks it everything once: smoke.mjs TRANSPILED [FOLDER-OF-BUNDLES]
//
// TRANSPILED is what `jco transpile` made of the component: an ES module beside its core modules.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const { authz } = await import(pathToFileURL(argv[2]));
const { PolicySet } = authz;

const POLICIES = fileURLToPath(new URL("../../../policies", import.meta.url));
const AT = 1_776_948_300_000n; // 2026-04-23T12:45:00Z
const APP =
  '{"id":"tok_app","purpose":"general","principal_type":"api_token","status":"active","bindings":{"models":["gpt-4o"]}}';
const ADMITTED = '{"action":"chat.completions","provider":"openai","model":"gpt-4o"}';
const DENIED = '{"action":"chat.completions","provider":"openai","model":"o3"}';
const SPENT = '{"budget":{"limit":10,"spent":10,"requested":1}}';

let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`failed: ${what}`);
  }
}

/** The case and text of the error that a call ends in: jco throws it as an error with the variant as payload. */
function refusal(call) {
  try {
    call();
  } catch (error) {
    if (error.payload === undefined) throw error;
    return error.payload;
  }
  return { tag: undefined, val: undefined };
}

function names(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith(ending)).sort();
}

function read(...path) {
  return readFileSync(join(...path), "utf8");
}

/** The text of a bundle: the folder's files by their names. */
function bundle() {
  const file = (name) => ({ name, text: read(POLICIES, name) });
  return {
    v: 1,
    schema: file("schema.cedarschema"),
    policies: names(POLICIES, ".cedar").map(file),
    entities: file("entities.json"),
    settings: { teams: "open", max_cache_ms: 1000 },
  };
}

/** The fields of an object as the text writes them: JSON.parse would round numbers and drop duplicates. */
function rawFields(line) {
  const fields = {};
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gy;
  let depth = 0;
  let key;
  let start = 0;
  for (let at = 0; at < line.length; at += 1) {
    token.lastIndex = at;
    const found = token.exec(line);
    if (found === null) continue;
    const text = found[0];
    if (text === "{" || text === "[") depth += 1;
    if (text === "}" || text === "]") depth -= 1;
    if (depth === 1 && text.startsWith('"') && key === undefined) key = JSON.parse(text);
    if (depth === 1 && text === ":") start = at + 1;
    if ((depth === 1 && text === ",") || depth === 0) {
      fields[key] = line.slice(start, at).trim();
      key = undefined;
    }
    at += text.length - 1;
  }
  return fields;
}

/** RFC 3339 to milliseconds since 1970, cut. */
function millis(text) {
  return BigInt(Date.parse(text));
}

function using(resource, use) {
  try {
    return use(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}

function loading() {
  const abi = JSON.parse(authz.abi());
  check("abi names the contract", abi.v === 1 && abi.contract === "0.1.0");
  check("a text that is no bundle is malformed", refusal(() => PolicySet.load("{}")).tag === "malformed");
  const broken = bundle();
  broken.policies.push({ name: "broken.cedar", text: '@id("broken")\npermit(principal, action, resorce);' });
  const refused = refusal(() => PolicySet.load(JSON.stringify(broken)));
  check("a bundle with an error is refused", refused.tag === "refused");
  const [found] = JSON.parse(refused.val).diagnostics;
  check("a diagnostic has file and line", found.file === "broken.cedar" && found.line === 2);
  const damaged = refusal(() => PolicySet.restore(new TextEncoder().encode("cedargate")));
  check("a damaged image is invalid", damaged.tag === "image-foreign");
}

function deciding(set) {
  const info = JSON.parse(set.info());
  const ids = info.policies.map((policy) => policy.id);
  check("the table is sorted", ids.join() === [...ids].sort().join() && info.digest.startsWith("sha256:"));
  const prepare = (from, to) => refusal(() => set.prepare(APP.replace(from, to))).tag;
  check("a profile with null is malformed", prepare('"tok_app"', "null") === "malformed");
  check("an unreadable binding is invalid", prepare("gpt-4o", "gpt-*") === "profile-invalid");
  using(set.prepare(APP), (principal) => {
    const allow = principal.decide(AT, ADMITTED, "");
    const deny = principal.decide(AT, DENIED, "");
    check("an allow", allow.effect === 1 && info.outcomes[allow.outcome].name === "allowed");
    check("an allow has no deciding policy", allow.deciding === undefined && allow.policies.length > 0);
    check("a denial", deny.effect === 0 && info.policies[deny.deciding].code === "model_not_allowed");
    check("validity holds the time", allow.since <= AT && AT < allow.until);
    check("reads point into fields", [...allow.reads].some((at) => info.fields[at] === "model"));
    const spent = principal.decide(AT, ADMITTED, SPENT);
    check("counters", info.policies[spent.deciding].code === "insufficient_quota");
    const decide = (request) => refusal(() => principal.decide(AT, request, "")).tag;
    check("an unknown field is malformed", decide('{"action":"x","y":1}') === "malformed");
    check("a missing model is the client's", decide('{"action":"embeddings"}') === "request-invalid");
    const many = principal.decideMany(AT, [ADMITTED, "{}", ADMITTED], ["", "", SPENT]);
    check("a batch keeps its order", many.map((one) => one.val.effect ?? one.val.tag).join() === "1,malformed,0");
    const uncounted = principal.decideMany(AT, [ADMITTED, ADMITTED], [""]);
    check("a batch with too few counters", uncounted.map((one) => one.val.tag).join() === "malformed,malformed");
    const text = JSON.parse(principal.decideText(AT, DENIED, ""));
    check("the text says the same", text.status === 403 && text.code === "model_not_allowed");
    check("the policies are the same", text.policies.join() === [...deny.policies].map((at) => ids[at]).join());
  });
}

function restoring(set) {
  const image = set.image();
  check("a cut image is invalid", refusal(() => PolicySet.restore(image.slice(0, -1))).tag === "image-invalid");
  using(PolicySet.restore(image), (restored) => {
    check("a restored set describes itself alike", restored.info() === set.info());
    const decide = (from) => using(from.prepare(APP), (principal) => principal.decideText(AT, DENIED, ""));
    check("a restored set decides alike", decide(restored) === decide(set));
  });
}

function askingCedar() {
  const text =
    '@id("erring") forbid(principal, action, resource) when { context.n > 0 };\n' +
    '@id("reads") permit(principal, action == Action::"read", resource);';
  const call = {
    v: 1,
    principal: { type: "User", id: "ann" },
    action: { type: "Action", id: "read" },
    resource: { type: "Page", id: "1" },
  };
  const general = { v: 1, kind: "general", policies: [{ name: "p.cedar", text }] };
  using(PolicySet.load(JSON.stringify(general)), (set) => {
    const answer = JSON.parse(set.authorize(JSON.stringify(call)));
    check("the general door answers", answer.decision === "allow" && answer.reasons.join() === "reads");
    check("it reports errors", answer.errors.map((error) => error.policy).join() === "erring");
    check("a call without principal is malformed", refusal(() => set.authorize('{"v":1}')).tag === "malformed");
    call.principal.type = "not a type";
    check("a wrong type is invalid", refusal(() => set.authorize(JSON.stringify(call))).tag === "request-invalid");
  });
}

/** Every case beside the policies. Prints a digest of all replies, which is the same in every host. */
function corpus(set) {
  const digest = createHash("sha256");
  for (const name of names(POLICIES, ".cases.jsonl")) {
    for (const line of read(POLICIES, name).trimEnd().split("\n")) {
      const { id, at, expect } = JSON.parse(line);
      const raw = rawFields(line);
      const text = using(set.prepare(raw.principal), (principal) => principal.decideText(millis(at), raw.request, ""));
      digest.update(`${text}\n`);
      const came = JSON.parse(text);
      const same = ["decision", "status", "code"].every((field) => !(field in expect) || came[field] === expect[field]);
      check(`${name}: ${id}: expected ${JSON.stringify(expect)}, came ${text}`, same);
    }
  }
  console.log(`replies sha256:${digest.digest("hex")}`);
}

/** Bundles at the limit of depth are loaded and decide; bundles one deeper are refused. */
function depth(folder) {
  for (const name of names(join(folder, "accepted"), ".json")) {
    using(PolicySet.load(read(folder, "accepted", name)), (set) => {
      const text = using(set.prepare(APP), (principal) => principal.decideText(AT, ADMITTED, ""));
      check(`${name} decides`, [200, 401, 403, 429].includes(JSON.parse(text).status));
      using(PolicySet.restore(set.image()), (restored) => check(`${name} is restored`, restored.info() === set.info()));
    });
  }
  for (const name of names(join(folder, "refused"), ".json")) {
    const { tag, val } = refusal(() => PolicySet.load(read(folder, "refused", name)));
    const codes = tag === "refused" ? new Set(JSON.parse(val).diagnostics.map((found) => found.code)) : new Set([tag]);
    check(`${name} is refused by a limit, came ${[...codes]}`, codes.size === 1 && codes.has("limit"));
  }
}

loading();
using(PolicySet.load(JSON.stringify(bundle())), (set) => {
  deciding(set);
  restoring(set);
  askingCedar();
  corpus(set);
});
if (argv[3] !== undefined) depth(argv[3]);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
