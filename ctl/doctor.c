/* SPDX-License-Identifier: MIT */
/* provisionerctl doctor */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aws/operation.h"
#include "cleanup.h"
#include "ctl/doctor_load.h"

#define SINCE_DEFAULT_MS MS_PER_DAY
#define SINCE_MAX_MS (30 * MS_PER_DAY)

/* AWS refuses signatures that are more than five minutes off; what is off by seconds is on its way. */
#define SKEW_FAILED_MS (4 * MS_PER_MINUTE)
#define SKEW_WARNING_MS (10 * MS_PER_SECOND)

/* Of a budget, which others and retries need a share of. */
#define LOAD_HIGH 0.8

static const char HELP[] =
    "  --since DURATION  how far back to look for activity (24h), at most 30d\n"
    "  --json            for programs: {\"findings\": [...], \"totals\": {...}}\n"
    "  --config FILE     read FILE, then FILE.d/*.ini (" CONFIG_DEFAULT_PATH ")\n"
    "  --help            print this\n"
    "\n"
    "Looks at everything that the configuration rests on, with the daemon's credentials, and says "
    "what\n"
    "to do about what it finds: credentials, clock, region, permissions, cluster, services, log "
    "groups,\n"
    "pattern, health checks and bots, who writes the log, lateness, autoscaling, quotas, cost.\n"
    "With ENV, at that environment alone.\n"
    "\n"
    "Nothing is changed. A Logs Insights query over ten minutes of log is billed like the "
    "daemon's.\n"
    "Run it as the daemon runs, so that the same credentials are found.\n"
    "\n"
    "Exit status: 0 nothing failed (warnings and what is unknown may be there), 1 something "
    "failed.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl doctor\n"
    "  provisionerctl doctor staging --since 2h\n"
    "  provisionerctl doctor --json\n";

/* --- in general ---------------------------------------------------------------------------------- */

static void tell_no_credentials(struct doctor *doctor, const struct caller_result *result)
{
    struct finding *finding = findings_add(doctor->findings, NULL, "credentials", FINDING_FAILED,
                                           "there are none: %s", result->why);

    finding_advise(finding, "provisionerd(8) says where credentials are looked for; `profile` of "
                            "provisionerd.ini(5) names one of several");
    doctor->is_cut_off = true;
}

static void tell_identity(struct doctor *doctor, const struct caller_result *result)
{
    struct finding *finding;
    const struct aws_error *error = &result->error;

    switch (error->kind) {
    case AWS_OK:
        findings_add(doctor->findings, NULL, "credentials", FINDING_OK, "%s: %s", result->source,
                     result->caller.arn);
        return;
    case AWS_ERROR_EXPIRED:
    case AWS_ERROR_DENIED:
    case AWS_ERROR_CREDENTIALS:
        finding = findings_add(doctor->findings, NULL, "credentials", FINDING_FAILED,
                               "AWS does not take those of %s: %s: %s", result->source, error->code,
                               error->message);
        finding_advise(finding, "get new keys, or let the role renew its session");
        return;
    case AWS_ERROR_CLOCK:
        finding = findings_add(doctor->findings, NULL, "credentials", FINDING_FAILED,
                               "the signature made with those of %s is refused: %s: %s",
                               result->source, error->code, error->message);
        finding_advise(finding, "the secret key is wrong, or this host's clock is");
        return;
    default:
        /* A VPC may have no endpoint for STS, which the daemon needs for assumed roles alone. */
        findings_add(doctor->findings, NULL, "credentials", FINDING_UNKNOWN,
                     "%s; who that is could not be asked: %s", result->source, error->message);
        return;
    }
}

static int check_identity(struct doctor *doctor)
{
    struct caller_result result;
    int r = caller_ask(&doctor->session, doctor->config, &result);

    if (r < 0) {
        findings_add(doctor->findings, NULL, "credentials", FINDING_FAILED,
                     "AWS STS cannot be asked: %s", strerror(-r));
        doctor->is_cut_off = true;
        return r == -ENOMEM ? r : 0;
    }
    if (result.error.kind == AWS_ERROR_CANCELLED) {
        doctor->is_cut_off = true;
        return 0;
    }
    if (result.credentials_error < 0) {
        tell_no_credentials(doctor, &result);
        return 0;
    }
    tell_identity(doctor, &result);
    snprintf(doctor->region, sizeof(doctor->region), "%s", result.region);
    if (result.error.kind == AWS_OK)
        snprintf(doctor->account, sizeof(doctor->account), "%s", result.caller.account);
    return 0;
}

