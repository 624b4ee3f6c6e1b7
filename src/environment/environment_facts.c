/* SPDX-License-Identifier: MIT */
/* What is known of an environment, as the audit tells it. */
#include <stdio.h>

#include "environment/environment_internal.h"

const char *environment_counts_text(const struct environment *environment, enum counts_of of,
                                    char text[static COUNTS_TEXT_MAX])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < environment->config->n_services; i++) {
        const struct policy_service *service = &environment->services[i];
        int count = of == COUNTS_REPORTED   ? service->reported_count
                    : of == COUNTS_RECORDED ? service->recorded_count
                                            : policy_wake_count(service);

        if (of != COUNTS_REPORTED && count <= 0)
            continue;
        if (of == COUNTS_REPORTED && service->condition != POLICY_CONDITION_FIT)
            continue;
        int n = snprintf(text + length, COUNTS_TEXT_MAX - length, "%s%s=%d", length ? " " : "",
                         environment->config->services[i].name, count);
        if (n < 0 || (size_t)n >= COUNTS_TEXT_MAX - length) {
            text[length] = '\0';
            break;
        }
        length += (size_t)n;
    }
    return text;
}

static void add_request(const struct environment *environment, struct audit_facts *facts)
{
    const struct state_request *entry = state_find_request(
        environment->context->state, environment->config->name, environment->config->cluster);

    if (entry)
        facts->request = (struct audit_request){.kind = entry->request.kind,
                                                .until = entry->request.until,
                                                .by = entry->by,
                                                .why = entry->why};
}

struct audit_facts environment_facts(const struct environment *environment,
                                     enum policy_reason reason, size_t service)
{
    const struct policy_observation *observation = &environment->observation;
    struct audit_facts facts = {
        .reason = reason,
        .last_activity = observation->last_activity,
        .activity = environment->activity,
        .query_from = WALL_NEVER,
        .query_to = WALL_NEVER,
        .looked_at = WALL_NEVER,
        .window_ms = environment->rules.window_ms,
    };

    switch (reason) {
    case POLICY_HELD_AWAKE:
    case POLICY_HELD_ASLEEP:
    case POLICY_SLEEP_ASKED:
        add_request(environment, &facts);
        break;
    case POLICY_ADOPTED:
    case POLICY_SERVICE_MISSING:
        if (service < environment->config->n_services)
            facts.service = environment->config->services[service].name;
        break;
    case POLICY_ALWAYS_ON_DOWN:
        facts.service = environment->always_on_down;
        break;
    case POLICY_CONFIRMED_IDLE:
    case POLICY_QUERY_ACTIVITY:
    case POLICY_QUERY_SILENT:
    case POLICY_QUERY_UNKNOWN:
        facts.query_from = observation->query.from;
        facts.query_to = observation->query.to;
        facts.query_id = environment->query_id;
        facts.has_statistics = environment->query_has_statistics;
        facts.records_scanned = environment->query_records_scanned;
        facts.bytes_scanned = environment->query_bytes_scanned;
        facts.looked_at = observation->look.began_at;
        facts.trouble = trouble_text(&environment->trouble, TROUBLE_QUERY);
        break;
    case POLICY_SERVICES_UNKNOWN:
        facts.trouble = trouble_text(&environment->trouble, TROUBLE_DESCRIBE);
        break;
    case POLICY_LOOK_UNKNOWN:
        facts.trouble = trouble_text(&environment->trouble, TROUBLE_LOOK);
        break;
    case POLICY_STATE_UNWRITABLE:
        facts.trouble = trouble_text(&environment->trouble, TROUBLE_STATE);
        break;
    default:
        break;
    }
    return facts;
}
