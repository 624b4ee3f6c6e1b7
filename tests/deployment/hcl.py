# SPDX-License-Identifier: MIT
"""Expressions of the Terraform language, as much of it as the module uses, evaluated: written from
the language's documentation, and held against terraform itself where that is installed."""

import base64
import json
import pathlib
import re

TOKEN = re.compile(r"""
    (?P<space>\s+) | (?P<number>\d+(\.\d+)?) | (?P<quote>") |
    (?P<name>[A-Za-z_][A-Za-z0-9_-]*) |
    (?P<sign>==|!=|<=|>=|&&|\|\||=>|\.\.\.|[-+*/%!<>?:=.,(){}\[\]])""", re.VERBOSE)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class Failed(Exception):
    """What terraform reports as an error; can() takes it for false."""


# Parsing: a text into nested tuples, ("kind", ...).

class Parser:
    def __init__(self, text):
        self.text, self.at = text, 0
        self.advance()

    def advance(self):
        self.kind, self.value = None, None
        while self.at < len(self.text):
            found = TOKEN.match(self.text, self.at)
            if not found:
                raise SyntaxError(f"at {self.text[self.at:self.at + 40]!r}")
            self.at = found.end()
            if found.lastgroup == "space":
                continue
            self.kind, self.value = found.lastgroup, found[0]
            return

    def takes(self, sign):
        if self.value != sign or self.kind == "quote":
            return False
        self.advance()
        return True

    def expect(self, sign):
        if not self.takes(sign):
            raise SyntaxError(f"{sign} expected, found {self.value!r} before {self.text[self.at:][:40]!r}")

    def whole(self):
        tree = self.expression()
        if self.kind:
            raise SyntaxError(f"left over: {self.value}{self.text[self.at:]}")
        return tree

    def expression(self):
        condition = self.binary(0)
        if not self.takes("?"):
            return condition
        so = self.expression()
        self.expect(":")
        return ("if", condition, so, self.expression())

    LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="))

    def binary(self, level):
        if level == len(self.LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.kind == "sign" and self.value in self.LEVELS[level]:
            operator = self.value
            self.advance()
            left = ("binary", operator, left, self.binary(level + 1))
        return left

    def unary(self):
        if self.takes("!"):
            return ("not", self.unary())
        tree = self.primary()
        while True:
            if self.takes("."):
                tree = ("attribute", tree, self.name())
            elif self.takes("["):
                tree = ("index", tree, self.expression())
                self.expect("]")
            else:
                return tree

    def name(self):
        if self.kind != "name":
            raise SyntaxError(f"a name expected, found {self.value!r}")
        name = self.value
        self.advance()
        return name

    def primary(self):
        kind, value = self.kind, self.value
        if kind == "quote":
            return self.template()
        if kind == "number":
            self.advance()
            return ("literal", float(value) if "." in value else int(value))
        if self.takes("("):
            tree = self.expression()
            self.expect(")")
            return tree
        if self.takes("["):
            return self.list_or_for()
        if self.takes("{"):
            return self.object()
        name = self.name()
        if name in ("true", "false", "null"):
            return ("literal", {"true": True, "false": False, "null": None}[name])
        if self.takes("("):
            return ("call", name, self.several(")"))
        return ("variable", name)

    def several(self, end):
        items = []
        while not self.takes(end):
            items.append(self.expression())
            if not self.takes(","):
                self.expect(end)
                break
        return items

    def list_or_for(self):
        if not self.takes("for"):
            return ("list", self.several("]"))
        names = [self.name()]
        if self.takes(","):
            names.append(self.name())
        self.expect("in")
        source = self.expression()
        self.expect(":")
        body = self.expression()
        self.expect("]")
        return ("for", names, source, body)

    def object(self):
        members = []
        while not self.takes("}"):
            key = ("literal", self.name()) if self.kind == "name" else self.primary()
            if not self.takes("="):
                self.expect(":")
            members.append((key, self.expression()))
            self.takes(",")
        return ("object", members)

    def template(self):
        """Behind the opening quote."""
        parts, text = [], ""
        while True:
            if self.at >= len(self.text):
                raise SyntaxError("a string does not end")
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                break
            if character == "\\":
                text += ESCAPES[self.text[self.at + 1]]
                self.at += 2
            elif self.text.startswith("${", self.at):
                inner = Parser.__new__(Parser)
                inner.text, inner.at = self.text, self.at + 2
                inner.advance()
                parts += [("literal", text), inner.expression()]
                text = ""
                if inner.value != "}":
                    raise SyntaxError("} expected")
                self.at = inner.at
            else:
                text += character
                self.at += 1
        self.advance()
        return ("template", [*parts, ("literal", text)])


# Evaluating

def to_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise Failed(f"no text: {value!r}")


def flatten(values):
    return [one for value in values
            for one in (flatten(value) if isinstance(value, list) else [value])]


def regex(pattern, text):
    found = re.search(pattern.removesuffix("$") + (r"\Z" if pattern.endswith("$") else ""), text)
    if not found:
        raise Failed(f"{text!r} does not match {pattern}")
    return found[0]


FUNCTIONS = {
    "alltrue": all,
    "base64encode": lambda text: base64.b64encode(text.encode()).decode(),
    "compact": lambda values: [value for value in values if value],
    "concat": lambda *lists: sum(lists, []),
    "contains": lambda values, value: value in values,
    "distinct": lambda values: list(dict.fromkeys(values)),
    "flatten": flatten,
    "join": lambda separator, values: separator.join(map(to_text, values)),
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":")),
    "keys": sorted,
    "length": len,
    "merge": lambda *objects: {key: value for one in objects for key, value in one.items()},
    "regex": regex,
    "split": lambda separator, text: text.split(separator),
    "startswith": str.startswith,
    "trimprefix": str.removeprefix,
    "trimspace": str.strip,
    "values": lambda value: [value[key] for key in sorted(value)],
}
OPERATORS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}


