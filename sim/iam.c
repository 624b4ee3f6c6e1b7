/* SPDX-License-Identifier: MIT */
#include "sim/iam.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* --- wildcards ----------------------------------------------------------------------------------- */

static bool is_same(char a, char b, bool ignore_case)
{
    return ignore_case ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b;
}

bool iam_glob_matches(const char *pattern, const char *text, bool ignore_case)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || is_same(*pattern, *text, ignore_case)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* --- one value or a list ------------------------------------------------------------------------- */

static size_t count_of(struct json_object *value)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 1;
}

static struct json_object *item_of(struct json_object *value, size_t i)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_get_idx(value, i)
                                                       : value;
}

/* --- conditions ---------------------------------------------------------------------------------- */

/* Arn- operators take wildcards, with and without "Like": IAM says that they are the same. */
static const struct condition_operator {
    const char *name;
    bool negated, wildcards, ignore_case;
} OPERATORS[] = {
    {"StringEquals", false, false, false},
    {"StringNotEquals", true, false, false},
    {"StringEqualsIgnoreCase", false, false, true},
    {"StringNotEqualsIgnoreCase", true, false, true},
    {"StringLike", false, true, false},
    {"StringNotLike", true, true, false},
    {"ArnEquals", false, true, false},
    {"ArnNotEquals", true, true, false},
    {"ArnLike", false, true, false},
    {"ArnNotLike", true, true, false},
};

static const struct condition_operator *find_operator(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(OPERATORS); i++)
        if (strcmp(OPERATORS[i].name, name) == 0)
            return &OPERATORS[i];
    return NULL;
}

/* The value that the request has for a key; keys are written in any case. Returns whether there is
 * such a key at all; *ret may be NULL. */
static bool find_key(const char *name, const struct iam_question *question, const char **ret)
{
    const struct {
        const char *name, *value;
    } keys[] = {
        {"ecs:cluster", question->cluster},
        {"aws:RequestedRegion", question->region},
        {"aws:PrincipalArn", question->principal},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (strcasecmp(keys[i].name, name) != 0)
            continue;
        *ret = keys[i].value;
        return true;
    }
    return false;
}

/* One key under one operator: any of the values fits; none of them, when negated. A key that the
 * request does not have fits only what is negated. */
static bool key_fits(const struct condition_operator *operator, const char * value,
                     struct json_object *wanted)
{
    if (!value)
        return operator->negated;
    bool fits = false;
    for (size_t i = 0; i < count_of(wanted); i++) {
        const char *text = json_object_get_string(item_of(wanted, i));
        fits = fits || (operator->wildcards ? iam_glob_matches(text, value, operator->ignore_case) :
                        operator->ignore_case ? strcasecmp(text, value) == 0
                                              : strcmp(text, value) == 0);
    }
    return fits != operator->negated;
}

static bool condition_holds(struct json_object *condition, const struct iam_question *question)
{
    struct json_object_iter by_operator, by_key;
    if (!condition)
        return true;
    json_object_object_foreachC(condition, by_operator)
    {
        const struct condition_operator *operator= find_operator(by_operator.key);
        json_object_object_foreachC(by_operator.val, by_key)
        {
            const char *value = NULL;
            (void)find_key(by_key.key, question, &value);
            if (!key_fits(operator, value, by_key.val))
                return false;
        }
    }
    return true;
}

/* --- decision ------------------------------------------------------------------------------------ */

static bool any_matches(struct json_object *patterns, const char *text, bool ignore_case)
{
    for (size_t i = 0; i < count_of(patterns); i++)
        if (iam_glob_matches(json_object_get_string(item_of(patterns, i)), text, ignore_case))
            return true;
    return false;
}

static bool statement_is_about(struct json_object *statement, const struct iam_question *question)
{
    return any_matches(json_object_object_get(statement, "Action"), question->action, true) &&
           any_matches(json_object_object_get(statement, "Resource"), question->resource, false) &&
           condition_holds(json_object_object_get(statement, "Condition"), question);
}

enum iam_verdict iam_policy_decide(struct json_object *document,
                                   const struct iam_question *question)
{
    struct json_object *statements = json_object_object_get(document, "Statement");
    enum iam_verdict verdict = IAM_NOT_ALLOWED;
    for (size_t i = 0; i < count_of(statements); i++) {
        struct json_object *statement = item_of(statements, i);
        const char *effect = "";
        if (!statement_is_about(statement, question))
            continue;
        (void)json_get_string(statement, "Effect", &effect);
        if (strcmp(effect, "Deny") == 0)
            return IAM_DENIED;
        verdict = IAM_ALLOWED;
    }
    return verdict;
}

/* --- check --------------------------------------------------------------------------------------- */

/* Every member is one of `known`, which ends with NULL. */
static int check_members(const char *where, struct json_object *object, const char *const *known,
                         char **ret_error)
{
    if (!json_object_is_type(object, json_type_object))
        return sim_error_text(ret_error, "%s must be an object", where);
    struct json_object_iter member;
    json_object_object_foreachC(object, member)
    {
        const char *const *candidate = known;
        while (*candidate && strcmp(*candidate, member.key) != 0)
            candidate++;
        if (!*candidate)
            return sim_error_text(ret_error, "%s: \"%.60s\" is not known here", where, member.key);
    }
    return 0;
}

