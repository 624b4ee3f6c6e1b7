/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control/control_internal.h"
#include "log.h"

/* A bus that is not there, or a name that is taken, is tried again after so long. */
#define RECONNECT_MS (10 * MS_PER_SECOND)

DEFINE_CLEANUP(struct control *, control_free)

/* --- a connection ------------------------------------------------------------------------------- */

static int disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct control_connection *connection = userdata;
    (void)message;
    (void)error;

    connection->is_over = true;
    loop_timer_after(connection->control->sweep, 0);
    return 0;
}

void control_connection_end(struct control_connection *connection)
{
    if (!connection->bus)
        return;
    sd_bus_detach_event(connection->bus);
    connection->bus = sd_bus_close_unref(connection->bus);
    connection->is_over = false;
}

int control_connection_begin(struct control *control, sd_bus *bus,
                             struct control_connection *connection)
{
    int r;

    connection->control = control;
    connection->bus = bus;
    if ((r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                 "org.freedesktop.DBus.Local", "Disconnected", disconnected,
                                 connection)) < 0 ||
        (r = control_publish(connection)) < 0 || (r = sd_bus_start(bus)) < 0 ||
        (r = sd_bus_attach_event(bus, loop_event(control->loop), SD_EVENT_PRIORITY_NORMAL)) < 0) {
        control_connection_end(connection);
        return r;
    }
    return 0;
}

/* --- the system bus ----------------------------------------------------------------------------- */

static int name_requested(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct control *control = userdata;
    uint32_t answer = 0;
    (void)error;

    if (!sd_bus_message_is_method_error(message, NULL) &&
        sd_bus_message_read(message, "u", &answer) >= 0 && answer == 1 /* primary owner */) {
        control->was_told_off = false;
        return 0;
    }
    if (!control->was_told_off)
        log_warning("cannot have the name " CONTROL_BUS_NAME " on the system bus: %s",
                    sd_bus_message_is_method_error(message, NULL)
                        ? sd_bus_message_get_error(message)->message
                        : "somebody else has it");
    control->was_told_off = true;
    control->system.is_over = true;
    loop_timer_after(control->sweep, 0);
    return 0;
}

static int connect_system_bus(struct control *control)
{
    const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
    sd_bus *bus;
    int r = sd_bus_new(&bus);

    if (r < 0)
        return r;
    if ((r = sd_bus_set_address(bus, address ? address : "unix:path=/run/dbus/system_bus_socket")) <
            0 ||
        (r = sd_bus_set_bus_client(bus, true)) < 0) {
        sd_bus_unref(bus);
        return r;
    }
    r = control_connection_begin(control, bus, &control->system);
    if (r < 0)
        return r;
    r = sd_bus_request_name_async(bus, NULL, CONTROL_BUS_NAME, 0, name_requested, control);
    if (r < 0)
        control_connection_end(&control->system);
    return r;
}

static void reconnect(void *userdata)
{
    struct control *control = userdata;
    int r = connect_system_bus(control);

    if (r >= 0)
        return;
    if (!control->was_told_off)
        log_info("no system bus (%s)%s%s", strerror(-r),
                 control->socket_path ? "; provisionerctl comes by " : "",
                 control->socket_path ? control->socket_path : "");
    control->was_told_off = true;
    loop_timer_after(control->reconnect, RECONNECT_MS);
}

/* --- life --------------------------------------------------------------------------------------- */

static void sweep(void *userdata)
{
    struct control *control = userdata;

    if (control->system.is_over) {
        control_connection_end(&control->system);
        loop_timer_after(control->reconnect, RECONNECT_MS);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(control->peers); i++) {
        if (!control->peers[i] || !control->peers[i]->is_over)
            continue;
        control_connection_end(control->peers[i]);
        free(TAKE(control->peers[i]));
    }
}

int control_new(const struct control_options *options, struct control **ret)
{
    _cleanup_(control_free) struct control *control = calloc(1, sizeof(*control));
    int r;

    if (!control)
        return -ENOMEM;
    control->loop = options->loop;
    control->scheduler = options->scheduler;
    control->dry_run = options->dry_run;
    control->socket_fd = -1;
    if ((r = loop_timer_new(options->loop, reconnect, control, &control->reconnect)) < 0 ||
        (r = loop_timer_new(options->loop, sweep, control, &control->sweep)) < 0)
        return r;
    if (options->socket_directory) {
        r = control_listen(control, options->socket_directory);
        if (r < 0)
            log_warning("cannot listen at %s/" CONTROL_SOCKET ": %s", options->socket_directory,
                        strerror(-r));
    }
    reconnect(control);
    *ret = TAKE(control);
    return 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    control_hang_up(control);
    for (size_t i = 0; i < ARRAY_LENGTH(control->peers); i++) {
        if (!control->peers[i])
            continue;
        control_connection_end(control->peers[i]);
        free(control->peers[i]);
    }
    control_connection_end(&control->system);
    loop_timer_free(control->reconnect);
    loop_timer_free(control->sweep);
    free(control->socket_path);
    free(control);
    return NULL;
}

/* --- to those who listen ------------------------------------------------------------------------ */

/* A signal that cannot be sent is seen by asking. */
static void emit(struct control_connection *connection, const char *path, const char *interface)
{
    if (!connection || !connection->bus || connection->is_over)
        return;
    int r = sd_bus_emit_properties_changed_strv(connection->bus, path, interface, NULL);
    if (r < 0)
        log_debug("cannot tell that %s changed: %s", path, strerror(-r));
}

static void emit_to_all(struct control *control, const char *path, const char *interface)
{
    emit(&control->system, path, interface);
    for (size_t i = 0; i < ARRAY_LENGTH(control->peers); i++)
        emit(control->peers[i], path, interface);
}

void control_environment_changed(struct control *control, struct environment *environment)
{
    _cleanup_free_ char *path = NULL;

    if (!control || !environment)
        return;
    const char *name = environment_config(environment)->name;
    if (scheduler_find(control->scheduler, name) == environment &&
        sd_bus_path_encode(CONTROL_ENVIRONMENT_PATH, name, &path) >= 0)
        emit_to_all(control, path, CONTROL_ENVIRONMENT_INTERFACE);
}

void control_reloaded(struct control *control)
{
    if (control)
        emit_to_all(control, CONTROL_PATH, CONTROL_MANAGER_INTERFACE);
}
