# SPDX-License-Identifier: MIT
"""What the template and the module say, without anything being applied."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import pathlib

import hcl
import terraform
from examples import (DEMO, EXAMPLES, FOLDER, MODULE, REFUSED, STAGING, TEMPLATE, TEST,
                      by_cloudformation, by_terraform, cloudformation_parameters,
                      terraform_variables)
from cloudformation import Template

TERRAFORM = shutil.which("terraform")


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300, **options)


class CloudFormation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.body = Template(TEMPLATE).body

    def test_cfn_lint_finds_nothing(self):
        done = run(pathlib.Path(sys.executable).with_name("cfn-lint"), "--include-checks", "W", "I",
                   "--regions", "eu-west-1", "us-east-1", "--", TEMPLATE)
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))

    def test_each_parameter_says_what_it_is_and_what_it_may_be(self):
        for name, parameter in self.body["Parameters"].items():
            with self.subTest(name):
                self.assertGreater(len(parameter["Description"]), 20)
                if not parameter["Type"].startswith("AWS::"):
                    self.assertTrue({"AllowedPattern", "AllowedValues"} & set(parameter))
                if "AllowedPattern" in parameter:
                    self.assertIn("ConstraintDescription", parameter)
                    self.assertRegex(parameter["AllowedPattern"], r"^\^.*\$$")

    def test_each_parameter_is_shown_in_a_group(self):
        groups = self.body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        shown = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(self.body["Parameters"]), sorted(shown))

    def test_further_environments_are_as_the_first(self):
        text = TEMPLATE.read_text(encoding="utf-8")
        names = {number: re.findall(rf"^  Environment{number}(\w+):$", text, re.MULTILINE)
                 for number in (1, 2, 3)}
        self.assertEqual(10, len(names[1]))
        self.assertEqual(names[1], names[2])
        self.assertEqual(names[1], names[3])

        one = by_cloudformation([TEST])
        for number in (2, 3):
            others = [DEMO, {**DEMO, "name": "demo2"}][:number - 1]
            more = by_cloudformation([*others, TEST])
            policies = [resources[f"Environment{at}Policy"]["Properties"] for at, resources in
                        ((1, one.resources), (number, more.resources))]
            self.assertEqual(*policies)
            section = one.configuration[one.configuration.index("[environment test]"):].strip()
            self.assertIn(section, more.configuration)


class Terraform(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.module = terraform.Module(MODULE)
        # Without comments; what is in strings and not in ${} is text.
        cls.code = "\n".join(re.sub(r"(?m)(^|\s)#.*$", "", text)
                             for text in cls.module.files.values())

    def test_each_variable_and_output_says_what_it_is(self):
        for name, body in {**self.module.variables, **self.module.outputs}.items():
            self.assertGreater(len(body["description"]), 15, name)
        for name, body in self.module.variables.items():
            self.assertIn("type", body, name)

    def test_what_is_referred_to_is_there_and_what_is_there_is_referred_to(self):
        for kind, known in (("var", self.module.variables), ("local", self.module.locals)):
            used = set(re.findall(rf"\b{kind}\.([a-z_0-9]+)", self.code))
            self.assertEqual(set(known), used, kind)
        used = set(re.findall(r"\bdata\.([a-z_0-9]+\.[a-z_0-9]+)", self.code))
        self.assertEqual(set(self.module.data), used)
        used = set(re.findall(r"(?<![.\w\"])(aws_[a-z_0-9]+\.[a-z_0-9]+)", self.code))
        self.assertLessEqual(used, set(self.module.resources))
        self.assertIn("aws_instance.this", used)

    def test_outputs_are_of_resources(self):
        self.assertEqual({"instance_id", "role_arn", "security_group_id", "session"},
                         set(self.module.outputs))
        for name, body in self.module.outputs.items():
            self.assertRegex(str(body["value"]), r"aws_(instance|iam_role|security_group)\.this\.\w+",
                             name)

    def test_every_expression_is_of_the_language(self):
        """At least in the eyes of two who have read its documentation."""
        def expressions(value):
            if isinstance(value, dict):
                for name, one in value.items():
                    if not name.startswith("__"):
                        yield from expressions(one)
            elif isinstance(value, list):
                for one in value:
                    yield from expressions(one)
            elif isinstance(value, str):
                yield value
        count = 0
        for body in [*self.module.variables.values(), *self.module.resources.values(),
                     *self.module.outputs.values(), self.module.locals]:
            for text in expressions(body):
                hcl.Parser(terraform.source(text)).whole()
                count += 1
        self.assertGreater(count, 100)

    def test_it_is_formatted(self):
        if TERRAFORM:
            done = run(TERRAFORM, "fmt", "-check", "-diff", MODULE, env={"PATH": "/usr/bin:/bin"})
            self.assertEqual((0, ""), (done.returncode, done.stdout))
        for name, text in self.module.files.items():
            self.assertTrue(text.endswith("}\n") and "\n\n\n" not in text, name)
            depth, previous = 0, None
            for number, line in enumerate(text.splitlines(), 1):
                code = re.sub(r'"(\\.|\$\{[^}]*\}|[^"\\])*"', '""', line)
                code = re.sub(r"(^|\s)#.*$", "", code)
                opened = len(re.findall(r"[\[({]", code)) - len(re.findall(r"[\])}]", code))
                where = f"{name}:{number}: {line}"
                self.assertEqual(line.rstrip(), line, where)
                if line:
                    closes = re.match(r"\s*[\])}]", code) is not None
                    self.assertEqual(2 * (depth - closes), len(line) - len(line.lstrip()), where)
                depth += (opened > 0) - (opened < 0)
                # Neighbours of one line each have their "=" one beneath the other.
                found = re.match(r"\s*[\w-]+ +=(?=\s)", code) if opened == 0 else None
                if found and previous:
                    self.assertEqual(previous, found.end(), where)
                previous = found.end() if found else None

    @unittest.skipUnless(TERRAFORM, "terraform is not installed")
    def test_terraform_itself_evaluates_it_to_the_same(self):
        """The locals and the variables alone, with answers of data sources written in: for the
        resources it would take AWS's provider."""
        blocks = "\n".join(found for text in self.module.files.values()
                           for found in re.findall(r"(?ms)^locals \{$.*?^\}$", text))
        outputs = ("configuration", "user_data", "policy", "further_policies")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            shutil.copy(MODULE / "variables.tf", folder)
            shutil.copy(MODULE / "user-data.tftpl", folder)
            (folder / "main.tf").write_text(blocks.replace("data.aws_", "local.data.aws_"))
            (folder / "data.tf.json").write_text(json.dumps({
                "locals": {"data": terraform.DATA},
                "output": {name: {"value": f"${{local.{name}}}"} for name in outputs}}))

            def in_it(*command):
                return run(TERRAFORM, *command, cwd=folder,
                           env={"PATH": "/usr/bin:/bin", "CHECKPOINT_DISABLE": "1"})

            def apply(variables):
                (folder / "terraform.tfvars.json").write_text(json.dumps(variables))
                return in_it("apply", "-auto-approve", "-no-color")

            for environments in ([STAGING], [STAGING, TEST, DEMO], [HOSTILE]):
                for wishes in ({}, {"alarm_topic": TOPIC, "session": False,
                                    "package": {"url": "s3://b/k.rpm", "sha256": "f" * 64}}):
                    variables = terraform_variables(environments, **wishes)
                    done = apply(variables)
                    self.assertEqual(0, done.returncode, done.stderr)
                    said = json.loads(in_it("output", "-json").stdout)
                    module = terraform.Module(MODULE).apply(variables)
                    for name in outputs:
                        self.assertEqual(said[name]["value"], module.local(name), name)
            for what, change in WRONG.items():
                done = apply(terraform_variables([{**STAGING, **change}]))
                self.assertNotEqual(0, done.returncode, what)
                self.assertIn("Invalid value for variable", done.stderr, what)


