/* Network namespaces: moves the calling thread in and out. Never touches another thread. */
#include "../overtap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define OWN "/proc/thread-self/ns/net"
#define OWN_USER "/proc/thread-self/ns/user"
/* setns may fail for lack of memory for a moment. */
#define MOST_TRIES 100

/* First opened with O_PATH: the path may be a device or a FIFO, whose plain open has effects or blocks. */
int ot_netns_open(const char *path, struct ot_fault *fault) {
  struct statfs system;
  char again[64];
  int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
  if (place < 0) return ot_fail(fault, errno, "open", "opening the network namespace %s", path);
  if (fstatfs(place, &system) < 0 || system.f_type != NSFS_MAGIC) {
    ot_fail(fault, EINVAL, "setns", "entering the network namespace %s", path);
  } else {
    snprintf(again, sizeof again, "/proc/thread-self/fd/%d", place);
    fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) ot_fail(fault, errno, "open", "opening the network namespace %s", path);
  }
  close(place);
  return fd;
}

/*
 * 0: unknown. By the system call, where its struct is that of the C library: a program that uses fstatat of a newer
 * glibc does not load beside one from before 2.33.
 */
static ino_t inode_of(int fd, const char *path) {
  struct stat about;
#if defined(SYS_newfstatat) && __SIZEOF_LONG__ == 8
  long result = syscall(SYS_newfstatat, fd, path, &about, AT_EMPTY_PATH);
#else
  int result = fstatat(fd, path, &about, AT_EMPTY_PATH);
#endif
  return result < 0 ? 0 : about.st_ino;
}

ino_t ot_netns_number(int fd) { return fd < 0 ? inode_of(AT_FDCWD, OWN) : inode_of(fd, ""); }

bool ot_netns_is_foreign(const char *path) {
  struct ot_fault ignored;
  int target = ot_netns_open(path, &ignored);
  /* One that is no descendant of the thread's (EPERM) is the owner of the thread's, too. */
  int user = target < 0 ? -1 : ioctl(target, NS_GET_USERNS);
  bool foreign = user >= 0 && inode_of(user, "") != inode_of(AT_FDCWD, OWN_USER);
  if (user >= 0) close(user);
  if (target >= 0) close(target);
  return foreign;
}

bool ot_netns_is_closed(const struct ot_fault *fault) {
  return !strcmp(fault->syscall, "setns") && (fault->number == EPERM || fault->number == ENOSYS);
}

int ot_netns_move(const char *path, struct ot_fault *fault) {
  int target = ot_netns_open(path, fault);
  if (target < 0) return -1;
  int result = setns(target, CLONE_NEWNET);
  if (result < 0) ot_fail(fault, errno, "setns", "entering the network namespace %s", path);
  close(target);
  return result;
}

int ot_netns_visit(int target, int *home, struct ot_fault *fault) {
  ino_t number = ot_netns_number(target);
  *home = -1;
  /* Staying needs no privilege. */
  if (target < 0 || (number && number == ot_netns_number(-1))) return 0;
  *home = open(OWN, O_RDONLY | O_CLOEXEC);
  if (*home < 0) return ot_fail(fault, errno, "open", "opening the thread's own network namespace");
  if (setns(target, CLONE_NEWNET) == 0) return 0;
  ot_fail(fault, errno, "setns", "entering a network namespace");
  close(*home);
  *home = -1;
  return -1;
}

int ot_netns_enter(const char *path, int *home, struct ot_fault *fault) {
  *home = -1;
  if (!path[0]) return 0;
  int target = ot_netns_open(path, fault);
  if (target < 0) return -1;
  int result = ot_netns_visit(target, home, fault);
  if (result < 0) ot_fail(fault, fault->number, fault->syscall, "entering the network namespace %s", path);
  close(target);
  return result;
}

void ot_netns_leave(int home) {
  if (home < 0) return;
  for (int i = 0; setns(home, CLONE_NEWNET) < 0; i++) {
    if (errno != ENOMEM || i == MOST_TRIES) {
      perror("overtap: cannot return to the network namespace of the process");
      abort();
    }
    usleep(1000);
  }
  close(home);
}