class Scope:
    """`names` gives the first part of a reference its value: a mapping, or anything with [...]."""

    def __init__(self, names, folder="."):
        self.names, self.folder = names, pathlib.Path(folder)

    def evaluate(self, text):
        return self.value(Parser(text).whole())

    def value(self, tree):
        return getattr(self, "_" + tree[0])(*tree[1:])

    def _literal(self, value):
        return value

    def _template(self, parts):
        values = [self.value(part) for part in parts]
        return "".join(map(to_text, values))

    def _variable(self, name):
        return self.names[name]

    def _attribute(self, tree, name):
        return self.value(tree)[name]

    def _index(self, tree, index):
        return self.value(tree)[self.value(index)]

    def _if(self, condition, so, otherwise):
        return self.value(so if self.value(condition) else otherwise)

    def _not(self, tree):
        return not self.value(tree)

    def _binary(self, operator, left, right):
        if operator in ("&&", "||"):
            # Both sides are evaluated, as terraform did before 1.12.
            left, right = self.value(left), self.value(right)
            return left and right if operator == "&&" else left or right
        return OPERATORS[operator](self.value(left), self.value(right))

    def _list(self, items):
        return [self.value(item) for item in items]

    def _object(self, members):
        return {self.value(key): self.value(value) for key, value in members}

    def _for(self, names, source, body):
        values = self.value(source)
        pairs = sorted(values.items()) if isinstance(values, dict) else list(enumerate(values))
        results = []
        for pair in pairs:
            own = dict(zip(names, pair if len(names) == 2 else pair[1:]))
            results.append(Scope({**self.names, **own}, self.folder).value(body))
        return results

    def _call(self, name, arguments):
        if name == "can":
            try:
                self.value(arguments[0])
            except Failed:
                return False
            return True
        values = [self.value(argument) for argument in arguments]
        if name == "templatefile":
            return self.template_file(*values)
        return FUNCTIONS[name](*values)

    def template_file(self, path, variables):
        """Of templates with ${name} in them, and neither expressions nor directives."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert "%{" not in text and "$${" not in text
        used = set(re.findall(r"\$\{(.*?)\}", text))
        assert used <= set(variables), f"{path}: {used - set(variables)} is not given"
        return re.sub(r"\$\{(.*?)\}", lambda found: to_text(variables[found[1]]), text)


# Type constraints: what a caller gives becomes, with the defaults of optional().

def conform(tree, value, where="value"):
    if tree[0] == "variable":
        kinds = {"string": str, "bool": bool, "number": (int, float)}
        if not isinstance(value, kinds[tree[1]]):
            raise Failed(f"{where}: {tree[1]} required, not {value!r}")
        return value
    _, name, arguments = tree
    if name == "list":
        return [conform(arguments[0], one, where) for one in value]
    if name == "map":
        return {key: conform(arguments[0], one, f"{where}.{key}") for key, one in value.items()}
    assert name == "object", name
    result = {}
    for key, kind in arguments[0][1]:
        key = key[1]
        if kind[0] == "call" and kind[1] == "optional":
            default = Scope({}).value(kind[2][1]) if len(kind[2]) > 1 else None
            result[key] = conform(kind[2][0], value[key], f"{where}.{key}") if key in value else default
        elif key in value:
            result[key] = conform(kind, value[key], f"{where}.{key}")
        else:
            raise Failed(f"{where}: {key} is missing")
    return result
