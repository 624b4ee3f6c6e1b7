/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_roles.h"

#include <errno.h>
#include <string.h>

/* Limits of the STS API Reference, AssumeRole. */
#define ROLE_ARN_MIN 20
#define ROLE_ARN_MAX 2048
#define SESSION_NAME_MAX 64
#define EXTERNAL_ID_MAX 1224
#define DURATION_MIN_S 900
#define DURATION_MAX_S 43200

#define PLACE_TEXT_MAX 256

#define NO_SETTING              \
    {                           \
        .value = "", .path = "" \
    }

struct follower {
    const struct credentials_environment *environment;
    const struct credentials_files *files;
    struct credentials_plan *plan;
    const char *visited[CREDENTIALS_ROLES_MAX + 1]; /* names of profiles, borrowed */
    size_t n_visited;
    struct credentials_why *why;
};

int credentials_profile_setting(const struct credentials_files *files, const char *profile,
                                const char *name, struct credentials_setting *ret,
                                struct credentials_why *why)
{
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++) {
        const struct profile_file *file = files->ranked[i].content;
        const struct profile_property *found =
            file ? credentials_profile_property(file, PROFILE_SECTION_PROFILE, profile, name)
                 : NULL;
        if (!found || !*found->value)
            continue;
        if (found->continued_line)
            return credentials_fail(why, -EINVAL,
                                    "%s:%u: this line is indented and so belongs to the value of "
                                    "%s above it: take the blanks at its beginning away",
                                    file->path, found->continued_line, name);
        *ret = (struct credentials_setting){found->value, file->path, found->line};
        return 0;
    }
    return -ENOENT;
}

bool credentials_profile_exists(const struct credentials_files *files, const char *profile)
{
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++) {
        const struct profile_file *file = files->ranked[i].content;
        if (file && credentials_profile_section(file, PROFILE_SECTION_PROFILE, profile))
            return true;
    }
    return false;
}

void credentials_role_clear(struct credentials_role *role)
{
    free(role->arn);
    free(role->session_name);
    free(role->external_id);
    free(role->duration_seconds);
    free(role->token_file);
    *role = (struct credentials_role){0};
}

static bool is_duration(const char *text)
{
    unsigned seconds = 0;

    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || seconds > DURATION_MAX_S)
            return false;
        seconds = seconds * 10 + (unsigned)(*c - '0');
    }
    return seconds >= DURATION_MIN_S && seconds <= DURATION_MAX_S;
}

static int check_role(const struct credentials_role *role, const char *at,
                      struct credentials_why *why)
{
    if (!role->arn || strncmp(role->arn, "arn:", 4) != 0 || strlen(role->arn) < ROLE_ARN_MIN ||
        !credentials_is_word(role->arn, ROLE_ARN_MAX, ":/_+=,.@-"))
        return credentials_fail(why, -EINVAL,
                                "%s: not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)", at);
    if (role->session_name &&
        (strlen(role->session_name) < 2 ||
         !credentials_is_word(role->session_name, SESSION_NAME_MAX, "_+=,.@-")))
        return credentials_fail(why, -EINVAL,
                                "%s: the session name of the role must be 2 to %d letters, digits "
                                "or _+=,.@-",
                                at, SESSION_NAME_MAX);
    if (role->external_id &&
        (strlen(role->external_id) < 2 ||
         !credentials_is_word(role->external_id, EXTERNAL_ID_MAX, "_+=,.@:/-")))
        return credentials_fail(why, -EINVAL,
                                "%s: external_id must be 2 to %d letters, digits or _+=,.@:/-", at,
                                EXTERNAL_ID_MAX);
    if (role->duration_seconds && !is_duration(role->duration_seconds))
        return credentials_fail(why, -EINVAL, "%s: duration_seconds must be a number from %d to %d",
                                at, DURATION_MIN_S, DURATION_MAX_S);
    return 0;
}

static bool copy_text(const char *from, char **ret)
{
    return !from || (*ret = strdup(from));
}

