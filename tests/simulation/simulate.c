/* SPDX-License-Identifier: MIT */
/* The program: one seed, or many on all cores; what fired, and what failed. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/cleanup.h"
#include "tests/simulation/shrink.h"

#define DAYS_DEFAULT 14
#define JOBS_MAX 256
/* After so many the rest is more of the same. */
#define FAILURES_TOLD_MAX 5
/* From so many seeds on, a misfortune that never happened is a failure of the simulation itself. */
#define SEEDS_FOR_ALL 100

struct options {
    uint64_t first, last; /* seeds */
    int64_t days;
    int64_t hours; /* 0: no limit */
    int64_t shrink_s;
    long jobs;
    bool trace;
};

struct totals {
    uint64_t n_seeds, n_failed;
    struct simulation_result sum;
    uint64_t seeds_with[MISFORTUNES_N];
};

/* One run, in a process of its own: what it breaks is not ours. */
struct job {
    pid_t pid; /* 0: free */
    uint64_t seed;
    struct simulation_result result; /* the child's, in shared memory */
    int error;
};

static void usage(FILE *out)
{
    fputs("Usage: simulate [OPTION]...\n"
          "Runs the daemon in simulated worlds, each drawn from a seed, and judges it.\n"
          "\n"
          "      --seed N        one world\n"
          "      --seeds A..B    many, on all cores\n"
          "      --hours H       many, from --seed on, for so long\n"
          "      --days D        simulated days of each (14), and a calm end\n"
          "      --trace         of one seed, everything that happens\n"
          "      --jobs N        processes at a time\n"
          "      --shrink S      seconds to make a failing schedule small (60)\n"
          "\n"
          "Exit status: 0 no violation, 1 a violation, or a misfortune that never happened, 64 "
          "usage.\n",
          out);
}

/* --- one run ------------------------------------------------------------------------------------ */

/* In a directory of its own, for the INI. */
static int run_here(struct plan *plan, FILE *out, struct simulation_result *ret)
{
    char directory[] = "/tmp/provisionerd-simulation-XXXXXX";

    if (!mkdtemp(directory) || chdir(directory) < 0)
        return -errno;
    int r = simulation_run(plan, out, ret);
    (void)unlink(INI_PATH);
    if (chdir("/") < 0 || rmdir(directory) < 0)
        fprintf(stderr, "%s: %s\n", directory, strerror(errno));
    return r;
}

static void start_job(struct job *job, struct plan *plan, FILE *out, FILE *last)
{
    fflush(NULL);
    job->seed = plan->seed;
    job->error = -ECHILD;
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (pid > 0) {
        job->pid = pid;
        return;
    }
    /* Fast bins are merged at each free() beside a large rest of the heap: ours always has one. */
    (void)mallopt(M_MXFAST, 0);
    job->error = run_here(plan, out, &job->result);
    if (last && job->result.invariant[0])
        simulation_print_last(last);
    plan_free(plan);
    fflush(NULL);
    _exit(EXIT_SUCCESS);
}

