/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/ecs_model.h"
#include "src/cleanup.h"

#define TASKS_MAX 10000 /* of one service; ECS has 5,000 */

static void clear_tags(struct ecs_tag *tags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(tags[i].key);
        free(tags[i].value);
    }
}

static struct sim_service *service_free(struct sim_service *service)
{
    if (!service)
        return NULL;
    free(service->name);
    free(service->controller);
    free(service->log_group);
    free(service->log_stream);
    free(service->later);
    free(service->tasks);
    clear_tags(service->tags, service->n_tags);
    for (size_t i = 0; i < service->n_events; i++)
        free(service->events[i].message);
    free(service);
    return NULL;
}

DEFINE_CLEANUP(struct sim_service *, service_free)

struct sim_cluster *sim_cluster_free(struct sim_cluster *cluster)
{
    if (!cluster)
        return NULL;
    for (size_t i = 0; i < cluster->n_services; i++)
        service_free(cluster->services[i]);
    free(cluster->services);
    clear_tags(cluster->tags, cluster->n_tags);
    free(cluster->name);
    free(cluster);
    return NULL;
}

void ecs_cluster_arn(const struct sim *sim, const struct sim_cluster *cluster, char *buffer)
{
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:cluster/%.255s", sim->region, sim->account,
             cluster->name);
}

void ecs_service_arn(const struct sim *sim, const struct sim_service *service, char *buffer)
{
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:service/%.255s/%.255s", sim->region,
             sim->account, service->cluster->name, service->name);
}

struct sim_cluster *sim_cluster_find(const struct sim *sim, const char *name_or_arn)
{
    bool is_arn = strncmp(name_or_arn, "arn:", 4) == 0;
    char arn[SIM_ARN_MAX];
    for (size_t i = 0; i < sim->n_clusters; i++) {
        const char *name = sim->clusters[i]->name;
        if (is_arn) {
            ecs_cluster_arn(sim, sim->clusters[i], arn);
            name = arn;
        }
        if (strcmp(name, name_or_arn) == 0)
            return sim->clusters[i];
    }
    return NULL;
}

int sim_cluster_add(struct sim *sim, const char *name, struct sim_cluster **ret)
{
    if (!*name || strlen(name) > 255)
        return -EINVAL;
    if (sim_cluster_find(sim, name))
        return -EEXIST;
    struct sim_cluster **grown =
        reallocarray(sim->clusters, sim->n_clusters + 1, sizeof(struct sim_cluster *));
    if (!grown)
        return -ENOMEM;
    sim->clusters = grown;
    struct sim_cluster *cluster = calloc(1, sizeof(*cluster));
    if (!cluster || !(cluster->name = strdup(name))) {
        free(cluster);
        return -ENOMEM;
    }
    sim->clusters[sim->n_clusters++] = cluster;
    if (ret)
        *ret = cluster;
    return 0;
}

void sim_cluster_set_inactive(struct sim_cluster *cluster)
{
    cluster->inactive = true;
}

const char *sim_cluster_name(const struct sim_cluster *cluster)
{
    return cluster->name;
}

size_t sim_clusters_count(const struct sim *sim)
{
    return sim->n_clusters;
}

struct sim_cluster *sim_cluster_at(const struct sim *sim, size_t index)
{
    return index < sim->n_clusters ? sim->clusters[index] : NULL;
}

/* "arn:...:service/CLUSTER/NAME", or the old ".../NAME". */
struct sim_service *sim_service_find(const struct sim_cluster *cluster, const char *name_or_arn)
{
    const char *name = name_or_arn;
    if (strncmp(name, "arn:", 4) == 0) {
        const char *resource = strstr(name, ":service/");
        if (!resource)
            return NULL;
        name = resource + strlen(":service/");
        const char *slash = strchr(name, '/');
        if (slash) {
            size_t length = (size_t)(slash - name);
            if (strlen(cluster->name) != length || strncmp(name, cluster->name, length) != 0)
                return NULL;
            name = slash + 1;
        }
    }
    for (size_t i = 0; i < cluster->n_services; i++)
        if (strcmp(cluster->services[i]->name, name) == 0)
            return cluster->services[i];
    return NULL;
}

