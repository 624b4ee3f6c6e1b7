# SPDX-License-Identifier: MIT
"""Where credentials come from, and what happens when they end."""

from harness import (ACCESS_KEY, ASLEEP, AWAKE, KEYS, REGION, SECRET_KEY, SESSION_TOKEN, Story,
                     eventually, free_port, world)

ROLE = "arn:aws:iam::123456789012:role/bastion"
BASE_ROLE = "arn:aws:iam::123456789012:role/base"


class Sources(Story):
    def tell_the_story(self, source, keys=lambda key: key.startswith("ASIA")):
        """With what this source gave, and with nothing else."""
        self.daemon.wait_for("credentials: ")
        self.assertIn(source, self.daemon.says("credentials: "))
        self.fall_asleep()
        self.wake_up()
        signed = {call["accessKeyId"] for call in self.sim.history()
                  if call["operation"] in ("FilterLogEvents", "UpdateService")}
        self.assertTrue(signed and all(map(keys, signed)), signed)
        self.assert_stops_cleanly()

    def test_the_environment(self):
        self.start()
        self.tell_the_story("environment", lambda key: key == ACCESS_KEY)

    def test_the_environment_with_a_session_token(self):
        self.start(scenario=world(credentials=[{
            "access_key_id": "ASIASESSION", "secret_access_key": SECRET_KEY,
            "session_token": SESSION_TOKEN}]),
            environment={**KEYS, "AWS_ACCESS_KEY_ID": "ASIASESSION",
                         "AWS_SESSION_TOKEN": SESSION_TOKEN})
        self.tell_the_story("environment")

    def write_shared(self, name, text):
        path = self.directory / "home" / ".aws" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def test_a_profile(self):
        self.write_shared("credentials", f"[default]\naws_access_key_id = {ACCESS_KEY}\n"
                                         f"aws_secret_access_key = {SECRET_KEY}\n")
        self.start(environment={})
        self.tell_the_story("profile default", lambda key: key == ACCESS_KEY)

    def test_a_role_by_way_of_another_profile(self):
        self.write_shared("credentials", f"[keys]\naws_access_key_id = {ACCESS_KEY}\n"
                                         f"aws_secret_access_key = {SECRET_KEY}\n")
        self.write_shared("config", f"""\
[profile bastion]
role_arn = {ROLE}
source_profile = base
external_id = a-secret-handshake
region = {REGION}

[profile base]
role_arn = {BASE_ROLE}
source_profile = keys
""")
        self.start_sim(world(roles=[{"arn": ROLE, "external_id": "a-secret-handshake"},
                                    {"arn": BASE_ROLE}]))
        self.write_config(daemon={"profile": "bastion", "region": None})
        self.start_daemon(environment={"AWS_ENDPOINT_URL_STS": self.sim.url})
        self.tell_the_story("bastion")
        assumed = [call["parameters"]["RoleArn"] for call in self.sim.history("AssumeRole")]
        self.assertEqual([BASE_ROLE, ROLE], assumed)

    def test_a_web_identity(self):
        token = self.directory / "token"
        token.write_text("eyJ.a-web-identity.token")
        self.secrets.add("eyJ.a-web-identity.token")
        self.start_sim(world(roles=[{"arn": ROLE,
                                     "web_identity_token": "eyJ.a-web-identity.token"}]))
        self.write_config()
        self.start_daemon(environment={"AWS_ENDPOINT_URL_STS": self.sim.url,
                                       "AWS_ROLE_ARN": ROLE,
                                       "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)})
        self.tell_the_story("AWS_WEB_IDENTITY_TOKEN_FILE")

    def test_the_instance(self):
        """IMDSv2, region and all."""
        self.start_sim(world(roles=[{"arn": ROLE}], imds={"enabled": True, "role": "bastion"}))
        self.write_config(daemon={"region": None})
        self.start_daemon(environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sim.url})
        self.tell_the_story("IMDSv2 role bastion")

    def test_the_container(self):
        token = "container-authorization"
        self.secrets.add(token)
        self.start_sim(world(roles=[{"arn": ROLE}],
                             container={"path": "/v2/credentials/1", "role": "bastion",
                                        "authorization_token": token}))
        self.write_config()
        self.start_daemon(environment={
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.sim.url + "/v2/credentials/1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token})
        self.tell_the_story("container")

    def test_load_credential_of_systemd(self):
        folder = self.directory / "credentials"
        folder.mkdir()
        (folder / "aws-credentials").write_text(
            f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        self.start(environment={"CREDENTIALS_DIRECTORY": str(folder)})
        self.tell_the_story("aws-credentials", lambda key: key == ACCESS_KEY)


class Trouble(Story):
    def assert_says_why_and_stays_awake(self, why):
        self.daemon.wait_for("cannot read the services: ")
        self.daemon.wait_for(why)
        self.daemon.wait_for("not put to sleep: its services could not be read")
        self.assert_nothing_sleeps()
        self.assert_alive()

    def test_none_at_all(self):
        self.start(environment={"AWS_EC2_METADATA_DISABLED": "true"})
        self.assert_says_why_and_stays_awake("AWS_ACCESS_KEY_ID")

    def test_a_wrong_secret(self):
        wrong = "this/is+the/wrong+secret+key+EXAMPLE+wrong"
        self.secrets.add(wrong)
        self.start(environment={**KEYS, "AWS_SECRET_ACCESS_KEY": wrong})
        self.assert_says_why_and_stays_awake("ignature")

    def test_a_key_that_nobody_knows(self):
        self.start(environment={**KEYS, "AWS_ACCESS_KEY_ID": "AKIANOBODY"})
        self.assert_says_why_and_stays_awake("UnrecognizedClientException")

    def test_no_instance_to_ask(self):
        self.start(environment={
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
        self.assert_says_why_and_stays_awake("instance metadata service")

    def start_on_an_instance(self, session_s=21600):
        self.start_sim(world(roles=[{"arn": ROLE}],
                             imds={"enabled": True, "role": "bastion", "session_s": session_s}))
        self.write_config()
        self.start_daemon(environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sim.url})

    def test_the_instance_forgets_its_role_for_a_while(self):
        """Unexpired keys go on being used, and nobody notices."""
        self.start_on_an_instance()
        self.fall_asleep()
        self.sim.set(imds_enabled=0)
        self.wake_up()

    def test_the_instance_comes_late(self):
        self.start_sim(world(roles=[{"arn": ROLE}], imds={"enabled": False, "role": "bastion"}))
        self.write_config()
        self.start_daemon(environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sim.url})
        self.assert_says_why_and_stays_awake("instance metadata service")
        self.sim.set(imds_enabled=1)
        self.fall_asleep()

    def test_a_token_that_expires_is_replaced(self):
        self.start_on_an_instance()
        self.fall_asleep()
        first = self.sim.history("UpdateService")[-1]["accessKeyId"]
        self.sim.admin("POST", "expire")
        self.wake_up()
        second = self.sim.history("UpdateService")[-1]["accessKeyId"]
        self.assertNotEqual(first, second)
        refused = [call for call in self.sim.history() if call["code"] == "ExpiredTokenException"]
        self.assertTrue(refused)
        self.assertLessEqual(len(refused), 4, "each operation is refused once at most")
        self.assertEqual(0, self.daemon.count("warning"), "retried within the call")

    def test_short_sessions_are_renewed_ahead(self):
        self.start_on_an_instance(session_s=70)
        self.fall_asleep()
        self.wake_up()
        eventually(lambda: len({call["accessKeyId"]
                                for call in self.sim.history("FilterLogEvents")}) >= 2,
                   "there are new keys")
        self.assertEqual([], [call for call in self.sim.history()
                              if call["code"] == "ExpiredTokenException"])

    def test_expired_and_nobody_to_ask(self):
        """It says so, never sleeps on it, and is itself again when the instance is."""
        self.start_sim(world(roles=[{"arn": ROLE}], imds={"enabled": True, "role": "bastion"}))
        self.write_config(window="10s")
        self.sim.request()
        self.start_daemon(environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.sim.url})
        self.daemon.wait_for("not put to sleep: last activity at")
        self.sim.set(imds_enabled=0)
        self.sim.admin("POST", "expire")
        self.daemon.wait_for("AWS refused the credentials as expired, and there are no new ones")
        self.daemon.wait_for("not put to sleep: its services could not be read")
        self.assert_nothing_sleeps()
        self.sim.set(imds_enabled=1)
        self.daemon.wait_for("can look for activity again")
        self.fall_asleep()
    test_expired_and_nobody_to_ask.is_long = True

    def test_new_keys_in_the_file_are_found(self):
        shared = self.directory / "home" / ".aws"
        shared.mkdir()
        text = "[default]\naws_access_key_id = {}\naws_secret_access_key = " + SECRET_KEY + "\n"
        (shared / "credentials").write_text(text.format("AKIAREVOKED"))
        self.start(environment={})
        self.daemon.wait_for("UnrecognizedClientException")
        (shared / "credentials").write_text(text.format(ACCESS_KEY))
        self.sim.wait_for_counts(ASLEEP)
        self.assertEqual(AWAKE.keys(), ASLEEP.keys())
