/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_VALUES_H
#define PROVISIONERD_CONFIG_VALUES_H

/*
 * The text behind "=": one item, or a comma list of them. An item is
 *
 *     bare            up to the next comma or the end
 *     "quoted"        anything; \" and \\ stand for " and \ and there is no other escape
 *     /regex/         where patterns are expected: up to a / before a comma or the end
 *
 * What could be meant in two ways is refused with the way out of it, because a pattern that means
 * something else than its author thinks puts services to sleep that are in use.
 */

#include <stddef.h>
#include <stdint.h>

#include "config/config_reader.h"

#define CONFIG_ITEM_MAX 2048 /* bytes; AWS allows no filter pattern or name near that */

enum config_form {
    CONFIG_BARE,
    CONFIG_QUOTED,
    CONFIG_REGEX,
};

struct config_item {
    char *text; /* without quotes, escapes and slashes */
    enum config_form form;
    unsigned line; /* counted from the option's own, which is 0 */
};

/* Begins as {0}. */
struct config_items {
    struct config_item *items;
    size_t n_items;
};

enum config_syntax {
    CONFIG_ONE_TEXT,
    CONFIG_LIST,
    CONFIG_ONE_PATTERN,
    CONFIG_PATTERN_LIST,
};

struct config_fault {
    const char *problem; /* static */
    unsigned line;       /* as in config_item */
};

void config_items_clear(struct config_items *items);

/* Returns 0 (then there is at least one item, and none is empty), -EINVAL with *ret_fault, or -ENOMEM. */
int config_items_parse(const struct config_value *value, enum config_syntax syntax,
                       struct config_items *ret, struct config_fault *ret_fault);

/* What is wrong with it, and what would be right; NULL: nothing; config_no_memory: nobody knows. */
extern const char config_no_memory[];
typedef const char *config_check(const char *text);
config_check config_check_region;
config_check config_check_profile;
config_check config_check_url;
config_check config_check_path;
config_check config_check_cluster;
config_check config_check_service;
config_check config_check_log_group;

#endif
