# SPDX-License-Identifier: MIT
"""A CloudFormation template with its parameters put in, as the CloudFormation User Guide describes
the intrinsic functions; those that the template uses, and no others."""

import base64
import re

import yaml

NO_VALUE = object()


class Loader(yaml.SafeLoader):
    """Knows the short forms: !Ref x, !Sub [...], !GetAtt a.b."""


def _construct(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _construct)


class Refused(Exception):
    """A parameter that CloudFormation would not take."""


class Template:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.body = yaml.load(file, Loader)  # a SafeLoader

    def _check(self, name, declared, value):
        values = [value]
        if declared["Type"] == "CommaDelimitedList":
            values = [part.strip() for part in value.split(",")]
        for one in values:
            if "AllowedValues" in declared and one not in declared["AllowedValues"]:
                raise Refused(f"{name}: {one!r} is not allowed")
            # The whole value has to match, and \Z of Python is what $ is there.
            pattern = declared.get("AllowedPattern", "").removeprefix("^").removesuffix("$")
            if pattern and not re.fullmatch(pattern, one):
                raise Refused(f"{name}: {one!r} does not match {pattern}")
        return values if declared["Type"] == "CommaDelimitedList" else value

    def apply(self, parameters, region="eu-west-1", account="123456789012", partition="aws"):
        """The resources that are made, with all functions evaluated."""
        unknown = set(parameters) - set(self.body["Parameters"])
        if unknown:
            raise Refused(f"no such parameters: {sorted(unknown)}")
        self._values = {
            "AWS::Region": region, "AWS::AccountId": account, "AWS::Partition": partition,
            "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "provisionerd",
            "AWS::NoValue": NO_VALUE}
        for name, declared in self.body["Parameters"].items():
            if name not in parameters and "Default" not in declared:
                raise Refused(f"{name} is missing")
            self._values[name] = self._check(name, declared,
                                             parameters.get(name, declared.get("Default")))
        resources = {name: resource for name, resource in self.body["Resources"].items()
                     if "Condition" not in resource or self._condition(resource["Condition"])}
        for name in resources:
            self._values.setdefault(name, f"https://cloudformation.example/{name}?a=1&b=2"
                                    if name.endswith("Handle") else f"{name.lower()}-id")
        return {name: {**resource, "Properties": self._evaluate(resource.get("Properties", {}))}
                for name, resource in resources.items()}

    def _condition(self, name):
        return self._evaluate(self.body["Conditions"][name])

    def _evaluate(self, value):
        if isinstance(value, list):
            return [one for one in map(self._evaluate, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), = value.items()
            if name == "Ref":
                return self._values[argument]
            if name.startswith("Fn::"):
                return getattr(self, "_fn_" + name[4:].lower())(argument)
        evaluated = {name: self._evaluate(one) for name, one in value.items()}
        return {name: one for name, one in evaluated.items() if one is not NO_VALUE}

    def _fn_if(self, argument):
        condition, so, otherwise = argument
        return self._evaluate(so if self._condition(condition) else otherwise)

    def _fn_equals(self, argument):
        left, right = map(self._evaluate, argument)
        return left == right

    def _fn_not(self, argument):
        return not self._evaluate(argument[0])

    def _fn_join(self, argument):
        delimiter, parts = argument
        assert isinstance(delimiter, str), "Fn::Join takes no function as its delimiter"
        return delimiter.join(self._evaluate(parts))

    def _fn_split(self, argument):
        delimiter, text = argument
        assert isinstance(delimiter, str), "Fn::Split takes no function as its delimiter"
        return self._evaluate(text).split(delimiter)

    def _fn_select(self, argument):
        index, values = argument
        return self._evaluate(values)[int(index)]

    def _fn_base64(self, argument):
        return base64.b64encode(self._evaluate(argument).encode()).decode()

    def _fn_getatt(self, argument):
        resource, attribute = argument
        return f"{self._values[resource]}.{attribute}"

    def _fn_sub(self, argument):
        text, own = (argument, {}) if isinstance(argument, str) else argument
        own = {name: self._evaluate(value) for name, value in own.items()}
        used = set(re.findall(r"\$\{([^!}]+)\}", text))
        assert set(own) <= used, f"Fn::Sub does not use {set(own) - used}"

        def put_in(found):
            name = found[1]
            if name in own:
                return own[name]
            return self._fn_getatt(name.split(".", 1)) if "." in name else self._values[name]
        return re.sub(r"\$\{([^!}]+)\}", put_in, text)
