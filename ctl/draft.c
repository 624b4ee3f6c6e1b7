/* SPDX-License-Identifier: MIT */
#include "ctl/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "ctl/ctl.h"

#define NAME_MAX_LENGTH 64
#define LIST_COLUMNS 90
#define INDENT 12 /* of the lines in which a list goes on */

/* --- what it is made of -------------------------------------------------------------------------- */

void draft_clear(struct draft *draft)
{
    free(draft->origin);
    free(draft->region);
    free(draft->profile);
    free(draft->endpoint_url);
    free(draft->name);
    free(draft->cluster);
    for (size_t i = 0; i < draft->n_services; i++)
        free(draft->services[i].name);
    free(draft->services);
    free(draft->pattern);
    texts_clear(&draft->log_groups);
    texts_clear(&draft->pattern_notes);
    texts_clear(&draft->excludes);
    texts_clear(&draft->always_on);
    *draft = (struct draft){0};
}

int draft_add_service(struct draft *draft, const char *name, int count)
{
    char *copy = strdup(name);
    struct draft_service *services =
        reallocarray(draft->services, draft->n_services + 1, sizeof(*services));

    if (services)
        draft->services = services;
    if (!copy || !services) {
        free(copy);
        return -ENOMEM;
    }
    services[draft->n_services++] = (struct draft_service){.name = copy, .count = count};
    return 0;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

char *draft_name_of(const char *cluster)
{
    const char *slash = strrchr(cluster, '/');
    char *name = strndup(slash && slash[1] ? slash + 1 : cluster, NAME_MAX_LENGTH);

    for (char *c = name; c && *c; c++) {
        if (!is_name_character(*c))
            *c = '-';
    }
    return name;
}

/* --- the text ------------------------------------------------------------------------------------ */

static void print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* A slash within the expression would end it. */
static void print_regex(FILE *out, const char *text)
{
    fputc('/', out);
    for (; *text; text++) {
        if (*text == '\\' && text[1])
            fputc(*text++, out);
        else if (*text == '/')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('/', out);
}

/* A comma list, over several lines where it is long. */
struct list {
    FILE *out;
    size_t column;
    bool has_items;
};

static struct list list_begin(FILE *out, const char *option)
{
    fprintf(out, "%-9s = ", option);
    return (struct list){.out = out, .column = INDENT};
}

static void list_next(struct list *list, size_t width)
{
    if (list->has_items)
        fputs(",", list->out);
    if (list->has_items && list->column + width > LIST_COLUMNS) {
        fprintf(list->out, "\n%*s", INDENT, "");
        list->column = INDENT;
    } else if (list->has_items) {
        fputs(" ", list->out);
    }
    list->column += width + 2;
    list->has_items = true;
}

static void print_list(FILE *out, const char *option, const struct texts *texts, bool is_quoted)
{
    struct list list = list_begin(out, option);

    for (size_t i = 0; i < texts->n_items; i++) {
        list_next(&list, strlen(texts->items[i]) + 2);
        if (is_quoted)
            print_quoted(out, texts->items[i]);
        else
            fputs(texts->items[i], out);
    }
    fputc('\n', out);
}

static void print_services(const struct draft *draft, FILE *out)
{
    struct list list = list_begin(out, "services");

    for (size_t i = 0; i < draft->n_services; i++) {
        const struct draft_service *service = &draft->services[i];
        list_next(&list, strlen(service->name) + (service->count >= 0 ? 5 : 0));
        fputs(service->name, out);
        if (service->count >= 0)
            fprintf(out, " = %d", service->count);
    }
    fputc('\n', out);
}

static void print_head(const struct draft *draft, FILE *out)
{
    fprintf(out, "# provisionerd's configuration%s%s.\n", draft->origin ? ", from " : "",
            draft->origin ? draft->origin : "");
    fputs("# All options, with their defaults, are in provisionerd.ini(5). Before it is used:\n"
          "#\n"
          "#     provisionerd --check-config FILE      every mistake at once, with its line\n"
          "#     provisionerctl test-pattern ENV       what would have counted as activity\n"
          "#     provisionerctl iam-policy             the permissions that this needs\n"
          "#     provisionerd --dry-run                looks and decides, but touches no service\n"
          "\n"
          "[provisionerd]\n",
          out);
    if (draft->region)
        fprintf(out, "region = %s\n", draft->region);
    else
        fputs("# Where the services run. Without it: AWS_REGION, the profile's region, or that of\n"
              "# this instance.\n"
              "#region = eu-west-1\n",
              out);
    if (draft->profile)
        fprintf(out, "profile = %s\n", draft->profile);
    if (draft->endpoint_url)
        fprintf(out, "endpoint_url = %s\n", draft->endpoint_url);
}

static void print_pattern(const struct draft *draft, FILE *out)
{
    fputs("\n# Which log events are activity: those that contain this text, or match this\n"
          "# /regular expression/.\n",
          out);
    for (size_t i = 0; i < draft->pattern_notes.n_items; i++)
        fprintf(out, "# %s\n", draft->pattern_notes.items[i]);
    if (!draft->pattern) {
        fputs("# Without it, every event is activity.\n#pattern  = \"/api/\"\n", out);
    } else if (draft->pattern_is_regex) {
        fputs("pattern   = ", out);
        print_regex(out, draft->pattern);
        fputc('\n', out);
    } else {
        fputs("pattern   = ", out);
        print_quoted(out, draft->pattern);
        fputc('\n', out);
    }
    fputs("\n# Events that are no activity all the same: health checks, monitors, bots.\n", out);
    if (draft->excludes.n_items > 0)
        print_list(out, "exclude", &draft->excludes, true);
    else
        fputs("#exclude  = \"ELB-HealthChecker\"\n", out);
}

static void print_environment(const struct draft *draft, FILE *out)
{
    fprintf(out, "\n[environment %s]\ncluster   = %s\n\n", draft->name, draft->cluster);
    fputs(
        "# The services to put to sleep. Each wakes to the count that it had before; \"web = 2\"\n"
        "# wakes to two whatever that was.\n",
        out);
    print_services(draft, out);
    fputs("\n# Where requests leave their traces. What writes them must stay up.\n", out);
    print_list(out, "log_group", &draft->log_groups, false);
    print_pattern(draft, out);
    fputs("\n# Services that stay up since they write the log: watched, never touched.\n", out);
    if (draft->always_on.n_items > 0)
        print_list(out, "always_on", &draft->always_on, false);
    else
        fputs("#always_on = gateway\n", out);
    fputs("\n# So long without activity, and the services go to sleep.\n"
          "#window    = 1h\n",
          out);
}

/* --- is it one? ---------------------------------------------------------------------------------- */

/* "/proc/self/fd/5:12: ..." says nothing to anybody; "draft:12: ..." does. */
static void shorten_paths(char *errors, const char *path)
{
    static const char SHORT[] = "draft";
    size_t length = strlen(path);

    for (char *at = errors; (at = strstr(at, path));) {
        memcpy(at, SHORT, sizeof(SHORT) - 1);
        at += sizeof(SHORT) - 1;
        memmove(at, at + length - (sizeof(SHORT) - 1),
                strlen(at + length - (sizeof(SHORT) - 1)) + 1);
    }
}

/* Whether config_load() takes it. */
static int check(const char *text, char **ret_errors)
{
    _cleanup_close_ int fd = memfd_create("draft", MFD_CLOEXEC);
    _cleanup_free_ char *errors = NULL;
    char path[sizeof("/proc/self/fd/2147483647")];
    struct config *config = NULL;

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%s", text) < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = config_load(path, &config, &errors);
    config_free(config);
    if (r < 0 && errors) {
        shorten_paths(errors, path);
        *ret_errors = TAKE(errors);
    }
    return r;
}

static bool is_one_line(const char *text)
{
    for (; text && *text; text++) {
        if ((unsigned char)*text < 0x20)
            return false;
    }
    return true;
}

static bool are_lines(const struct texts *texts)
{
    for (size_t i = 0; i < texts->n_items; i++) {
        if (!is_one_line(texts->items[i]))
            return false;
    }
    return true;
}

/* Whether no value goes beyond its line: what it went on with would be options of their own. */
static bool is_tame(const struct draft *draft)
{
    for (size_t i = 0; i < draft->n_services; i++) {
        if (!is_one_line(draft->services[i].name))
            return false;
    }
    return is_one_line(draft->origin) && is_one_line(draft->region) &&
           is_one_line(draft->profile) && is_one_line(draft->endpoint_url) &&
           is_one_line(draft->name) && is_one_line(draft->cluster) && is_one_line(draft->pattern) &&
           are_lines(&draft->log_groups) && are_lines(&draft->pattern_notes) &&
           are_lines(&draft->excludes) && are_lines(&draft->always_on);
}

int draft_write(const struct draft *draft, char **ret_text, char **ret_errors)
{
    _cleanup_free_ char *text = NULL;
    size_t size;

    *ret_errors = NULL;
    if (!is_tame(draft)) {
        *ret_errors = strdup("draft: a value has a control character in it\n");
        return *ret_errors ? -EINVAL : -ENOMEM;
    }
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    print_head(draft, out);
    print_environment(draft, out);
    if (fclose(out) != 0)
        return -ENOMEM;
    int r = check(text, ret_errors);
    if (r == 0)
        *ret_text = TAKE(text);
    return r;
}

/* --- where it goes ------------------------------------------------------------------------------- */

static int write_new_file(const char *text, const char *path)
{
    FILE *out = fopen(path, "wxe");

    if (!out)
        return -errno;
    bool is_bad = fputs(text, out) < 0;
    is_bad = fclose(out) != 0 || is_bad;
    int r = is_bad ? (errno ? -errno : -EIO) : 0;
    if (r < 0)
        unlink(path);
    return r;
}

/* Beside it, and then in its place: whoever reads it meanwhile has the old one or the new. */
static int replace_file(const char *text, const char *path)
{
    _cleanup_free_ char *beside = NULL;

    if (asprintf(&beside, "%s.%d", path, (int)getpid()) < 0) {
        beside = NULL;
        return -ENOMEM;
    }
    int r = write_new_file(text, beside);
    if (r < 0)
        return r;
    if (rename(beside, path) == 0)
        return 0;
    r = -errno;
    unlink(beside);
    return r;
}

int draft_deliver(const char *text, const char *path, bool force)
{
    if (!path) {
        fputs(text, stdout);
        return EXIT_SUCCESS;
    }
    int r = force ? replace_file(text, path) : write_new_file(text, path);
    if (r == -EEXIST)
        ctl_error("%s exists already, and was left as it is; --force replaces it", path);
    else if (r < 0)
        ctl_error("cannot write %s: %s", path, strerror(-r));
    else
        fprintf(stderr, "Wrote %s. Next: provisionerd --check-config %s\n", path, path);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
