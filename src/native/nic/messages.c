/*
 * Many datagrams by one system call, or one by one where a sandbox or a kernel before Linux 3.0 has only the calls for
 * one.
 */
#include "../overtap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

static atomic_bool receives_one, sends_one;

/* As filters of system calls put it. */
static bool is_closed(int number) { return number == ENOSYS || number == EPERM; }

int ot_receive_messages(int fd, struct mmsghdr *messages, unsigned count) {
  if (!atomic_load_explicit(&receives_one, memory_order_relaxed)) {
    int got = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    if (got >= 0 || !is_closed(errno)) return got;
    atomic_store_explicit(&receives_one, true, memory_order_relaxed);
  }
  ssize_t length = recvmsg(fd, &messages->msg_hdr, MSG_DONTWAIT);
  if (length < 0) return -1;
  messages->msg_len = (unsigned)length;
  return 1;
}

/* A firewall refuses a message by EPERM too: then the call for one says the same. */
int ot_send_messages(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  if (!atomic_load_explicit(&sends_one, memory_order_relaxed)) {
    int sent = sendmmsg(fd, messages, count, flags);
    if (sent >= 0 || !is_closed(errno)) return sent;
  }
  ssize_t length = sendmsg(fd, &messages->msg_hdr, flags);
  if (length < 0) return -1;
  atomic_store_explicit(&sends_one, true, memory_order_relaxed);
  messages->msg_len = (unsigned)length;
  return 1;
}
