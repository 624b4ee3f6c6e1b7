/* SPDX-License-Identifier: MIT */

/* Which source the chain comes to: the environment and the shared files in, a plan out. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/credentials/credentials_imds.h"
#include "src/credentials/credentials_plan.h"
#include "src/credentials/credentials_roles.h"
#include "src/log.h"

#define ROLE_A "arn:aws:iam::111111111111:role/a"
#define ROLE_B "arn:aws:iam::111111111111:role/b"

struct world {
    char home[64];
    struct credentials_environment environment;
    struct credentials_files files;
    struct credentials_plan plan;
    struct credentials_why why;
    unsigned warnings;
    char warning[512];
};

static void count_warnings(void *userdata, int level, const char *message_id,
                           const struct log_field *fields, size_t n_fields, const char *message)
{
    struct world *world = userdata;

    (void)message_id, (void)fields, (void)n_fields;
    if (level == LOG_WARNING)
        world->warnings++;
    snprintf(world->warning, sizeof(world->warning), "%s", message);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char aws[80];

    assert_non_null(world);
    strcpy(world->home, "/tmp/test-credentials-XXXXXX");
    assert_non_null(mkdtemp(world->home));
    snprintf(aws, sizeof(aws), "%s/.aws", world->home);
    assert_int_equal(mkdir(aws, 0700), 0);
    world->environment.home = world->home;
    log_set_sink(count_warnings, world);
    *state = world;
    return 0;
}

static const char *path_in(struct world *world, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", world->home, name);
    return path;
}

static int tear_down(void **state)
{
    static const char *const names[] = {".aws/credentials", ".aws/config", "aws-credentials",
                                        "other", ".aws"};
    struct world *world = *state;

    log_set_sink(NULL, NULL);
    credentials_plan_clear(&world->plan);
    credentials_files_clear(&world->files);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        remove(path_in(world, names[i]));
    assert_int_equal(rmdir(world->home), 0);
    free(world);
    return 0;
}

static void given_file(struct world *world, const char *name, const char *text)
{
    int fd = open(path_in(world, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int make_plan(struct world *world, const char *profile, const char *region)
{
    credentials_plan_clear(&world->plan);
    world->why.text[0] = '\0';
    assert_int_equal(credentials_files_load(&world->files, &world->environment), 0);
    return credentials_plan_make(&world->environment, &world->files, profile, region, &world->plan,
                                 &world->why);
}

static void expect_plan(struct world *world, const char *profile, enum credentials_origin origin,
                        const char *source)
{
    if (make_plan(world, profile, NULL) < 0)
        fail_msg("%s", world->why.text);
    assert_int_equal(world->plan.origin, origin);
    if (!strstr(world->plan.source, source))
        fail_msg("the source is %s", world->plan.source);
}

static void expect_refusal(struct world *world, const char *profile, int error, const char *why)
{
    assert_int_equal(make_plan(world, profile, NULL), error);
    if (!strstr(world->why.text, why))
        fail_msg("it says: %s", world->why.text);
    assert_null(strstr(world->why.text, "geheim"));
    assert_null(world->plan.source);
    assert_null(world->plan.keys.access_key_id);
}

static void expect_keys(struct world *world, const char *id, const char *token)
{
    assert_string_equal(world->plan.keys.access_key_id, id);
    if (token)
        assert_string_equal(world->plan.keys.session_token, token);
    else
        assert_null(world->plan.keys.session_token);
    assert_false(world->plan.keys.expires);
}

/* --- the order --------------------------------------------------------------------------------- */

static void the_first_configured_source_decides(void **state)
{
    struct world *world = *state;

    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(world->plan.imds_url, IMDS_URL);
    assert_null(world->plan.region);

    world->environment.container_relative_uri = "/v2/credentials/x";
    expect_plan(world, NULL, CREDENTIALS_FROM_CONTAINER,
                "container endpoint http://169.254.170.2/v2/credentials/x");

    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = FILE\naws_secret_access_key = geheim\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "profile default in ");
    expect_keys(world, "FILE", NULL);

    world->environment.web_identity_token_file = "/token";
    world->environment.role_arn = ROLE_A;
    expect_plan(world, NULL, CREDENTIALS_FROM_WEB_IDENTITY, "AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_string_equal(world->plan.web_identity.token_file, "/token");
    assert_string_equal(world->plan.web_identity.session_name, "provisionerd");

    world->environment.access_key_id = "ENV";
    world->environment.secret_access_key = "geheim";
    world->environment.session_token = "token";
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "environment variable AWS_ACCESS_KEY_ID");
    expect_keys(world, "ENV", "token");
}

