/* Sending and receiving, as a program calls them in place of libc's own functions. */
#include "exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* glibc and musl differ in the type of the flags. */
#ifdef __GLIBC__
#define OX_MMSG_FLAGS int
#else
#define OX_MMSG_FLAGS unsigned
#endif

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

/* ---- The same by other names ---- */

PUBLIC ssize_t read(int fd, void *bytes, size_t length) {
  if (ox_is_route(fd)) return recv(fd, bytes, length, 0);
  static ssize_t (*real)(int, void *, size_t);
  if (real == NULL) real = ox_real("read");
  return real(fd, bytes, length);
}

PUBLIC ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room) {
  if (length > room) abort();
  return read(fd, bytes, length);
}

PUBLIC ssize_t write(int fd, const void *bytes, size_t length) {
  if (ox_is_route(fd)) return send(fd, bytes, length, 0);
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = ox_real("write");
  return real(fd, bytes, length);
}

PUBLIC ssize_t readv(int fd, const struct iovec *parts, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
  if (ox_is_route(fd) && count >= 0) return recvmsg(fd, &message, 0);
  static ssize_t (*real)(int, const struct iovec *, int);
  if (real == NULL) real = ox_real("readv");
  return real(fd, parts, count);
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int count) {
  const struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
  if (ox_is_route(fd) && count >= 0) return sendmsg(fd, &message, 0);
  static ssize_t (*real)(int, const struct iovec *, int);
  if (real == NULL) real = ox_real("writev");
  return real(fd, parts, count);
}

PUBLIC int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, OX_MMSG_FLAGS flags) {
  static int (*real)(int, struct mmsghdr *, unsigned, OX_MMSG_FLAGS);
  if (real == NULL) real = ox_real("sendmmsg");
  if (!ox_is_route(fd)) return real(fd, messages, count, flags);
  unsigned done = 0;
  for (; done < count; done++) {
    ssize_t sent = sendmsg(fd, &messages[done].msg_hdr, (int)flags);
    if (sent < 0) break;
    messages[done].msg_len = (unsigned)sent;
  }
  return done == 0 && count > 0 ? -1 : (int)done;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* As recvmmsg(2): the time is looked at after each datagram, and the first error after one is told by the next call. */
static int receive_many(int fd, struct mmsghdr *messages, unsigned count, int flags, const struct timespec *timeout) {
  int64_t end = timeout == NULL ? INT64_MAX : now_ns() + (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec;
  int each = flags & ~MSG_WAITFORONE;
  unsigned done = 0;
  while (done < count) {
    ssize_t got = recvmsg(fd, &messages[done].msg_hdr, each);
    if (got < 0) break;
    messages[done++].msg_len = (unsigned)got;
    if (flags & MSG_WAITFORONE) each |= MSG_DONTWAIT;
    if (now_ns() >= end) break;
  }
  return done == 0 && count > 0 ? -1 : (int)done;
}

PUBLIC int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, OX_MMSG_FLAGS flags, struct timespec *timeout) {
  if (ox_is_route(fd)) return receive_many(fd, messages, count, (int)flags, timeout);
  static int (*real)(int, struct mmsghdr *, unsigned, OX_MMSG_FLAGS, struct timespec *);
  if (real == NULL) real = ox_real("recvmmsg");
  return real(fd, messages, count, flags, timeout);
}
