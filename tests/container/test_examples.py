# SPDX-License-Identifier: MIT
"""examples/ecs, held against botocore's models of the calls that take them, and against the image."""

import json
import re
import unittest

import botocore.session
import botocore.validate
from container import SOURCE, STATE_DIRECTORY, UID, inspect_image

EXAMPLES = SOURCE / "examples/ecs"


def example(name):
    return json.loads((EXAMPLES / name).read_text())


def complaints(service, operation, parameters):
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    generated = {name: "generated" for name in model.idempotent_members}  # as the AWS CLI does it
    report = botocore.validate.ParamValidator().validate({**generated, **parameters},
                                                         model.input_shape)
    return report.generate_report()


class Examples(unittest.TestCase):
    def test_aws_knows_what_they_say(self):
        for service, operation, name in (
                ("ecs", "RegisterTaskDefinition", "task-definition.json"),
                ("ecs", "CreateService", "service.json"),
                ("efs", "CreateAccessPoint", "access-point.json")):
            with self.subTest(name):
                self.assertEqual("", complaints(service, operation, example(name)))

    def test_a_word_that_aws_does_not_know_is_found(self):
        task = example("task-definition.json")
        task["containerDefinitions"][0]["readOnlyRootFilesystem"] = True
        self.assertIn("readOnlyRootFilesystem", complaints("ecs", "RegisterTaskDefinition", task))

    def test_the_task_goes_with_the_image(self):
        task = example("task-definition.json")
        container, = task["containerDefinitions"]
        config = inspect_image()["Config"]
        self.assertEqual(config["User"], container["user"])
        self.assertEqual({STATE_DIRECTORY}, set(config["Volumes"]))
        self.assertEqual([STATE_DIRECTORY],
                         [mount["containerPath"] for mount in container["mountPoints"]])
        self.assertEqual(task["volumes"][0]["name"], container["mountPoints"][0]["sourceVolume"])
        self.assertTrue(container["readonlyRootFilesystem"])
        owner = example("access-point.json")
        self.assertEqual((UID, UID), (owner["PosixUser"]["Uid"], owner["PosixUser"]["Gid"]))
        self.assertEqual(example("service.json")["taskDefinition"], task["family"])

    def test_the_task_has_time_to_stop(self):
        takes_s = int(re.search(r"#define STOP_TIMEOUT_MS \((\d+) \* MS_PER_SECOND\)",
                                (SOURCE / "src/main.c").read_text())[1])
        container, = example("task-definition.json")["containerDefinitions"]
        self.assertLess(2 * takes_s, container["stopTimeout"])

    def test_there_are_never_two(self):
        """The lock of the state directory does not reach from one client of EFS to another."""
        service = example("service.json")
        self.assertEqual(1, service["desiredCount"])
        self.assertEqual({"minimumHealthyPercent": 0, "maximumPercent": 100},
                         service["deploymentConfiguration"])