static void a_profile_named_in_the_configuration_comes_before_the_environment(void **state)
{
    struct world *world = *state;

    world->environment.access_key_id = "ENV";
    world->environment.secret_access_key = "geheim";
    world->environment.web_identity_token_file = "/token";
    world->environment.role_arn = ROLE_A;
    given_file(world, ".aws/credentials",
               "[dev]\naws_access_key_id = DEV\naws_secret_access_key = geheim\n");
    expect_plan(world, "dev", CREDENTIALS_FROM_KEYS, "profile dev in ");
    expect_keys(world, "DEV", NULL);
    expect_refusal(world, "prod", -ENOKEY, "there is no profile prod in ");

    world->environment.profile = "dev";
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "environment variable");
}

static void a_profile_asked_for_by_name_must_exist(void **state)
{
    struct world *world = *state;

    world->environment.profile = "prod";
    expect_refusal(world, NULL, -ENOKEY, "(as [profile prod])");
    given_file(world, ".aws/config", "[prod]\nregion = eu-west-1\n");
    expect_refusal(world, NULL, -ENOKEY, "where \"profile \" is missing");
    world->environment.profile = NULL;
    expect_refusal(world, "default", -ENOKEY, "(as [default])");
}

static void a_profile_without_keys_goes_on_down_the_chain(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config", "[default]\nregion = eu-west-1\n[profile dev]\nregion = a\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(world->plan.region, "eu-west-1");
    assert_non_null(strstr(world->plan.tried, "profile default has neither keys nor a role"));
    world->environment.container_full_uri = "http://localhost/x";
    expect_plan(world, "dev", CREDENTIALS_FROM_CONTAINER, "container endpoint");
}

static void with_nothing_at_all_the_whole_story_is_told(void **state)
{
    struct world *world = *state;

    world->environment.metadata_disabled = "True";
    expect_refusal(world, NULL, -ENOKEY, "AWS_ACCESS_KEY_ID is not set; ");
    assert_non_null(strstr(world->why.text, "AWS_WEB_IDENTITY_TOKEN_FILE is not set; "));
    assert_non_null(strstr(world->why.text, "there is no profile default in "));
    assert_non_null(strstr(world->why.text, "AWS_CONTAINER_CREDENTIALS_* are not set; "));
    assert_non_null(strstr(world->why.text, "AWS_EC2_METADATA_DISABLED is true"));
    assert_non_null(strstr(world->why.text, "give the instance or task a role"));
}

static void half_an_environment_is_an_error(void **state)
{
    struct world *world = *state;

    world->environment.access_key_id = "ENV";
    expect_refusal(world, NULL, -EINVAL,
                   "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
    world->environment.access_key_id = NULL;
    world->environment.secret_access_key = "geheim";
    expect_refusal(world, NULL, -EINVAL,
                   "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    world->environment.access_key_id = "ENV";
    world->environment.secret_access_key = "geheim\r\nX-Evil: 1";
    expect_refusal(world, NULL, -EINVAL, "in the environment variables");
    world->environment.access_key_id = world->environment.secret_access_key = NULL;
    world->environment.web_identity_token_file = "/token";
    expect_refusal(world, NULL, -EINVAL, "AWS_ROLE_ARN is not");
    world->environment.role_arn = "admin";
    expect_refusal(world, NULL, -EINVAL, "not the ARN of a role");
}

/* --- files ------------------------------------------------------------------------------------- */

static void systemds_credential_comes_before_the_home(void **state)
{
    struct world *world = *state;

    world->environment.credentials_directory = world->home;
    given_file(world, "aws-credentials",
               "[default]\naws_access_key_id = UNIT\naws_secret_access_key = geheim\n");
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = HOME\n"
               "aws_secret_access_key = geheim\n"
               "aws_session_token = of-another-pair\n");
    given_file(world, ".aws/config",
               "[default]\nregion = eu-west-1\naws_access_key_id = CONFIG\n"
               "aws_secret_access_key = geheim\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "/aws-credentials");
    expect_keys(world, "UNIT", NULL);
    assert_string_equal(world->plan.region, "eu-west-1");

    unlink(path_in(world, "aws-credentials"));
    assert_true(credentials_files_changed(&world->files));
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "/.aws/credentials");
    expect_keys(world, "HOME", "of-another-pair");
    unlink(path_in(world, ".aws/credentials"));
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "/.aws/config");
    expect_keys(world, "CONFIG", NULL);
}