TOPIC = "arn:aws:sns:eu-west-1:123456789012:ops"

# Each would have to be shell, INI or a template's language somewhere, were it not quoted there.
HOSTILE = {**STAGING,
           "pattern": r'''"'; $(touch /tmp/no) `touch /tmp/no` ${HOME} %{x} %s \\ \" END #; /*"''',
           "exclude": r'''"$(reboot)", /%7B\$\{[a-z]+\}'/, "--part--", "<<'UNIT'", "ünï"'''}

# What neither may take. The values would be lines, sections or resources of their own.
WRONG = {
    "a line of its own in the pattern": {"pattern": '"x"\nservices = all'},
    "a line of its own within the pattern's text": {"pattern": '"x\ncluster = y"'},
    "a line of its own within the pattern's expression": {"pattern": "/x\ncluster = y/"},
    "a pattern that is neither": {"pattern": "/api/v1"},
    "text behind the pattern": {"pattern": '"x" "y"'},
    "a quote that ends early": {"pattern": '"x\\"'},
    "a carriage return": {"exclude": '"x"\r[environment y]'},
    "a line of its own behind the last": {"exclude": '"x"\n'},
    "a section in a name": {"name": "x]\n[provisionerd"},
    "a blank in a cluster": {"cluster": "a b"},
    "an ARN for a cluster": {"cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/staging"},
    "all services": {"services": ["*"]},
    "a service of another cluster": {"services": ["../x"]},
    "no service": {"services": [""]},
    "all log groups": {"log_group": "*"},
    "an ARN for a log group": {"log_group": "arn:aws:logs:eu-west-1:123456789012:log-group:x"},
    "an option's name": {"options": {"window = 1h\nx": "1"}},
    "an option of two lines": {"options": {"window": "1h\n[environment y]"}},
    "a writer of any name": {"always_on": ["gate*"]},
}