/* One string or several, each of which `fits`; `what` says how they would be right. */
static int check_strings(const char *where, struct json_object *value, bool (*fits)(const char *),
                         const char *what, char **ret_error)
{
    if (!value || count_of(value) == 0)
        return sim_error_text(ret_error, "%s is needed", where);
    for (size_t i = 0; i < count_of(value); i++) {
        struct json_object *item = item_of(value, i);
        if (!json_object_is_type(item, json_type_string))
            return sim_error_text(ret_error, "%s must be a string or a list of strings", where);
        const char *text = json_object_get_string(item);
        if (strstr(text, "${"))
            return sim_error_text(ret_error, "%s: policy variables are not known here", where);
        if (!fits(text))
            return sim_error_text(ret_error, "%s: \"%.200s\" must be %s", where, text, what);
    }
    return 0;
}

static bool is_action(const char *text)
{
    const char *colon = strchr(text, ':');
    return strcmp(text, "*") == 0 ||
           (colon && colon > text && colon[1] && !strchr(colon + 1, ':') && !strchr(text, ' '));
}

/* "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE" */
static bool is_resource(const char *text)
{
    int colons = 0;
    for (const char *c = text; *c; c++)
        colons += *c == ':';
    return strcmp(text, "*") == 0 || (strncmp(text, "arn:", 4) == 0 && colons >= 5);
}

static bool is_anything(const char *text)
{
    (void)text;
    return true;
}

static int check_condition(const char *where, struct json_object *condition, char **ret_error)
{
    struct json_object_iter by_operator, by_key;
    if (!condition)
        return 0;
    if (!json_object_is_type(condition, json_type_object))
        return sim_error_text(ret_error, "%s.Condition must be an object", where);
    json_object_object_foreachC(condition, by_operator)
    {
        if (!find_operator(by_operator.key) ||
            !json_object_is_type(by_operator.val, json_type_object))
            return sim_error_text(ret_error, "%s.Condition: \"%.60s\" is no operator known here",
                                  where, by_operator.key);
        json_object_object_foreachC(by_operator.val, by_key)
        {
            const char *value = NULL;
            char place[192];
            snprintf(place, sizeof(place), "%.40s.Condition.%.60s.%.60s", where, by_operator.key,
                     by_key.key);
            if (!find_key(by_key.key, &(struct iam_question){0}, &value))
                return sim_error_text(ret_error, "%s: no condition key that is known here", place);
            int r = check_strings(place, by_key.val, is_anything, "", ret_error);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int check_statement(size_t index, struct json_object *statement, char **ret_error)
{
    static const char *const known[] = {"Sid", "Effect", "Action", "Resource", "Condition", NULL};
    const char *effect = "", *sid = "";
    char where[32], place[48];
    snprintf(where, sizeof(where), "Statement[%zu]", index);
    int r = check_members(where, statement, known, ret_error);
    if (r < 0)
        return r;
    if (json_get_string(statement, "Effect", &effect) < 0 ||
        (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
        return sim_error_text(ret_error, "%s.Effect must be \"Allow\" or \"Deny\"", where);
    if (json_get_string(statement, "Sid", &sid) == -EBADMSG ||
        sid[strspn(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")])
        return sim_error_text(ret_error, "%s.Sid may have letters and digits only", where);
    snprintf(place, sizeof(place), "%s.Action", where);
    r = check_strings(place, json_object_object_get(statement, "Action"), is_action,
                      "SERVICE:ACTION or *", ret_error);
    snprintf(place, sizeof(place), "%s.Resource", where);
    if (r == 0)
        r = check_strings(place, json_object_object_get(statement, "Resource"), is_resource,
                          "an ARN or *", ret_error);
    return r == 0
               ? check_condition(where, json_object_object_get(statement, "Condition"), ret_error)
               : r;
}

static bool has_same_sid(struct json_object *statements, size_t index)
{
    const char *sid, *other;
    if (json_get_string(item_of(statements, index), "Sid", &sid) < 0)
        return false;
    for (size_t i = 0; i < index; i++)
        if (json_get_string(item_of(statements, i), "Sid", &other) == 0 && strcmp(sid, other) == 0)
            return true;
    return false;
}

int iam_policy_check(struct json_object *document, char **ret_error)
{
    static const char *const known[] = {"Version", "Id", "Statement", NULL};
    const char *version = "2008-10-17"; /* what IAM takes its absence for */
    int r = check_members("the policy", document, known, ret_error);
    if (r < 0)
        return r;
    if (json_get_string(document, "Version", &version) == -EBADMSG ||
        (strcmp(version, "2012-10-17") != 0 && strcmp(version, "2008-10-17") != 0))
        return sim_error_text(ret_error, "Version must be \"2012-10-17\"");
    struct json_object *statements = json_object_object_get(document, "Statement");
    if (!statements)
        return sim_error_text(ret_error, "Statement is needed");
    for (size_t i = 0; i < count_of(statements); i++) {
        r = check_statement(i, item_of(statements, i), ret_error);
        if (r < 0)
            return r;
        if (has_same_sid(statements, i))
            return sim_error_text(ret_error, "Statement[%zu].Sid is there twice", i);
    }
    return 0;
}
