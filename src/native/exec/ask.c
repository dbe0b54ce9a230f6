#include "exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define PATIENCE_SECONDS 20
#define RECEIVE_BUFFER (4 << 20)

static bool append(struct ox_bytes *all, const uint8_t *from, size_t length, size_t *room) {
  if (length > OX_MAX_MESSAGE - all->length) return false;
  if (all->length + length > *room) {
    size_t more = (all->length + length) * 2;
    uint8_t *grown = realloc(all->at, more);
    if (grown == NULL) return false;
    all->at = grown;
    *room = more;
  }
  memcpy(all->at + all->length, from, length);
  all->length += length;
  return true;
}

/* Whether the messages hold the end of the answer. */
static bool is_last(const uint8_t *at, size_t length, uint32_t seq) {
  struct nlmsghdr head;
  while (length >= sizeof head) {
    memcpy(&head, at, sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > length) return true;
    if (head.nlmsg_seq == seq && (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR)) return true;
    size_t step = NLMSG_ALIGN((size_t)head.nlmsg_len);
    if (step >= length) return false;
    at += step;
    length -= step;
  }
  return false;
}

static int collect(int fd, uint32_t seq, struct ox_bytes *answer) {
  size_t room = 0;
  size_t size = 1 << 16;
  uint8_t *buffer = malloc(size);
  for (;;) {
    struct sockaddr_nl from;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = buffer == NULL ? -1 : ox_recvmsg(fd, &message, 0);
    int fault = buffer == NULL ? ENOMEM : got < 0 ? errno : got == 0 || (message.msg_flags & MSG_TRUNC) ? EMSGSIZE : 0;
    if (fault == EINTR) continue;
    /* Another process may send to any socket. */
    if (fault == 0 && from.nl_pid != 0) continue;
    if (fault == 0 && !append(answer, buffer, (size_t)got, &room)) fault = EMSGSIZE;
    if (fault == 0 && !is_last(buffer, (size_t)got, seq)) continue;
    free(buffer);
    return fault;
  }
}

int ox_ask_kernel(const struct ox_caller *caller, struct ox_bytes question, struct ox_bytes *answer) {
  *answer = (struct ox_bytes){0};
  struct nlmsghdr head;
  if (question.length < sizeof head) return EINVAL;
  memcpy(&head, question.at, sizeof head);
  if (head.nlmsg_len != question.length) return EINVAL;
  /* The program's socket may be of a namespace that its thread has left since. */
  if (ox_netns() != caller->netns) return ESTALE;
  int fd = ox_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return errno;
  const int on = 1;
  const int strict = caller->strict != 0;
  const int buffer = RECEIVE_BUFFER;
  const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec part = {.iov_base = question.at, .iov_len = question.length};
  const struct msghdr message = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &part, .msg_iovlen = 1};
  int fault = ox_sendmsg(fd, &message, 0) < 0 ? errno : collect(fd, head.nlmsg_seq, answer);
  ox_close(fd);
  return fault;
}
