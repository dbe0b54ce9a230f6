/* The functions of libc that a program calls in place of libc's own. */
#include "exec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* FAILED: begun, and not finished. The switch may have done what was asked, so the kernel must not do it too. */
enum verdict { PASSED, ANSWERED, FAILED };

/* One exchange about what a program sends. */
static enum verdict exchange(int fd, struct ox_bytes request) {
  struct ox_caller caller;
  if (!ox_caller_of(fd, &caller)) return PASSED;
  int connection = ox_connect();
  if (connection < 0) return PASSED;
  enum verdict verdict = FAILED;
  bool goesOn = ox_say(connection, OX_REQUEST, &caller, sizeof caller, request.at, request.length);
  for (int questions = 0; goesOn && questions <= OX_MAX_QUESTIONS; questions++) {
    struct ox_bytes bytes, answer;
    uint32_t word = ox_hear(connection, &bytes);
    if (word == OX_ANSWER) {
      verdict = ox_queue(fd, bytes) ? ANSWERED : FAILED;
      break;
    }
    if (word == OX_PASS) verdict = PASSED;
    goesOn = word == OX_ASK;
    if (goesOn) {
      uint32_t fault = (uint32_t)ox_ask_kernel(&caller, bytes, &answer);
      goesOn = ox_say(connection, OX_REPLY, &fault, sizeof fault, answer.at, answer.length);
      free(answer.at);
    }
    free(bytes.at);
  }
  ox_close(connection);
  return verdict;
}

static bool is_for_kernel(const struct msghdr *message) {
  struct sockaddr_nl to;
  if (message->msg_name == NULL) return true;
  if (message->msg_namelen < sizeof to) return false;
  memcpy(&to, message->msg_name, sizeof to);
  return to.nl_family == AF_NETLINK && to.nl_pid == 0 && to.nl_groups == 0;
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  if (!ox_is_route(fd) || !is_for_kernel(message)) return ox_sendmsg(fd, message, flags);
  size_t length = 0;
  for (size_t i = 0; i < (size_t)message->msg_iovlen && length <= OX_MAX_REQUEST; i++) {
    size_t part = message->msg_iov[i].iov_len;
    length = part > OX_MAX_REQUEST - length ? OX_MAX_REQUEST + 1 : length + part;
  }
  uint8_t *copy = length == 0 || length > OX_MAX_REQUEST ? NULL : malloc(length);
  if (copy == NULL) return ox_sendmsg(fd, message, flags);
  size_t at = 0;
  for (size_t i = 0; i < (size_t)message->msg_iovlen; i++) {
    memcpy(copy + at, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    at += message->msg_iov[i].iov_len;
  }
  int saved = errno;
  enum verdict verdict = exchange(fd, (struct ox_bytes){.at = copy, .length = length});
  free(copy);
  errno = verdict == FAILED ? ECONNABORTED : saved;
  if (verdict == PASSED) return ox_sendmsg(fd, message, flags);
  return verdict == ANSWERED ? (ssize_t)length : -1;
}

PUBLIC ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to,
                      socklen_t toLength) {
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
  const struct msghdr message = {
      .msg_name = (void *)to, .msg_namelen = to == NULL ? 0 : toLength, .msg_iov = &part, .msg_iovlen = 1};
  if (ox_is_route(fd)) return sendmsg(fd, &message, flags);
  static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
  if (real == NULL) real = ox_real("sendto");
  return real(fd, bytes, length, flags, to, toLength);
}

PUBLIC ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  return sendto(fd, bytes, length, flags, NULL, 0);
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  ssize_t result;
  if (ox_is_route(fd) && ox_receive(fd, message, flags, &result)) return result;
  return ox_recvmsg(fd, message, flags);
}

PUBLIC ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *fromLength) {
  if (ox_is_route(fd)) {
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {.msg_name = from,
                             .msg_namelen = from == NULL || fromLength == NULL ? 0 : *fromLength,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    ssize_t got = recvmsg(fd, &message, flags);
    if (got >= 0 && from != NULL && fromLength != NULL) *fromLength = message.msg_namelen;
    return got;
  }
  static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
  if (real == NULL) real = ox_real("recvfrom");
  return real(fd, bytes, length, flags, from, fromLength);
}

PUBLIC ssize_t recv(int fd, void *bytes, size_t length, int flags) {
  return recvfrom(fd, bytes, length, flags, NULL, NULL);
}

/* What a compiler with _FORTIFY_SOURCE makes of recv and recvfrom. */
PUBLIC ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags) {
  if (length > room) abort();
  return recv(fd, bytes, length, flags);
}

PUBLIC ssize_t __recvfrom_chk(int fd, void *bytes, size_t length, size_t room, int flags, struct sockaddr *from,
                              socklen_t *fromLength) {
  if (length > room) abort();
  return recvfrom(fd, bytes, length, flags, from, fromLength);
}

PUBLIC int socket(int domain, int type, int protocol) {
  int fd = ox_socket(domain, type, protocol);
  if (domain == AF_NETLINK && protocol == NETLINK_ROUTE) ox_note_socket(fd);
  return fd;
}

PUBLIC int close(int fd) {
  if (ox_is_route(fd)) ox_forget_socket(fd);
  return ox_close(fd);
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
  return copy;
}

PUBLIC int dup3(int fd, int to, int flags) {
  static int (*real)(int, int, int);
  if (real == NULL) real = ox_real("dup3");
  int copy = real(fd, to, flags);
  ox_same_socket(fd, copy);
  return copy;
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
  if (result != 0 || level != SOL_NETLINK || name != NETLINK_ADD_MEMBERSHIP || length < sizeof group) return result;
  memcpy(&group, value, sizeof group);
  ox_listen(fd, group);
  return result;
}
