/* Descriptors as a program makes, copies and closes them, and what they listen to: in place of libc's own functions. */
/* node-gyp sets it, and fcntl would be fcntl64. */
#undef _FILE_OFFSET_BITS

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int socket(int domain, int type, int protocol) {
  int fd = ox_socket(domain, type, protocol);
  if (domain == AF_NETLINK && protocol == NETLINK_ROUTE) ox_note_socket(fd);
  return fd;
}

PUBLIC int close(int fd) {
  if (ox_is_own(fd)) {
    errno = EBADF;
    return -1;
  }
  bool isRoute = ox_is_route(fd);
  if (isRoute) ox_forget_socket(fd);
  int result = ox_close(fd);
  if (isRoute) ox_end_unused();
  return result;
}

PUBLIC int dup(int fd) {
  static int (*real)(int);
  if (real == NULL) real = ox_real("dup");
  int copy = real(fd);
  ox_same_socket(fd, copy);
  return copy;
}

PUBLIC int dup2(int fd, int to) {
  static int (*real)(int, int);
  if (real == NULL) real = ox_real("dup2");
  int copy = real(fd, to);
  ox_same_socket(fd, copy);
  ox_end_unused();
  return copy;
}

PUBLIC int dup3(int fd, int to, int flags) {
  static int (*real)(int, int, int);
  if (real == NULL) real = ox_real("dup3");
  int copy = real(fd, to, flags);
  ox_same_socket(fd, copy);
  ox_end_unused();
  return copy;
}

static int fcntl_as(const char *name, int (**real)(int, int, ...), int fd, int command, void *argument) {
  if (*real == NULL) *real = ox_real(name);
  int result = (*real)(fd, command, argument);
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) ox_same_socket(fd, result);
  return result;
}

PUBLIC int fcntl(int fd, int command, ...) {
  static int (*real)(int, int, ...);
  va_list words;
  va_start(words, command);
  void *argument = va_arg(words, void *);
  va_end(words);
  return fcntl_as("fcntl", &real, fd, command, argument);
}

#ifdef __GLIBC__
PUBLIC int fcntl64(int fd, int command, ...) {
  static int (*real)(int, int, ...);
  va_list words;
  va_start(words, command);
  void *argument = va_arg(words, void *);
  va_end(words);
  return fcntl_as("fcntl64", &real, fd, command, argument);
}
#endif

/* Descriptors of threads stay: the program does not know them. */
PUBLIC int close_range(unsigned first, unsigned last, int flags) {
  int result = 0;
  while (result == 0 && first <= last) {
    unsigned own = ox_next_own(first);
    if (own != first) result = (int)syscall(SYS_close_range, first, own <= last ? own - 1 : last, flags);
    if (own >= last) break;
    first = own + 1;
  }
  ox_end_unused();
  return result;
}

PUBLIC void closefrom(int first) {
  if (close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0) == 0) return;
  static void (*real)(int);
  if (real == NULL) real = ox_real("closefrom");
  real(first);
}

/* Groups that a socket joins: events of the switch come too. */
PUBLIC int bind(int fd, const struct sockaddr *address, socklen_t length) {
  static int (*real)(int, const struct sockaddr *, socklen_t);
  if (real == NULL) real = ox_real("bind");
  int result = real(fd, address, length);
  struct sockaddr_nl own;
  if (result != 0 || !ox_is_route(fd) || address == NULL || length < sizeof own) return result;
  memcpy(&own, address, sizeof own);
  for (uint32_t group = 1; group <= 32; group++)
    if (own.nl_groups & (1u << (group - 1))) ox_listen(fd, group);
  return result;
}

PUBLIC int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  static int (*real)(int, int, int, const void *, socklen_t);
  if (real == NULL) real = ox_real("setsockopt");
  int result = real(fd, level, name, value, length);
  uint32_t group;
  bool isGroup = level == SOL_NETLINK && (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP);
  if (result != 0 || !isGroup || length < sizeof group) return result;
  memcpy(&group, value, sizeof group);
  if (name == NETLINK_ADD_MEMBERSHIP) ox_listen(fd, group);
  else ox_listen_no_more(fd, group);
  return result;
}
