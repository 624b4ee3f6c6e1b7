/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* The numbers of the world: one table for their defaults, their limits and their names. */

#define TIME_MS_MAX (366 * MS_PER_DAY)
#define COUNT_MAX 1000000000

struct setting {
    const char *name;
    size_t offset;
    int64_t otherwise, min, max;
    bool fixed; /* only in the scenario */
};

#define SETTING(NAME) .name = #NAME, .offset = offsetof(struct sim_settings, NAME)

static const struct setting SETTINGS[] = {
    {SETTING(signature_skew_ms), 5 * MS_PER_MINUTE, 0, TIME_MS_MAX, false},
    {SETTING(latency_ms), 0, 0, TIME_MS_MAX, false},
    {SETTING(ingestion_delay_ms), 0, 0, TIME_MS_MAX, false},
    {SETTING(page_events), 10000, 1, 10000, false},
    {SETTING(page_scan), 100000, 1, COUNT_MAX, false},
    {SETTING(empty_pages), 0, 0, 100000, false},
    {SETTING(token_lifetime_ms), MS_PER_DAY, 0, TIME_MS_MAX, false},
    {SETTING(query_scheduled_ms), 300, 0, TIME_MS_MAX, false},
    {SETTING(query_running_ms), 2 * MS_PER_SECOND, 0, TIME_MS_MAX, false},
    {SETTING(query_concurrency), 30, 0, COUNT_MAX, false},
    {SETTING(query_unknown_ms), 0, 0, TIME_MS_MAX, false},
    {SETTING(query_retention_ms), 7 * MS_PER_DAY, 0, TIME_MS_MAX, false},
    {SETTING(stale_ms), 0, 0, SIM_STALE_MS_MAX, false},
    {SETTING(task_start_ms), 30 * MS_PER_SECOND, 0, TIME_MS_MAX, false},
    {SETTING(task_stop_ms), 5 * MS_PER_SECOND, 0, TIME_MS_MAX, false},
    {SETTING(service_events), 100, 0, 100, false},
    {SETTING(history_max), 200000, 1, 10000000, true},
};

static int64_t *value_of(const struct sim_settings *settings, const struct setting *setting)
{
    return (int64_t *)((char *)settings + setting->offset);
}

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(SETTINGS); i++)
        if (strcmp(SETTINGS[i].name, name) == 0)
            return &SETTINGS[i];
    return NULL;
}

void sim_settings_default(struct sim_settings *settings)
{
    settings->verify_signatures = true;
    for (size_t i = 0; i < ARRAY_LENGTH(SETTINGS); i++)
        *value_of(settings, &SETTINGS[i]) = SETTINGS[i].otherwise;
}

int sim_setting_set(struct sim *sim, const char *name, int64_t value)
{
    if (strcmp(name, "verify_signatures") == 0) {
        if (value != 0 && value != 1)
            return -EINVAL;
        sim->settings.verify_signatures = value == 1;
        return 0;
    }
    const struct setting *setting = find_setting(name);
    if (!setting)
        return -ENOENT;
    if (value < setting->min || value > setting->max || setting->fixed)
        return -EINVAL;
    *value_of(&sim->settings, setting) = value;
    return 0;
}

int sim_setting_get(const struct sim *sim, const char *name, int64_t *ret)
{
    const struct setting *setting = find_setting(name);
    if (setting)
        *ret = *value_of(&sim->settings, setting);
    else if (strcmp(name, "verify_signatures") == 0)
        *ret = sim->settings.verify_signatures;
    else
        return -ENOENT;
    return 0;
}

static int parse_bucket(struct sim *sim, const char *operation, struct json_object *bucket,
                        char **ret_error)
{
    double rate = 0, burst = 0;
    int r = json_get_double(bucket, "rate", &rate);
    if (r == 0)
        r = json_get_double(bucket, "burst", &burst);
    if (r < 0 || !(rate >= 0) || !(burst >= 1))
        return sim_error_text(ret_error,
                              "settings.throttle.%s: must be {\"rate\": N, \"burst\": N}, rate not "
                              "below 0, burst not below 1",
                              operation);
    return sim_throttle_set(sim, operation, rate, burst);
}

static int parse_throttle(struct sim *sim, struct json_object *value, char **ret_error)
{
    if (json_object_is_type(value, json_type_object)) {
        struct json_object_iter member;
        json_object_object_foreachC(value, member)
        {
            int r = parse_bucket(sim, member.key, member.val, ret_error);
            if (r < 0)
                return r;
        }
        return 0;
    }
    const char *preset =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (strcmp(preset, "aws") == 0)
        return sim_throttle_set_aws(sim);
    if (strcmp(preset, "none") == 0)
        return 0;
    return sim_error_text(ret_error,
                          "settings.throttle: must be \"none\", \"aws\" or an object of buckets");
}

static int parse_number(struct sim *sim, const char *name, struct json_object *object,
                        char **ret_error)
{
    const struct setting *setting = find_setting(name);
    int64_t value;
    if (!setting)
        return sim_error_text(ret_error, "settings.%s: there is no such setting", name);
    if (json_get_int(object, name, &value) < 0 || value < setting->min || value > setting->max)
        return sim_error_text(ret_error, "settings.%s: must be an integer from %lld to %lld", name,
                              (long long)setting->min, (long long)setting->max);
    *value_of(&sim->settings, setting) = value;
    return 0;
}

int sim_settings_parse(struct sim *sim, struct json_object *object, char **ret_error)
{
    struct json_object_iter member;
    json_object_object_foreachC(object, member)
    {
        const char *name = member.key;
        int r;
        if (strcmp(name, "throttle") == 0) {
            r = parse_throttle(sim, member.val, ret_error);
        } else if (strcmp(name, "verify_signatures") == 0) {
            r = json_get_bool(object, name, &sim->settings.verify_signatures);
            if (r < 0)
                r = sim_error_text(ret_error, "settings.verify_signatures: must be true or false");
        } else {
            r = parse_number(sim, name, object, ret_error);
        }
        if (r < 0)
            return r;
    }
    return 0;
}
