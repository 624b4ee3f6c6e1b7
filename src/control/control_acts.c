/* SPDX-License-Identifier: MIT */
/* What people ask for: who it was is found out first, for the audit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control/control_internal.h"

/* What is to be done once it is known who asks. */
struct act {
    struct control_connection *connection; /* borrowed: the message is of that connection */
    bool is_check;                         /* no request: only look now */
    enum policy_request_kind kind;
    struct wall until;
    char *why;
};

static void act_free(void *userdata)
{
    struct act *act = userdata;

    free(act->why);
    free(act);
}

/* The environment may have gone meanwhile, by a reload. */
static int carry_out(const struct act *act, sd_bus_message *message, const char *who)
{
    struct environment *environment =
        control_environment_at(act->connection, sd_bus_message_get_path(message));

    if (!environment)
        return sd_bus_reply_method_errorf(message, CONTROL_ERROR_NO_SUCH_ENVIRONMENT,
                                          "the environment is no longer configured");
    if (act->is_check) {
        environment_check_now(environment);
        return sd_bus_reply_method_return(message, NULL);
    }
    int r = environment_ask(environment, act->kind, act->until, who, act->why);
    if (r < 0)
        return sd_bus_reply_method_errno(message, r, NULL);
    return sd_bus_reply_method_return(message, NULL);
}

static void who_is_known(sd_bus_message *message, const char *who, void *userdata)
{
    /* Nobody is left to tell if the answer cannot be sent. */
    (void)carry_out(userdata, message, who);
}

static int begin(struct control_connection *connection, sd_bus_message *message,
                 const struct act *what, const char *why, sd_bus_error *error)
{
    if (strlen(why) > STATE_REQUEST_TEXT_MAX)
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                 "the reason is longer than %d bytes", STATE_REQUEST_TEXT_MAX);
    struct act *act = malloc(sizeof(*act));
    if (!act)
        return -ENOMEM;
    *act = *what;
    act->connection = connection;
    act->why = strdup(why);
    int r = act->why ? control_ask_who(connection, message, who_is_known, act_free, act) : -ENOMEM;
    if (r < 0) {
        act_free(act);
        return r;
    }
    return 1; /* answered later */
}

int control_method_wake(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const struct act act = {.kind = POLICY_HOLD_AWAKE, .until = WALL_NEVER};
    const char *why;
    int r = sd_bus_message_read(message, "s", &why);

    return r < 0 ? r : begin(userdata, message, &act, why, error);
}

int control_method_sleep(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct act act = {.kind = POLICY_SLEEP, .until = WALL_NEVER};
    const char *why;
    int now, r = sd_bus_message_read(message, "bs", &now, &why);

    act.is_check = !now;
    return r < 0 ? r : begin(userdata, message, &act, why, error);
}

int control_method_hold(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct control_connection *connection = userdata;
    struct wall now = loop_wall(connection->control->loop);
    const char *state, *why;
    uint64_t until;
    int r = sd_bus_message_read(message, "sts", &state, &until, &why);

    if (r < 0)
        return r;
    if (strcmp(state, "awake") != 0 && strcmp(state, "asleep") != 0)
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                 "\"%s\" is neither \"awake\" nor \"asleep\"", state);
    if (until / 1000 <= (uint64_t)now.ms ||
        until / 1000 > (uint64_t)wall_add(now, CONTROL_HOLD_MAX_MS).ms)
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                 "the end of a hold lies within a year from now");
    const struct act act = {
        .kind = strcmp(state, "awake") == 0 ? POLICY_HOLD_AWAKE : POLICY_HOLD_ASLEEP,
        .until = {(int64_t)(until / 1000)},
    };
    return begin(connection, message, &act, why, error);
}

int control_method_release(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    const struct act act = {.kind = POLICY_NO_REQUEST, .until = WALL_NEVER};
    const char *why;
    int r = sd_bus_message_read(message, "s", &why);

    return r < 0 ? r : begin(userdata, message, &act, why, error);
}
