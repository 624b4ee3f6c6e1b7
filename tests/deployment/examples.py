# SPDX-License-Identifier: MIT
"""Both examples of a deployment, applied to the same wishes."""

import base64
import email
import pathlib
import re

import cloudformation
import terraform

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples/aws"
TEMPLATE = FOLDER / "cloudformation.yaml"
MODULE = FOLDER / "terraform"

REFUSED = (cloudformation.Refused, terraform.Refused)

STAGING = {"name": "staging", "cluster": "staging", "services": ["api", "worker", "web"],
           "log_group": "/ecs/staging/gateway", "pattern": '"/api/v1/"',
           "exclude": '"ELB-HealthChecker"', "always_on": ["gateway"], "options": {}}
TEST = {"name": "test", "cluster": "test-cluster", "services": ["one", "two"],
        "log_group": "/ecs/test#2", "pattern": r"/GET \/(api|admin)\//", "exclude": "",
        "always_on": [], "options": {"adopt": "no", "window": "2h"}}
DEMO = {"name": "demo", "cluster": "demo", "services": ["shop"], "log_group": "/demo",
        "pattern": "", "exclude": "", "always_on": ["proxy", "router"], "options": {}}

PACKAGE = {"url": "https://packages.example.com/provisionerd.deb", "sha256": "0" * 64}


class Deployment:
    """user_data: what the instance gets; policies: documents by name."""

    def __init__(self, user_data, policies, resources):
        self.user_data, self.policies, self.resources = user_data, policies, resources

    @property
    def parts(self):
        """Of the user data, as cloud-init takes it apart: by content type."""
        message = email.message_from_string(self.user_data)
        return {part.get_content_type(): part.get_payload() for part in message.walk()
                if not part.is_multipart()}

    @property
    def script(self):
        return self.parts["text/x-shellscript"]

    @property
    def configuration(self):
        """The INI as it was put in, before any shell has seen it."""
        found = re.search(r"^configuration=\$\(base64 -d <<<'(.*)'\)$", self.script, re.MULTILINE)
        return base64.b64decode(found[1]).decode()


def cloudformation_parameters(environments, package=PACKAGE, alarm_topic="", session=True):
    parameters = {"VpcId": "vpc-0a1b2c3d", "SubnetId": "subnet-0a1b2c3d",
                  "PackageUrl": package["url"], "PackageSha256": package["sha256"],
                  "AlarmTopicArn": alarm_topic, "SessionManager": "yes" if session else "no"}
    for number, environment in enumerate(environments, 1):
        own = {"Name": environment["name"], "Cluster": environment["cluster"],
               "Services": ",".join(environment["services"]),
               "LogGroup": environment["log_group"], "Pattern": environment["pattern"],
               "Exclude": environment["exclude"], "AlwaysOn": ",".join(environment["always_on"]),
               "WakeTo": environment.get("wake_to", ""),
               "Options": "; ".join(f"{name} = {value}"
                                    for name, value in environment["options"].items())}
        parameters.update({f"Environment{number}{name}": value for name, value in own.items()})
    return parameters


def by_cloudformation(environments=(STAGING,), **wishes):
    parameters = cloudformation_parameters(environments, **wishes)
    resources = cloudformation.Template(TEMPLATE).apply(parameters)
    policies = {policy["PolicyName"]: policy["PolicyDocument"]
                for policy in resources["Role"]["Properties"]["Policies"]}
    policies.update({resource["Properties"]["PolicyName"]: resource["Properties"]["PolicyDocument"]
                     for resource in resources.values() if resource["Type"] == "AWS::IAM::Policy"})
    user_data = base64.b64decode(resources["Instance"]["Properties"]["UserData"]).decode()
    return Deployment(user_data, policies, resources)


def terraform_variables(environments, package=PACKAGE, alarm_topic="", session=True):
    return {"subnet_id": "subnet-0a1b2c3d", "package_url": package["url"],
            "package_sha256": package["sha256"], "alarm_topic_arn": alarm_topic,
            "session_manager": session, "environments": {
                environment["name"]: {
                    "cluster": environment["cluster"],
                    "services": environment["wake_to"].split(", ") if "wake_to" in environment
                    else environment["services"],
                    "log_groups": [environment["log_group"]], "pattern": environment["pattern"],
                    "exclude": [environment["exclude"]] if environment["exclude"] else [],
                    "always_on": environment["always_on"], "options": environment["options"],
                } for environment in environments}}


def by_terraform(environments=(STAGING,), **wishes):
    module = terraform.Module(MODULE).apply(terraform_variables(environments, **wishes))
    policies = {name: {"Version": "2012-10-17", "Statement": [statement]}
                for name, statement in module.local("further_policies").items()}
    policies["environments"] = module.local("policy")
    return Deployment(module.local("user_data"), policies, module.resources)


EXAMPLES = {"CloudFormation": by_cloudformation, "Terraform": by_terraform}


# Policies

def as_list(value):
    return value if isinstance(value, list) else [value]


def permissions(*documents):
    """(action, resource) of all statements. A condition that pins the cluster is put in where it
    leaves the resource open, so that it is no other permission than the one that names it."""
    result = set()
    for document in documents:
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow", statement
            condition = statement.get("Condition")
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    result.add((action, pin(resource, condition) if condition else resource))
    return result


def pin(resource, condition):
    assert list(condition) == ["ArnEquals"] and list(condition["ArnEquals"]) == ["ecs:cluster"]
    cluster, prefix = condition["ArnEquals"]["ecs:cluster"], "arn:*:ecs:*:*:service/*/"
    assert "*" not in cluster and resource.startswith(prefix), resource
    return f"{cluster.replace(':cluster/', ':service/')}/{resource.removeprefix(prefix)}"


def of_the_daemon(deployment):
    """The permissions without those of the instance's own: its package, its shell, its alarm."""
    return permissions(*(document for name, document in deployment.policies.items()
                         if name not in ("package", "session-manager", "alarm")))