/* ECS answers for clusters of the caller's own account alone. */
static void check_account_of(struct doctor *doctor, const struct config_environment *environment,
                             bool *is_well)
{
    char account[CALLER_ACCOUNT_MAX];
    struct finding *finding;

    if (strcmp(doctor->account, "*") == 0 ||
        sscanf(environment->cluster, "arn:%*[^:]:%*[^:]:%*[^:]:%12[^:]:", account) != 1 ||
        strcmp(account, doctor->account) == 0)
        return;
    *is_well = false;
    finding = findings_add(doctor->findings, NULL, "region", FINDING_FAILED,
                           "[environment %s] cluster is of account %s, the credentials are of %s",
                           environment->name, account, doctor->account);
    finding_advise(finding, "use credentials of a role in account %s (`profile` with `role_arn`)",
                   account);
}

/* A name in another region than the calls go to is found nowhere. */
static void check_region_of(struct doctor *doctor, const char *environment, const char *option,
                            const char *arn, bool *is_well)
{
    char region[64];
    struct finding *finding;

    if (sscanf(arn, "arn:%*[^:]:%*[^:]:%63[^:]:", region) != 1 ||
        strcmp(region, doctor->region) == 0)
        return;
    *is_well = false;
    finding = findings_add(doctor->findings, NULL, "region", FINDING_FAILED,
                           "[environment %s] %s is in %s, but %s is asked", environment, option,
                           region, doctor->region);
    finding_advise(finding, "set `region = %s` in [provisionerd]; one daemon asks one region",
                   region);
}

static void check_region(struct doctor *doctor, const char *only)
{
    bool is_well = true;

    for (size_t e = 0; e < doctor->config->n_environments; e++) {
        const struct config_environment *environment = &doctor->config->environments[e];
        if (only && strcmp(environment->name, only) != 0)
            continue;
        check_region_of(doctor, environment->name, "cluster", environment->cluster, &is_well);
        check_account_of(doctor, environment, &is_well);
        for (size_t i = 0; i < environment->n_log_groups; i++)
            check_region_of(doctor, environment->name, "log_group", environment->log_groups[i],
                            &is_well);
    }
    if (is_well)
        findings_add(doctor->findings, NULL, "region", FINDING_OK, "%s%s", doctor->region,
                     doctor->config->region ? ", from the configuration" : "");
}

/* By now AWS has told the time with each answer. */
static void check_clock(struct doctor *doctor)
{
    int64_t skew_ms = aws_clock_skew_ms(doctor->session.connection.aws);
    int64_t off_ms = skew_ms < 0 ? -skew_ms : skew_ms;
    char text[DURATION_TEXT_MAX];
    const char *way = skew_ms < 0 ? "fast" : "slow";
    struct finding *finding;

    duration_format(off_ms, text);
    if (off_ms < SKEW_WARNING_MS) {
        findings_add(doctor->findings, NULL, "clock", FINDING_OK, "%s from AWS's", text);
        return;
    }
    finding = findings_add(doctor->findings, NULL, "clock",
                           off_ms < SKEW_FAILED_MS ? FINDING_WARNING : FINDING_FAILED,
                           "this host's clock is %s %s", text, way);
    finding_advise(finding,
                   off_ms < SKEW_FAILED_MS
                       ? "have it kept by NTP (timedatectl set-ntp true)"
                       : "have it kept by NTP (timedatectl set-ntp true): AWS refuses what is "
                         "signed five minutes off, and provisionerd can only correct by "
                         "what AWS tells");
}

/* --- load and cost ------------------------------------------------------------------------------- */