static void variables_name_other_files(void **state)
{
    struct world *world = *state;
    char other[128];

    given_file(world, "other",
               "[default]\naws_access_key_id = OTHER\naws_secret_access_key = geheim\n");
    snprintf(other, sizeof(other), "%s", path_in(world, "other"));
    world->environment.credentials_file = other;
    world->environment.config_file = "/dev/null";
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, other);
    expect_keys(world, "OTHER", NULL);
    world->environment.config_file = other; /* as a config file, [default] means the same */
    world->environment.credentials_file = "/nonexistent/file";
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, other);
}

/* A service without User= that was given HOME=/, and one whose home is written with a slash. */
static void a_slash_at_the_end_of_the_home_is_none_of_the_path(void **state)
{
    struct world *world = *state;
    struct credentials_file *shared = &world->files.ranked[CREDENTIALS_FILE_SHARED];
    char home[80];

    world->environment.home = "/";
    assert_int_equal(credentials_files_load(&world->files, &world->environment), 0);
    assert_string_equal(shared->path, "/.aws/credentials");
    snprintf(home, sizeof(home), "%s//", world->home);
    world->environment.home = home;
    assert_int_equal(credentials_files_load(&world->files, &world->environment), 0);
    assert_string_equal(shared->path, path_in(world, ".aws/credentials"));
}

static void keys_of_two_files_make_no_pair(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/credentials", "[default]\n\naws_access_key_id = HOME\n");
    given_file(world, ".aws/config", "[default]\naws_secret_access_key = geheim\n");
    expect_refusal(world, NULL, -EINVAL,
                   "credentials:3: profile default: the secret access key is missing");
    given_file(world, ".aws/credentials", "[default]\naws_secret_access_key = geheim\n");
    expect_refusal(world, NULL, -EINVAL,
                   "credentials:2: profile default: the access key id is missing");
}

static void a_file_that_cannot_be_used_is_an_error(void **state)
{
    struct world *world = *state;
    char large[128];

    world->environment.access_key_id = "ENV"; /* even then: it may hold an endpoint */
    world->environment.secret_access_key = "geheim";
    given_file(world, ".aws/config", "[default]\ngeheim\n");
    expect_refusal(world, NULL, -EINVAL, "config:2: neither a [section] nor name = value");

    given_file(world, ".aws/config", "");
    given_file(world, "other", "");
    snprintf(large, sizeof(large), "%s", path_in(world, "other"));
    assert_int_equal(truncate(large, PROFILE_FILE_SIZE_MAX + 1), 0);
    world->environment.config_file = large;
    expect_refusal(world, NULL, -EFBIG, "is larger than 1048576 bytes");
    world->environment.config_file = world->home;
    expect_refusal(world, NULL, -EINVAL, "is not a file");
    world->environment.config_file = "/dev/null/x";
    expect_refusal(world, NULL, -ENOTDIR, "cannot read /dev/null/x: Not a directory");

    /* Nobody pointed us to this one. */
    world->environment.config_file = NULL;
    world->environment.home = "/dev/null";
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "environment variable");
    /* Without HOME it is the one of the passwd file; whatever it holds, no harm. */
    world->environment.home = NULL;
    make_plan(world, NULL, NULL);
}

static void only_changed_files_are_read_again(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = ONE\naws_secret_access_key = geheim\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "profile default");
    const struct profile_file *read = world->files.ranked[CREDENTIALS_FILE_SHARED].content;
    assert_false(credentials_files_changed(&world->files));
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "profile default");
    assert_ptr_equal(world->files.ranked[CREDENTIALS_FILE_SHARED].content, read);

    given_file(world, ".aws/config", "[default]\nregion = eu-west-1\n");
    assert_true(credentials_files_changed(&world->files));
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "profile default");
    assert_false(credentials_files_changed(&world->files));

    credentials_files_forget(&world->files);
    assert_false(credentials_files_changed(&world->files));
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "profile default");
    expect_keys(world, "ONE", NULL);
}

