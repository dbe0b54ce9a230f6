/*
 * Descriptors over a unix socket (SCM_RIGHTS, unix(7)): how a switch gives its devices to its successor. A descriptor
 * that has arrived and that nobody can be told of is closed here.
 */
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "../overtap.h"

union control {
  char bytes[CMSG_SPACE(OT_MAX_RIGHTS * sizeof(int))];
  struct cmsghdr align;
};

int ot_unix_connect(const char *path, struct ot_fault *fault) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!path[0] || strlen(path) >= sizeof address.sun_path)
    return ot_fail(fault, ENAMETOOLONG, "connect", "connecting to %.200s", path);
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ot_fail(fault, errno, "socket", "connecting to %s", path);
  /* The backlog of a unix socket may be full: then connect(2) waits for the listener, but not for ever. */
  struct timeval limit = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  ot_fail(fault, errno, "connect", "connecting to %s", path);
  close(fd);
  return -1;
}

ssize_t ot_rights_send(int fd, const uint8_t *bytes, size_t length, const int *fds, size_t count,
                       struct ot_fault *fault) {
  union control control;
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (count > OT_MAX_RIGHTS) return ot_fail(fault, EINVAL, "sendmsg", "sending %zu descriptors at once", count);
  if (count) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(rights), fds, count * sizeof *fds);
  }
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent >= 0 ? sent : ot_fail(fault, errno, "sendmsg", "sending %zu descriptors", count);
}

/* Takes the descriptors out of a message; at most OT_MAX_RIGHTS, since the control buffer holds no more. */
static size_t take(struct msghdr *message, int *fds) {
  size_t count = 0;
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS || at->cmsg_len < CMSG_LEN(0)) continue;
    size_t more = (at->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    if (more > OT_MAX_RIGHTS - count) more = OT_MAX_RIGHTS - count;
    memcpy(fds + count, CMSG_DATA(at), more * sizeof *fds);
    count += more;
  }
  return count;
}

ssize_t ot_rights_receive(int fd, uint8_t *buffer, size_t length, int fds[OT_MAX_RIGHTS], size_t *count,
                          struct ot_fault *fault) {
  union control control;
  struct iovec vector = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *count = 0;
  ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return ot_fail(fault, errno, "recvmsg", "receiving descriptors");
  *count = take(&message, fds);
  if (!(message.msg_flags & MSG_CTRUNC)) return got;
  /* The kernel had no room for all of them: RLIMIT_NOFILE, or a peer that sends more than it may. */
  for (size_t i = 0; i < *count; i++) close(fds[i]);
  *count = 0;
  return ot_fail(fault, EMFILE, "recvmsg", "receiving descriptors");
}