static void check_load_of(struct doctor *doctor, enum aws_operation operation, bool *is_well)
{
    double budget = operation_get(operation)->rate;
    double rate = load_rate(doctor->config, operation);
    struct finding *finding;

    if (rate <= LOAD_HIGH * budget)
        return;
    *is_well = false;
    finding = findings_add(
        doctor->findings, NULL, "quotas", rate <= budget ? FINDING_WARNING : FINDING_FAILED,
        "the intervals ask for %.2f %s a second, the budget within AWS's quota is "
        "%.0f: %s",
        rate, aws_operation_name(operation), budget,
        rate <= budget ? "little is left for retries and for others"
                       : "calls queue, and everything comes later than configured");
    finding_advise(finding, "make %s longer, or share the environments out among accounts",
                   operation == LOGS_FILTER_LOG_EVENTS  ? "`poll_interval`"
                   : operation == ECS_DESCRIBE_SERVICES ? "`poll_interval_awake`"
                                                        : "`check_interval`");
}

static void check_load(struct doctor *doctor)
{
    static const enum aws_operation OPERATIONS[] = {LOGS_FILTER_LOG_EVENTS, LOGS_START_QUERY,
                                                    ECS_DESCRIBE_SERVICES};
    bool is_well = true;

    for (size_t i = 0; i < ARRAY_LENGTH(OPERATIONS); i++)
        check_load_of(doctor, OPERATIONS[i], &is_well);
    if (is_well)
        findings_add(
            doctor->findings, NULL, "quotas", FINDING_OK,
            "at most %.2f FilterLogEvents, %.2f StartQuery, %.2f DescribeServices a second, "
            "of budgets of %d, %d, %d",
            load_rate(doctor->config, LOGS_FILTER_LOG_EVENTS),
            load_rate(doctor->config, LOGS_START_QUERY),
            load_rate(doctor->config, ECS_DESCRIBE_SERVICES),
            operation_get(LOGS_FILTER_LOG_EVENTS)->rate, operation_get(LOGS_START_QUERY)->rate,
            operation_get(ECS_DESCRIBE_SERVICES)->rate);
}

#define AMOUNT_TEXT_MAX 32

static const char *format_bytes(double bytes, char buffer[static AMOUNT_TEXT_MAX])
{
    if (bytes >= 1e9)
        snprintf(buffer, AMOUNT_TEXT_MAX, "%.1f GB", bytes / 1e9);
    else if (bytes >= 1e6)
        snprintf(buffer, AMOUNT_TEXT_MAX, "%.1f MB", bytes / 1e6);
    else
        snprintf(buffer, AMOUNT_TEXT_MAX, "%.1f kB", bytes / 1e3);
    return buffer;
}

static const char *format_dollars(double dollars, char buffer[static AMOUNT_TEXT_MAX])
{
    if (dollars > 0 && dollars < 0.01)
        snprintf(buffer, AMOUNT_TEXT_MAX, "less than $0.01");
    else
        snprintf(buffer, AMOUNT_TEXT_MAX, "$%.2f", dollars);
    return buffer;
}