size_t sim_services_count(const struct sim_cluster *cluster)
{
    return cluster->n_services;
}

struct sim_service *sim_service_at(const struct sim_cluster *cluster, size_t index)
{
    return index < cluster->n_services ? cluster->services[index] : NULL;
}

const char *sim_service_name(const struct sim_service *service)
{
    return service->name;
}

enum sim_strategy sim_service_strategy(const struct sim_service *service)
{
    return service->strategy;
}

const char *sim_service_log_group(const struct sim_service *service)
{
    return service->log_group;
}

struct sim_cluster *sim_service_cluster(const struct sim_service *service)
{
    return service->cluster;
}

static struct ecs_change *current(struct sim_service *service)
{
    return &service->changes[service->n_changes - 1];
}

__attribute__((format(printf, 4, 5))) static int tell(struct sim *sim, struct sim_service *service,
                                                      int64_t ms, const char *format, ...)
{
    char *text = NULL, *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0)
        return -ENOMEM;
    n = asprintf(&message, "(service %s) %s", service->name, text);
    free(text);
    if (n < 0)
        return -ENOMEM;
    if (service->n_events == ECS_EVENTS_MAX) {
        free(service->events[0].message);
        memmove(service->events, service->events + 1,
                (ECS_EVENTS_MAX - 1) * sizeof(service->events[0]));
        service->n_events--;
    }
    struct ecs_event *event = &service->events[service->n_events++];
    *event = (struct ecs_event){.ms = ms, .message = message};
    sim_uuid(sim, event->id);
    return 0;
}

static void record_change(struct sim_service *service, int64_t ms, int64_t desired,
                          enum sim_service_status status)
{
    if (service->n_changes == ECS_CHANGES_MAX) {
        memmove(service->changes, service->changes + 1,
                (ECS_CHANGES_MAX - 1) * sizeof(service->changes[0]));
        service->n_changes--;
    }
    service->changes[service->n_changes++] =
        (struct ecs_change){.ms = ms, .desired = desired, .status = status};
}

static int64_t start_ms(const struct sim *sim, const struct sim_service *service)
{
    return service->task_start_ms >= 0 ? service->task_start_ms : sim->settings.task_start_ms;
}

static int64_t stop_ms(const struct sim *sim, const struct sim_service *service)
{
    return service->task_stop_ms >= 0 ? service->task_stop_ms : sim->settings.task_stop_ms;
}

static int start_task(struct sim_service *service, int64_t created_ms, int64_t running_ms)
{
    if (SIM_GROW(service->tasks, service->tasks_allocated, service->n_tasks + 1) < 0)
        return -ENOMEM;
    service->tasks[service->n_tasks++] = (struct ecs_task){
        .created_ms = created_ms,
        .running_ms = running_ms,
        .stop_ms = INT64_MAX,
        .deployment = service->deployment.number,
    };
    return 0;
}

/* A task that does not run yet is gone at once. */
static void stop_task(const struct sim *sim, const struct sim_service *service,
                      struct ecs_task *task, int64_t ms)
{
    task->stop_ms = task->running_ms > ms ? ms : ms + stop_ms(sim, service);
}

static int scale(struct sim *sim, struct sim_service *service, int64_t desired, int64_t ms)
{
    int64_t alive = 0, changed = 0;
    for (size_t i = 0; i < service->n_tasks; i++)
        alive += service->tasks[i].stop_ms == INT64_MAX;
    for (; alive < desired; alive++, changed++) {
        int r = start_task(service, ms, ms + start_ms(sim, service));
        if (r < 0)
            return r;
    }
    if (changed > 0)
        return tell(sim, service, ms, "has started %lld tasks.", (long long)changed);
    for (size_t i = service->n_tasks; i-- > 0 && alive > desired;) { /* the newest first */
        if (service->tasks[i].stop_ms != INT64_MAX)
            continue;
        stop_task(sim, service, &service->tasks[i], ms);
        alive--;
        changed++;
    }
    return changed > 0
               ? tell(sim, service, ms, "has stopped %lld running tasks.", (long long)changed)
               : 0;
}

