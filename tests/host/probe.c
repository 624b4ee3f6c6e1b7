/* SPDX-License-Identifier: MIT */
/*
 * Tries what a sandbox should refuse, and says how each attempt ended: "NAME ok", "NAME EPERM" (or
 * another error), "NAME killed" by a signal, or "NAME VALUE" for what it looked up. Each attempt is made
 * in a process of its own. tests/host/test_hardening.py runs it inside the unit, and outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each tells by its return value whether it was refused, -1 and errno, or prints what it saw: 1. */
#define SAID 1

static int create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return -1;
    close(fd);
    return unlink(path);
}

static int say_mode(const char *path)
{
    struct stat seen;

    if (stat(path, &seen) < 0)
        return -1;
    printf("%04o", (unsigned)seen.st_mode & 07777);
    return SAID;
}

static int say_line(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "re");

    if (!file)
        return -1;
    if (!fgets(line, sizeof(line), file))
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    printf("%s", line);
    return SAID;
}

static int say_status(const char *name)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");

    if (!file)
        return -1;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            printf("%.*s", (int)strcspn(line + strlen(name) + 2, "\n"), line + strlen(name) + 2);
    }
    fclose(file);
    return SAID;
}

static int open_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    return close(fd);
}

static int in_state_directory(const char *name, int (*act)(const char *path))
{
    char path[512];
    const char *folder = getenv("STATE_DIRECTORY");

    snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/tmp", name);
    return act(path);
}

static int create_setuid(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return -1;
    int r = fchmod(fd, 04755);
    int error = errno;
    close(fd);
    unlink(path);
    errno = error;
    return r;
}

static int say_mode_of_new(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return -1;
    close(fd);
    int r = say_mode(path);
    unlink(path);
    return r;
}

static int ProtectSystem(void)
{
    return create("/usr/probe");
}

static int ProtectHome(void)
{
    return say_mode("/home");
}

static int PrivateTmp(void)
{
    return access("/tmp/of-another", F_OK);
}

static int PrivateDevices(void)
{
    return access("/dev/net", F_OK);
}

static int PrivateUsers(void)
{
    return say_line("/proc/self/uid_map");
}

static int ProtectClock(void)
{
    struct timex nothing = {0};

    return adjtimex(&nothing) < 0 ? -1 : 0;
}

static int ProtectControlGroups(void)
{
    if (mkdir("/sys/fs/cgroup/probe", 0755) < 0)
        return -1;
    return rmdir("/sys/fs/cgroup/probe");
}

static int ProtectHostname(void)
{
    char name[65];

    if (gethostname(name, sizeof(name)) < 0)
        return -1;
    return sethostname(name, strlen(name));
}

static int ProtectKernelLogs(void)
{
    return klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0) < 0 ? -1 : 0;
}

static int ProtectKernelModules(void)
{
    return say_mode("/usr/lib/modules");
}

static int ProtectKernelTunables(void)
{
    return open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC) < 0 ? -1 : 0;
}

static int ProtectProc(void)
{
    return access("/proc/1", F_OK);
}

static int ProcSubset(void)
{
    return access("/proc/meminfo", F_OK);
}

static int LockPersonality(void)
{
    return personality(ADDR_NO_RANDOMIZE) < 0 ? -1 : 0;
}

static int MemoryDenyWriteExecute(void)
{
    void *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? -1 : 0;
}

/* Left there: it is looked for when the service has ended. */
static int RemoveIPC(void)
{
    int fd = open("/dev/shm/probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    return fd < 0 ? -1 : close(fd);
}

static int RestrictAddressFamilies(void)
{
    return open_socket(AF_PACKET, SOCK_RAW);
}

static int families_that_it_needs(void)
{
    (void)(open_socket(AF_INET, SOCK_STREAM) < 0 || open_socket(AF_UNIX, SOCK_STREAM) < 0 ||
           open_socket(AF_NETLINK, SOCK_RAW) < 0);
    return errno == 0 ? 0 : -1;
}

static int RestrictNamespaces(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : (int)(waitpid((pid_t)pid, NULL, 0) < 0);
}

static int RestrictRealtime(void)
{
    const struct sched_param lowest = {.sched_priority = 1};

    return sched_setscheduler(0, SCHED_FIFO, &lowest);
}

static int RestrictSUIDSGID(void)
{
    return in_state_directory("probe", create_setuid);
}

static int UMask(void)
{
    return in_state_directory("probe", say_mode_of_new);
}

static int StateDirectoryMode(void)
{
    return in_state_directory(".", say_mode);
}

static int SystemCallArchitectures(void)
{
#ifdef __x86_64__
    long pid;

    /* getpid(), as a program of 32 bits would call it. */
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    errno = ENOSYS;
    return pid < 0 ? -1 : 0;
#else
    errno = ENOSYS;
    return -1;
#endif
}

static int SystemCallFilter(void)
{
    return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) < 0 ? -1 : 0;
}

static int LimitCORE(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return -1;
    printf("%lld", (long long)limit.rlim_max);
    return SAID;
}

static int DynamicUser(void)
{
    printf("%u", getuid());
    return SAID;
}

static int NoNewPrivileges(void)
{
    printf("%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return SAID;
}

static int CapabilityBoundingSet(void)
{
    return say_status("CapBnd");
}

static int AmbientCapabilities(void)
{
    return say_status("CapAmb");
}

static const struct probe {
    const char *name;
    int (*attempt)(void);
} probes[] = {
#define PROBE(name) \
    {               \
#name, name \
    }
    PROBE(AmbientCapabilities),
    PROBE(CapabilityBoundingSet),
    PROBE(DynamicUser),
    PROBE(LimitCORE),
    PROBE(LockPersonality),
    PROBE(MemoryDenyWriteExecute),
    PROBE(NoNewPrivileges),
    PROBE(PrivateDevices),
    PROBE(PrivateTmp),
    PROBE(PrivateUsers),
    PROBE(ProcSubset),
    PROBE(ProtectClock),
    PROBE(ProtectControlGroups),
    PROBE(ProtectHome),
    PROBE(ProtectHostname),
    PROBE(ProtectKernelLogs),
    PROBE(ProtectKernelModules),
    PROBE(ProtectKernelTunables),
    PROBE(ProtectProc),
    PROBE(ProtectSystem),
    PROBE(RemoveIPC),
    PROBE(RestrictAddressFamilies),
    PROBE(RestrictNamespaces),
    PROBE(RestrictRealtime),
    PROBE(RestrictSUIDSGID),
    PROBE(StateDirectoryMode),
    PROBE(SystemCallArchitectures),
    PROBE(SystemCallFilter),
    PROBE(UMask),
    PROBE(families_that_it_needs),
};

static void attempt(const struct probe *probe)
{
    int status;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        printf("%s ", probe->name);
        fflush(stdout);
        errno = 0;
        int r = probe->attempt();
        if (r == 0)
            printf("ok");
        else if (r < 0)
            printf("%s", strerrorname_np(errno));
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        printf("%s fork", probe->name);
    else if (WIFSIGNALED(status))
        printf("killed");
    printf("\n");
}

int main(void)
{
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        attempt(&probes[i]);
    return 0;
}