static void check_cost(struct doctor *doctor, const struct config_environment *environment,
                       double bytes_per_hour)
{
    struct load_cost cost;
    char query[AMOUNT_TEXT_MAX], scanned[AMOUNT_TEXT_MAX], month[AMOUNT_TEXT_MAX];
    struct finding *finding;

    if (bytes_per_hour < 0) {
        findings_add(doctor->findings, environment->name, "cost", FINDING_UNKNOWN,
                     "polling is free of charge; what a query scans could not be measured");
        return;
    }
    load_cost(environment, bytes_per_hour, &cost);
    finding = findings_add(doctor->findings, environment->name, "cost", FINDING_OK,
                           "polling is free of charge; a Logs Insights query scans about %s, that "
                           "is %s; one at every check would be %s a month",
                           format_bytes(cost.bytes_per_query, scanned),
                           format_dollars(cost.per_query, query),
                           format_dollars(cost.month_at_most, month));
    finding_detail(finding, FINDING_NOTE,
                   "at $%.3f a GB, the usual list price: check your region's; the first "
                   "5 GB a month are free",
                   LOAD_DOLLARS_PER_GB);
    finding_detail(finding, FINDING_NOTE,
                   environment->insights == CONFIG_INSIGHTS_ALWAYS
                       ? "insights = always asks at every check"
                       : "insights = auto asks only when nothing cheaper shows activity: "
                         "about once each time it falls asleep");
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int check_environment(struct doctor *doctor, const struct config_environment *environment)
{
    struct doctor_services services = {.n_items = 0};
    double bytes_per_hour = -1;
    int r = doctor_check_services(doctor, environment, &services);

    if (r == 0 && !doctor->is_cut_off && !doctor->is_cluster_missing)
        r = doctor_check_scaling(doctor, environment);
    if (r == 0 && !doctor->is_cut_off)
        r = doctor_check_logs(doctor, environment);
    if (r == 0 && !doctor->is_cut_off && !doctor->is_cluster_missing)
        r = doctor_check_writers(doctor, environment, &services);
    if (r == 0 && !doctor->is_cut_off && !doctor->is_log_missing) {
        r = doctor_check_query(doctor, environment, &bytes_per_hour);
        if (r == 0 && !doctor->is_cut_off)
            check_cost(doctor, environment, bytes_per_hour);
    }
    doctor_services_clear(&services);
    return r;
}

static int examine(struct doctor *doctor, const char *only)
{
    int r = check_identity(doctor);

    if (r < 0 || doctor->is_cut_off)
        return r;
    check_region(doctor, only);
    r = doctor_check_reach(doctor);
    if (r < 0 || doctor->is_cut_off)
        return r;
    check_clock(doctor);
    r = doctor_check_query_permissions(doctor);
    if (r < 0 || doctor->is_cut_off)
        return r;
    check_load(doctor);
    for (size_t i = 0; i < doctor->config->n_environments && r == 0 && !doctor->is_cut_off; i++) {
        const struct config_environment *environment = &doctor->config->environments[i];
        if (!only || strcmp(environment->name, only) == 0)
            r = check_environment(doctor, environment);
    }
    return r;
}

static int show(const struct ctl *ctl, const struct findings *findings)
{
    struct json_object *document;
    int r;

    if (ctl->json) {
        r = findings_to_json(findings, &document);
        if (r == 0 && ctl_print_json(document) != EXIT_SUCCESS)
            return EXIT_FAILURE;
    } else {
        r = findings_print(findings, &ctl->terminal);
    }
    if (r < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    return findings_count(findings, FINDING_FAILED) > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const struct ctl *ctl, const struct config *config, const char *only,
               int64_t since_ms)
{
    struct doctor doctor = {.config = config, .since_ms = since_ms, .account = "*", .region = "*"};
    int status = EXIT_FAILURE;

    if (only && !ctl_find_environment(config, only))
        return EXIT_FAILURE;
    if (findings_new(&doctor.findings) < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    if (session_open(config, &doctor.session) == 0) {
        int r = examine(&doctor, only);
        if (r < 0)
            ctl_error("%s", strerror(-r));
        status = show(ctl, doctor.findings);
        if (r < 0)
            status = EXIT_FAILURE;
        if (doctor.session.is_interrupted) {
            ctl_error("interrupted: not all was looked at");
            status = EXIT_FAILURE;
        }
    }
    session_close(&doctor.session);
    findings_free(doctor.findings);
    return status;
}

static int verb_doctor(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_SINCE = 1 };
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_JSON,
                                            CTL_OPTION_HELP,
                                            {"since", required_argument, NULL, OPTION_SINCE},
                                            {0}};
    int64_t since_ms = SINCE_DEFAULT_MS;
    struct config *config;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        if (option != OPTION_SINCE)
            return ctl->status;
        if (duration_parse(optarg, &since_ms) < 0 || since_ms <= 0 || since_ms > SINCE_MAX_MS)
            return ctl_usage_error(ctl, "'%s' is no duration up to 30d; one is written 90min or 2d",
                                   optarg);
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 1))
        return ctl->status;
    if (ctl_load_config(ctl, &config) < 0)
        return EX_CONFIG;
    int status = run(ctl, config, argv[optind], since_ms);
    config_free(config);
    return status;
}

const struct verb VERB_DOCTOR = {
    .name = "doctor",
    .synopsis = "[ENV] [--since DURATION] [--json]",
    .summary = "Check all that the configuration rests on, and say what to do",
    .help = HELP,
    .run = verb_doctor,
};
