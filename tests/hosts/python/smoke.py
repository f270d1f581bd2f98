"""Loads the component in Python and asks it everything once: smoke.py COMPONENT [FOLDER-OF-BUNDLES]"""

import datetime
import hashlib
import json
import pathlib
import sys
import time

from cedargate_host import Plugin, Refused

POLICIES = pathlib.Path(__file__).resolve().parents[3] / "policies"
AT = 1_776_948_300_000  # 2026-04-23T12:45:00Z
APP = '{"id":"tok_app","purpose":"general","principal_type":"api_token","status":"active","bindings":{"models":["gpt-4o"]}}'
ADMITTED = '{"action":"chat.completions","provider":"openai","model":"gpt-4o"}'
DENIED = '{"action":"chat.completions","provider":"openai","model":"o3"}'
SPENT = '{"budget":{"limit":10,"spent":10,"requested":1}}'

passed = failed = 0


def check(what, holds):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"failed: {what}")


def refusal(call, *arguments):
    """The case and text of the error that a call ends in."""
    try:
        call(*arguments)
    except Refused as refused:
        return refused.case, refused.text
    return None, None


def bundle():
    """The text of a bundle: the folder's files by their names."""
    def file(path):
        return {"name": path.name, "text": path.read_text(encoding="utf-8")}

    return json.dumps({
        "v": 1,
        "schema": file(POLICIES / "schema.cedarschema"),
        "policies": [file(path) for path in sorted(POLICIES.glob("*.cedar"))],
        "entities": file(POLICIES / "entities.json"),
        "settings": {"teams": "open", "max_cache_ms": 1000},
    })


def raw_fields(line):
    """The fields of an object as the text writes them, so that numbers and duplicates reach the component as they are."""
    decoder, fields, at = json.JSONDecoder(), {}, line.index("{") + 1
    while (at := line.find('"', at)) >= 0:
        key, at = decoder.raw_decode(line, at)
        start = line.index(":", at) + 1
        while line[start].isspace():
            start += 1
        _, at = decoder.raw_decode(line, start)
        fields[key] = line[start:at]
    return fields


def millis(text):
    """RFC 3339 to milliseconds since 1970, cut."""
    since = datetime.datetime.fromisoformat(text) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(milliseconds=1)


def loading(plugin, text):
    abi = json.loads(plugin.abi())
    check("abi names the contract", abi["v"] == 1 and abi["contract"] == "0.1.0")
    check("a text that is no bundle is malformed", refusal(plugin.load, "{}")[0] == "malformed")
    broken = json.loads(text)
    broken["policies"].append({"name": "broken.cedar", "text": '@id("broken")\npermit(principal, action, resorce);'})
    case, report = refusal(plugin.load, json.dumps(broken))
    check("a bundle with an error is refused", case == "refused")
    found = json.loads(report)["diagnostics"][0]
    check("a diagnostic has file and line", (found["file"], found["line"]) == ("broken.cedar", 2))
    check("a damaged image is invalid", refusal(plugin.restore, b"cedargate")[0] == "image-foreign")


def deciding(policy_set):
    info = json.loads(policy_set.info())
    ids = [policy["id"] for policy in info["policies"]]
    check("the table is sorted", ids == sorted(ids) and info["digest"].startswith("sha256:"))
    check("a profile with null is malformed", refusal(policy_set.prepare, APP.replace('"tok_app"', "null"))[0] == "malformed")
    check("an unreadable binding is invalid", refusal(policy_set.prepare, APP.replace("gpt-4o", "gpt-*"))[0] == "profile-invalid")
    with policy_set.prepare(APP) as principal:
        allow, deny = principal.decide(AT, ADMITTED), principal.decide(AT, DENIED)
        check("an allow", allow.effect == 1 and info["outcomes"][allow.outcome]["name"] == "allowed")
        check("an allow has no deciding policy", allow.deciding is None and len(allow.policies) > 0)
        check("a denial", deny.effect == 0 and info["policies"][deny.deciding]["code"] == "model_not_allowed")
        since, until = allow.since, allow.until
        check("validity holds the time", since <= AT < until)
        check("reads point into fields", "model" in [info["fields"][at] for at in allow.reads])
        spent = principal.decide(AT, ADMITTED, SPENT)
        check("counters", info["policies"][spent.deciding]["code"] == "insufficient_quota")
        check("an unknown field is malformed", refusal(principal.decide, AT, '{"action":"x","y":1}')[0] == "malformed")
        check("a missing model is the client's", refusal(principal.decide, AT, '{"action":"embeddings"}')[0] == "request-invalid")
        many = principal.decide_many(AT, [ADMITTED, "{}", ADMITTED], ["", "", SPENT])
        check("a batch keeps its order", (many[0].effect, many[1].tag, many[2].effect) == (1, "malformed", 0))
        check("a batch with too few counters", [one.tag for one in principal.decide_many(AT, [ADMITTED] * 2, [""])] == ["malformed"] * 2)
        text = json.loads(principal.decide_text(AT, DENIED))
        check("the text says the same", (text["status"], text["code"]) == (403, "model_not_allowed"))
        check("the policies are the same", text["policies"] == [ids[at] for at in deny.policies])