static int change(struct sim *sim, struct sim_service *service, int64_t desired,
                  enum sim_service_status status, int64_t ms)
{
    if (desired < 0 || desired > TASKS_MAX)
        return -EINVAL;
    int r = scale(sim, service, desired, ms);
    if (r < 0)
        return r;
    record_change(service, ms, desired, status);
    service->deployment.updated_ms = ms;
    service->announced_steady = false;
    return 0;
}

/* What a task ran for, up to a moment. */
static int64_t ran_ms(const struct ecs_task *task, int64_t until_ms)
{
    int64_t end_ms = task->stop_ms < until_ms ? task->stop_ms : until_ms;
    return end_ms > task->running_ms ? end_ms - task->running_ms : 0;
}

static void forget_old_tasks(struct sim_service *service, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < service->n_tasks; i++) {
        if (service->tasks[i].stop_ms < now_ms - SIM_STALE_MS_MAX)
            service->retired_task_ms += ran_ms(&service->tasks[i], INT64_MAX);
        else
            service->tasks[kept++] = service->tasks[i];
    }
    service->n_tasks = kept;
}

/* The moment from which the present tasks are all there is. */
static int64_t steady_since_ms(struct sim_service *service)
{
    int64_t since_ms = current(service)->ms;
    for (size_t i = 0; i < service->n_tasks; i++) {
        const struct ecs_task *task = &service->tasks[i];
        int64_t settled_ms = task->stop_ms == INT64_MAX ? task->running_ms : task->stop_ms;
        if (settled_ms > since_ms)
            since_ms = settled_ms;
    }
    return since_ms;
}

int ecs_settle(struct sim *sim, struct sim_service *service, struct wall now)
{
    size_t due = 0;
    int r = 0;
    while (r == 0 && due < service->n_later && service->later[due].ms <= now.ms) {
        struct ecs_later later = service->later[due++];
        if (current(service)->status == SIM_ACTIVE && current(service)->desired != later.desired)
            r = change(sim, service, later.desired, SIM_ACTIVE, later.ms);
    }
    if (due > 0) {
        service->n_later -= due;
        memmove(service->later, service->later + due, service->n_later * sizeof(*service->later));
    }
    int64_t since_ms = service->announced_steady ? INT64_MAX : steady_since_ms(service);
    if (r == 0 && since_ms <= now.ms) {
        service->announced_steady = true;
        if (service->deleted && current(service)->status == SIM_DRAINING)
            record_change(service, since_ms, 0, SIM_INACTIVE);
        else
            r = tell(sim, service, since_ms, "has reached a steady state.");
    }
    forget_old_tasks(service, now.ms);
    return r;
}

void ecs_view_at(const struct sim_service *service, int64_t ms, struct ecs_view *ret)
{
    size_t last = service->n_changes - 1; /* mostly that one, as the present is asked for */
    while (last > 0 && service->changes[last].ms > ms)
        last--;
    const struct ecs_change *then = &service->changes[last];
    *ret = (struct ecs_view){.status = then->status, .desired = then->desired};

    for (size_t i = 0; i < service->n_tasks; i++) {
        const struct ecs_task *task = &service->tasks[i];
        if (ms < task->created_ms || ms >= task->stop_ms)
            continue;
        bool running = ms >= task->running_ms;
        bool previous = task->deployment != service->deployment.number;
        ret->running += running;
        ret->pending += !running;
        ret->previous_running += running && previous;
        ret->previous_pending += !running && previous;
    }
}

static int copy_texts(const struct sim_service_options *options, struct sim_service *service)
{
    service->name = strdup(options->name);
    service->controller = strdup(options->controller ? options->controller : "ECS");
    if (!service->name || !service->controller)
        return -ENOMEM;
    if (!options->log_group)
        return 0;
    service->log_group = strdup(options->log_group);
    if (options->log_stream)
        service->log_stream = strdup(options->log_stream);
    else if (asprintf(&service->log_stream, "%s/1", options->name) < 0)
        service->log_stream = NULL;
    return service->log_group && service->log_stream ? 0 : -ENOMEM;
}

