/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/discover.h"
#include "ctl/init.h"

/* --- the cluster --------------------------------------------------------------------------------- */

bool init_take_cluster(struct init *init, const char *cluster)
{
    const char *slash;

    init->draft.cluster = strdup(cluster);
    if (!init->draft.cluster)
        return init_fail_with(init, -ENOMEM);
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
        return init_fail(init, EXIT_FAILURE);
    }
    return init_choose(init, "Cluster", "--cluster", names, SIZE_MAX, &chosen) &&
           init_take_cluster(init, names->items[chosen]);
}

bool init_find_cluster(struct init *init)
{
    struct texts arns = {0}, names = {0};
    struct aws_error error;
    bool ok;

    discover_clusters(&init->session, &arns, &error);
    if (error.kind != AWS_OK)
        ok = init_fail(init, session_tell("list the clusters", ECS_LIST_CLUSTERS, &error));
    else if (names_of(&arns, &names) < 0)
        ok = init_fail_with(init, -ENOMEM);
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
    _cleanup_free_ char *text = texts_join(proposed), *answer = NULL;

    if (!text)
        return -ENOMEM;
    if (given)
        return texts_split(given, INIT_SEPARATORS, ret);
    if (!init->asks)
        return texts_split(text, INIT_SEPARATORS, ret);
    int r = ask_text(question, text, &answer);
    return r < 0 ? r : texts_split(strcmp(answer, "-") == 0 ? "" : answer, INIT_SEPARATORS, ret);
}

static bool check_known(struct init *init, const struct discovered_services *services,
                        const struct texts *names)
{
    for (size_t i = 0; i < names->n_items; i++) {
        if (is_known(services, names->items[i]))
            continue;
        ctl_error("cluster %s has no service \"%s\"", init->cluster_name, names->items[i]);
        return init_fail(init, EXIT_FAILURE);
    }
    return true;
}

static void show_services(const struct discovered_services *services)
{
    for (size_t i = 0; i < services->n_items; i++) {
        const struct discovered_service *service = &services->items[i];
        init_report(i == 0 ? "found" : "", "%s, desired count %d%s%s", service->name,
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
        init_fail_with(init, r);
    } else if (init->draft.n_services == 0) {
        ctl_error("there is no service to put to sleep: name some with --services");
        init_fail(init, EXIT_FAILURE);
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
    _cleanup_free_ char *sleeping = texts_join(&names),
                        *always_on = texts_join(&init->draft.always_on);
    init_report("services", "%s", sleeping ? sleeping : "");
    if (init->draft.always_on.n_items > 0)
        init_report("always on", "%s", always_on ? always_on : "");
    else
        init_report("always on",
                    "none: if one of the cluster's services writes the log, name it in "
                    "`always_on`");
    texts_clear(&names);
}

bool init_find_services(struct init *init)
{
    struct discovered_services services = {0};
    enum aws_operation operation;
    struct aws_error error;
    bool ok;

    discover_services(&init->session, init->draft.cluster, &services, &operation, &error);
    if (error.kind != AWS_OK) {
        ok = init_fail(init, session_tell("list the cluster's services", operation, &error));
    } else if (services.n_items == 0) {
        ctl_error("cluster %s has no services", init->cluster_name);
        ok = init_fail(init, EXIT_FAILURE);
    } else {
        ok = settle_services(init, &services);
    }
    discovered_services_clear(&services);
    if (ok)
        report_services(init);
    return ok;
}
