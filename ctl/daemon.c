/* SPDX-License-Identifier: MIT */
#include "ctl/daemon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "control.h"

/* Longer than the daemon ever takes, which waits for nobody. */
#define CALL_TIMEOUT_USEC (UINT64_C(10) * 1000 * 1000)

/* --- the way to it ------------------------------------------------------------------------------ */

static int note_change(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    (void)message;
    (void)userdata;
    (void)error;
    return 0;
}

static bool has_owner(sd_bus *bus)
{
    sd_bus_message *reply = NULL;
    int owned = 0;
    int r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                               CONTROL_BUS_NAME);

    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &owned);
    sd_bus_message_unref(reply);
    return r >= 0 && owned;
}

static int open_system_bus(sd_bus **ret)
{
    sd_bus *bus;
    int r = sd_bus_open_system(&bus);

    if (r < 0)
        return r;
    if (!has_owner(bus)) {
        sd_bus_flush_close_unref(bus);
        return -ENOENT;
    }
    *ret = bus;
    return 0;
}

static int open_socket(const char *path, sd_bus **ret)
{
    _cleanup_free_ char *address = NULL, *escaped = NULL;
    sd_bus *bus = NULL;
    int r;

    if (access(path, F_OK) < 0)
        return -errno;
    escaped =
        calloc(3, strlen(path) + 1); /* each byte as %2f at the longest; D-Bus specification */
    if (!escaped)
        return -ENOMEM;
    for (size_t i = 0, length = 0; path[i]; i++)
        length += (size_t)sprintf(escaped + length, "%%%02x", (unsigned char)path[i]);
    if (asprintf(&address, "unix:path=%s", escaped) < 0) {
        address = NULL;
        return -ENOMEM;
    }
    if ((r = sd_bus_new(&bus)) < 0)
        return r;
    /* Whoever could open it may speak: who it is, the socket tells. */
    if ((r = sd_bus_set_address(bus, address)) < 0 || (r = sd_bus_set_anonymous(bus, true)) < 0 ||
        (r = sd_bus_start(bus)) < 0) {
        sd_bus_close_unref(bus);
        return r;
    }
    *ret = bus;
    return 0;
}

/* The state directory's, where the configuration can be read. */
static int open_configured_socket(const struct ctl *ctl, sd_bus **ret)
{
    _cleanup_free_ char *errors = NULL, *path = NULL;
    struct config *config;
    int r = config_load(ctl->config_path, &config, &errors);

    if (r < 0)
        return -ENOENT; /* what is wrong with it is not what was asked */
    r = asprintf(&path, "%s/" CONTROL_SOCKET, config->state_directory);
    config_free(config);
    if (r < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return open_socket(path, ret);
}

static int find(const struct ctl *ctl, struct daemon *daemon)
{
    int r, refused = 0;

    if (ctl->socket_path)
        return open_socket(ctl->socket_path, &daemon->bus);
    r = open_system_bus(&daemon->bus);
    daemon->is_on_system_bus = r == 0;
    if (r == -EACCES)
        refused = r;
    if (r < 0)
        r = open_socket(DAEMON_RUNTIME_SOCKET, &daemon->bus);
    if (r == -EACCES)
        refused = r;
    if (r < 0)
        r = open_configured_socket(ctl, &daemon->bus);
    return r < 0 && refused ? refused : r;
}

int daemon_open(const struct ctl *ctl, struct daemon *ret)
{
    struct daemon daemon = {0};
    int r = find(ctl, &daemon);

    if (r == 0)
        r = sd_bus_set_method_call_timeout(daemon.bus, CALL_TIMEOUT_USEC);
    if (r >= 0)
        r = sd_bus_match_signal(daemon.bus, NULL, daemon.is_on_system_bus ? CONTROL_BUS_NAME : NULL,
                                NULL, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                note_change, NULL);
    if (r >= 0) {
        *ret = daemon;
        return EXIT_SUCCESS;
    }
    if (r == -ENOENT && ctl->socket_path)
        ctl_error("nobody listens at %s: is provisionerd running?", ctl->socket_path);
    else if (r == -ENOENT || r == -ECONNREFUSED)
        ctl_error("provisionerd does not run, neither on the system bus nor at a socket; start it: "
                  "systemctl start provisionerd");
    else if (r == -EACCES)
        ctl_error("provisionerd's socket is for root and the group provisionerd");
    else
        ctl_error("cannot reach provisionerd: %s", strerror(-r));
    daemon_close(&daemon);
    return EX_UNAVAILABLE;
}

void daemon_close(struct daemon *daemon)
{
    daemon->bus = sd_bus_flush_close_unref(daemon->bus);
}

/* --- calls -------------------------------------------------------------------------------------- */

static int tell_failure(int r, const sd_bus_error *error)
{
    int status = EX_UNAVAILABLE;

    if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED)) {
        ctl_error("not permitted: root and the members of the group provisionerd may; others may "
                  "only look");
        status = EXIT_FAILURE;
    } else if (sd_bus_error_has_name(error, CONTROL_ERROR_NO_SUCH_ENVIRONMENT) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_INVALID_ARGS)) {
        ctl_error("%s", error->message);
        status = EXIT_FAILURE;
    } else {
        ctl_error("provisionerd does not answer: %s",
                  error->message ? error->message : strerror(-r));
    }
    return status;
}

