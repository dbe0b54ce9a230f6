/* Network namespaces: moves the calling thread in and out. Never touches another thread. */
#include "overtap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int ot_netns_move(const char *path, struct ot_fault *fault) {
  int target = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (target < 0) return ot_fail(fault, errno, "open", "opening the network namespace %s", path);
  if (setns(target, CLONE_NEWNET) < 0) {
    int number = errno;
    close(target);
    return ot_fail(fault, number, "setns", "entering the network namespace %s", path);
  }
  close(target);
  return 0;
}

int ot_netns_enter(const char *path, struct ot_fault *fault) {
  int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return ot_fail(fault, errno, "open", "opening the thread's own network namespace");
  if (ot_netns_move(path, fault) < 0) {
    close(home);
    return -1;
  }
  return home;
}

void ot_netns_leave(int home) {
  if (setns(home, CLONE_NEWNET) < 0) {
    perror("overtap: cannot return to the network namespace of the process");
    abort();
  }
  close(home);
}
