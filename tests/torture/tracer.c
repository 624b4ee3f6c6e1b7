/* SPDX-License-Identifier: MIT */
/*
 * Runs a program, and kills it at one of its system calls or lets one of them fail.
 *
 *     tracer --report FILE [--kill N | --fail CALL:N:HOW] PROGRAM [ARGUMENT]...
 *
 * By ptrace(2), so that nothing escapes: what the C library, OpenSSL or a resolver's thread asks of
 * the kernel counts like the rest. Counting begins where the daemon's own work begins, with the
 * setrlimit() that switches core dumps off; what comes before is the dynamic loader's.
 *
 * --kill N        SIGKILL as the Nth call is about to be made
 * --fail CALL:N:HOW
 *     the Nth call of that name is not made and fails with HOW, the name of an errno; or HOW is
 *     "short": reads or writes one byte only; or "eof": returns 0. close() is made and fails.
 *
 * FILE then holds "fired CALL N" if it came so far, "total N", and "CALL N" for each kind of call.
 * SIGTERM and SIGHUP are passed on. Ends as the program does; 137 when it was killed.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOPPED_AT_CALL (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define N_CALLS_MAX 512                  /* Linux has fewer */

static const struct {
    const char *name;
    long number;
} CALLS[] = {
#define CALL(name)        \
    {                     \
#name, SYS_##name \
    }
    CALL(read),          CALL(write),          CALL(openat),          CALL(close),
    CALL(fsync),         CALL(renameat),       CALL(unlinkat),        CALL(mkdir),
    CALL(flock),         CALL(fstat),          CALL(newfstatat),      CALL(faccessat2),
    CALL(faccessat),     CALL(getdents64),     CALL(lseek),           CALL(socket),
    CALL(socketpair),    CALL(connect),        CALL(sendto),          CALL(sendmsg),
    CALL(recvfrom),      CALL(recvmsg),        CALL(getsockopt),      CALL(setsockopt),
    CALL(getsockname),   CALL(getpeername),    CALL(fcntl),           CALL(ioctl),
    CALL(epoll_create1), CALL(epoll_ctl),      CALL(epoll_wait),      CALL(epoll_pwait2),
    CALL(poll),          CALL(timerfd_create), CALL(timerfd_settime), CALL(signalfd4),
    CALL(eventfd2),      CALL(pipe2),          CALL(clone3),          CALL(clone),
    CALL(mmap),          CALL(munmap),         CALL(mprotect),        CALL(brk),
    CALL(futex),         CALL(getrandom),      CALL(prlimit64),       CALL(prctl),
    CALL(rt_sigaction),  CALL(rt_sigprocmask), CALL(madvise),         CALL(uname),
    CALL(getpid),        CALL(gettid),         CALL(clock_gettime),   CALL(writev),
#undef CALL
};

static const struct {
    const char *name;
    int number;
} ERRORS[] = {
#define ERROR(name) \
    {               \
#name, name \
    }
    ERROR(EINTR),       ERROR(EIO),           ERROR(ENOSPC),       ERROR(ENOMEM),
    ERROR(EMFILE),      ERROR(ENFILE),        ERROR(EACCES),       ERROR(EROFS),
    ERROR(ENOENT),      ERROR(EAGAIN),        ERROR(ECONNREFUSED), ERROR(ECONNRESET),
    ERROR(ENETUNREACH), ERROR(EHOSTUNREACH),  ERROR(ETIMEDOUT),    ERROR(EPIPE),
    ERROR(ENOBUFS),     ERROR(EADDRNOTAVAIL), ERROR(EAFNOSUPPORT), ERROR(ENOLCK),
    ERROR(EDQUOT),      ERROR(EINVAL),        ERROR(EPERM),        ERROR(ENOTCONN),
#undef ERROR
};

static struct {
    const char *report;
    uint64_t kill_at; /* 0: not */
    long fail_call;   /* -1: none */
    uint64_t fail_at;
    const char *how;
} options = {.fail_call = -1};

static volatile pid_t child;

static struct {
    bool counts; /* the daemon's own work has begun */
    uint64_t total;
    uint64_t of[N_CALLS_MAX];
    bool fired;
    long fired_call;
    uint64_t fired_at;
    /* A call whose result is still to be replaced. */
    pid_t thread;
    long result;
} run;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    if (child > 0)
        kill(child, SIGKILL);
    exit(125);
}

static const char *call_name(long number)
{
    for (size_t i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++)
        if (CALLS[i].number == number)
            return CALLS[i].name;
    return "other";
}

static void write_report(void)
{
    FILE *file = fopen(options.report, "w");

    if (!file)
        give_up(options.report);
    if (run.fired)
        fprintf(file, "fired %s %llu\n", call_name(run.fired_call),
                (unsigned long long)run.fired_at);
    fprintf(file, "total %llu\n", (unsigned long long)run.total);
    for (long i = 0; i < N_CALLS_MAX; i++)
        if (run.of[i] > 0)
            fprintf(file, "%s %llu\n", call_name(i), (unsigned long long)run.of[i]);
    if (fclose(file) != 0)
        give_up(options.report);
}

static int error_number(const char *name)
{
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
        if (strcmp(ERRORS[i].name, name) == 0)
            return ERRORS[i].number;
    return 0;
}