int daemon_call(const struct daemon *daemon, const char *path, const char *interface,
                const char *method, sd_bus_message **ret_reply, const char *signature, ...)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *message = NULL, *reply = NULL;
    int status = EXIT_SUCCESS;
    va_list arguments;
    int r = sd_bus_message_new_method_call(daemon->bus, &message,
                                           daemon->is_on_system_bus ? CONTROL_BUS_NAME : NULL, path,
                                           interface, method);

    if (r >= 0 && signature) {
        va_start(arguments, signature);
        r = sd_bus_message_appendv(message, signature, arguments);
        va_end(arguments);
    }
    if (r >= 0)
        r = sd_bus_call(daemon->bus, message, 0, &error, &reply);
    if (r < 0)
        status = tell_failure(r, &error);
    else if (ret_reply)
        *ret_reply = sd_bus_message_ref(reply);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(message);
    sd_bus_error_free(&error);
    return status;
}

int daemon_wait(const struct daemon *daemon, int64_t timeout_ms)
{
    int r = sd_bus_process(daemon->bus, NULL);

    if (r == 0)
        r = sd_bus_wait(daemon->bus, (uint64_t)timeout_ms * 1000);
    while (r > 0)
        r = sd_bus_process(daemon->bus, NULL);
    return r;
}

/* --- what it says of an environment ------------------------------------------------------------- */

static void request_clear(struct daemon_request *request)
{
    free(request->kind);
    free(request->by);
    free(request->why);
}

void daemon_environment_clear(struct daemon_environment *environment)
{
    for (size_t i = 0; i < environment->n_services; i++) {
        free(environment->services[i].name);
        free(environment->services[i].condition);
    }
    for (size_t i = 0; environment->troubles && environment->troubles[i]; i++)
        free(environment->troubles[i]);
    request_clear(&environment->request);
    free(environment->services);
    free(environment->troubles);
    free(environment->name);
    free(environment->path);
    free(environment->cluster);
    free(environment->state);
    free(environment->last_activity_message);
    free(environment->reason);
    free(environment->reason_text);
    free(environment->last_check.reason);
    free(environment->last_check.text);
    *environment = (struct daemon_environment){0};
}

void daemon_free_all(struct daemon_environment *environments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        daemon_environment_clear(&environments[i]);
    free(environments);
}

