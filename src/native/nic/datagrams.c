/*
 * Datagrams of local ports: one Ethernet frame each, over UDP or a unix socket, as QEMU's `-netdev dgram`, GNS3's
 * ubridge, Dynamips and VirtualBox exchange them. Receives them; parcel.c sends.
 *
 * A UDP socket is connected, so the kernel takes datagrams of its remote only. A unix socket is not: it would lose its
 * peer with the first datagram after that has ended. The sender's path is compared here instead, and a datagram of
 * another one is described as a stranger's.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "receive.h"

/* Consecutive errors of the socket, each consumed by the read that reports it. */
#define MAX_MISSES 16

static void prepare(struct ot_nic *nic, uint32_t i, struct sockaddr_un *name) {
  nic->inbox.vectors[i] =
      (struct iovec){.iov_base = nic->arena + nic->next + (size_t)i * SLOT_BYTES, .iov_len = OT_ROOM};
  nic->inbox.messages[i].msg_hdr = (struct msghdr){
      .msg_name = name, .msg_namelen = sizeof *name, .msg_iov = &nic->inbox.vectors[i], .msg_iovlen = 1};
}

static bool is_stranger(const struct sockaddr_un *peer, const struct msghdr *message) {
  size_t length = message->msg_namelen, head = offsetof(struct sockaddr_un, sun_path);
  const struct sockaddr_un *source = message->msg_name;
  if (length <= head) return true; /* a socket without a name */
  size_t bytes = strnlen(source->sun_path, length - head), wanted = strlen(peer->sun_path);
  return bytes != wanted || memcmp(source->sun_path, peer->sun_path, wanted) != 0;
}

static void describe_datagram(struct ot_nic *nic, int32_t index, const struct ot_port *port,
                              const struct mmsghdr *message, size_t offset) {
  int32_t *rx = describe(nic, KIND_FRAME, index, offset, message->msg_len);
  if (port->peer && is_stranger(port->peer, &message->msg_hdr)) rx[RX_STRANGER] = 1;
}

enum outcome ot_datagrams_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most,
                               size_t most_bytes) {
  struct sockaddr_un names[OT_RECEIVE_MESSAGES];
  uint32_t last = most < nic->max_frames - nic->frames ? nic->frames + most : nic->max_frames;
  size_t stop = nic->batch_bytes - nic->bytes < most_bytes ? nic->batch_bytes : nic->bytes + most_bytes;
  int misses = 0;
  while (nic->frames < last && nic->bytes < stop && room_left(nic)) {
    size_t fit = (nic->arena_bytes - nic->next) / SLOT_BYTES, asked = (stop - nic->bytes) / port->typical + 1;
    if (asked > last - nic->frames) asked = last - nic->frames;
    if (asked > OT_RECEIVE_MESSAGES) asked = OT_RECEIVE_MESSAGES;
    if (asked > fit) asked = fit;
    for (uint32_t i = 0; i < asked; i++) prepare(nic, i, &names[i]);
    int got = ot_receive_messages(port->fd, nic->inbox.messages, (unsigned)asked);
    if (got < 0) {
      if (errno == EAGAIN) return DRAINED;
      if (errno == EBADF || errno == ENOTSOCK) return GONE;
      if (++misses >= MAX_MISSES) return FULL;
      continue;
    }
    size_t base = nic->next;
    for (int i = 0; i < got; i++) {
      size_t offset = base + (size_t)i * SLOT_BYTES, length = nic->inbox.messages[i].msg_len;
      describe_datagram(nic, index, port, &nic->inbox.messages[i], offset);
      nic->next = after(offset + length);
      port->typical = (uint32_t)(port->typical * 3 / 4 + length / 4) + 1;
    }
    if ((size_t)got < asked) return DRAINED;
  }
  return FULL;
}
