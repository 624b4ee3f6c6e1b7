/* SPDX-License-Identifier: MIT */
/* provisionerctl init */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/discover.h"
#include "ctl/moment.h"
#include "ctl/propose.h"
#include "ctl/session.h"
#include "endpoint.h"

#define SINCE "24h"
#define SAMPLE_SLICES 6
#define SAMPLE_EVENTS 2000 /* of a slice */
#define SEPARATORS ", \t"

static const char HELP[] =
    "      --region NAME        where the services run (AWS_REGION, the profile's, the "
    "instance's)\n"
    "      --profile NAME       whose credentials to use\n"
    "      --endpoint-url URL   another address than AWS's own\n"
    "      --cluster NAME       name or ARN\n"
    "      --services LIST      the services to put to sleep, parted by commas\n"
    "      --always-on LIST     those that stay up since they write the log\n"
    "      --log-group LIST     where requests leave their traces\n"
    "      --pattern TEXT       events with this text are activity\n"
    "      --regex EXPRESSION   events that match this are activity\n"
    "      --since TIME         how far back to read the log for a proposal (24h)\n"
    "      --name NAME          the environment's name (the cluster's)\n"
    "  -o, --output FILE        write to FILE, which must not exist yet, instead of standard "
    "output\n"
    "      --force              replace it\n"
    "      --no-input           ask nothing, even at a terminal\n"
    "      --help               print this\n"
    "\n"
    "What is not given is asked for at a terminal. Elsewhere it is taken if there is no other "
    "choice or\n"
    "one is much likelier; if not, the choices are told. Needs ecs:ListClusters, "
    "ecs:ListServices,\n"
    "ecs:DescribeServices, logs:DescribeLogGroups and logs:FilterLogEvents; changes nothing.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl init --cluster staging -o staging.ini\n"
    "  provisionerctl init --region eu-west-1 --cluster staging --log-group /ecs/staging/gateway\n"
    "  provisionerctl init --cluster staging --services api,worker,web --always-on gateway\n";

struct init {
    struct session session;
    struct draft draft;
    const char *cluster_name; /* borrowed from the draft: without what is before it in an ARN */
    const char *services;     /* as given; NULL: not */
    const char *always_on;
    const char *log_groups;
    const char *output;
    bool force;
    bool asks;
    struct wall from;
    int status; /* why there is no going on */
};