static void keys_that_everybody_may_read_are_warned_of_once(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = ONE\naws_secret_access_key = geheim\n");
    given_file(world, ".aws/config", "[default]\nregion = eu-west-1\n");
    assert_int_equal(chmod(path_in(world, ".aws/config"), 0644), 0);
    make_plan(world, NULL, NULL);
    assert_int_equal(world->warnings, 0);

    assert_int_equal(chmod(path_in(world, ".aws/credentials"), 0644), 0);
    make_plan(world, NULL, NULL);
    credentials_files_forget(&world->files);
    make_plan(world, NULL, NULL);
    assert_int_equal(world->warnings, 1);
    assert_non_null(strstr(world->warning, "chmod 600 "));
    assert_null(strstr(world->warning, "geheim"));
}

static void a_line_indented_by_mistake_is_pointed_at(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = ONE\n aws_secret_access_key = geheim\n");
    expect_refusal(world, NULL, -EINVAL,
                   "credentials:3: this line is indented and so belongs to the value of "
                   "aws_access_key_id above it");
}

/* --- roles ------------------------------------------------------------------------------------- */

static void a_role_is_assumed_with_the_keys_of_its_source_profile(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[profile dev]\nrole_arn = " ROLE_A "\nsource_profile = base\n"
               "role_session_name = me\nexternal_id = x:1\nduration_seconds = 900\n"
               "region = eu-west-1\n");
    given_file(world, ".aws/credentials",
               "[base]\naws_access_key_id = BASE\naws_secret_access_key = geheim\n");
    expect_plan(world, "dev", CREDENTIALS_FROM_KEYS, "profile dev in ");
    expect_keys(world, "BASE", NULL);
    assert_int_equal(world->plan.n_roles, 1);
    assert_string_equal(world->plan.roles[0].arn, ROLE_A);
    assert_string_equal(world->plan.roles[0].session_name, "me");
    assert_string_equal(world->plan.roles[0].external_id, "x:1");
    assert_string_equal(world->plan.roles[0].duration_seconds, "900");
    assert_true(credentials_plan_needs_sts(&world->plan));
}

static void roles_chain_and_a_source_with_keys_ends_the_chain(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[profile a]\nrole_arn = " ROLE_A "\nsource_profile = b\n"
               "[profile b]\nrole_arn = " ROLE_B "\nsource_profile = c\n"
               "[profile c]\nrole_arn = " ROLE_B "\nsource_profile = a\n"
               "aws_access_key_id = C\naws_secret_access_key = geheim\n");
    expect_plan(world, "a", CREDENTIALS_FROM_KEYS, "profile a in ");
    assert_int_equal(world->plan.n_roles, 2);
    assert_string_equal(world->plan.roles[0].arn, ROLE_A);
    assert_string_equal(world->plan.roles[1].arn, ROLE_B);
    expect_keys(world, "C", NULL);
    /* As the AWS CLI has it: back at the beginning is a loop, whether it has keys or not. */
    expect_refusal(world, "c", -ELOOP, "goes round in a loop: c -> a -> b -> c");
}

static void a_profile_may_be_its_own_source(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[profile a]\nrole_arn = " ROLE_A "\nsource_profile = a\n"
               "aws_access_key_id = A\naws_secret_access_key = geheim\n"
               "[profile b]\nrole_arn = " ROLE_A "\nsource_profile = b\n");
    expect_plan(world, "a", CREDENTIALS_FROM_KEYS, "profile a in ");
    assert_int_equal(world->plan.n_roles, 1);
    expect_keys(world, "A", NULL);
    expect_refusal(world, "b", -ELOOP, "config:8: source_profile goes round in a loop: b -> b");
}

static void loops_and_endless_chains_are_refused(void **state)
{
    struct world *world = *state;
    char text[2048], *at = text;

    given_file(world, ".aws/config",
               "[profile a]\nrole_arn = " ROLE_A "\nsource_profile = b\n"
               "[profile b]\nrole_arn = " ROLE_A "\nsource_profile = c\n"
               "[profile c]\nrole_arn = " ROLE_A "\nsource_profile = b\n");
    expect_refusal(world, "a", -ELOOP,
                   "config:9: source_profile goes round in a loop: a -> b -> c -> b");

    for (unsigned i = 0; i <= CREDENTIALS_ROLES_MAX; i++)
        at += sprintf(at, "[profile p%u]\nrole_arn = " ROLE_A "\nsource_profile = p%u\n", i, i + 1);
    sprintf(at, "[profile p%u]\naws_access_key_id = A\naws_secret_access_key = geheim\n",
            CREDENTIALS_ROLES_MAX + 1);
    given_file(world, ".aws/config", text);
    expect_refusal(world, "p0", -ELOOP, "more than 5 roles in a chain");
    expect_plan(world, "p1", CREDENTIALS_FROM_KEYS, "profile p1");
    assert_int_equal(world->plan.n_roles, CREDENTIALS_ROLES_MAX);
}

