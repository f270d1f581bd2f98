"""The packages `openai`, `anthropic` and `langchain-openai` against the gateway."""

import os

import anthropic
import httpx2
import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

URL = os.environ["GATEWAY_URL"]
APP, SCOPED, SPENT, REVOKED = (os.environ[f"{name}_TOKEN"] for name in ("APP", "SCOPED", "SPENT", "REVOKED"))
CLAUDE = "claude-sonnet-4-5"
HELLO = [{"role": "user", "content": "one two three"}]
passed = failed = denials = 0


def check(what, holds):
    """Counts a check, and names it where it fails."""
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"failed: {what}")


def sent_once(make):
    """A client that counts its requests, and the list of them: a hard denial is not tried again."""
    sent = []
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    return make(http), sent


def raises(what, kind, call, status, code=None, sent=None):
    """The call must raise this exception, with this status and code, after one request."""
    global denials
    denials += 1
    try:
        call()
        check(f"{what}: nothing was raised", False)
    except kind as error:
        check(f"{what}: status is {error.status_code}", error.status_code == status)
        if code is not None:
            check(f"{what}: code is {getattr(error, 'code', None)}", getattr(error, "code", None) == code)
        if sent is not None:
            check(f"{what}: {len(sent)} requests", len(sent) == 1)
    except Exception as error:  # noqa: BLE001, the wrong exception is a failed check
        check(f"{what}: {type(error)} {error}", False)


def openai_package():
    def client(token):
        return sent_once(lambda http: openai.OpenAI(base_url=f"{URL}/v1", api_key=token, http_client=http))

    app, _ = client(APP)
    chat = app.chat.completions.create(model="gpt-4o", messages=HELLO)
    check("openai chat", chat.choices[0].message.content == "one two three" and chat.usage.total_tokens > 0)
    check("openai request id", chat._request_id.startswith("req_"))
    stream = app.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    check("openai stream", text == "one two three")
    options = {"include_usage": True}
    *_, last = app.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True, stream_options=options)
    check("openai stream with usage", last.usage is not None and last.choices == [])
    check("openai completions", app.completions.create(model="gpt-4o", prompt="hi").choices[0].text == "hi")
    check("openai responses", app.responses.create(model="gpt-4o", input="hi").output_text == "hi")
    with app.responses.stream(model="gpt-4o", input="one two") as events:
        for _ in events:
            pass
        check("openai responses stream", events.get_final_response().output_text == "one two")
    vectors = app.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    check("openai embeddings", len(vectors.data) == 2 and len(vectors.data[0].embedding) == 8)
    check("openai images", app.images.generate(model="gpt-4o", prompt="x").data[0].b64_json)
    check("openai speech", app.audio.speech.create(model="gpt-4o", voice="alloy", input="hi").read() == b"hi")
    text = app.audio.transcriptions.create(model="gpt-4o", file=("a.wav", b"RIFF")).text
    check("openai transcription", text == "hello")
    check("openai models", "gpt-4o" in [model.id for model in app.models.list()])

    scoped, sent = client(SCOPED)
    check("openai scoped models", [model.id for model in scoped.models.list()] == ["gpt-4o-mini"])
    sent.clear()
    denied = lambda: scoped.chat.completions.create(model="gpt-4o", messages=HELLO)  # noqa: E731
    raises("openai 403", openai.PermissionDeniedError, denied, 403, "model_not_allowed", sent)
    sent.clear()
    denied = lambda: scoped.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)  # noqa: E731
    raises("openai 403 of a stream", openai.PermissionDeniedError, denied, 403, "model_not_allowed", sent)
    sent.clear()
    raises("openai hidden model", openai.NotFoundError, lambda: scoped.models.retrieve("gpt-4o"), 404, None, sent)
    for token, kind, status, code in [
        (REVOKED, openai.AuthenticationError, 401, "token_revoked"),
        (SPENT, openai.RateLimitError, 429, "insufficient_quota"),
    ]:
        other, sent = client(token)
        raises(f"openai {code}", kind, lambda: other.chat.completions.create(model="gpt-4o", messages=HELLO), status, code, sent)  # noqa: B023


def anthropic_package():
    def client(token):
        return sent_once(lambda http: anthropic.Anthropic(base_url=URL, api_key=token, http_client=http))

    app, _ = client(APP)
    ask = {"model": CLAUDE, "max_tokens": 100, "messages": HELLO}
    message = app.messages.create(**ask)
    check("anthropic message", message.content[0].text == "one two three" and message.usage.output_tokens == 3)
    with app.messages.stream(**ask) as stream:
        check("anthropic stream", "".join(stream.text_stream) == "one two three")
        check("anthropic stream's usage", stream.get_final_message().usage.output_tokens == 3)
    counted = app.messages.count_tokens(model=ask["model"], messages=HELLO)
    check("anthropic count", counted.input_tokens > 0)
    check("anthropic models", CLAUDE in [model.id for model in app.models.list(limit=100)])
    with_bearer = anthropic.Anthropic(base_url=URL, auth_token=APP, api_key=None)
    check("anthropic bearer", with_bearer.messages.create(**ask).stop_reason == "end_turn")
    for token, kind, status in [
        (SCOPED, anthropic.PermissionDeniedError, 403),
        (REVOKED, anthropic.AuthenticationError, 401),
        (SPENT, anthropic.RateLimitError, 429),
    ]:
        other, sent = client(token)
        raises(f"anthropic {status}", kind, lambda: other.messages.create(**ask), status, None, sent)  # noqa: B023


def langchain_package():
    def client(token, model="gpt-4o"):
        return ChatOpenAI(base_url=f"{URL}/v1", api_key=token, model=model)

    check("langchain chat", client(APP).invoke("one two three").content == "one two three")
    text = "".join(chunk.content for chunk in client(APP).stream("one two three"))
    check("langchain stream", text == "one two three")
    embeddings = OpenAIEmbeddings(
        base_url=f"{URL}/v1", api_key=APP, model="text-embedding-3-small", check_embedding_ctx_length=False
    )
    check("langchain embeddings", len(embeddings.embed_query("hi")) == 8)
    raises("langchain 403", openai.PermissionDeniedError, lambda: client(SCOPED).invoke("hi"), 403, "model_not_allowed")


openai_package()
anthropic_package()
langchain_package()
print(f"{denials} denials")
print(f"{passed} passed, {failed} failed")
raise SystemExit(1 if failed else 0)