static void end_job(struct job *job, int status)
{
    job->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && job->error == 0)
        return;
    snprintf(job->result.invariant, sizeof(job->result.invariant), "crash");
    snprintf(job->result.violation, sizeof(job->result.violation), "the run ended with %s %d",
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static struct job *jobs; /* shared with the children */

static int wait_for_child(struct plan *plan, FILE *out, FILE *last, struct simulation_result *ret)
{
    struct job *job = &jobs[JOBS_MAX];
    int status = 0;

    job->result = (struct simulation_result){.seed = plan->seed};
    start_job(job, plan, out, last);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    end_job(job, status);
    *ret = job->result;
    return 0;
}

static int run_in_child(struct plan *plan, FILE *out, struct simulation_result *ret)
{
    return wait_for_child(plan, out, NULL, ret);
}

/* --- telling ------------------------------------------------------------------------------------ */

static void tell_failure(const struct options *options, const struct simulation_result *failure)
{
    char text[DURATION_TEXT_MAX];
    struct simulation_result again = {0};
    struct plan *plan = NULL;

    printf("\nVIOLATION of %s by seed %" PRIu64 ", after %s\n  %s\n", failure->invariant,
           failure->seed, duration_format(failure->violated_at_ms, text), failure->violation);
    printf("  again: build/simulate --seed %" PRIu64 " --days %" PRId64 " --trace\n", failure->seed,
           options->days);
    if (options->shrink_s == 0)
        return;
    bool *without =
        shrink(failure->seed, options->days, failure, options->shrink_s, run_in_child, stdout);
    if (!without || plan_new(failure->seed, options->days, &plan) < 0) {
        free(without);
        return;
    }
    shrink_apply(plan, without);
    printf("  how it ends with these alone:\n");
    (void)wait_for_child(plan, NULL, stdout, &again);
    plan_free(plan);
    free(without);
}

static void add_result(struct totals *totals, const struct simulation_result *result)
{
    totals->n_seeds++;
    totals->n_failed += result->invariant[0] != '\0';
    totals->sum.environment_ms += result->environment_ms;
    totals->sum.n_steps += result->n_steps;
    totals->sum.n_calls += result->n_calls;
    totals->sum.n_sleeps += result->n_sleeps;
    totals->sum.n_wakes += result->n_wakes;
    for (size_t i = 0; i < MISFORTUNES_N; i++) {
        totals->sum.fired[i] += result->fired[i];
        totals->seeds_with[i] += result->fired[i] > 0;
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;
    double sum = 0;

    for (int who = 0; who < 2; who++) {
        (void)getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
        sum += (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
               (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    }
    return sum;
}

/* Returns how many misfortunes never happened. */
static size_t tell_totals(const struct totals *totals)
{
    double days = (double)totals->sum.environment_ms / (double)MS_PER_DAY, cpu = cpu_seconds();
    size_t n_never = 0;

    printf("\n%-24s %12s %10s\n", "misfortune", "happened", "in seeds");
    for (enum misfortune i = 0; i < MISFORTUNES_N; i++) {
        printf("%-24s %12" PRIu64 " %10" PRIu64 "%s\n", misfortune_row(i)->name,
               totals->sum.fired[i], totals->seeds_with[i], totals->sum.fired[i] ? "" : "   NEVER");
        n_never += totals->sum.fired[i] == 0;
    }
    printf("\n%" PRIu64 " seeds, %.0f environment-days, %" PRIu64 " calls, %" PRIu64
           " services put to sleep, %" PRIu64 " woken\n"
           "%.0f CPU seconds, %.0f environment-days per CPU second\n",
           totals->n_seeds, days, totals->sum.n_calls, totals->sum.n_sleeps, totals->sum.n_wakes,
           cpu, cpu > 0 ? days / cpu : 0);
    return n_never;
}

static void tell_never(const struct totals *totals)
{
    printf("a hole in the simulation; never happened:");
    for (enum misfortune i = 0; i < MISFORTUNES_N; i++)
        if (totals->sum.fired[i] == 0)
            printf(" %s", misfortune_row(i)->name);
    printf("\n");
}

/* --- many --------------------------------------------------------------------------------------- */

static void start_seed(struct job *job, uint64_t seed, int64_t days)
{
    struct plan *plan = NULL;

    job->result = (struct simulation_result){.seed = seed};
    if (plan_new(seed, days, &plan) < 0) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    start_job(job, plan, NULL, NULL);
    plan_free(plan);
}

static struct job *find_job(pid_t pid)
{
    for (size_t i = 0; i < JOBS_MAX; i++)
        if (jobs[i].pid == pid)
            return &jobs[i];
    return NULL;
}

static void finish_one(struct totals *totals, struct simulation_result *failures)
{
    int status;
    pid_t pid = wait(&status);
    struct job *job = pid > 0 ? find_job(pid) : NULL;

    if (!job)
        return;
    end_job(job, status);
    add_result(totals, &job->result);
    if (!job->result.invariant[0])
        return;
    printf("seed %" PRIu64 ": %s %s\n", job->result.seed, job->result.invariant,
           job->result.violation);
    fflush(stdout);
    if (totals->n_failed <= FAILURES_TOLD_MAX)
        failures[totals->n_failed - 1] = job->result;
}

static int run_many(const struct options *options)
{
    struct totals totals = {0};
    struct simulation_result failures[FAILURES_TOLD_MAX];
    time_t until = options->hours > 0 ? time(NULL) + options->hours * 3600 : 0;
    uint64_t seed = options->first;
    long running = 0;

    while (running > 0 || seed <= options->last) {
        bool goes_on = seed <= options->last && (until == 0 || time(NULL) < until);
        if (!goes_on && running == 0)
            break;
        if (goes_on && running < options->jobs) {
            start_seed(find_job(0), seed++, options->days);
            running++;
            continue;
        }
        finish_one(&totals, failures);
        running--;
    }
    for (size_t i = 0; i < totals.n_failed && i < FAILURES_TOLD_MAX; i++)
        tell_failure(options, &failures[i]);
    size_t n_never = tell_totals(&totals);
    if (totals.n_seeds < SEEDS_FOR_ALL)
        n_never = 0;
    else if (n_never > 0)
        tell_never(&totals);
    printf("\n%" PRIu64 " passed, %" PRIu64 " failed\n", totals.n_seeds - totals.n_failed,
           totals.n_failed + n_never);
    return totals.n_failed + n_never > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_one(const struct options *options)
{
    struct totals totals = {0};
    struct simulation_result result = {0};
    struct plan *plan = NULL;
    char text[PLAN_TEXT_MAX];

    if (plan_new(options->first, options->days, &plan) < 0)
        return EXIT_FAILURE;
    for (size_t i = 0; options->trace && i < plan->n_environments; i++)
        printf("%s\n", plan_environment_text(&plan->environments[i], text));
    if (options->trace)
        for (size_t i = 0; i < plan->n_items; i++)
            printf("%s\n", plan_item_text(plan, &plan->items[i], text));
    (void)run_in_child(plan, options->trace ? stdout : NULL, &result);
    plan_free(plan);
    add_result(&totals, &result);
    if (result.invariant[0])
        tell_failure(options, &result);
    (void)tell_totals(&totals);
    printf("seed %" PRIu64 ": trace %016" PRIx64 "\n%d passed, %d failed\n", result.seed,
           result.trace_hash, !result.invariant[0], result.invariant[0] != '\0');
    return result.invariant[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- the command line --------------------------------------------------------------------------- */

static bool read_number(const char *text, const char **ret_rest, uint64_t *ret)
{
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || errno != 0)
        return false;
    *ret = value;
    *ret_rest = end;
    return true;
}

static bool read_seeds(const char *text, struct options *options)
{
    const char *rest;

    return read_number(text, &rest, &options->first) && strncmp(rest, "..", 2) == 0 &&
           read_number(rest + 2, &rest, &options->last) && *rest == '\0';
}

static bool read_positive(const char *text, int64_t *ret)
{
    const char *rest;
    uint64_t value;

    if (!read_number(text, &rest, &value) || *rest || value > 1000000)
        return false;
    *ret = (int64_t)value;
    return true;
}

int main(int argc, char **argv)
{
    enum { SEED = 1, SEEDS, HOURS, DAYS, TRACE, JOBS, SHRINK, HELP };
    static const struct option known[] = {
        {"seed", required_argument, NULL, SEED},
        {"seeds", required_argument, NULL, SEEDS},
        {"hours", required_argument, NULL, HOURS},
        {"days", required_argument, NULL, DAYS},
        {"trace", no_argument, NULL, TRACE},
        {"jobs", required_argument, NULL, JOBS},
        {"shrink", required_argument, NULL, SHRINK},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    struct options options = {.first = 1,
                              .last = 1,
                              .days = DAYS_DEFAULT,
                              .shrink_s = 60,
                              .jobs = sysconf(_SC_NPROCESSORS_ONLN)};
    bool is_right = true, is_many = false;
    const char *rest;
    int64_t number;
    int option;

    while (is_right && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case SEED:
            is_right = read_number(optarg, &rest, &options.first) && *rest == '\0';
            options.last = options.first;
            break;
        case SEEDS:
            is_right = read_seeds(optarg, &options);
            is_many = true;
            break;
        case HOURS:
            is_right = read_positive(optarg, &options.hours);
            is_many = true;
            options.last = UINT64_MAX;
            break;
        case DAYS:
            is_right = read_positive(optarg, &options.days);
            break;
        case TRACE:
            options.trace = true;
            break;
        case JOBS:
            is_right = read_positive(optarg, &number) && number > 0;
            options.jobs = is_right ? (long)number : 1;
            break;
        case SHRINK:
            is_right = read_positive(optarg, &options.shrink_s);
            break;
        case HELP:
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            is_right = false;
        }
    }
    if (!is_right || optind < argc) {
        usage(stderr);
        return 64;
    }
    if (options.jobs > JOBS_MAX)
        options.jobs = JOBS_MAX;
    jobs = mmap(NULL, (JOBS_MAX + 1) * sizeof(*jobs), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jobs == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAILURE;
    }
    return is_many ? run_many(&options) : run_one(&options);
}
