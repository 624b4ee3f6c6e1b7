/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pattern/pattern_internal.h"

/* Of a text within an error; the rest is left out. */
#define QUOTED_MAX 60

struct pattern {
    struct pattern_matcher *activity; /* NULL: every event */
    struct pattern_matcher *excludes;
    size_t n_excludes;
    char *filter; /* NULL: every event */
    char *query;
};

DEFINE_CLEANUP(struct pattern *, pattern_free)

/* ---- Errors ---- */

/* text as it may stand in a message of one line: what is not printable becomes a question mark. */
static void quote(const struct pattern_text *text, char buffer[static QUOTED_MAX + 8])
{
    const char *delimiter = text->is_regex ? "/" : "\"";
    char copy[QUOTED_MAX + 1];
    size_t length = 0;
    for (; length < QUOTED_MAX && text->text[length]; length++) {
        char character = text->text[length];
        copy[length] = '?';
        if (character >= ' ' && character <= '~')
            copy[length] = character;
    }
    copy[length] = '\0';
    (void)snprintf(buffer, QUOTED_MAX + 8, "%s%s%s%s", delimiter, copy,
                   text->text[length] ? "..." : "", delimiter);
}

/* Returns -EINVAL, or -ENOMEM. reason may be NULL for want of memory. */
static int refuse(const char *role, const struct pattern_text *text, const char *reason,
                  char **ret_error)
{
    char quoted[QUOTED_MAX + 8];
    quote(text, quoted);
    char *error;
    if (!reason || asprintf(&error, "%s %s: %s", role, quoted, reason) < 0)
        return -ENOMEM;
    *ret_error = error;
    return -EINVAL;
}

/* ---- Literals ---- */