/* Its own room among the services: an INACTIVE one of the name makes way. */
static int take_place(struct sim_cluster *cluster, struct sim_service *service)
{
    for (size_t i = 0; i < cluster->n_services; i++) {
        if (strcmp(cluster->services[i]->name, service->name) != 0)
            continue;
        if (current(cluster->services[i])->status != SIM_INACTIVE)
            return -EEXIST;
        service_free(cluster->services[i]);
        cluster->services[i] = service;
        return 0;
    }
    if (SIM_GROW(cluster->services, cluster->services_allocated, cluster->n_services + 1) < 0)
        return -ENOMEM;
    cluster->services[cluster->n_services++] = service;
    return 0;
}

int sim_service_add(struct sim *sim, struct sim_cluster *cluster,
                    const struct sim_service_options *options, struct wall now,
                    struct sim_service **ret)
{
    if (!*options->name || strlen(options->name) > 255 || options->desired < 0 ||
        options->desired > TASKS_MAX)
        return -EINVAL;
    _cleanup_(service_free) struct sim_service *service = calloc(1, sizeof(*service));
    if (!service)
        return -ENOMEM;
    service->cluster = cluster;
    service->strategy = options->strategy;
    service->task_start_ms = options->task_start_ms;
    service->task_stop_ms = options->task_stop_ms;
    service->created_ms = now.ms;
    service->deployment = (struct ecs_deployment){
        .number = ++sim->next_serial, .created_ms = now.ms, .updated_ms = now.ms};
    int r = copy_texts(options, service);
    record_change(service, now.ms, options->desired, options->status);
    int64_t running_ms = options->running_already ? now.ms : now.ms + start_ms(sim, service);
    for (int64_t i = 0; r == 0 && i < options->desired; i++)
        r = start_task(service, now.ms, running_ms);
    service->deployment.done_ms = options->desired > 0 ? running_ms : now.ms;
    if (r == 0)
        r = take_place(cluster, service);
    if (r < 0)
        return r;
    if (ret)
        *ret = service;
    service = NULL;
    return 0;
}

int sim_service_remove(struct sim *sim, struct sim_cluster *cluster, const char *name)
{
    (void)sim;
    for (size_t i = 0; i < cluster->n_services; i++) {
        if (strcmp(cluster->services[i]->name, name) != 0)
            continue;
        service_free(cluster->services[i]);
        memmove(cluster->services + i, cluster->services + i + 1,
                (cluster->n_services - i - 1) * sizeof(struct sim_service *));
        cluster->n_services--;
        return 0;
    }
    return -ENOENT;
}

int sim_service_set_desired(struct sim *sim, struct sim_service *service, int64_t desired,
                            struct wall now)
{
    int r = ecs_settle(sim, service, now);
    if (r < 0)
        return r;
    return change(sim, service, desired, current(service)->status, now.ms);
}

int sim_service_set_desired_later(struct sim *sim, struct sim_service *service, int64_t desired,
                                  struct wall when)
{
    (void)sim;
    if (desired < 0 || desired > TASKS_MAX)
        return -EINVAL;
    if (SIM_GROW(service->later, service->later_allocated, service->n_later + 1) < 0)
        return -ENOMEM;
    size_t at = service->n_later++;
    for (; at > 0 && service->later[at - 1].ms > when.ms; at--)
        service->later[at] = service->later[at - 1];
    service->later[at] = (struct ecs_later){.ms = when.ms, .desired = desired};
    return 0;
}

int sim_service_set_status(struct sim *sim, struct sim_service *service,
                           enum sim_service_status status, struct wall now)
{
    int r = ecs_settle(sim, service, now);
    if (r < 0)
        return r;
    int64_t desired = status == SIM_ACTIVE ? current(service)->desired : 0;
    service->deleted = false;
    return change(sim, service, desired, status, now.ms);
}