int credentials_role_set(struct credentials_role *role, const struct credentials_role *from,
                         const char *at, struct credentials_why *why)
{
    struct credentials_role copy = {0};

    int r = check_role(from, at, why);
    if (r < 0)
        return r;
    if (!copy_text(from->arn, &copy.arn) ||
        !copy_text(from->session_name ? from->session_name : CREDENTIALS_SESSION_NAME,
                   &copy.session_name) ||
        !copy_text(from->external_id, &copy.external_id) ||
        !copy_text(from->duration_seconds, &copy.duration_seconds) ||
        !copy_text(from->token_file, &copy.token_file)) {
        credentials_role_clear(&copy);
        return credentials_fail(why, -ENOMEM, "out of memory");
    }
    *role = copy;
    return 0;
}

int credentials_keys_from_environment(const struct credentials_environment *environment,
                                      struct credentials_keys *keys, struct credentials_why *why)
{
    const char *id = environment->access_key_id, *secret = environment->secret_access_key;
    struct credentials_why inner;

    if (!id && !secret)
        return credentials_fail(why, -ENOENT, "AWS_ACCESS_KEY_ID is not set");
    if (!id || !secret)
        return credentials_fail(why, -EINVAL, "%s is set, but %s is not",
                                id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                                id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    int r = credentials_keys_set(keys, id, secret, environment->session_token, &inner);
    if (r < 0)
        return credentials_fail(why, r,
                                "in the environment variables AWS_ACCESS_KEY_ID, "
                                "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: %s",
                                inner.text);
    return 0;
}

/* --- one profile ------------------------------------------------------------------------------ */

static int setting(struct follower *follower, const char *profile, const char *name,
                   struct credentials_setting *ret)
{
    return credentials_profile_setting(follower->files, profile, name, ret, follower->why);
}

/* As above, but absent is NULL and no error. */
static int text_setting(struct follower *follower, const char *profile, const char *name,
                        const char **ret)
{
    struct credentials_setting found = {0};

    int r = setting(follower, profile, name, &found);
    *ret = found.value;
    return r == -ENOENT ? 0 : r;
}

/* The files that hold one of the keys of this profile: all three come from the first of them, since
 * an id of one file and a secret of another are no pair. Returns 0, -ENOENT or an error. */
static int static_keys(struct follower *follower, const char *profile,
                       struct credentials_keys *keys)
{
    static const char *const names[] = {"aws_access_key_id", "aws_secret_access_key",
                                        "aws_session_token"};
    struct credentials_setting found[ARRAY_LENGTH(names)];
    struct credentials_why inner;

    for (size_t rank = 0; rank < CREDENTIALS_N_FILES; rank++) {
        struct credentials_files one = {.ranked[0] = follower->files->ranked[rank]};
        for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
            found[i] = (struct credentials_setting){0};
            int r = credentials_profile_setting(&one, profile, names[i], &found[i], follower->why);
            if (r < 0 && r != -ENOENT)
                return r;
        }
        if (!found[0].value && !found[1].value)
            continue;
        const struct credentials_setting *first = found[0].value ? &found[0] : &found[1];
        int r = credentials_keys_set(keys, found[0].value, found[1].value, found[2].value, &inner);
        if (r < 0)
            return credentials_fail(follower->why, r, "%s:%u: profile %s: %s", first->path,
                                    first->line, profile, inner.text);
        if (follower->plan->source)
            return 0;
        if (asprintf(&follower->plan->source, "profile %s in %s", profile, first->path) < 0) {
            follower->plan->source = NULL;
            return credentials_fail(follower->why, -ENOMEM, "out of memory");
        }
        return 0;
    }
    return -ENOENT;
}

