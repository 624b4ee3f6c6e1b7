/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_AUDIT_H
#define PROVISIONERD_AUDIT_H

/*
 * The audit: what was decided and done, and why, as a story in the journal.
 *
 * Each kind of event has a MESSAGE_ID, so that
 *
 *     journalctl -u provisionerd                                    reads as a story
 *     journalctl MESSAGE_ID=da3cd8361514414998e4edd12e16f267       lists every sleep
 *     journalctl PROVISIONERD_ENVIRONMENT=staging                   is one environment's diary
 *
 * Fields, where they apply: PROVISIONERD_ENVIRONMENT, _CLUSTER, _SERVICE, _REASON (policy.h),
 * _COUNTS ("api=2 worker=3"), _DESIRED_COUNT, _PREVIOUS_COUNT, _LAST_ACTIVITY, _QUERY_ID,
 * _RECORDS_SCANNED, _BYTES_SCANNED, _BY (who asked), _ERROR, _REQUEST_ID, _DRY_RUN.
 */

#include "config.h"
#include "policy.h"

#define AUDIT_ID_SLEEP "da3cd8361514414998e4edd12e16f267"
#define AUDIT_ID_ASLEEP "b7ddb9c024504be7848ca064f396ef43"
#define AUDIT_ID_WAKE "4e6a4d9f22ef411ea3b1afd5e4a974b3"
#define AUDIT_ID_AWAKE "f147d705053f41529269853c26cc177b"
#define AUDIT_ID_STAY "029ec2b8196346fd98ae7bccc244845a"
#define AUDIT_ID_UPDATE "b46307a64a95427083ab9d251352e9b8"
#define AUDIT_ID_FOUND "4b60980f16ff41088d0ec614c6705d19"
#define AUDIT_ID_TROUBLE "833ecaa6e46146a3861895fc47c4a9a0"
#define AUDIT_ID_RECOVERED "867cc7cfbdc444ee849596275bada61e"
#define AUDIT_ID_ASKED "a4b01582bee6445f8aa9b75b294ead75"
#define AUDIT_ID_REMOVED "aecb931be53e4daf8b8a7c517d1ed5bb"
#define AUDIT_ID_STARTED "f27f74c2e6c94789b584909cce4614ff"
#define AUDIT_ID_STOPPED "9d8970543bc14191bbb9e2d2ece3b532"
#define AUDIT_ID_RELOADED "faee47ec6478492991f82859e30ca4d6"
#define AUDIT_ID_RELOAD_REFUSED "08238f63ff95458581775631186572e6"

/* What somebody asked for. Borrowed. */
struct audit_request {
    enum policy_request_kind kind; /* POLICY_NO_REQUEST: took back what was asked for */
    struct wall until;
    const char *by;
    const char *why; /* may be empty */
};

/* The facts behind a decision; unknown ones are WALL_NEVER, NULL or false. Borrowed. */
struct audit_facts {
    enum policy_reason reason;
    const char *service; /* the one the reason is about */
    struct wall last_activity;
    const char *activity; /* that event's message */
    const char *counts;   /* "api=2 worker=3 web=1" */
    const char *trouble;  /* what went wrong, in words */
    const char *request_id;
    struct wall query_from; /* the query's time range */
    struct wall query_to;
    const char *query_id;
    bool has_statistics;
    double records_scanned;
    double bytes_scanned;
    struct wall looked_at;        /* the last look before the act */
    struct audit_request request; /* what was asked for by hand, if that is the reason */
    int64_t window_ms;
};

#define AUDIT_TEXT_MAX 1024

/* The reason as the audit words it, and what would change the decision. Each returns text. */
const char *audit_format_reason(const struct audit_facts *facts, char text[static AUDIT_TEXT_MAX]);
const char *audit_format_remedy(const struct audit_facts *facts, char text[static AUDIT_TEXT_MAX]);

/* A whole environment. "Found" is its state when the daemon first sees its services. */
void audit_found(const struct config_environment *environment, enum policy_wanted wanted,
                 const char *counts, bool counts_unknown);
void audit_sleep(const struct config_environment *environment, const struct audit_facts *facts);
void audit_asleep(const struct config_environment *environment, const char *counts);
void audit_wake(const struct config_environment *environment, const struct audit_facts *facts);
void audit_awake(const struct config_environment *environment, const char *counts);
/* Why it was not put to sleep; the caller says it once a change of reason. */
void audit_stay(const struct config_environment *environment, const struct audit_facts *facts);
void audit_asked(const struct config_environment *environment, const struct audit_request *request);
/* service: only that one of the environment's; NULL: all. */
void audit_removed(const char *name, const char *cluster, const char *service,
                   const char *what_to_do);

/* One service. previous: POLICY_COUNT_UNKNOWN if not known. */
void audit_update(const struct config_environment *environment, const char *service, int previous,
                  int desired, bool dry_run);
/* Something AWS or the host refuses; once a transition. `what` is the attempt, in words. */
void audit_trouble(const struct config_environment *environment, const char *service,
                   const char *what, const char *trouble, const char *request_id);
void audit_recovered(const struct config_environment *environment, const char *what);

/* The daemon. */
void audit_started(const struct config *config, bool dry_run);
void audit_stopped(void);
void audit_reloaded(const char *difference);
void audit_reload_refused(const char *errors); /* one record a line */

#endif
