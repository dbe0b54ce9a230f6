/*
 * Executes a list of commands. Every outcome is a status word; nothing here throws, waits or decides where a frame
 * goes.
 *
 * Writes to TAPs happen in order (tap-queue.c), or are held back for merging (merge.c). Those to packet sockets are
 * queued by socket (netdev-write.c), as are frames to other local ports over sockets (parcel.c), and sends (train.c):
 * the order per device is kept, and a flood over several devices takes as few calls as possible.
 */
#include <errno.h>

#include "nic.h"
#include "../frames/offload.h"

/* Checks a command to a sender before it is queued, and completes its checksum. Returns 0 or an errno. */
static int check_send(struct ot_nic *nic, const int32_t *tx, const struct ot_port *sender) {
  struct iovec vectors[3];
  uint8_t tag[4];
  if (!ot_gather(nic, tx, vectors, tag) || !ot_inside(nic, tx[TX_HEADER], tx[TX_HEADER_LENGTH])) return EINVAL;
  int32_t remote = tx[TX_REMOTE];
  if (remote < 0 || (uint32_t)remote >= nic->remote_count || !nic->remotes[remote].v6.sin6_family) return EDESTADDRREQ;
  if (sender->family == AF_INET && !nic->remotes[remote].v4.sin_family) return EAFNOSUPPORT;
  if (ot_gso_type(tx) == VNET_GSO_NONE && tx[TX_VNET] & VNET_NEEDS_CSUM) return ot_finish(nic, tx);
  return 0;
}

/* Appends a command to its sender's list. Senders with commands form a list themselves. */
static int queue_send(struct ot_nic *nic, int32_t at, int32_t *first_sender) {
  const int32_t *tx = ot_command(nic, at);
  struct ot_port *sender = ot_port_at(&nic->senders, tx[TX_INDEX]);
  int number = sender ? check_send(nic, tx, sender) : EBADF;
  if (number) return number;
  nic->links[at] = -1;
  if (sender->first < 0) {
    sender->first = at;
    sender->next = *first_sender;
    *first_sender = tx[TX_INDEX];
  } else {
    nic->links[sender->last] = at;
  }
  sender->last = at;
  return 0;
}

static int to_port(struct ot_nic *nic, int32_t at, int32_t *first_port) {
  const int32_t *tx = ot_command(nic, at);
  struct ot_port *port = ot_port_at(&nic->taps, tx[TX_INDEX]);
  if (!port) return EBADF;
  if (port->way == OT_STREAM || port->way == OT_DATAGRAMS) return ot_parcel_queue(nic, port, at, first_port);
  /* What a TUN cannot take is refused before it is merged. */
  bool merges = nic->merge && port->vnet_size && !(port->lacks && tx[TX_TAG] & TAG_PUSH);
  if (merges) ot_merge(nic, port, at);
  else if (port->packets) ot_packet_queue(nic, port, at);
  else return ot_tap_queue(nic, port, at);
  return 0;
}

/* See nic.h. */
uint32_t ot_nic_transmit(struct ot_nic *nic, uint32_t count, bool more) {
  int32_t first_sender = -1, first_port = -1;
  uint64_t begin = count < OT_MEASURED ? 0 : ot_nanoseconds();
  nic->failed = 0;
  if (!nic->mid_batch) ot_finish_begin(nic);
  nic->mid_batch = more;
  ot_merge_begin(nic);
  nic->sending_packets = -1;
  for (int32_t at = 0; at < (int32_t)count; at++) {
    int32_t *tx = ot_command(nic, at);
    int number = EINVAL;
    tx[TX_STATUS] = 0;
    if (tx[TX_KIND] == KIND_FRAME) number = to_port(nic, at, &first_port);
    else if (tx[TX_KIND] == KIND_UDP) number = queue_send(nic, at, &first_sender);
    if (number) ot_command_failed(nic, at, number);
  }
  ot_merge_end(nic);
  ot_tap_flush(nic);
  ot_packet_flush_all(nic);
  while (first_port >= 0) {
    struct ot_port *port = &nic->taps.ports[first_port];
    first_port = port->next;
    ot_parcel_send(nic, port);
  }
  while (first_sender >= 0) {
    struct ot_port *sender = &nic->senders.ports[first_sender];
    first_sender = sender->next;
    ot_send_queue(nic, sender);
  }
  ot_send_end(nic);
  nic->status[STATUS_SENDING] = begin ? (int32_t)((ot_nanoseconds() - begin) / 1000 & 0x7fffffff) : 0;
  return nic->failed;
}