int ecs_delete(struct sim *sim, struct sim_service *service, struct wall now)
{
    int r = sim_service_set_status(sim, service, SIM_DRAINING, now);
    service->deleted = r == 0;
    return r;
}

/* Every task is replaced: the new one starts, then the old one stops. */
int ecs_roll_out(struct sim *sim, struct sim_service *service, struct wall now)
{
    int64_t ready_ms = now.ms + start_ms(sim, service);
    size_t n = service->n_tasks;
    service->previous = service->deployment;
    service->deployment = (struct ecs_deployment){.number = ++sim->next_serial,
                                                  .created_ms = now.ms,
                                                  .updated_ms = now.ms,
                                                  .done_ms = now.ms};
    service->announced_steady = false;
    for (size_t i = 0; i < n; i++) {
        if (service->tasks[i].stop_ms != INT64_MAX)
            continue;
        int r = start_task(service, now.ms, ready_ms);
        if (r < 0)
            return r;
        service->tasks[i].stop_ms = ready_ms + stop_ms(sim, service);
        service->deployment.done_ms = service->tasks[i].stop_ms;
    }
    return 0;
}

int ecs_tag_set(struct ecs_tag *tags, size_t *n_tags, const char *key, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < *n_tags; i++) {
        if (strcmp(tags[i].key, key) == 0) {
            free(tags[i].value);
            tags[i].value = copy;
            return 0;
        }
    }
    char *key_copy = *n_tags < ECS_TAGS_MAX ? strdup(key) : NULL;
    if (!key_copy) {
        free(copy);
        return *n_tags < ECS_TAGS_MAX ? -ENOMEM : -E2BIG;
    }
    tags[(*n_tags)++] = (struct ecs_tag){.key = key_copy, .value = copy};
    return 0;
}

void ecs_tag_remove(struct ecs_tag *tags, size_t *n_tags, const char *key)
{
    for (size_t i = 0; i < *n_tags; i++) {
        if (strcmp(tags[i].key, key) != 0)
            continue;
        clear_tags(tags + i, 1);
        memmove(tags + i, tags + i + 1, (*n_tags - i - 1) * sizeof(*tags));
        (*n_tags)--;
        return;
    }
}

void sim_service_set_scaling(struct sim_service *service, const struct sim_scaling *scaling)
{
    service->scaling = *scaling;
}

int sim_service_set_tag(struct sim_service *service, const char *key, const char *value)
{
    return ecs_tag_set(service->tags, &service->n_tags, key, value);
}

void sim_service_truth(struct sim *sim, struct sim_service *service, struct wall now,
                       struct sim_service_truth *ret)
{
    struct ecs_view view;
    (void)ecs_settle(sim, service, now); /* without memory, an event of the service is lost */
    ecs_view_at(service, now.ms, &view);
    *ret = (struct sim_service_truth){
        .status = view.status,
        .desired = view.desired,
        .running = view.running,
        .pending = view.pending,
        .steady = view.running == view.desired && view.pending == 0,
        .changed = {.ms = current(service)->ms},
    };
}

int64_t sim_service_task_ms(struct sim *sim, struct sim_service *service, struct wall now)
{
    (void)ecs_settle(sim, service, now);
    int64_t sum_ms = service->retired_task_ms;
    for (size_t i = 0; i < service->n_tasks; i++)
        sum_ms += ran_ms(&service->tasks[i], now.ms);
    return sum_ms;
}

int sim_request_arrives(struct sim *sim, struct sim_service *service, const char *message,
                        struct wall now, bool *ret_served)
{
    struct ecs_view view;
    int r = ecs_settle(sim, service, now);
    if (r < 0)
        return r;
    ecs_view_at(service, now.ms, &view);
    bool served = view.running > 0;
    if (served && service->log_group) {
        struct sim_log_group *group = sim_log_group_find(sim, service->log_group);
        r = group ? sim_event_put_now(sim, group, service->log_stream, now, now, message) : -ENOENT;
        if (r < 0)
            return r;
    }
    if (served)
        sim->requests_served++;
    else
        sim->requests_lost++;
    *ret_served = served;
    return 0;
}