static void fire(long number)
{
    run.fired = true;
    run.fired_call = number;
    run.fired_at = run.of[number];
}

/* Spoils the call that the thread is about to make. */
static void spoil(pid_t thread, long number)
{
    struct user_regs_struct registers;

    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) < 0)
        give_up("PTRACE_GETREGS");
    if (strcmp(options.how, "short") == 0) {
        if (registers.rdx <= 1)
            return; /* it is as short as can be */
        registers.rdx = 1;
    } else {
        run.thread = thread;
        run.result = strcmp(options.how, "eof") == 0 ? 0 : -error_number(options.how);
        if (number != SYS_close)
            registers.orig_rax = (unsigned long long)-1;
    }
    fire(number);
    if (ptrace(PTRACE_SETREGS, thread, NULL, &registers) < 0)
        give_up("PTRACE_SETREGS");
}

static void replace_result(pid_t thread)
{
    struct user_regs_struct registers;

    run.thread = 0;
    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) < 0)
        give_up("PTRACE_GETREGS");
    registers.rax = (unsigned long long)run.result;
    if (ptrace(PTRACE_SETREGS, thread, NULL, &registers) < 0)
        give_up("PTRACE_SETREGS");
}

static void at_call(pid_t thread, const struct __ptrace_syscall_info *info)
{
    long number = (long)info->entry.nr;

    if (number == SYS_prlimit64 && info->entry.args[1] == RLIMIT_CORE)
        run.counts = true;
    if (!run.counts || number < 0 || number >= N_CALLS_MAX)
        return;
    run.total++;
    /* The kernel needs no memory to forget a descriptor: that never fails. */
    if (number != SYS_epoll_ctl || info->entry.args[1] != EPOLL_CTL_DEL)
        run.of[number]++;
    if (run.total == options.kill_at) {
        fire(number);
        kill(child, SIGKILL);
    } else if (number == options.fail_call && run.of[number] == options.fail_at && !run.fired) {
        spoil(thread, number);
    }
}

static void at_stop(pid_t thread)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0)
        return; /* gone meanwhile */
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        at_call(thread, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT && run.thread == thread)
        replace_result(thread);
}

/* What a stopped thread is given on its way. */
static int signal_to_deliver(int status)
{
    int signal_number = WSTOPSIG(status);
    int event = status >> 16;

    /* A new thread begins with a stop of its own. */
    if (event != 0 || signal_number == SIGTRAP || signal_number == SIGSTOP ||
        signal_number == STOPPED_AT_CALL)
        return 0;
    return signal_number;
}

static int trace(void)
{
    for (;;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL);

        if (thread < 0 && errno == EINTR)
            continue;
        if (thread < 0)
            give_up("waitpid");
        if (!WIFSTOPPED(status)) {
            if (thread == child)
                return status;
            continue;
        }
        if (WSTOPSIG(status) == STOPPED_AT_CALL)
            at_stop(thread);
        (void)ptrace(PTRACE_SYSCALL, thread, NULL, signal_to_deliver(status));
    }
}

/* signal-safety(7): a handler may use errno, if it gives it back as it was. */
static void pass_on(int signal_number)
{
    int saved_errno = errno; /* NOLINT(bugprone-signal-handler,cert-sig30-c) */

    kill(child, signal_number);
    errno = saved_errno;
}

static void start(char **command)
{
    int status;

    child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            give_up("PTRACE_TRACEME");
        raise(SIGSTOP);
        execv(command[0], command);
        give_up(command[0]);
    }
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
        give_up("waitpid");
    if (ptrace(PTRACE_SETOPTIONS, child, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC) < 0)
        give_up("PTRACE_SETOPTIONS");
    signal(SIGTERM, pass_on);
    signal(SIGHUP, pass_on);
    if (ptrace(PTRACE_SYSCALL, child, NULL, 0) < 0)
        give_up("PTRACE_SYSCALL");
}

/* CALL:N:HOW */
static bool parse_failure(char *text)
{
    const char *name = strtok(text, ":"), *number = strtok(NULL, ":");

    options.how = strtok(NULL, ":");
    if (!name || !number || !options.how)
        return false;
    for (size_t i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++)
        if (strcmp(CALLS[i].name, name) == 0)
            options.fail_call = CALLS[i].number;
    options.fail_at = strtoull(number, NULL, 10);
    return options.fail_call >= 0 && options.fail_at > 0 &&
           (strcmp(options.how, "short") == 0 || strcmp(options.how, "eof") == 0 ||
            error_number(options.how) > 0);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"report", required_argument, NULL, 'r'},
        {"kill", required_argument, NULL, 'k'},
        {"fail", required_argument, NULL, 'f'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
        errno = EINVAL;
        if (option == 'r')
            options.report = optarg;
        else if (option == 'k')
            options.kill_at = strtoull(optarg, NULL, 10);
        else if (option != 'f' || !parse_failure(optarg))
            give_up("usage");
    }
    errno = EINVAL;
    if (!options.report || optind == argc)
        give_up("usage");

    start(argv + optind);
    int status = trace();
    write_report();
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (options.kill_at > 0 && run.fired)
        return 128 + SIGKILL;
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}