/* Length of the UTF-8 character at text, 0 if there is none (RFC 3629, section 4). */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    size_t length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
    bool too_large = text[0] == 0xf4 && text[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

/* Returns 0, or -EINVAL with *ret_reason (allocated, or NULL for want of memory). */
static int check_literal(const char *literal, char **ret_reason)
{
    if (strlen(literal) > PATTERN_LITERAL_MAX) {
        if (asprintf(ret_reason, "longer than %d bytes", PATTERN_LITERAL_MAX) < 0)
            *ret_reason = NULL;
        return -EINVAL;
    }
    const unsigned char *text = (const unsigned char *)literal;
    for (size_t character = 1; *text; character++) {
        size_t length = utf8_length(text);
        bool is_control = (*text < ' ' && *text != '\t') || *text == 0x7f;
        if (length == 0 || is_control) {
            const char *what = is_control
                                   ? "a control character; only what is printed, and tabs, can be "
                                     "looked for: write the part before or after it"
                                   : "not UTF-8; write it in UTF-8, as CloudWatch Logs stores it";
            if (asprintf(ret_reason, "character %zu: %s", character, what) < 0)
                *ret_reason = NULL;
            return -EINVAL;
        }
        text += length;
    }
    return 0;
}

/* ---- Matchers ---- */

static void matcher_clear(struct pattern_matcher *matcher)
{
    free(matcher->text);
    pattern_regex_free(matcher->regex);
}

/* role: "pattern" or "exclude". Fills an all-zero *ret, also on errors; the caller clears it. */
static int matcher_init(const char *role, const struct pattern_text *text,
                        enum pattern_regex_reading reading, struct pattern_matcher *ret,
                        char **ret_error)
{
    _cleanup_free_ char *reason = NULL;
    if (!*text->text)
        return refuse(role, text, "it is empty; write what the message contains, or leave it out",
                      ret_error);
    int r = text->is_regex ? pattern_regex_new(text->text, reading, &ret->regex, &reason)
                           : check_literal(text->text, &reason);
    if (r == -EINVAL)
        return refuse(role, text, reason, ret_error);
    if (r < 0)
        return r;
    ret->text = strdup(text->text);
    return ret->text ? 0 : -ENOMEM;
}

static bool matcher_matches(const struct pattern_matcher *matcher, const char *message)
{
    if (!matcher->regex)
        return strstr(message, matcher->text) != NULL;
    const char *required; /* a quick no for most messages */
    for (size_t i = 0; (required = pattern_regex_required(matcher->regex, i)); i++)
        if (!strstr(message, required))
            return false;
    return pattern_regex_matches(matcher->regex, message, NULL);
}

/* ---- Patterns ---- */

static int add_activity(struct pattern *pattern, const struct pattern_text *activity,
                        char **ret_error)
{
    pattern->activity = calloc(1, sizeof(*pattern->activity));
    if (!pattern->activity)
        return -ENOMEM;
    return matcher_init("pattern", activity, PATTERN_REGEX_NARROW, pattern->activity, ret_error);
}

static int add_excludes(struct pattern *pattern, const struct pattern_text *excludes,
                        size_t n_excludes, char **ret_error)
{
    if (n_excludes == 0)
        return 0;
    if (n_excludes > PATTERN_EXCLUDES_MAX) {
        if (asprintf(ret_error, "%zu excludes: at most %d; one /a|b/ can say several", n_excludes,
                     PATTERN_EXCLUDES_MAX) < 0)
            return -ENOMEM;
        return -EINVAL;
    }
    pattern->excludes = calloc(n_excludes, sizeof(*pattern->excludes));
    if (!pattern->excludes)
        return -ENOMEM;
    pattern->n_excludes = n_excludes;
    for (size_t i = 0; i < n_excludes; i++) {
        struct pattern_matcher *matcher = &pattern->excludes[i];
        int r = matcher_init("exclude", &excludes[i], PATTERN_REGEX_WIDE, matcher, ret_error);
        if (r < 0)
            return r;
        if (matcher->regex && pattern_regex_matches_everything(matcher->regex))
            return refuse("exclude", &excludes[i],
                          "it matches every message, so that nothing would ever be activity; "
                          "require at least one character, such as with + for *",
                          ret_error);
    }
    return 0;
}

int pattern_new(const struct pattern_text *activity, const struct pattern_text *excludes,
                size_t n_excludes, struct pattern **ret, char **ret_error)
{
    _cleanup_(pattern_free) struct pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return -ENOMEM;
    int r = activity ? add_activity(pattern, activity, ret_error) : 0;
    if (r < 0)
        return r;
    r = add_excludes(pattern, excludes, n_excludes, ret_error);
    if (r < 0)
        return r;
    r = pattern_filter_new(pattern->activity, &pattern->filter);
    if (r < 0)
        return r;
    r = pattern_query_new(pattern->activity, pattern->excludes, pattern->n_excludes,
                          &pattern->query);
    if (r < 0)
        return r;
    *ret = TAKE(pattern);
    return 0;
}

struct pattern *pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return NULL;
    if (pattern->activity)
        matcher_clear(pattern->activity);
    free(pattern->activity);
    for (size_t i = 0; i < pattern->n_excludes; i++)
        matcher_clear(&pattern->excludes[i]);
    free(pattern->excludes);
    free(pattern->filter);
    free(pattern->query);
    free(pattern);
    return NULL;
}

enum pattern_verdict pattern_judge(const struct pattern *pattern, const char *message,
                                   const char **ret_exclude)
{
    *ret_exclude = NULL;
    if (pattern->activity && !matcher_matches(pattern->activity, message))
        return PATTERN_OTHER;
    for (size_t i = 0; i < pattern->n_excludes; i++) {
        if (!matcher_matches(&pattern->excludes[i], message))
            continue;
        *ret_exclude = pattern->excludes[i].text;
        return PATTERN_EXCLUDED;
    }
    return PATTERN_ACTIVITY;
}

bool pattern_matches(const struct pattern *pattern, const char *message)
{
    const char *exclude;

    return pattern_judge(pattern, message, &exclude) == PATTERN_ACTIVITY;
}

const char *pattern_filter(const struct pattern *pattern)
{
    return pattern->filter;
}

const char *pattern_query(const struct pattern *pattern)
{
    return pattern->query;
}