static void credential_source_names_the_first_keys(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[profile i]\nrole_arn = " ROLE_A "\ncredential_source = Ec2InstanceMetadata\n"
               "[profile c]\nrole_arn = " ROLE_A "\ncredential_source = EcsContainer\n"
               "[profile e]\nrole_arn = " ROLE_A "\ncredential_source = Environment\n"
               "[profile x]\nrole_arn = " ROLE_A "\ncredential_source = ec2\n");
    expect_plan(world, "i", CREDENTIALS_FROM_IMDS, "profile i");
    assert_null(world->plan.tried);
    expect_refusal(world, "c", -ENOKEY,
                   "config:6: credential_source = EcsContainer, but AWS_CONTAINER");
    expect_refusal(world, "e", -ENOKEY,
                   "config:9: credential_source = Environment, but AWS_ACCESS_KEY_ID is not set");
    expect_refusal(world, "x", -EINVAL, "config:12: credential_source must be Environment, ");

    world->environment.metadata_disabled = "true";
    expect_refusal(world, "i", -ENOKEY, "but AWS_EC2_METADATA_DISABLED is true");
    world->environment.container_relative_uri = "/x";
    expect_plan(world, "c", CREDENTIALS_FROM_CONTAINER, "profile c");
    world->environment.access_key_id = "ENV";
    expect_refusal(world, "e", -EINVAL, "AWS_SECRET_ACCESS_KEY is not");
    world->environment.secret_access_key = "geheim";
    expect_plan(world, "e", CREDENTIALS_FROM_KEYS, "profile e");
    expect_keys(world, "ENV", NULL);
}

static void web_identity_in_a_profile(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[profile w]\nrole_arn = " ROLE_A "\nweb_identity_token_file = /token\n"
               "[profile a]\nrole_arn = " ROLE_B "\nsource_profile = w\n");
    expect_plan(world, "w", CREDENTIALS_FROM_WEB_IDENTITY, "profile w");
    assert_string_equal(world->plan.web_identity.token_file, "/token");
    assert_int_equal(world->plan.n_roles, 0);
    assert_true(credentials_plan_needs_sts(&world->plan));
    expect_plan(world, "a", CREDENTIALS_FROM_WEB_IDENTITY, "profile a");
    assert_int_equal(world->plan.n_roles, 1);
}

static void role_settings_that_cannot_be_are_refused_by_line(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *settings;
        int error;
        const char *why;
    } cases[] = {
        {"role_arn = " ROLE_A "\n", -EINVAL, "neither source_profile nor credential_source"},
        {"role_arn = " ROLE_A "\nsource_profile = b\ncredential_source = Environment\n", -EINVAL,
         "both source_profile and credential_source"},
        {"role_arn = " ROLE_A "\nsource_profile = none\n", -ENOKEY,
         "config:3: there is no profile none for this source_profile"},
        {"role_arn = " ROLE_A "\nsource_profile = b\n", -ENOKEY,
         "profile b is source_profile of a, but has neither keys nor a role"},
        {"role_arn = admin\nsource_profile = b\n", -EINVAL, "config:2: not the ARN of a role"},
        {"role_arn = arn:aws:iam::1:role/with a blank\n", -EINVAL, "not the ARN of a role"},
        {"role_arn = " ROLE_A "\nrole_session_name = x\n", -EINVAL, "session name"},
        {"role_arn = " ROLE_A "\nrole_session_name = a b\n", -EINVAL, "session name"},
        {"role_arn = " ROLE_A "\nexternal_id = \xc3\xa9\xc3\xa9\n", -EINVAL, "external_id must be"},
        {"role_arn = " ROLE_A "\nduration_seconds = 1h\n", -EINVAL, "duration_seconds must be"},
        {"role_arn = " ROLE_A "\nduration_seconds = 899\n", -EINVAL, "from 900 to 43200"},
        {"role_arn = " ROLE_A "\nduration_seconds = 99999999999\n", -EINVAL, "from 900 to 43200"},
        {"role_arn = " ROLE_A "\nmfa_serial = x\n", -EOPNOTSUPP,
         "config:3: profile a has mfa_seri"},
        {"role_arn = " ROLE_A "\n  more\n", -EINVAL, "config:3: this line is indented"},
        {"role_arn = " ROLE_A "\nsource_profile = b\n more\n", -EINVAL,
         "config:4: this line is in"},
        {"role_arn = " ROLE_A "\nexternal_id = b\n more\n", -EINVAL, "config:4: this line is in"},
        {"credential_process = /bin/geheim\n more\n", -EINVAL, "config:3: this line is indented"},
        {"region = a\n more\n", -EINVAL, "config:3: this line is indented"},
        {"endpoint_url = a\n more\n", -EINVAL, "config:3: this line is indented"},
        {"services = a\n more\n", -EINVAL, "config:3: this line is indented"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[512];
        snprintf(text, sizeof(text), "[profile a]\n%s[profile b]\nregion = x\n", cases[i].settings);
        given_file(world, ".aws/config", text);
        expect_refusal(world, "a", cases[i].error, cases[i].why);
    }
}