class Both(unittest.TestCase):
    def test_the_user_data_is_one_text(self):
        template = Template(TEMPLATE).body["Resources"]["Instance"]["Properties"]["UserData"]
        self.assertEqual((MODULE / "user-data.tftpl").read_text(encoding="utf-8"),
                         template["Fn::Base64"]["Fn::Sub"][0])

    def test_what_cannot_be_is_refused(self):
        for what, change in WRONG.items():
            for name, example in EXAMPLES.items():
                with self.subTest(what, by=name), self.assertRaises(REFUSED):
                    example([{**STAGING, **change}])
        for what, package in (("another scheme", "http://example.com/x"),
                              ("a file", "file:///etc/passwd"), ("a blank", "https://e.x/a b"),
                              ("a line", "https://e.x/a\nb")):
            for name, example in EXAMPLES.items():
                with self.subTest(what, by=name), self.assertRaises(REFUSED):
                    example(package={"url": package, "sha256": "0" * 64})
        for what, sha256 in (("short", "0" * 63), ("upper case", "A" * 64), ("shell", "$(id)")):
            for name, example in EXAMPLES.items():
                with self.subTest(what, by=name), self.assertRaises(REFUSED):
                    example(package={"url": "https://e.x/a", "sha256": sha256})
        for topic in ("x", TOPIC + "'", TOPIC + "\n", "arn:aws:sqs:eu-west-1:123456789012:ops"):
            for name, example in EXAMPLES.items():
                with self.subTest(topic, by=name), self.assertRaises(REFUSED):
                    example(alarm_topic=topic)

    def test_user_data_fits(self):
        """16 KB before base64: EC2 User Guide, "Run commands when you launch an EC2 instance"."""
        for name, example in EXAMPLES.items():
            size = len(example([STAGING, TEST, HOSTILE], alarm_topic=TOPIC).user_data.encode())
            self.assertLess(size, 12000, name)

    def test_the_instance_is_closed_and_its_disk_encrypted(self):
        made = by_cloudformation().resources
        data = made["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
        self.assertEqual({"HttpEndpoint": "enabled", "HttpTokens": "required",
                          "HttpPutResponseHopLimit": 1}, data["MetadataOptions"])
        instance = made["Instance"]["Properties"]
        self.assertEqual("t4g.nano", instance["InstanceType"])
        self.assertNotIn("KeyName", instance)
        disk, = instance["BlockDeviceMappings"]
        self.assertEqual({"VolumeType": "gp3", "VolumeSize": 8, "Encrypted": True,
                          "DeleteOnTermination": False}, disk["Ebs"])
        group = made["SecurityGroup"]["Properties"]
        self.assertNotIn("SecurityGroupIngress", group)
        rule, = group["SecurityGroupEgress"]
        self.assertEqual(("tcp", 443, 443), (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]))

        module = terraform.Module(MODULE)
        instance = module.resources["aws_instance.this"]
        self.assertEqual('"required"', instance["metadata_options"][0]["http_tokens"])
        self.assertEqual(1, instance["metadata_options"][0]["http_put_response_hop_limit"])
        disk = instance["root_block_device"][0]
        self.assertEqual(('"gp3"', True), (disk["volume_type"], disk["encrypted"]))
        self.assertNotIn("key_name", instance)
        group = module.resources["aws_security_group.this"]
        self.assertEqual([], group["ingress"])
        rule, = group["egress"]
        self.assertEqual(('"tcp"', 443, 443), (rule["protocol"], rule["from_port"], rule["to_port"]))
        self.assertFalse([name for name in module.resources if "key_pair" in name or "rule" in name])

    def test_ec2_takes_the_descriptions(self):
        """EC2 API Reference, CreateSecurityGroup and IpRange: no apostrophes, for one."""
        group = by_cloudformation().resources["SecurityGroup"]["Properties"]
        texts = [group["GroupDescription"], group["SecurityGroupEgress"][0]["Description"]]
        group = terraform.Module(MODULE).resources["aws_security_group.this"]
        texts += [text.strip('"') for text in (group["description"], group["egress"][0]["description"])]
        for text in texts:
            self.assertRegex(text, r"^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$")

    def test_the_template_can_be_applied_from_a_file(self):
        """A larger one has to be put into a bucket first: CloudFormation quotas."""
        self.assertLess(TEMPLATE.stat().st_size, 51200)

    def test_the_readme_has_every_parameter(self):
        readme = (FOLDER / "README.md").read_text(encoding="utf-8")
        known = [name for name in Template(TEMPLATE).body["Parameters"]
                 if not re.match("Environment[23]", name)]
        known += terraform.Module(MODULE).variables
        for name in known:
            self.assertIn(f"`{name}`", readme)

    def test_without_what_was_not_wished_for(self):
        for name, example in EXAMPLES.items():
            with self.subTest(name):
                some = example(session=False)
                self.assertFalse({"package", "session-manager", "alarm"} & set(some.policies))
                everything = example(session=True, alarm_topic=TOPIC,
                                     package={"url": "s3://b/k/x.rpm", "sha256": "0" * 64})
                policies = everything.policies
                self.assertEqual("arn:aws:s3:::b/k/x.rpm",
                                 policies["package"]["Statement"][0]["Resource"])
                self.assertEqual(TOPIC, policies["alarm"]["Statement"][0]["Resource"])
                self.assertIn("session-manager", policies)

    def test_both_write_the_same_configuration(self):
        for environments in ([STAGING], [STAGING, TEST, DEMO], [HOSTILE],
                             [{**STAGING, "wake_to": "api = 2, worker, web = 1"}]):
            texts = [example(environments).configuration for example in EXAMPLES.values()]
            sections = [sorted(re.split(r"\n+(?=\[)", text[text.index("["):].strip()))
                        for text in texts]
            self.assertEqual(*sections)
