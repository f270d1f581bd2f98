"""A host of the contract `cedargate:authz@0.1.0` in Python: everything that one needs, and nothing else.

What a host owes: one thread at a time, a new instance after any trap, a denial where there is no decision.
"""

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, Variant

INTERFACE = "cedargate:authz/authz@0.1.0"


class Refused(Exception):
    """An error case of the contract: `case` is its name, `text` what it carries."""

    def __init__(self, error):
        super().__init__(f"{error.tag}: {error.payload}")
        self.case, self.text = error.tag, error.payload


def checked(result):
    """The value of a `result`. Errors come as variants, and no function of the contract has one as its value."""
    if isinstance(result, Variant):
        raise Refused(result)
    return result


class Plugin:
    """One instance of the component."""

    def __init__(self, path):
        self.engine = Engine(Config())
        self.component = Component.from_file(self.engine, path)
        self.store = Store(self.engine)
        # An empty linker: the component imports nothing.
        self.instance = Linker(self.engine).instantiate(self.store, self.component)
        self.interface = self.component.get_export_index(INTERFACE)
        self.functions = {}

    def call(self, name, *arguments):
        if name not in self.functions:
            index = self.component.get_export_index(name, self.interface)
            self.functions[name] = self.instance.get_func(self.store, index)
        return self.functions[name](self.store, *arguments)

    def abi(self):
        return self.call("abi")

    def load(self, bundle):
        return PolicySet(self, checked(self.call("[static]policy-set.load", bundle)))

    def restore(self, image):
        return PolicySet(self, checked(self.call("[static]policy-set.restore", image)))


class Resource:
    """A handle of the component, dropped at the end of a `with`."""

    def __init__(self, plugin, handle):
        self.plugin, self.handle = plugin, handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.drop(self.plugin.store)


class PolicySet(Resource):
    def image(self):
        return self.plugin.call("[method]policy-set.image", self.handle)

    def info(self):
        return self.plugin.call("[method]policy-set.info", self.handle)

    def prepare(self, profile):
        return Principal(self.plugin, checked(self.plugin.call("[method]policy-set.prepare", self.handle, profile)))

    def authorize(self, call):
        return checked(self.plugin.call("[method]policy-set.authorize", self.handle, call))


class Principal(Resource):
    def decide(self, at, request, counters=""):
        return checked(self.plugin.call("[method]principal.decide", self.handle, at, request, counters))

    def decide_many(self, at, requests, counters=()):
        """One entry for each request: a decision, or a `Variant` that says why there is none."""
        many = "[method]principal.decide-many"
        return self.plugin.call(many, self.handle, at, list(requests), list(counters))

    def decide_text(self, at, request, counters=""):
        return self.plugin.call("[method]principal.decide-text", self.handle, at, request, counters)
