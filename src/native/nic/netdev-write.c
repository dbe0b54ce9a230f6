/*
 * Sends frames by the packet socket of an existing interface, many in one system call. Owns the meaning of the errors
 * of a send.
 *
 * Commands are queued, and their virtio-net headers are written when they are sent: until then another command may
 * complete the checksum of a frame that they share.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../frames/offload.h"
#include "receive.h"

/* The virtio-net header, and a frame in three parts. */
#define MOST_VECTORS 4

struct ot_packet_queue {
  int32_t commands[OT_PACKET_MESSAGES];
  uint32_t count;
  bool listed;          /* among the ports with queued commands */
  int32_t next;         /* the next of them, or -1 */
  uint32_t asked_round; /* the batch in which the carrier was asked for last */
  bool dark;            /* the answer: there is none */
  /* Of one sendmmsg. */
  int32_t owners[OT_PACKET_MESSAGES]; /* the command of each message */
  struct mmsghdr messages[OT_PACKET_MESSAGES];
  struct iovec vectors[OT_PACKET_MESSAGES][MOST_VECTORS];
  struct ot_vnet headers[OT_PACKET_MESSAGES];
  uint8_t tags[OT_PACKET_MESSAGES][4];
};

struct ot_packet_queue *ot_packet_queue_create(void) { return calloc(1, sizeof(struct ot_packet_queue)); }

int ot_packet_errno(struct ot_nic *nic, const struct ot_port *port, int number) {
  struct ot_packet_queue *queue = port->packets;
  if (number == ENXIO) return ENODEV;
  if (number != ENOBUFS) return number;
  /* Asked once a batch: a flood towards a dark port must not cost a system call more for each frame. */
  if (queue->asked_round != nic->round) {
    queue->asked_round = nic->round;
    queue->dark = !ot_netdev_has_carrier(port->fd);
  }
  return queue->dark ? ENETDOWN : ENOBUFS;
}

/* Returns 0 or an errno. */
static int fill_message(struct ot_nic *nic, const struct ot_port *port, uint32_t i, int32_t at) {
  struct ot_packet_queue *queue = port->packets;
  const int32_t *tx = ot_command(nic, at);
  struct iovec *vectors = queue->vectors[i];
  int parts = ot_gather(nic, tx, vectors + 1, queue->tags[i]);
  if (!parts) return EINVAL;
  int number = ot_fill_vnet(nic, port, tx, &queue->headers[i]);
  vectors[0] = (struct iovec){.iov_base = &queue->headers[i], .iov_len = VNET_HEADER_SIZE};
  queue->messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors, .msg_iovlen = (size_t)parts + 1};
  queue->owners[i] = at;
  return number;
}

void ot_packet_flush(struct ot_nic *nic, struct ot_port *port) {
  struct ot_packet_queue *queue = port->packets;
  uint32_t count = 0, sent = 0;
  for (uint32_t i = 0; i < queue->count; i++) {
    int number = fill_message(nic, port, count, queue->commands[i]);
    if (number) ot_command_failed(nic, queue->commands[i], number);
    else count++;
  }
  queue->count = 0;
  while (sent < count) {
    /* Stops at the first message that fails, and tells why when that is the first one. */
    int result = ot_send_messages(port->fd, queue->messages + sent, count - sent, MSG_DONTWAIT);
    if (result > 0) {
      sent += (uint32_t)result;
    } else if (errno != EINTR) {
      ot_command_failed(nic, queue->owners[sent], ot_packet_errno(nic, port, errno));
      sent++;
    }
  }
  if (port->ring) ot_ring_busy(nic, port->ring, sent);
}

void ot_packet_queue(struct ot_nic *nic, struct ot_port *port, int32_t at) {
  struct ot_packet_queue *queue = port->packets;
  if (queue->count == OT_PACKET_MESSAGES) ot_packet_flush(nic, port);
  if (!queue->listed) {
    queue->listed = true;
    queue->next = nic->sending_packets;
    nic->sending_packets = ot_command(nic, at)[TX_INDEX];
  }
  queue->commands[queue->count++] = at;
}

void ot_packet_flush_all(struct ot_nic *nic) {
  while (nic->sending_packets >= 0) {
    struct ot_port *port = &nic->taps.ports[nic->sending_packets];
    nic->sending_packets = port->packets->next;
    port->packets->listed = false;
    ot_packet_flush(nic, port);
  }
}