/* What was settled, for the person to read along. */
static void report(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void report(const char *what, const char *format, ...)
{
    const struct terminal terminal = terminal_of(stderr);
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    fprintf(stderr, "%-10s ", what);
    terminal_write_wrapped(&terminal, COLOUR_NONE, text ? text : "", 11);
}

/* Each returns false, with init->status, when there is no going on. */
static bool fail(struct init *init, int status)
{
    init->status = status;
    return false;
}

static bool fail_with(struct init *init, int r)
{
    ctl_error(r == -ECANCELED ? "ended" : "out of memory");
    return fail(init, EXIT_FAILURE);
}

/* --- lists --------------------------------------------------------------------------------------- */

static int split(const char *list, struct texts *ret)
{
    int r = 0;

    while (r == 0 && *(list += strspn(list, SEPARATORS))) {
        size_t length = strcspn(list, SEPARATORS);
        _cleanup_free_ char *item = strndup(list, length);
        r = item ? texts_add(ret, item) : -ENOMEM;
        list += length;
    }
    return r;
}

/* "a, b", allocated; NULL: no memory. */
static char *join(const struct texts *texts)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; i < texts->n_items; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", texts->items[i]);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* One of the items: by asking, or the one there is, or `proposed` if it is not SIZE_MAX. */
static bool choose(struct init *init, const char *what, const char *option,
                   const struct texts *items, size_t proposed, size_t *ret)
{
    if (items->n_items == 1) {
        *ret = 0;
        return true;
    }
    if (init->asks) {
        int r = ask_choice(what, items, proposed == SIZE_MAX ? 0 : proposed, ret);
        return r == 0 ? true : fail_with(init, r);
    }
    if (proposed != SIZE_MAX) {
        *ret = proposed;
        return true;
    }
    _cleanup_free_ char *all = join(items);
    ctl_error("%s is needed; there are: %s", option, all ? all : "several");
    return fail(init, EX_USAGE);
}

/* --- the cluster --------------------------------------------------------------------------------- */

static bool take_cluster(struct init *init, const char *cluster)
{
    const char *slash;

    init->draft.cluster = strdup(cluster);
    if (!init->draft.cluster)
        return fail_with(init, -ENOMEM);
    slash = strrchr(init->draft.cluster, '/');
    init->cluster_name = slash ? slash + 1 : init->draft.cluster;
    return true;
}

static int names_of(const struct texts *arns, struct texts *ret)
{
    int r = 0;

    for (size_t i = 0; i < arns->n_items && r == 0; i++) {
        const char *slash = strrchr(arns->items[i], '/');
        r = texts_add(ret, slash ? slash + 1 : arns->items[i]);
    }
    return r;
}

static bool choose_cluster(struct init *init, const struct texts *names)
{
    size_t chosen;

    if (names->n_items == 0) {
        ctl_error("there is no ECS cluster in this account and region; is it the right --region?");
        return fail(init, EXIT_FAILURE);
    }
    return choose(init, "Cluster", "--cluster", names, SIZE_MAX, &chosen) &&
           take_cluster(init, names->items[chosen]);
}

static bool find_cluster(struct init *init)
{
    struct texts arns = {0}, names = {0};
    struct aws_error error;
    bool ok;

    discover_clusters(&init->session, &arns, &error);
    if (error.kind != AWS_OK)
        ok = fail(init, session_tell("list the clusters", ECS_LIST_CLUSTERS, &error));
    else if (names_of(&arns, &names) < 0)
        ok = fail_with(init, -ENOMEM);
    else
        ok = choose_cluster(init, &names);
    texts_clear(&arns);
    texts_clear(&names);
    return ok;
}

/* --- services ------------------------------------------------------------------------------------ */

/* What to propose: gateways stay up, all others sleep; not what ECS places itself, or is going away. */
static int propose_services(const struct discovered_services *services, struct texts *ret_sleeping,
                            struct texts *ret_always_on)
{
    int r = 0;

    for (size_t i = 0; i < services->n_items && r == 0; i++) {
        const struct discovered_service *service = &services->items[i];
        if (service->is_active && discover_is_gateway(service->name))
            r = texts_add(ret_always_on, service->name);
        else if (service->is_active && !service->is_daemon)
            r = texts_add(ret_sleeping, service->name);
    }
    return r;
}

static bool is_known(const struct discovered_services *services, const char *name)
{
    for (size_t i = 0; i < services->n_items; i++) {
        if (strcmp(services->items[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The list as given by option, or as answered, or as proposed. */
static int settle_list(struct init *init, const char *given, const char *question,
                       const struct texts *proposed, struct texts *ret)
{
    _cleanup_free_ char *text = join(proposed), *answer = NULL;

    if (!text)
        return -ENOMEM;
    if (given)
        return split(given, ret);
    if (!init->asks)
        return split(text, ret);
    int r = ask_text(question, text, &answer);
    return r < 0 ? r : split(strcmp(answer, "-") == 0 ? "" : answer, ret);
}

static bool check_known(struct init *init, const struct discovered_services *services,
                        const struct texts *names)
{
    for (size_t i = 0; i < names->n_items; i++) {
        if (is_known(services, names->items[i]))
            continue;
        ctl_error("cluster %s has no service \"%s\"", init->cluster_name, names->items[i]);
        return fail(init, EXIT_FAILURE);
    }
    return true;
}

static void show_services(const struct discovered_services *services)
{
    for (size_t i = 0; i < services->n_items; i++) {
        const struct discovered_service *service = &services->items[i];
        report(i == 0 ? "found" : "", "%s, desired count %d%s%s", service->name,
               service->desired_count, service->is_daemon ? ", DAEMON: cannot sleep" : "",
               service->is_active ? "" : ", not ACTIVE");
    }
}

static bool settle_services(struct init *init, const struct discovered_services *services)
{
    struct texts sleeping = {0}, always_on = {0}, chosen = {0};
    bool ok = false;

    show_services(services);
    int r = propose_services(services, &sleeping, &always_on);
    if (r == 0)
        r = settle_list(init, init->services, "Services to put to sleep", &sleeping, &chosen);
    if (r == 0)
        r = settle_list(init, init->always_on,
                        "Services that stay up since they write the log (- for none)", &always_on,
                        &init->draft.always_on);
    for (size_t i = 0; i < chosen.n_items && r == 0; i++) {
        if (!texts_has(&init->draft.always_on, chosen.items[i]))
            r = draft_add_service(&init->draft, chosen.items[i], DRAFT_COUNT_RECORDED);
    }
    if (r < 0) {
        fail_with(init, r);
    } else if (init->draft.n_services == 0) {
        ctl_error("there is no service to put to sleep: name some with --services");
        fail(init, EXIT_FAILURE);
    } else {
        ok = check_known(init, services, &chosen) &&
             check_known(init, services, &init->draft.always_on);
    }
    texts_clear(&sleeping);
    texts_clear(&always_on);
    texts_clear(&chosen);
    return ok;
}

static void report_services(const struct init *init)
{
    struct texts names = {0};

    for (size_t i = 0; i < init->draft.n_services; i++) {
        if (texts_add(&names, init->draft.services[i].name) < 0)
            break;
    }
    _cleanup_free_ char *sleeping = join(&names), *always_on = join(&init->draft.always_on);
    report("services", "%s", sleeping ? sleeping : "");
    if (init->draft.always_on.n_items > 0)
        report("always on", "%s", always_on ? always_on : "");
    else
        report("always on", "none: if one of the cluster's services writes the log, name it in "
                            "`always_on`");
    texts_clear(&names);
}

static bool find_services(struct init *init)
{
    struct discovered_services services = {0};
    enum aws_operation operation;
    struct aws_error error;
    bool ok;

    discover_services(&init->session, init->draft.cluster, &services, &operation, &error);
    if (error.kind != AWS_OK) {
        ok = fail(init, session_tell("list the cluster's services", operation, &error));
    } else if (services.n_items == 0) {
        ctl_error("cluster %s has no services", init->cluster_name);
        ok = fail(init, EXIT_FAILURE);
    } else {
        ok = settle_services(init, &services);
    }
    discovered_services_clear(&services);
    if (ok)
        report_services(init);
    return ok;
}

/* --- log groups ---------------------------------------------------------------------------------- */

/* The likeliest first; the order is kept among alike ones. Returns whether one is likelier than all
 * others. */
static bool sort_by_likeness(const struct init *init, struct texts *groups)
{
    for (size_t i = 1; i < groups->n_items; i++) {
        char *group = groups->items[i];
        int likeness = discover_likeness(group, init->cluster_name);
        size_t place = i;
        for (; place > 0 &&
               discover_likeness(groups->items[place - 1], init->cluster_name) < likeness;
             place--)
            groups->items[place] = groups->items[place - 1];
        groups->items[place] = group;
    }
    int best = groups->n_items > 0 ? discover_likeness(groups->items[0], init->cluster_name) : 0;
    return best > 0 &&
           (groups->n_items == 1 || discover_likeness(groups->items[1], init->cluster_name) < best);
}

static bool choose_log_group(struct init *init, struct texts *groups)
{
    size_t chosen;

    if (groups->n_items == 0) {
        ctl_error("there is no log group of class STANDARD in this account and region");
        return fail(init, EXIT_FAILURE);
    }
    size_t proposed = sort_by_likeness(init, groups) ? 0 : SIZE_MAX;
    if (!choose(init, "Log group in which requests leave their traces", "--log-group", groups,
                proposed, &chosen))
        return false;
    int r = texts_add(&init->draft.log_groups, groups->items[chosen]);
    return r == 0 ? true : fail_with(init, r);
}

static bool find_log_groups(struct init *init)
{
    struct texts groups = {0};
    struct aws_error error;
    bool ok = true;

    if (init->log_groups) {
        int r = split(init->log_groups, &init->draft.log_groups);
        if (r < 0)
            return fail_with(init, r);
    } else {
        discover_log_groups(&init->session, NULL, &groups, &error);
        ok =
            error.kind == AWS_OK
                ? choose_log_group(init, &groups)
                : fail(init, session_tell("list the log groups", LOGS_DESCRIBE_LOG_GROUPS, &error));
        texts_clear(&groups);
    }
    _cleanup_free_ char *text = join(&init->draft.log_groups);
    if (ok)
        report("log group", "%s", text ? text : "");
    return ok;
}

/* --- the pattern --------------------------------------------------------------------------------- */

struct sample {
    struct propose *propose;
    struct wall end; /* where the next slice begins */
    size_t n_events;
    bool out_of_memory;
};

static bool take_event(void *userdata, const struct logs_event *event)
{
    struct sample *sample = userdata;

    if (event->timestamp.ms >= sample->end.ms || sample->n_events >= SAMPLE_EVENTS)
        return false;
    sample->n_events++;
    sample->out_of_memory = propose_add(sample->propose, event->message) < 0;
    return !sample->out_of_memory;
}

/* Events come oldest first: a slice of each part of the day, so that a night is not taken for it. */
static bool sample_log_group(struct init *init, const char *log_group, struct propose *propose)
{
    int64_t slice_ms = wall_since(moment_now(), init->from) / SAMPLE_SLICES + 1;

    for (int i = 0; i < SAMPLE_SLICES; i++) {
        struct wall start = wall_add(init->from, i * slice_ms);
        struct sample sample = {.propose = propose, .end = wall_add(start, slice_ms)};
        const struct logs_filter_request request = {
            .log_group = log_group, .start = start, .priority = AWS_ROUTINE};
        struct logs_filter_result result;

        session_filter(&init->session, &request, take_event, &sample, &result);
        if (sample.out_of_memory)
            return fail_with(init, -ENOMEM);
        if (result.error.kind != AWS_OK)
            return fail(init,
                        session_tell("read the log group", LOGS_FILTER_LOG_EVENTS, &result.error));
    }
    return true;
}

static int ask_pattern(struct draft *draft)
{
    _cleanup_free_ char *proposed = NULL, *answer = NULL;
    const char *mark = draft->pattern_is_regex ? "/" : "";

    if (draft->pattern && asprintf(&proposed, "%s%s%s", mark, draft->pattern, mark) < 0) {
        proposed = NULL;
        return -ENOMEM;
    }
    int r = ask_text("Text of the events that are activity", proposed, &answer);
    if (r < 0 || !*answer || (proposed && strcmp(answer, proposed) == 0))
        return r;
    free(draft->pattern);
    texts_clear(&draft->pattern_notes);
    draft->pattern_is_regex = false;
    draft->pattern = TAKE(answer);
    return 0;
}

static void report_pattern(const struct draft *draft, const struct propose *propose)
{
    report("read",
           "%zu events: %zu health checks, monitors and crawlers, %zu files, %zu refused, "
           "%zu other requests",
           propose->n_messages, propose->n_noise, propose->n_files, propose->n_refused,
           propose->n_requests);
    for (size_t i = 0; i < propose->n_prefixes && i < PROPOSE_PARTS_MAX; i++)
        report(i == 0 ? "paths" : "", "%s  %zu", propose->prefixes[i].text, propose->prefixes[i].n);
    for (size_t i = 0; i < propose->n_excludes; i++)
        report(i == 0 ? "exclude" : "", "\"%s\": %s, %zu events", propose->excludes[i].text,
               propose->excludes[i].who, propose->excludes[i].n);
    if (draft->pattern)
        report("pattern", draft->pattern_is_regex ? "/%s/" : "\"%s\"", draft->pattern);
    else
        report("pattern", "none: %s",
               draft->pattern_notes.n_items > 0 ? draft->pattern_notes.items[0] : "");
}

static bool find_pattern(struct init *init)
{
    struct propose propose = {0};
    char *given = TAKE(init->draft.pattern);
    bool is_regex = init->draft.pattern_is_regex, ok = true;
    int r = 0;

    for (size_t i = 0; i < init->draft.log_groups.n_items && ok; i++)
        ok = sample_log_group(init, init->draft.log_groups.items[i], &propose);
    if (ok)
        r = propose_finish(&propose, &init->draft);
    if (ok && r == 0 && given) {
        free(init->draft.pattern);
        init->draft.pattern = TAKE(given);
        init->draft.pattern_is_regex = is_regex;
        texts_clear(&init->draft.pattern_notes);
    }
    if (ok && r == 0) {
        report_pattern(&init->draft, &propose);
        if (init->asks)
            r = ask_pattern(&init->draft);
    }
    free(given);
    propose_clear(&propose);
    return r < 0 ? fail_with(init, r) : ok;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static bool write_result(struct init *init)
{
    _cleanup_free_ char *text = NULL, *errors = NULL;
    struct draft *draft = &init->draft;

    if (!draft->name)
        draft->name = draft_name_of(draft->cluster);
    draft->origin = strdup("what there is in AWS, by provisionerctl init");
    if (!draft->name || !draft->origin)
        return fail_with(init, -ENOMEM);
    int r = draft_write(draft, &text, &errors);
    if (r == 0)
        return fail(init, draft_deliver(text, init->output, init->force));
    if (errors)
        fprintf(stderr, "This does not make a configuration:\n%s", errors);
    else
        ctl_error("cannot write the configuration: %s", strerror(-r));
    return fail(init, EXIT_FAILURE);
}

/* The daemon may well run without our environment. */
static int keep_region(struct draft *draft)
{
    const char *region = getenv("AWS_REGION");

    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    if (draft->region || !region || !endpoint_region_is_valid(region))
        return 0;
    draft->region = strdup(region);
    return draft->region ? 0 : -ENOMEM;
}

static int make_configuration(struct init *init)
{
    if (keep_region(&init->draft) < 0) {
        fail_with(init, -ENOMEM);
        return init->status;
    }
    const struct config config = {.region = init->draft.region,
                                  .profile = init->draft.profile,
                                  .endpoint_url = init->draft.endpoint_url};

    if (session_open(&config, &init->session) < 0)
        fail(init, EXIT_FAILURE);
    else if (init->draft.cluster || find_cluster(init)) {
        report("cluster", "%s", init->draft.cluster);
        (void)(find_services(init) && find_log_groups(init) && find_pattern(init) &&
               write_result(init));
    }
    session_close(&init->session);
    return init->status;
}

/* Keeps a copy of an option's argument. */
static void keep(char **text)
{
    free(*text);
    *text = strdup(optarg);
}

static int verb_init(struct ctl *ctl, int argc, char **argv)
{
    enum {
        OPTION_REGION = 1,
        OPTION_PROFILE,
        OPTION_ENDPOINT,
        OPTION_CLUSTER,
        OPTION_SERVICES,
        OPTION_ALWAYS_ON,
        OPTION_LOG_GROUP,
        OPTION_PATTERN,
        OPTION_REGEX,
        OPTION_SINCE,
        OPTION_NAME,
        OPTION_FORCE,
        OPTION_NO_INPUT,
    };
    static const struct option OPTIONS[] = {
        CTL_OPTION_HELP,
        {"region", required_argument, NULL, OPTION_REGION},
        {"profile", required_argument, NULL, OPTION_PROFILE},
        {"endpoint-url", required_argument, NULL, OPTION_ENDPOINT},
        {"cluster", required_argument, NULL, OPTION_CLUSTER},
        {"services", required_argument, NULL, OPTION_SERVICES},
        {"always-on", required_argument, NULL, OPTION_ALWAYS_ON},
        {"log-group", required_argument, NULL, OPTION_LOG_GROUP},
        {"pattern", required_argument, NULL, OPTION_PATTERN},
        {"regex", required_argument, NULL, OPTION_REGEX},
        {"since", required_argument, NULL, OPTION_SINCE},
        {"name", required_argument, NULL, OPTION_NAME},
        {"output", required_argument, NULL, 'o'},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"no-input", no_argument, NULL, OPTION_NO_INPUT},
        {0}};
    struct init init = {.asks = ask_is_possible()};
    const char *since = SINCE;
    int option, status;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_REGION:
            keep(&init.draft.region);
            break;
        case OPTION_PROFILE:
            keep(&init.draft.profile);
            break;
        case OPTION_ENDPOINT:
            keep(&init.draft.endpoint_url);
            break;
        case OPTION_CLUSTER:
            free(init.draft.cluster);
            take_cluster(&init, optarg);
            break;
        case OPTION_SERVICES:
            init.services = optarg;
            break;
        case OPTION_ALWAYS_ON:
            init.always_on = optarg;
            break;
        case OPTION_LOG_GROUP:
            init.log_groups = optarg;
            break;
        case OPTION_PATTERN:
        case OPTION_REGEX:
            keep(&init.draft.pattern);
            init.draft.pattern_is_regex = option == OPTION_REGEX;
            break;
        case OPTION_SINCE:
            since = optarg;
            break;
        case OPTION_NAME:
            keep(&init.draft.name);
            break;
        case 'o':
            init.output = optarg;
            break;
        case OPTION_FORCE:
            init.force = true;
            break;
        case OPTION_NO_INPUT:
            init.asks = false;
            break;
        default:
            draft_clear(&init.draft);
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 0))
        status = ctl->status;
    else if (moment_parse(since, moment_now(), MOMENT_PAST, &init.from) < 0)
        status = ctl_usage_error(ctl, "--since %s: not a moment in the past, " MOMENT_FORMS, since);
    else
        status = make_configuration(&init);
    draft_clear(&init.draft);
    return status;
}

const struct verb VERB_INIT = {
    .name = "init",
    .synopsis = "[OPTION]...",
    .summary = "A first INI, from what there is in AWS: cluster, services, log, pattern",
    .help = HELP,
    .run = verb_init,
};
