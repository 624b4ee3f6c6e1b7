/* SPDX-License-Identifier: MIT */
/* The socket of our own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "cleanup.h"
#include "control/control_internal.h"
#include "log.h"

#define BACKLOG 16

static struct control_connection **free_place(struct control *control)
{
    for (size_t i = 0; i < ARRAY_LENGTH(control->peers); i++)
        if (!control->peers[i])
            return &control->peers[i];
    return NULL;
}

/* Takes fd. */
static int welcome(struct control *control, struct control_connection **place, int fd)
{
    _cleanup_free_ struct control_connection *peer = calloc(1, sizeof(*peer));
    struct ucred credentials;
    socklen_t length = sizeof(credentials);
    sd_id128_t id;
    sd_bus *bus = NULL;
    int r = peer ? 0 : -ENOMEM;

    if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        r = -errno;
    if (r == 0)
        r = sd_bus_new(&bus);
    if (r < 0) {
        close(fd);
        return r;
    }
    /* Whoever could open the socket may speak: its name is not asked for. In a user namespace it would
     * not be the one that we see. */
    if ((r = sd_bus_set_fd(bus, fd, fd)) < 0) {
        close(fd);
        sd_bus_unref(bus);
        return r;
    }
    if ((r = sd_id128_randomize(&id)) < 0 || (r = sd_bus_set_server(bus, true, id)) < 0 ||
        (r = sd_bus_set_anonymous(bus, true)) < 0 || (r = sd_bus_set_trusted(bus, true)) < 0) {
        sd_bus_close_unref(bus);
        return r;
    }
    peer->is_peer = true;
    peer->uid = credentials.uid;
    r = control_connection_begin(control, bus, peer);
    if (r == 0)
        *place = TAKE(peer);
    return r;
}

static void somebody_knocks(void *userdata, int fd, uint32_t revents)
{
    struct control *control = userdata;
    struct control_connection **place = free_place(control);
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)revents;

    if (peer < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            log_warning("cannot accept at %s: %s", control->socket_path, strerror(errno));
        return;
    }
    if (!place) {
        log_warning("too many connections to %s: one is turned away", control->socket_path);
        close(peer);
        return;
    }
    int r = welcome(control, place, peer);
    if (r < 0)
        log_warning("cannot serve a connection to %s: %s", control->socket_path, strerror(-r));
}

/* Whether somebody listens there already: then it is not ours to take away. */
static bool is_taken(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool taken = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

    if (fd >= 0)
        close(fd);
    return taken;
}

static int bind_socket(int fd, const struct sockaddr_un *address)
{
    if (is_taken(address))
        return -EADDRINUSE;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return -errno;
    /* The umask is the unit's: the group may come in all the same. */
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        chmod(address->sun_path, 0660) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return 0;
}

int control_listen(struct control *control, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET, directory);

    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    _cleanup_free_ char *path = strdup(address.sun_path);
    if (!path)
        return -ENOMEM;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int r = bind_socket(fd, &address);
    if (r == 0)
        r = loop_io_new(control->loop, fd, EPOLLIN, somebody_knocks, control, &control->socket_io);
    if (r < 0) {
        close(fd);
        return r;
    }
    control->socket_fd = fd;
    control->socket_path = TAKE(path);
    return 0;
}

void control_hang_up(struct control *control)
{
    loop_io_free(control->socket_io);
    if (control->socket_fd < 0)
        return;
    close(control->socket_fd);
    if (unlink(control->socket_path) < 0 && errno != ENOENT)
        log_debug("cannot remove %s: %s", control->socket_path, strerror(errno));
}