/* What we do not do must not be passed over in silence: another identity would be found instead. */
static int refuse_unsupported(struct follower *follower, const char *profile)
{
    static const char *const names[] = {"credential_process", "sso_session", "sso_start_url",
                                        "sso_account_id", "login_session"};
    struct credentials_setting found = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int r = setting(follower, profile, names[i], &found);
        if (r == -ENOENT)
            continue;
        if (r < 0)
            return r;
        return credentials_fail(
            follower->why, -EOPNOTSUPP,
            "%s:%u: profile %s has %s, which provisionerd does not support: use a role (of the "
            "instance, of the task, or role_arn with source_profile or credential_source), or "
            "aws_access_key_id and aws_secret_access_key",
            found.path, found.line, profile, names[i]);
    }
    return 0;
}

static int role_of(struct follower *follower, const char *profile,
                   const struct credentials_setting *arn, struct credentials_role *ret)
{
    struct credentials_role role = {.arn = (char *)arn->value};
    const struct {
        const char *name;
        char **value;
    } settings[] = {{"role_session_name", &role.session_name},
                    {"external_id", &role.external_id},
                    {"duration_seconds", &role.duration_seconds},
                    {"web_identity_token_file", &role.token_file}};
    struct credentials_setting mfa = NO_SETTING;
    char at[PLACE_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const char *value = NULL;
        int r = text_setting(follower, profile, settings[i].name, &value);
        if (r < 0)
            return r;
        *settings[i].value = (char *)value; /* borrowed: role is copied below */
    }
    if (!role.token_file && setting(follower, profile, "mfa_serial", &mfa) == 0)
        return credentials_fail(follower->why, -EOPNOTSUPP,
                                "%s:%u: profile %s has mfa_serial: a daemon cannot type a code; "
                                "use a role that does not ask for one",
                                mfa.path, mfa.line, profile);
    snprintf(at, sizeof(at), "%s:%u", arn->path, arn->line);
    return credentials_role_set(ret, &role, at, follower->why);
}

/* --- the chain -------------------------------------------------------------------------------- */

static int follow_credential_source(struct follower *follower,
                                    const struct credentials_setting *source)
{
    struct credentials_plan *plan = follower->plan;
    struct credentials_why inner;
    int r = 0;

    if (strcmp(source->value, "Ec2InstanceMetadata") == 0) {
        plan->origin = CREDENTIALS_FROM_IMDS;
    } else if (strcmp(source->value, "EcsContainer") == 0) {
        plan->origin = CREDENTIALS_FROM_CONTAINER;
        r = credentials_container_configure(follower->environment, &plan->container, &inner);
    } else if (strcmp(source->value, "Environment") == 0) {
        plan->origin = CREDENTIALS_FROM_KEYS;
        r = credentials_keys_from_environment(follower->environment, &plan->keys, &inner);
    } else {
        return credentials_fail(follower->why, -EINVAL,
                                "%s:%u: credential_source must be Environment, Ec2InstanceMetadata "
                                "or EcsContainer",
                                source->path, source->line);
    }
    if (r < 0)
        return credentials_fail(follower->why, r == -ENOENT ? -ENOKEY : r,
                                "%s:%u: credential_source = %s, but %s", source->path, source->line,
                                source->value, inner.text);
    return 0;
}

static int refuse_loop(struct follower *follower, const char *again,
                       const struct credentials_setting *source)
{
    char path[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < follower->n_visited && used < sizeof(path); i++)
        used += (size_t)snprintf(path + used, sizeof(path) - used, "%s -> ", follower->visited[i]);
    return credentials_fail(follower->why, -ELOOP,
                            "%s:%u: source_profile goes round in a loop: "
                            "%s%s",
                            source->path, source->line, path, again);
}

