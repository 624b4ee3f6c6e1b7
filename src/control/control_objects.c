/* SPDX-License-Identifier: MIT */
/* The objects and their properties, as org.provisionerd(5) documents them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cleanup.h"
#include "control/control_internal.h"

/* Microseconds since 1970, as systemd's interfaces have it; 0: none. */
static uint64_t moment(struct wall when)
{
    return wall_is_set(when) && when.ms > 0 ? (uint64_t)when.ms * 1000 : 0;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

struct environment *control_environment_at(struct control_connection *connection, const char *path)
{
    _cleanup_free_ char *name = NULL;

    if (sd_bus_path_decode(path, CONTROL_ENVIRONMENT_PATH, &name) <= 0)
        return NULL;
    return scheduler_find(connection->control->scheduler, name);
}

/* --- org.provisionerd.Manager ------------------------------------------------------------------- */

static int append_environments(struct control *control, sd_bus_message *reply)
{
    int r = sd_bus_message_open_container(reply, 'a', "(so)");

    for (size_t i = 0; r >= 0 && i < scheduler_count(control->scheduler); i++) {
        const char *name = environment_config(scheduler_at(control->scheduler, i))->name;
        _cleanup_free_ char *path = NULL;

        r = sd_bus_path_encode(CONTROL_ENVIRONMENT_PATH, name, &path);
        if (r >= 0)
            r = sd_bus_message_append(reply, "(so)", name, path);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_environments(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *userdata,
                            sd_bus_error *error)
{
    struct control_connection *connection = userdata;
    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;

    return append_environments(connection->control, reply);
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)userdata;
    (void)error;

    return sd_bus_message_append(reply, "s", PROVISIONERD_VERSION);
}

static int get_dry_run(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct control_connection *connection = userdata;
    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;

    return sd_bus_message_append(reply, "b", (int)connection->control->dry_run);
}

static int method_get_environment(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct control_connection *connection = userdata;
    _cleanup_free_ char *path = NULL;
    const char *name;
    int r = sd_bus_message_read(message, "s", &name);

    if (r < 0)
        return r;
    if (!scheduler_find(connection->control->scheduler, name))
        return sd_bus_error_setf(error, CONTROL_ERROR_NO_SUCH_ENVIRONMENT,
                                 "no environment %s is configured", name);
    r = sd_bus_path_encode(CONTROL_ENVIRONMENT_PATH, name, &path);
    return r < 0 ? r : sd_bus_reply_method_return(message, "o", path);
}

static const sd_bus_vtable MANAGER[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("DryRun", "b", get_dry_run, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Environments", "a(so)", get_environments, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_METHOD_WITH_NAMES("GetEnvironment", "s", SD_BUS_PARAM(name), "o", SD_BUS_PARAM(path),
                             method_get_environment, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* --- org.provisionerd.Environment --------------------------------------------------------------- */

static const char *state_name(const struct environment_summary *summary)
{
    if (!summary->is_known)
        return "unknown";
    if (summary->wanted == POLICY_AWAKE)
        return summary->is_settled ? "awake" : "waking";
    return summary->is_settled ? "asleep" : "falling-asleep";
}

static const char *condition_name(enum policy_condition condition)
{
    switch (condition) {
    case POLICY_CONDITION_FIT:
        return "fit";
    case POLICY_CONDITION_MISSING:
        return "missing";
    case POLICY_CONDITION_UNTOUCHABLE:
        return "untouchable";
    case POLICY_CONDITION_UNKNOWN:
        break;
    }
    return "unknown";
}

static int append_request(sd_bus_message *reply, const struct state_request *request)
{
    return sd_bus_message_append(
        reply, "(sttss)", request ? policy_request_name(request->request.kind) : "",
        request ? moment(request->request.since) : 0, request ? moment(request->request.until) : 0,
        request ? request->by : "", request ? request->why : "");
}

static int append_services(sd_bus_message *reply, const struct environment *environment)
{
    int r = sd_bus_message_open_container(reply, 'a', "(ssiii)");

    for (size_t i = 0; r >= 0 && i < environment_config(environment)->n_services; i++) {
        struct environment_service_report service;

        environment_get_service_report(environment, i, &service);
        r = sd_bus_message_append(reply, "(ssiii)", service.name, condition_name(service.condition),
                                  service.desired_count, service.running_count, service.wake_count);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_last_check(sd_bus_message *reply, const struct environment_report *report)
{
    char text[AUDIT_TEXT_MAX];

    return sd_bus_message_append(reply, "(tss)", moment(report->last_check_at),
                                 policy_reason_name(report->last_check.reason),
                                 audit_format_reason(&report->last_check, text));
}

static int append_troubles(sd_bus_message *reply, const struct environment_report *report)
{
    int r = sd_bus_message_open_container(reply, 'a', "s");

    for (size_t i = 0; r >= 0 && i < TROUBLE_N_KINDS; i++)
        if (report->troubles[i])
            r = sd_bus_message_append(reply, "s", report->troubles[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct environment *environment = control_environment_at(userdata, path);
    struct environment_report report;
    char text[AUDIT_TEXT_MAX];
    (void)bus;
    (void)interface;
    (void)error;

    if (!environment)
        return -ENOENT;
    environment_get_report(environment, &report);
    if (strcmp(property, "Name") == 0)
        return sd_bus_message_append(reply, "s", report.config->name);
    if (strcmp(property, "Cluster") == 0)
        return sd_bus_message_append(reply, "s", report.config->cluster);
    if (strcmp(property, "State") == 0)
        return sd_bus_message_append(reply, "s", state_name(&report.summary));
    if (strcmp(property, "Since") == 0)
        return sd_bus_message_append(reply, "t", moment(report.since));
    if (strcmp(property, "LastActivity") == 0)
        return sd_bus_message_append(reply, "t", moment(report.facts.last_activity));
    if (strcmp(property, "LastActivityMessage") == 0)
        return sd_bus_message_append(reply, "s", or_empty(report.facts.activity));
    if (strcmp(property, "NextCheck") == 0)
        return sd_bus_message_append(reply, "t", moment(report.check_due));
    if (strcmp(property, "LastCheck") == 0)
        return append_last_check(reply, &report);
    if (strcmp(property, "Reason") == 0)
        return sd_bus_message_append(reply, "s", policy_reason_name(report.facts.reason));
    if (strcmp(property, "ReasonText") == 0)
        return sd_bus_message_append(reply, "s", audit_format_reason(&report.facts, text));
    if (strcmp(property, "Request") == 0)
        return append_request(reply, report.request);
    if (strcmp(property, "Services") == 0)
        return append_services(reply, environment);
    return append_troubles(reply, &report);
}

static const char *finding_name(const struct environment_question *question)
{
    switch (question->finding) {
    case POLICY_UNKNOWN:
        return "unknown";
    case POLICY_NO_MATCH:
        return "no-match";
    case POLICY_MATCH:
        return "match";
    case POLICY_NOT_ASKED:
        break;
    }
    return "not-asked";
}

static int append_question(sd_bus_message *reply, const char *operation,
                           const struct environment_question *question, const char *trouble)
{
    return sd_bus_message_append(reply, "(sbsttts)", operation, (int)question->is_running,
                                 finding_name(question), moment(question->began),
                                 moment(question->from), moment(question->to), or_empty(trouble));
}

static int append_explanation(sd_bus_message *reply, const struct environment_report *report)
{
    char reason[AUDIT_TEXT_MAX], remedy[AUDIT_TEXT_MAX];
    int r;

    if ((r = sd_bus_message_append(reply, "sss", policy_reason_name(report->facts.reason),
                                   audit_format_reason(&report->facts, reason),
                                   audit_format_remedy(&report->facts, remedy))) < 0 ||
        (r = append_last_check(reply, report)) < 0 ||
        (r = sd_bus_message_open_container(reply, 'a', "(sbsttts)")) < 0 ||
        (r = append_question(reply, "DescribeServices", &report->describe,
                             report->troubles[TROUBLE_DESCRIBE])) < 0 ||
        (r = append_question(reply, "StartQuery", &report->query,
                             report->troubles[TROUBLE_QUERY])) < 0 ||
        (r = append_question(reply, "FilterLogEvents", &report->look,
                             report->troubles[TROUBLE_LOOK])) < 0)
        return r;
    return sd_bus_message_close_container(reply);
}

static int method_explain(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const struct environment *environment =
        control_environment_at(userdata, sd_bus_message_get_path(message));
    struct environment_report report;
    sd_bus_message *reply = NULL;
    (void)error;

    if (!environment)
        return -ENOENT;
    environment_get_report(environment, &report);
    int r = sd_bus_message_new_method_return(message, &reply);
    if (r >= 0)
        r = append_explanation(reply, &report);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

#define PROPERTY(name, signature) \
    SD_BUS_PROPERTY(name, signature, get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable ENVIRONMENT[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Cluster", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    PROPERTY("State", "s"),
    PROPERTY("Since", "t"),
    PROPERTY("LastActivity", "t"),
    PROPERTY("LastActivityMessage", "s"),
    PROPERTY("LastCheck", "(tss)"),
    PROPERTY("NextCheck", "t"),
    PROPERTY("Reason", "s"),
    PROPERTY("ReasonText", "s"),
    PROPERTY("Request", "(sttss)"),
    PROPERTY("Services", "a(ssiii)"),
    PROPERTY("Troubles", "as"),
    SD_BUS_METHOD_WITH_NAMES("Wake", "s", SD_BUS_PARAM(why), "", , control_method_wake,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Sleep", "bs", SD_BUS_PARAM(now) SD_BUS_PARAM(why), "", ,
                             control_method_sleep, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Hold", "sts",
                             SD_BUS_PARAM(state) SD_BUS_PARAM(until) SD_BUS_PARAM(why), "", ,
                             control_method_hold, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Release", "s", SD_BUS_PARAM(why), "", , control_method_release,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Explain", "", , "sss(tss)a(sbsttts)",
                             SD_BUS_PARAM(reason) SD_BUS_PARAM(text) SD_BUS_PARAM(remedy)
                                 SD_BUS_PARAM(last_check) SD_BUS_PARAM(questions),
                             method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int find_environment(sd_bus *bus, const char *path, const char *interface, void *userdata,
                            void **ret_found, sd_bus_error *error)
{
    (void)bus;
    (void)interface;
    (void)error;

    *ret_found = userdata;
    return control_environment_at(userdata, path) != NULL;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
    const struct scheduler *scheduler = ((struct control_connection *)userdata)->control->scheduler;
    size_t n = scheduler_count(scheduler);
    char **nodes = calloc(n + 1, sizeof(*nodes)); /* NOLINT(bugprone-sizeof-expression) pointers */
    int r = nodes ? 0 : -ENOMEM;
    (void)bus;
    (void)prefix; /* of whichever object is asked for its children */
    (void)error;

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = sd_bus_path_encode(CONTROL_ENVIRONMENT_PATH,
                               environment_config(scheduler_at(scheduler, i))->name, &nodes[i]);
    if (r >= 0) {
        *ret_nodes = nodes;
        return 0;
    }
    for (size_t i = 0; nodes && i < n; i++)
        free(nodes[i]);
    free(nodes);
    return r;
}

int control_publish(struct control_connection *connection)
{
    sd_bus *bus = connection->bus;
    int r;

    if ((r = sd_bus_add_object_vtable(bus, NULL, CONTROL_PATH, CONTROL_MANAGER_INTERFACE, MANAGER,
                                      connection)) < 0 ||
        (r = sd_bus_add_fallback_vtable(bus, NULL, CONTROL_ENVIRONMENT_PATH,
                                        CONTROL_ENVIRONMENT_INTERFACE, ENVIRONMENT,
                                        find_environment, connection)) < 0)
        return r;
    return sd_bus_add_node_enumerator(bus, NULL, CONTROL_ENVIRONMENT_PATH, enumerate, connection);
}