static void what_is_not_supported_is_said_and_not_passed_over(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"credential_process", "sso_session", "sso_start_url",
                                        "sso_account_id", "login_session"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char text[256], why[128];
        snprintf(text, sizeof(text), "[default]\nregion = eu-west-1\n%s = geheim\n", names[i]);
        given_file(world, ".aws/config", text);
        snprintf(why, sizeof(why),
                 "config:3: profile default has %s, which provisionerd does not support", names[i]);
        expect_refusal(world, NULL, -EOPNOTSUPP, why);
        assert_non_null(strstr(world->why.text, "use a role"));
    }
    /* Where it would not be used, it does not matter. */
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = A\naws_secret_access_key = geheim\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_KEYS, "/.aws/credentials");
}

/* --- region, endpoints, IMDS, container ---------------------------------------------------------- */

static void the_region_is_the_most_specific_one(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config", "[default]\nregion = eu-west-3\n");
    assert_int_equal(make_plan(world, NULL, NULL), 0);
    assert_string_equal(world->plan.region, "eu-west-3");
    world->environment.region = "eu-west-2";
    assert_int_equal(make_plan(world, NULL, NULL), 0);
    assert_string_equal(world->plan.region, "eu-west-2");
    assert_int_equal(make_plan(world, NULL, "eu-west-1"), 0);
    assert_string_equal(world->plan.region, "eu-west-1");

    assert_int_equal(make_plan(world, NULL, "Ireland!"), -EINVAL);
    assert_non_null(strstr(world->why.text, "the configured region is no region"));
    world->environment.region = "a/b";
    expect_refusal(world, NULL, -EINVAL, "AWS_REGION or AWS_DEFAULT_REGION is no region");
    world->environment.region = NULL;
    given_file(world, ".aws/config", "[default]\nregion = evil.example.com\n");
    expect_refusal(world, NULL, -EINVAL, "config:2: this is no region");
}

static void endpoints_come_from_the_profile_and_its_services(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[default]\nservices = local\nendpoint_url = http://all\n"
               "[services local]\n"
               "ecs =\n  endpoint_url = http://first\n  other = x\n"
               "cloudwatch_logs =\n  endpoint_url = http://logs\n"
               "s3 =\n  endpoint_url =\n"
               "[services other]\nsts =\n  endpoint_url = http://wrong\n"
               "[services local]\necs =\n  endpoint_url = http://ecs\n"
               "[profile bare]\nregion = x\n");
    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(credentials_plan_endpoint(&world->plan, "ECS"), "http://ecs");
    assert_string_equal(credentials_plan_endpoint(&world->plan, "CLOUDWATCH_LOGS"), "http://logs");
    assert_string_equal(credentials_plan_endpoint(&world->plan, "STS"), "http://all");
    assert_string_equal(credentials_plan_endpoint(&world->plan, "S3"), "http://all");
    expect_plan(world, "bare", CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_null(credentials_plan_endpoint(&world->plan, "ECS"));
}