static int take_text(sd_bus_message *message, char **ret)
{
    const char *text;
    int r = sd_bus_message_read(message, "s", &text);

    if (r < 0)
        return r;
    free(*ret);
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int take_moment(sd_bus_message *message, struct wall *ret)
{
    uint64_t microseconds;
    int r = sd_bus_message_read(message, "t", &microseconds);

    if (r >= 0)
        *ret = microseconds == 0 ? WALL_NEVER : (struct wall){(int64_t)(microseconds / 1000)};
    return r;
}

static int take_request(sd_bus_message *message, struct daemon_request *ret)
{
    int r;

    if ((r = sd_bus_message_enter_container(message, 'r', "sttss")) < 0 ||
        (r = take_text(message, &ret->kind)) < 0 || (r = take_moment(message, &ret->since)) < 0 ||
        (r = take_moment(message, &ret->until)) < 0 || (r = take_text(message, &ret->by)) < 0 ||
        (r = take_text(message, &ret->why)) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int take_last_check(sd_bus_message *message, struct daemon_environment *environment)
{
    int r;

    if ((r = sd_bus_message_enter_container(message, 'r', "tss")) < 0 ||
        (r = take_moment(message, &environment->last_check.at)) < 0 ||
        (r = take_text(message, &environment->last_check.reason)) < 0 ||
        (r = take_text(message, &environment->last_check.text)) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int take_service(sd_bus_message *message, struct daemon_service *ret)
{
    int r;

    if ((r = take_text(message, &ret->name)) < 0 || (r = take_text(message, &ret->condition)) < 0 ||
        (r = sd_bus_message_read(message, "iii", &ret->desired_count, &ret->running_count,
                                 &ret->wake_count)) < 0)
        return r;
    return sd_bus_message_exit_container(message);
}

static int take_services(sd_bus_message *message, struct daemon_environment *environment)
{
    int r = sd_bus_message_enter_container(message, 'a', "(ssiii)");

    while (r >= 0 && (r = sd_bus_message_enter_container(message, 'r', "ssiii")) > 0) {
        struct daemon_service *larger = realloc(
            environment->services, (environment->n_services + 1) * sizeof(*environment->services));

        if (!larger)
            return -ENOMEM;
        environment->services = larger;
        larger[environment->n_services] = (struct daemon_service){0};
        r = take_service(message, &larger[environment->n_services++]);
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int take_troubles(sd_bus_message *message, struct daemon_environment *environment)
{
    return sd_bus_message_read_strv(message, &environment->troubles);
}

static int take_value(sd_bus_message *message, const char *name,
                      struct daemon_environment *environment)
{
    const struct {
        const char *name;
        char **text;
    } texts[] = {
        {"Name", &environment->name},
        {"Cluster", &environment->cluster},
        {"State", &environment->state},
        {"LastActivityMessage", &environment->last_activity_message},
        {"Reason", &environment->reason},
        {"ReasonText", &environment->reason_text},
    };
    const struct {
        const char *name;
        struct wall *moment;
    } moments[] = {
        {"Since", &environment->since},
        {"LastActivity", &environment->last_activity},
        {"NextCheck", &environment->next_check},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (strcmp(name, texts[i].name) == 0)
            return take_text(message, texts[i].text);
    for (size_t i = 0; i < ARRAY_LENGTH(moments); i++)
        if (strcmp(name, moments[i].name) == 0)
            return take_moment(message, moments[i].moment);
    if (strcmp(name, "Request") == 0)
        return take_request(message, &environment->request);
    if (strcmp(name, "LastCheck") == 0)
        return take_last_check(message, environment);
    if (strcmp(name, "Services") == 0)
        return take_services(message, environment);
    return take_troubles(message, environment);
}

static bool is_known(const char *name, const char *signature)
{
    static const char *const KNOWN[][2] = {
        {"Name", "s"},
        {"Cluster", "s"},
        {"State", "s"},
        {"Since", "t"},
        {"LastActivity", "t"},
        {"LastActivityMessage", "s"},
        {"NextCheck", "t"},
        {"Reason", "s"},
        {"ReasonText", "s"},
        {"Request", "(sttss)"},
        {"LastCheck", "(tss)"},
        {"Troubles", "as"},
        {"Services", "a(ssiii)"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(KNOWN); i++)
        if (strcmp(KNOWN[i][0], name) == 0)
            return strcmp(KNOWN[i][1], signature) == 0;
    return false;
}

/* A property that a newer daemon has is passed over. */
static int take_property(sd_bus_message *message, struct daemon_environment *environment)
{
    const char *name, *contents;
    char type;
    int r;

    if ((r = sd_bus_message_read(message, "s", &name)) < 0 ||
        (r = sd_bus_message_peek_type(message, &type, &contents)) < 0)
        return r;
    if (!is_known(name, contents)) {
        r = sd_bus_message_skip(message, "v");
    } else if ((r = sd_bus_message_enter_container(message, 'v', contents)) >= 0 &&
               (r = take_value(message, name, environment)) >= 0) {
        r = sd_bus_message_exit_container(message);
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int take_properties(sd_bus_message *message, struct daemon_environment *environment)
{
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0)
        r = take_property(message, environment);
    return r;
}

static int tell_misunderstanding(int r)
{
    ctl_error("cannot understand what provisionerd says: %s", strerror(-r));
    return EX_UNAVAILABLE;
}

static bool is_whole(const struct daemon_environment *environment)
{
    return environment->name && environment->cluster && environment->state &&
           environment->last_activity_message && environment->reason && environment->reason_text &&
           environment->request.kind && environment->last_check.text && environment->troubles;
}

static int read_object(const struct daemon *daemon, const char *path,
                       struct daemon_environment *ret)
{
    struct daemon_environment environment = {
        .since = WALL_NEVER, .last_activity = WALL_NEVER, .next_check = WALL_NEVER};
    sd_bus_message *reply = NULL;
    int status = daemon_call(daemon, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, "s",
                             CONTROL_ENVIRONMENT_INTERFACE);

    if (status != EXIT_SUCCESS)
        return status;
    environment.path = strdup(path);
    int r = environment.path ? take_properties(reply, &environment) : -ENOMEM;
    sd_bus_message_unref(reply);
    if (r >= 0 && !environment.troubles)
        environment.troubles = calloc(1, sizeof(*environment.troubles));
    if (r >= 0 && !is_whole(&environment))
        r = -EBADMSG;
    if (r < 0) {
        daemon_environment_clear(&environment);
        return tell_misunderstanding(r);
    }
    *ret = environment;
    return EXIT_SUCCESS;
}

int daemon_read(const struct daemon *daemon, const char *name, struct daemon_environment *ret)
{
    sd_bus_message *reply = NULL;
    const char *path;
    int status = daemon_call(daemon, CONTROL_PATH, CONTROL_MANAGER_INTERFACE, "GetEnvironment",
                             &reply, "s", name);

    if (status != EXIT_SUCCESS)
        return status;
    int r = sd_bus_message_read(reply, "o", &path);
    status = r < 0 ? tell_misunderstanding(r) : read_object(daemon, path, ret);
    sd_bus_message_unref(reply);
    return status;
}

static int read_listed(const struct daemon *daemon, sd_bus_message *list,
                       struct daemon_environment **ret, size_t *n)
{
    const char *name, *path;
    int r;

    if ((r = sd_bus_message_enter_container(list, 'v', "a(so)")) < 0 ||
        (r = sd_bus_message_enter_container(list, 'a', "(so)")) < 0)
        return tell_misunderstanding(r);
    while ((r = sd_bus_message_read(list, "(so)", &name, &path)) > 0) {
        struct daemon_environment *larger = realloc(*ret, (*n + 1) * sizeof(**ret));

        if (!larger)
            return tell_misunderstanding(-ENOMEM);
        *ret = larger;
        int status = read_object(daemon, path, &larger[*n]);
        if (status != EXIT_SUCCESS)
            return status;
        ++*n;
    }
    return r < 0 ? tell_misunderstanding(r) : EXIT_SUCCESS;
}

int daemon_read_all(const struct daemon *daemon, struct daemon_environment **ret, size_t *ret_n)
{
    struct daemon_environment *environments = NULL;
    sd_bus_message *reply = NULL;
    size_t n = 0;
    int status = daemon_call(daemon, CONTROL_PATH, "org.freedesktop.DBus.Properties", "Get", &reply,
                             "ss", CONTROL_MANAGER_INTERFACE, "Environments");

    if (status != EXIT_SUCCESS)
        return status;
    status = read_listed(daemon, reply, &environments, &n);
    sd_bus_message_unref(reply);
    if (status != EXIT_SUCCESS) {
        daemon_free_all(environments, n);
        return status;
    }
    *ret = environments;
    *ret_n = n;
    return EXIT_SUCCESS;
}
