/* SPDX-License-Identifier: MIT */
/* AWS's shared files and the plan made of them: the config file, then the credentials file. */

#include <errno.h>
#include <string.h>

#include "src/credentials/credentials_plan.h"
#include "src/credentials/credentials_profile.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "geheim"

/* Whether the word stands where secrets do, and nowhere else: names may be told. */
static bool is_secret;

static bool begins_with_secret_name(const char *line, const char *end)
{
    static const char *const NAMES[] = {"aws_secret_access_key", "aws_session_token"};

    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    for (size_t i = 0; i < ARRAY_LENGTH(NAMES); i++) {
        size_t length = strlen(NAMES[i]);
        if ((size_t)(end - line) > length && memcmp(line, NAMES[i], length) == 0 &&
            strspn(line + length, " \t=") > 0)
            return true;
    }
    return false;
}

static bool secret_is_in_its_place(const char *text, size_t size)
{
    const char *end = text + size, *at = text, *line;

    for (; (at = memmem(at, (size_t)(end - at), SECRET, strlen(SECRET))); at += strlen(SECRET)) {
        line = memrchr(text, '\n', (size_t)(at - text));
        if (!begins_with_secret_name(line ? line + 1 : text, at))
            return false;
    }
    return true;
}

/* No message tells a secret. The one of these inputs is this word. */
static void check_why(const struct credentials_why *why)
{
    MUST(why->text[0]);
    MUST(strnlen(why->text, sizeof(why->text)) < sizeof(why->text));
    MUST(!is_secret || !strstr(why->text, SECRET));
}

static struct profile_file *parse(enum profile_dialect dialect, struct fuzz_input *input,
                                  struct credentials_file *file)
{
    struct profile_file *content = NULL;
    size_t size = 0;
    char *text = fuzz_take_bytes(input, &size);

    if (!text)
        return NULL;
    file->error =
        credentials_profile_parse("/root/.aws/x", dialect, text, size, &content, &file->why);
    MUST(file->error == 0 || file->error == -EINVAL);
    MUST((file->error == 0) == (content != NULL));
    if (file->error != 0)
        check_why(&file->why);
    free(text);
    return content;
}

static void check_sections(const struct profile_file *file)
{
    for (size_t i = 0; file && i < file->n_sections; i++) {
        const struct profile_section *section = &file->sections[i];
        MUST(credentials_profile_section(file, section->kind, section->name));
        for (size_t n = 0; n < section->n_properties; n++) {
            const struct profile_property *property = &section->properties[n];
            MUST(*property->name && property->value && property->line > 0);
            MUST(credentials_profile_property(file, section->kind, section->name, property->name));
        }
    }
}

static void check_plan(const struct credentials_files *files, const char *profile)
{
    const struct credentials_environment environment = {.home = "/root"};
    struct credentials_plan plan = {0};
    struct credentials_why why = {0};
    int r = credentials_plan_make(&environment, files, profile, "eu-west-1", &plan, &why);

    if (r < 0) {
        MUST(r != -ENOMEM);
        check_why(&why);
        return;
    }
    MUST(plan.source && !(is_secret && strstr(plan.source, SECRET)));
    MUST(plan.origin != CREDENTIALS_FROM_KEYS || credentials_keys_are_set(&plan.keys));
    MUST(plan.n_roles <= CREDENTIALS_ROLES_MAX);
    for (size_t i = 0; i < plan.n_roles; i++)
        MUST(plan.roles[i].arn && plan.roles[i].session_name);
    MUST(plan.origin != CREDENTIALS_FROM_CONTAINER || plan.container.url);
    (void)credentials_plan_endpoint(&plan, "CLOUDWATCH_LOGS");
    credentials_plan_clear(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct credentials_files files = {0};
    struct credentials_file *config = &files.ranked[CREDENTIALS_FILE_CONFIG];
    struct credentials_file *shared = &files.ranked[CREDENTIALS_FILE_SHARED];

    if (!data)
        return 0;
    is_secret = secret_is_in_its_place((const char *)data, size);
    config->path = strdup("/root/.aws/config");
    shared->path = strdup("/root/.aws/credentials");
    config->content = parse(PROFILE_CONFIG, &input, config);
    shared->content = parse(PROFILE_CREDENTIALS, &input, shared);
    check_sections(config->content);
    check_sections(shared->content);
    check_plan(&files, NULL);
    check_plan(&files, "dev");
    credentials_files_clear(&files);
    return 0;
}