def restoring(plugin, policy_set):
    image = policy_set.image()
    check("a cut image is invalid", refusal(plugin.restore, image[:-1])[0] == "image-invalid")
    with plugin.restore(image) as restored:
        check("a restored set describes itself alike", restored.info() == policy_set.info())
        with restored.prepare(APP) as principal, policy_set.prepare(APP) as original:
            check("a restored set decides alike", principal.decide_text(AT, DENIED) == original.decide_text(AT, DENIED))


def asking_cedar(plugin):
    text = '@id("erring") forbid(principal, action, resource) when { context.n > 0 };\n@id("reads") permit(principal, action == Action::"read", resource);'
    call = {"v": 1, "principal": {"type": "User", "id": "ann"}, "action": {"type": "Action", "id": "read"},
            "resource": {"type": "Page", "id": "1"}}
    with plugin.load(json.dumps({"v": 1, "kind": "general", "policies": [{"name": "p.cedar", "text": text}]})) as general:
        answer = json.loads(general.authorize(json.dumps(call)))
        check("the general door answers", (answer["decision"], answer["reasons"]) == ("allow", ["reads"]))
        check("it reports errors", [error["policy"] for error in answer["errors"]] == ["erring"])
        check("a call without principal is malformed", refusal(general.authorize, '{"v":1}')[0] == "malformed")
        call["principal"]["type"] = "not a type"
        check("a wrong type is invalid", refusal(general.authorize, json.dumps(call))[0] == "request-invalid")


def corpus(policy_set):
    """Every case beside the policies. Prints a digest of all replies, which is the same in every host."""
    digest = hashlib.sha256()
    for path in sorted(POLICIES.glob("*.cases.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record, raw = json.loads(line), raw_fields(line)
            with policy_set.prepare(raw["principal"]) as principal:
                text = principal.decide_text(millis(record["at"]), raw["request"])
            digest.update(text.encode() + b"\n")
            came, expected = json.loads(text), record["expect"]
            same = all(came.get(field) == expected[field] for field in ("decision", "status", "code") if field in expected)
            check(f"{path.name}: {record['id']}: expected {expected}, came {text}", same)
    print(f"replies sha256:{digest.hexdigest()}")


def depth(plugin, folder):
    """Bundles at the limit of depth are loaded and decide; bundles one deeper are refused."""
    for path in sorted(folder.glob("accepted/*.json")):
        with plugin.load(path.read_text(encoding="utf-8")) as deep, deep.prepare(APP) as principal:
            came = json.loads(principal.decide_text(AT, ADMITTED))
            check(f"{path.name} decides", came["status"] in (200, 401, 403, 429))
            with plugin.restore(deep.image()) as restored:
                check(f"{path.name} is restored", restored.info() == deep.info())
    for path in sorted(folder.glob("refused/*.json")):
        case, report = refusal(plugin.load, path.read_text(encoding="utf-8"))
        codes = {found["code"] for found in json.loads(report)["diagnostics"]} if case == "refused" else case
        check(f"{path.name} is refused by a limit, came {codes}", codes == {"limit"})


def main(component, folder=None):
    started = time.monotonic()
    plugin, text = Plugin(component), bundle()
    print(f"compiled in {time.monotonic() - started:.1f} s")
    loading(plugin, text)
    with plugin.load(text) as policy_set:
        deciding(policy_set)
        restoring(plugin, policy_set)
        asking_cedar(plugin)
        corpus(policy_set)
    if folder:
        depth(plugin, pathlib.Path(folder))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