static void imds_is_where_the_variables_say(void **state)
{
    struct world *world = *state;

    world->environment.metadata_endpoint_mode = "ipv6";
    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(world->plan.imds_url, "http://[fd00:ec2::254]");
    world->environment.metadata_endpoint_mode = "IPv4";
    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(world->plan.imds_url, "http://169.254.169.254");
    world->environment.metadata_endpoint_mode = "IPv5";
    expect_refusal(world, NULL, -EINVAL, "must be IPv4 or IPv6");
    world->environment.metadata_endpoint = "http://127.0.0.1:8080//";
    expect_plan(world, NULL, CREDENTIALS_FROM_IMDS, "IMDSv2");
    assert_string_equal(world->plan.imds_url, "http://127.0.0.1:8080");
    world->environment.metadata_endpoint = "127.0.0.1";
    expect_refusal(world, NULL, -EINVAL, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL");
}

static void a_container_endpoint_is_asked_only_where_it_is_safe(void **state)
{
    struct world *world = *state;
    static const char *const good[] = {
        "https://example.com/creds", "HTTPS://example.com",
        "http://localhost/",         "http://LOCALHOST:8080/x?y",
        "http://127.0.0.1",          "http://127.255.3.4:1/x",
        "http://169.254.170.2/x",    "http://169.254.170.23/v1/credentials",
        "http://[::1]:80/x",         "http://[0:0::1]",
        "http://[fd00:ec2::23]/x",   "http://[FD00:EC2:0::23]:80/x",
    };
    static const char *const bad[] = {
        "http://example.com/x",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://169.254.169.254/",
        "http://169.254.170.3/",
        "http://128.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://localhost@example.com/",
        "http://127.0.0.1:80@example.com",
        "http://127.0.0.1\\@example.com/",
        "http://[::2]/",
        "http://[::1",
        "http://[::1]x/",
        "http://[]/",
        "http://[::ffff:127.0.0.1]/",
        "http:///x",
        "http://",
        "http://127.0.0.1 /x",
        "http://127.0.0.1/\r\nX: y",
        "ftp://127.0.0.1/",
        "/x",
        "localhost",
        "http://[fd00:ec2:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0023]/",
        "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        world->environment.container_full_uri = good[i];
        expect_plan(world, NULL, CREDENTIALS_FROM_CONTAINER, "container endpoint");
        assert_int_equal(world->plan.container.direct, strncasecmp(good[i], "https", 5) != 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        world->environment.container_full_uri = bad[i];
        if (make_plan(world, NULL, NULL) != -EINVAL)
            fail_msg("%s", bad[i]);
    }
    world->environment.container_relative_uri = "/first"; /* comes before FULL */
    expect_plan(world, NULL, CREDENTIALS_FROM_CONTAINER, "http://169.254.170.2/first");
    assert_true(world->plan.container.direct);
    world->environment.container_relative_uri = "@example.com/";
    expect_refusal(world, NULL, -EINVAL, "is not a path");
    world->environment.container_relative_uri = "/a b";
    expect_refusal(world, NULL, -EINVAL, "is not a path");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_configured_source_decides),
        TEST(a_profile_named_in_the_configuration_comes_before_the_environment),
        TEST(a_profile_asked_for_by_name_must_exist),
        TEST(a_profile_without_keys_goes_on_down_the_chain),
        TEST(with_nothing_at_all_the_whole_story_is_told),
        TEST(half_an_environment_is_an_error),
        TEST(systemds_credential_comes_before_the_home),
        TEST(variables_name_other_files),
        TEST(a_slash_at_the_end_of_the_home_is_none_of_the_path),
        TEST(keys_of_two_files_make_no_pair),
        TEST(a_file_that_cannot_be_used_is_an_error),
        TEST(only_changed_files_are_read_again),
        TEST(keys_that_everybody_may_read_are_warned_of_once),
        TEST(a_line_indented_by_mistake_is_pointed_at),
        TEST(a_role_is_assumed_with_the_keys_of_its_source_profile),
        TEST(roles_chain_and_a_source_with_keys_ends_the_chain),
        TEST(a_profile_may_be_its_own_source),
        TEST(loops_and_endless_chains_are_refused),
        TEST(credential_source_names_the_first_keys),
        TEST(web_identity_in_a_profile),
        TEST(role_settings_that_cannot_be_are_refused_by_line),
        TEST(what_is_not_supported_is_said_and_not_passed_over),
        TEST(the_region_is_the_most_specific_one),
        TEST(endpoints_come_from_the_profile_and_its_services),
        TEST(imds_is_where_the_variables_say),
        TEST(a_container_endpoint_is_asked_only_where_it_is_safe),
    };
    return cmocka_run_group_tests_name("credentials: the chain", tests, NULL, NULL);
}
