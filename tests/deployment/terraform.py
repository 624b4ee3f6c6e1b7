# SPDX-License-Identifier: MIT
"""The Terraform module, with its variables put in."""

import pathlib

import hcl2

import hcl

# What the data sources would answer.
DATA = {
    "aws_partition": {"current": {"partition": "aws", "dns_suffix": "amazonaws.com"}},
    "aws_region": {"current": {"region": "eu-west-1"}},
    "aws_caller_identity": {"current": {"account_id": "123456789012"}},
    "aws_subnet": {"this": {"vpc_id": "vpc-0a1b2c3d"}},
    "aws_ssm_parameter": {"image": {"insecure_value": "ami-0a1b2c3d"}},
}


class Refused(Exception):
    """A variable that terraform would not take."""


def source(value):
    """The expression that python-hcl2 gives as a text."""
    if isinstance(value, str):
        return value[2:-1] if value.startswith("${") and value.endswith("}") else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(source, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {source(one)}" for name, one in value.items()
                               if not name.startswith("__")) + "}"
    return str(value)


class Locals:
    """Evaluated when they are asked for."""

    def __init__(self, module):
        self.module = module

    def __getitem__(self, name):
        return self.module.scope.evaluate(source(self.module.locals[name]))


class Module:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.files = {path.name: path.read_text(encoding="utf-8")
                      for path in sorted(self.folder.glob("*.tf"))}
        self.variables, self.locals, self.outputs = {}, {}, {}
        self.resources, self.data = {}, {}
        for text in self.files.values():
            self._take(hcl2.loads(text))

    def _take(self, file):
        for block in file.get("locals", []):
            for name, value in block.items():
                if not name.startswith("__"):
                    self._add(self.locals, name, value)
        for kind, known in (("variable", self.variables), ("output", self.outputs)):
            for block in file.get(kind, []):
                for name, body in block.items():
                    self._add(known, name.strip('"'), body)
        for kind, known in (("resource", self.resources), ("data", self.data)):
            for block in file.get(kind, []):
                for type_name, named in block.items():
                    for name, body in named.items():
                        self._add(known, f"{type_name}.{name}".replace('"', ""), body)

    @staticmethod
    def _add(known, name, value):
        assert name not in known, f"{name} is declared twice"
        known[name] = value

    def apply(self, variables):
        """Puts the variables in, each checked as it is declared."""
        unknown = set(variables) - set(self.variables)
        if unknown:
            raise Refused(f"no such variables: {sorted(unknown)}")
        values = {}
        for name, body in self.variables.items():
            if name in variables:
                value = variables[name]
            elif "default" in body:
                value = hcl.Scope({}).evaluate(source(body["default"]))
            else:
                raise Refused(f"{name} is missing")
            try:
                values[name] = hcl.conform(hcl.Parser(source(body["type"])).whole(), value, name)
            except hcl.Failed as failure:
                raise Refused(str(failure)) from None
        self.scope = hcl.Scope({"var": values, "local": Locals(self), "data": DATA,
                                "path": {"module": str(self.folder.resolve())}})
        for name, body in self.variables.items():
            for rule in body.get("validation", []):
                if not self.scope.evaluate(source(rule["condition"])):
                    raise Refused(f"{name}: {rule['error_message']}")
        return self

    def local(self, name):
        return self.scope.names["local"][name]