/* Returns 0 with *ret_next set to the next profile, or to NULL at the origin; or an error. */
static int follow_role(struct follower *follower, const char *profile,
                       const struct credentials_setting *arn, const char **ret_next)
{
    struct credentials_plan *plan = follower->plan;
    struct credentials_setting profile_source = NO_SETTING, other_source = NO_SETTING;
    struct credentials_role role = {0};

    *ret_next = NULL;
    int r = role_of(follower, profile, arn, &role);
    if (r < 0)
        return r;
    if (role.token_file) {
        plan->origin = CREDENTIALS_FROM_WEB_IDENTITY;
        plan->web_identity = role;
        return 0;
    }
    if (plan->n_roles == CREDENTIALS_ROLES_MAX) {
        credentials_role_clear(&role);
        return credentials_fail(follower->why, -ELOOP,
                                "%s:%u: more than %d roles in a chain of source_profile", arn->path,
                                arn->line, CREDENTIALS_ROLES_MAX);
    }
    plan->roles[plan->n_roles++] = role;

    int has_profile = setting(follower, profile, "source_profile", &profile_source);
    int has_other = setting(follower, profile, "credential_source", &other_source);
    if (has_profile == -EINVAL || has_other == -EINVAL)
        return -EINVAL;
    if ((has_profile == 0) == (has_other == 0))
        return credentials_fail(follower->why, -EINVAL,
                                "%s:%u: profile %s has role_arn and %s source_profile %s "
                                "credential_source: one of them must say with which keys to assume "
                                "the role",
                                arn->path, arn->line, profile,
                                has_profile == 0 ? "both" : "neither",
                                has_profile == 0 ? "and" : "nor");
    if (has_other == 0)
        return follow_credential_source(follower, &other_source);

    const char *next = profile_source.value;
    if (!credentials_profile_exists(follower->files, next))
        return credentials_fail(follower->why, -ENOKEY,
                                "%s:%u: there is no profile %s for this source_profile",
                                profile_source.path, profile_source.line, next);
    if (strcmp(next, profile) == 0) { /* its own keys assume its role */
        plan->origin = CREDENTIALS_FROM_KEYS;
        r = static_keys(follower, profile, &plan->keys);
        return r == -ENOENT ? refuse_loop(follower, next, &profile_source) : r;
    }
    for (size_t i = 0; i < follower->n_visited; i++)
        if (strcmp(follower->visited[i], next) == 0)
            return refuse_loop(follower, next, &profile_source);
    *ret_next = next;
    return 0;
}

/* Returns as follow_role(); -ENOENT: the profile says nothing about keys. */
static int follow_profile(struct follower *follower, const char *profile, const char **ret_next)
{
    struct credentials_plan *plan = follower->plan;
    struct credentials_setting arn = NO_SETTING;
    bool is_source = follower->n_visited > 0;
    int r;

    follower->visited[follower->n_visited++] = profile;
    *ret_next = NULL;

    /* "If a source profile has keys, they are used and its own role is not assumed." */
    if (is_source) {
        r = static_keys(follower, profile, &plan->keys);
        if (r != -ENOENT)
            return r;
    }
    r = setting(follower, profile, "role_arn", &arn);
    if (r == 0) {
        if (!plan->source && asprintf(&plan->source, "profile %s in %s", profile, arn.path) < 0) {
            plan->source = NULL;
            return credentials_fail(follower->why, -ENOMEM, "out of memory");
        }
        return follow_role(follower, profile, &arn, ret_next);
    }
    if (r != -ENOENT)
        return r;
    if (!is_source) {
        r = static_keys(follower, profile, &plan->keys);
        if (r != -ENOENT)
            return r;
    }
    r = refuse_unsupported(follower, profile);
    return r < 0 ? r : -ENOENT;
}

int credentials_roles_follow(const struct credentials_environment *environment,
                             const struct credentials_files *files, const char *profile,
                             struct credentials_plan *plan, struct credentials_why *why)
{
    struct follower follower = {
        .environment = environment, .files = files, .plan = plan, .why = why};
    const char *next = NULL;

    plan->origin = CREDENTIALS_FROM_KEYS;
    int r = follow_profile(&follower, profile, &next);
    while (r == 0 && next) {
        const char *from = profile;
        profile = next;
        r = follow_profile(&follower, profile, &next);
        if (r == -ENOENT)
            return credentials_fail(why, -ENOKEY,
                                    "profile %s is source_profile of %s, but has neither keys nor "
                                    "a role",
                                    profile, from);
    }
    return r;
}
