/*
 * Takes capabilities from this process for good, and replaces it by another program. Capabilities belong to threads and
 * capset(2) changes those of its caller, so each thread of the process is brought to do it by a signal, as glibc does
 * for setuid(2). Threads that are made later inherit from their makers.
 */
#include "privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The signal by which glibc does that. Programs cannot block it: sigfillset and pthread_sigmask of glibc and of musl
 * leave it out, while Node has threads that block all others. So it is installed by the system call.
 */
#define EVERY_THREAD 33
#define MOST_THREADS 1024
/* Milliseconds for a thread to come to it. */
#define PATIENCE 2000
#define HAS_RESTORER 0x04000000

/* As the kernel has it, with a signal mask of 8 bytes. Where it lacks `restorer`, all behind `flags` is 0 just so. */
struct kernel_action {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};

#ifdef __x86_64__
/* The kernel of this architecture takes the way back from the program (rt_sigreturn). */
void ot_return_from_signal(void);
__asm__(".text\n.type ot_return_from_signal,@function\not_return_from_signal:\n\tmov $15, %rax\n\tsyscall\n");
#endif

static uint64_t kept;
static atomic_int under_way, refused;

static int set_of(struct __user_cap_data_struct data[2], bool write) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return (int)syscall(write ? SYS_capset : SYS_capget, &header, data);
}

/* Only system calls: it runs in a signal handler too. Lowering the inheritable set lowers the ambient set
 * (capabilities(7)). */
static int limit_thread(void) {
  struct __user_cap_data_struct data[2];
  /* Refused without CAP_SETPCAP; then the set is of no use either, as no file of ours has capabilities. */
  for (int cap = 0; cap < 64; cap++)
    if (!(kept >> cap & 1) && syscall(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
      syscall(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
  if (set_of(data, false) < 0) return -1;
  for (int word = 0; word < 2; word++) {
    uint32_t mask = (uint32_t)(kept >> (32 * word));
    data[word].permitted &= mask;
    data[word].effective &= mask;
    data[word].inheritable &= mask;
  }
  if (set_of(data, true) < 0) return -1;
  return (int)syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void on_signal(int number, siginfo_t *about, void *context) {
  (void)number;
  (void)context;
  if (about->si_code != SI_TKILL || about->si_pid != getpid()) return;
  int before = errno;
  if (limit_thread() < 0) atomic_fetch_add(&refused, 1);
  atomic_fetch_sub(&under_way, 1);
  errno = before;
}

static int act(const struct kernel_action *action, struct kernel_action *before) {
  return (int)syscall(SYS_rt_sigaction, EVERY_THREAD, action, before, sizeof(uint64_t));
}

static int install(struct kernel_action *before) {
  struct kernel_action action = {.handler = on_signal, .flags = SA_SIGINFO | SA_RESTART};
#ifdef __x86_64__
  action.flags |= HAS_RESTORER;
  action.restorer = ot_return_from_signal;
#endif
  return act(&action, before);
}

static bool contains(const pid_t *threads, int count, pid_t thread) {
  for (int i = 0; i < count; i++)
    if (threads[i] == thread) return true;
  return false;
}

/* Signals the threads that are not among those done. Returns how many were new, or -1. */
static int signal_new(pid_t *threads, int *count) {
  DIR *folder = opendir("/proc/self/task");
  int found = 0;
  if (!folder) return -1;
  for (struct dirent *entry; (entry = readdir(folder));) {
    pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
    if (thread <= 0 || contains(threads, *count, thread)) continue;
    if (*count == MOST_THREADS) {
      errno = E2BIG;
      found = -1;
      break;
    }
    threads[(*count)++] = thread;
    found++;
    atomic_fetch_add(&under_way, 1);
    if (syscall(SYS_tgkill, getpid(), thread, EVERY_THREAD) < 0) atomic_fetch_sub(&under_way, 1);
  }
  closedir(folder);
  return found;
}

/* Until no thread is left that was not told: one that was made meanwhile may come from one that had not got there. */
static int limit_others(struct ot_fault *fault) {
  static pid_t threads[MOST_THREADS];
  int count = 1, found;
  threads[0] = (pid_t)syscall(SYS_gettid);
  while ((found = signal_new(threads, &count)) > 0)
    for (int waited = 0; atomic_load(&under_way) > 0; waited++) {
      if (waited == PATIENCE * 10) return ot_fail(fault, ETIMEDOUT, "tgkill", "waiting for a thread");
      usleep(100);
    }
  return found < 0 ? ot_fail(fault, errno, "readdir", "listing the threads of this process") : 0;
}

int ot_keep_capabilities(uint64_t keep, struct ot_fault *fault) {
  struct kernel_action before;
  kept = keep;
  atomic_store(&refused, 0);
  if (limit_thread() < 0) return ot_fail(fault, errno, "capset", "giving up capabilities");
  if (install(&before) < 0) return ot_fail(fault, errno, "rt_sigaction", "reaching the other threads");
  int result = limit_others(fault);
  /* After a timeout the signal may still come: the handler stays. */
  if (result == 0) act(&before, NULL);
  if (result == 0 && atomic_load(&refused) > 0)
    result = ot_fail(fault, EPERM, "capset", "giving up capabilities in %d threads", atomic_load(&refused));
  return result;
}

/*
 * Node closes its descriptors in other programs (uv_disable_stdio_inheritance), sets pipes to O_NONBLOCK, and ignores
 * SIGPIPE: the next program expects none of that.
 */
int ot_execute(const char *path, char *const words[], char *const environment[], const int *more, size_t count,
               struct ot_fault *fault) {
  for (int fd = 0; fd < 3; fd++) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFD, 0);
    if (flags >= 0 && (flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  }
  for (size_t i = 0; i < count; i++) fcntl(more[i], F_SETFD, 0);
  signal(SIGPIPE, SIG_DFL);
  execve(path, words, environment);
  return ot_fail(fault, errno, "execve", "running %s", path);
}
