/* SPDX-License-Identifier: MIT */
/* Who sent a message. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "control/control_internal.h"

#define NAME_MAX_LENGTH 64
#define UID_UNKNOWN ((uid_t)-1)
/* What another user namespace's users look like from ours; user_namespaces(7). */
#define UID_OVERFLOW ((uid_t)65534)

struct question {
    control_who_fn *done;
    void (*release)(void *userdata);
    void *userdata;
    sd_bus_message *message;
};

/* From the file, for a name service may take its time. Returns text. */
static const char *name_of(uid_t uid, char text[static NAME_MAX_LENGTH])
{
    if (uid == UID_UNKNOWN || uid == UID_OVERFLOW) {
        snprintf(text, NAME_MAX_LENGTH, "somebody on this host");
        return text;
    }
    snprintf(text, NAME_MAX_LENGTH, "uid %u", (unsigned)uid);
    FILE *file = fopen("/etc/passwd", "re");
    if (!file)
        return text;
    for (const struct passwd *entry; (entry = fgetpwent(file));) {
        if (entry->pw_uid != uid)
            continue;
        snprintf(text, NAME_MAX_LENGTH, "%s", entry->pw_name);
        break;
    }
    fclose(file);
    return text;
}

static void question_free(void *userdata)
{
    struct question *question = userdata;

    question->release(question->userdata);
    sd_bus_message_unref(question->message);
    free(question);
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct question *question = userdata;
    char text[NAME_MAX_LENGTH];
    uint32_t uid = UID_UNKNOWN;
    (void)error;

    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &uid) < 0)
        uid = UID_UNKNOWN;
    question->done(question->message, name_of(uid, text), question->userdata);
    return 0;
}

int control_ask_who(struct control_connection *connection, sd_bus_message *message,
                    control_who_fn *done, void (*release)(void *userdata), void *userdata)
{
    char text[NAME_MAX_LENGTH];

    if (connection->is_peer) {
        done(message, name_of(connection->uid, text), userdata);
        release(userdata);
        return 0;
    }
    /* sd_bus_query_sender_creds() would wait for the bus to answer. */
    _cleanup_free_ struct question *question = calloc(1, sizeof(*question));
    sd_bus_slot *slot;
    if (!question)
        return -ENOMEM;
    *question = (struct question){
        .done = done, .release = release, .userdata = userdata, .message = message};
    int r = sd_bus_call_method_async(connection->bus, &slot, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", answered, question, "s",
                                     sd_bus_message_get_sender(message));
    if (r < 0)
        return r;
    sd_bus_message_ref(message);
    (void)sd_bus_slot_set_destroy_callback(slot, question_free);
    (void)sd_bus_slot_set_floating(slot, true);
    sd_bus_slot_unref(slot);
    TAKE(question);
    return 0;
}
