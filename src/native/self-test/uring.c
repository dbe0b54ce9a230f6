/*
 * Tries system calls in batches (nic/uring.c) on a TAP that is down: reads find nothing, writes are refused, and both
 * at once, without waiting. Where there is no TAP, on a pair of sockets.
 */
#include "../nic/uring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../overtap.h"

/* A virtio-net header and the shortest frame. */
#define BYTES (VNET_HEADER_SIZE + 14)

static void say(struct ot_trial *trial, const char *what, int number) {
  errno = number;
  snprintf(trial->reason, sizeof trial->reason, "%.80s: %m", what);
}

/* Whether a batch on the descriptor has the results that single calls have. */
static bool try_calls(struct ot_uring *ring, int fd, struct ot_trial *trial) {
  uint8_t bytes[BYTES] = {0}, found[BYTES];
  struct iovec vector = {.iov_base = bytes, .iov_len = BYTES};
  struct ot_call calls[] = {
      {.fd = fd, .kind = OT_CALL_READ, .data = found, .size = BYTES},
      {.fd = fd, .kind = OT_CALL_WRITE, .data = bytes, .size = BYTES},
      {.fd = fd, .kind = OT_CALL_WRITEV, .data = &vector, .size = 1},
  };
  struct ot_call singles[3];
  memcpy(singles, calls, sizeof calls);
  int number = ot_uring_run(ring, calls, 3);
  ot_call_each(singles, 3);
  for (int i = 0; i < 3 && !number; i++)
    if (calls[i].result != singles[i].result) number = calls[i].result < 0 ? -calls[i].result : EIO;
  if (number) say(trial, "reading and writing in batches", number);
  return !number;
}

/* Sends of messages; `fd` is connected. */
static bool try_send(struct ot_uring *ring, int fd, struct ot_trial *trial) {
  uint8_t byte = 0;
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  struct ot_call call = {.fd = fd, .kind = OT_CALL_SEND, .data = &message};
  int number = ot_uring_run(ring, &call, 1);
  if (!number && call.result != 1) number = call.result < 0 ? -call.result : EIO;
  if (number) say(trial, "sending in batches", number);
  return !number;
}

void ot_self_test_uring(int tap, struct ot_trial *trial) {
  struct ot_fault fault;
  int pair[2] = {-1, -1};
  struct ot_uring *ring = ot_uring_open(&fault);
  if (!ring) {
    say(trial, fault.step, fault.number);
    return;
  }
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
    say(trial, "a pair of sockets", errno);
  else trial->works = try_calls(ring, tap >= 0 ? tap : pair[0], trial) && try_send(ring, pair[0], trial);
  for (int i = 0; i < 2; i++)
    if (pair[i] >= 0) close(pair[i]);
  ot_uring_close(ring);
}
