#include "exec.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *ox_real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) {
    fprintf(stderr, "overtap exec: the C library has no %s\n", name);
    abort();
  }
  return found;
}

int ox_socket(int domain, int type, int protocol) {
  static int (*real)(int, int, int);
  if (real == NULL) real = ox_real("socket");
  return real(domain, type, protocol);
}

ssize_t ox_sendmsg(int fd, const struct msghdr *message, int flags) {
  static ssize_t (*real)(int, const struct msghdr *, int);
  if (real == NULL) real = ox_real("sendmsg");
  return real(fd, message, flags);
}

ssize_t ox_recvmsg(int fd, struct msghdr *message, int flags) {
  static ssize_t (*real)(int, struct msghdr *, int);
  if (real == NULL) real = ox_real("recvmsg");
  return real(fd, message, flags);
}

int ox_close(int fd) {
  static int (*real)(int);
  if (real == NULL) real = ox_real("close");
  return real(fd);
}

int ox_fcntl(int fd, int command, void *argument) {
  static int (*real)(int, int, ...);
  if (real == NULL) real = ox_real("fcntl");
  return real(fd, command, argument);
}
