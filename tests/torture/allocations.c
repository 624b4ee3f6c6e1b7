/* SPDX-License-Identifier: MIT */
/*
 * Allocation failure, under virtual time: stories of the daemon's whole stack against the simulated
 * AWS, told once for every allocation on the daemon's side, and each time that one fails; or all that
 * follow it for some time, as when memory is really short.
 *
 *     allocations [--story NAME] [--every N] [--from N] [--shortage SECONDS] [--jobs N]
 *
 * Each telling is a process of its own, so that a crash or a standstill is a result like another. In
 * each: nothing crashes, no block is left over, no wrong UpdateService is sent, and the story comes
 * to its end, or the daemon says why it does not start and does so the next time.
 */
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/cleanup.h"
#include "tests/torture/allocator.h"
#include "tests/torture/stories.h"

#define DIRECTORY_MAX STORY_DIRECTORY_MAX
#define JOBS_MAX 64

struct options {
    const char *story; /* NULL: all */
    uint64_t every, from, jobs;
    uint64_t shortage_s; /* how long memory is short; 0: for one allocation */
};

/* A telling takes a few hundredths of a second; one that takes so long stands still. */
#define STANDSTILL_S 60

static void remove_files(const char *directory)
{
    char path[512];
    DIR *stream = opendir(directory);

    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)remove(path);
    }
    if (stream)
        closedir(stream);
    (void)rmdir(directory);
}

/* Not all of what it calls may be called here: should it stand still over that, the alarm kills. */
static void crashed(int signal_number)
{
    signal(signal_number, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    alarm(STANDSTILL_S);
    fail("%s", strsignal(signal_number)); /* NOLINT(bugprone-signal-handler,cert-sig30-c) */
}

static _Noreturn void stand_trial(const struct story *story, const char *directory,
                                  const struct options *options, uint64_t number)
{
    static const struct rlimit none = {0, 0};
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    int64_t held = allocator.n_held;

    (void)setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < ARRAY_LENGTH(deadly); i++)
        signal(deadly[i], crashed);
    alarm(STANDSTILL_S);
    allocator.n_asked = 0;
    allocator.fails_from = number;
    allocator.fails_count = options->shortage_s ? UINT64_MAX : 1;
    story_tell(story, directory, options->shortage_s);
    ensure(allocator.n_held == held, "%lld blocks are left over",
           (long long)(allocator.n_held - held));
    _exit(EXIT_SUCCESS);
}

/* --- all of it ---------------------------------------------------------------------------------- */

struct trial {
    pid_t pid;
    uint64_t number;
    char directory[DIRECTORY_MAX];
};

struct tally {
    uint64_t n_passed, n_failed;
};

static void make_directory(char directory[static DIRECTORY_MAX])
{
    /* A RAM disk, where there is one: fsync() is not what is tried here. */
    snprintf(directory, DIRECTORY_MAX, "/dev/shm/provisionerd-torture-XXXXXX");
    if (mkdtemp(directory))
        return;
    snprintf(directory, DIRECTORY_MAX, "/tmp/provisionerd-torture-XXXXXX");
    ensure(mkdtemp(directory), "no temporary directory: %s", strerror(errno));
}

/* Waits for any one of the trials; its place is free then. */
static void reap(const struct story *story, struct trial *trials, size_t n, struct tally *tally)
{
    int status;
    pid_t pid = wait(&status);

    for (size_t i = 0; i < n; i++) {
        if (trials[i].pid != pid)
            continue;
        trials[i].pid = 0;
        remove_files(trials[i].directory);
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
            tally->n_passed++;
            return;
        }
        tally->n_failed++;
        printf("FAILED %s, allocation %llu\n", story->name, (unsigned long long)trials[i].number);
    }
}

static void torture(const struct story *story, const struct options *options, struct tally *tally)
{
    char directory[DIRECTORY_MAX];
    struct trial trials[JOBS_MAX] = {0};
    uint64_t total, begun = 0;
    size_t n_running = 0;

    /* Told twice without a fault: to warm up what libraries keep for good, and to count. */
    allocator.fails_from = 0;
    for (int round = 0; round < 2; round++) {
        make_directory(directory);
        allocator.n_asked = 0;
        story_tell(story, directory, 0);
        remove_files(directory);
    }
    total = allocator.n_asked;

    for (uint64_t number = options->from; number <= total; number += options->every) {
        size_t place = 0;

        if (n_running == options->jobs) {
            reap(story, trials, options->jobs, tally);
            n_running--;
        }
        while (trials[place].pid != 0)
            place++;
        make_directory(trials[place].directory);
        trials[place].number = number;
        fflush(stdout);
        trials[place].pid = fork();
        ensure(trials[place].pid >= 0, "cannot fork: %s", strerror(errno));
        if (trials[place].pid == 0)
            stand_trial(story, trials[place].directory, options, number);
        n_running++;
        begun++;
    }
    for (; n_running > 0; n_running--)
        reap(story, trials, options->jobs, tally);
    printf("%s: %llu of %llu allocations, %llu s of shortage\n", story->name,
           (unsigned long long)begun, (unsigned long long)total,
           (unsigned long long)options->shortage_s);
}

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    ensure(*text && !*end && number > 0, "not a number above 0: %s", text);
    return number;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"story", required_argument, NULL, 's'},
        {"every", required_argument, NULL, 'e'},
        {"from", required_argument, NULL, 'f'},
        {"shortage", required_argument, NULL, 'm'},
        {"jobs", required_argument, NULL, 'j'},
        {"verbose", no_argument, NULL, 'v'},
        {0},
    };
    struct options options = {.every = 1, .from = 1, .jobs = 2};
    struct tally tally = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 's':
            options.story = optarg;
            break;
        case 'e':
            options.every = number_of(optarg);
            break;
        case 'f':
            options.from = number_of(optarg);
            break;
        case 'm':
            options.shortage_s = number_of(optarg);
            break;
        case 'j':
            options.jobs = number_of(optarg);
            break;
        case 'v':
            story_set_verbose();
            break;
        default:
            return EXIT_FAILURE;
        }
    }
    ensure(options.jobs <= JOBS_MAX, "at most %d jobs", JOBS_MAX);
    setenv("TZ", "UTC", 1);
    allocator.depth = backtrace(allocator.where, 1); /* it loads a library at first */
    for (size_t i = 0; i < N_STORIES; i++)
        if (!options.story || strcmp(options.story, STORIES[i].name) == 0)
            torture(&STORIES[i], &options, &tally);
    printf("%llu passed, %llu failed\n", (unsigned long long)tally.n_passed,
           (unsigned long long)tally.n_failed);
    return tally.n_failed == 0 && tally.n_passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
