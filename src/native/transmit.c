/*
 * Carries out the command ring. Every outcome is a status word; nothing here throws, waits or decides where a frame goes.
 *
 * TAP writes are made as they come. Sends are gathered per sending socket, in order, and go out behind them, up to OT_SEND_MESSAGES in
 * a call: what is sent to one device keeps its order, and a flood over several devices costs no more calls than it must.
 */
#include "overtap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool inside(const struct ot_nic *nic, int32_t offset, int32_t length) {
  return offset >= 0 && length >= 0 && (size_t)offset + (size_t)length <= nic->arena_bytes;
}

/* The frame as it is to leave, with its tag pushed, popped or replaced: 1 to 3 vectors, or 0 when the command is not possible. */
static int gather(const struct ot_nic *nic, const int32_t *tx, struct iovec *vectors, uint8_t tag[4]) {
  int32_t offset = tx[TX_OFFSET], length = tx[TX_LENGTH], operation = tx[TX_TAG] & TAG_REPLACE;
  if (!inside(nic, offset, length) || length < 14) return 0;
  uint8_t *frame = nic->arena + offset;
  size_t size = (size_t)length;
  vectors[0] = (struct iovec){.iov_base = frame, .iov_len = size};
  if (operation == TAG_KEEP) return 1;
  if (operation != TAG_PUSH && size < 18) return 0;
  vectors[0].iov_len = 12;
  if (operation == TAG_POP) {
    vectors[1] = (struct iovec){.iov_base = frame + 16, .iov_len = size - 16};
    return 2;
  }
  tag[0] = operation == TAG_PUSH ? 0x81 : frame[12];
  tag[1] = operation == TAG_PUSH ? 0x00 : frame[13];
  tag[2] = (uint8_t)(tx[TX_TAG] >> 8);
  tag[3] = (uint8_t)tx[TX_TAG];
  size_t rest = operation == TAG_PUSH ? 12 : 16;
  vectors[1] = (struct iovec){.iov_base = tag, .iov_len = 4};
  vectors[2] = (struct iovec){.iov_base = frame + rest, .iov_len = size - rest};
  return 3;
}

/* ---- Checksum fields finished in this call: a set of arena offsets, emptied by counting the calls ---- */

static uint32_t *find_done(struct ot_nic *nic, uint32_t field, bool *found) {
  uint32_t place = (field * 2654435761u) >> 7;
  for (;; place++) {
    place &= nic->done_mask;
    if (nic->done_in[place] != nic->round) *found = false;
    else if (nic->done_at[place] == field) *found = true;
    else continue;
    return &nic->done_at[place];
  }
}

static void begin_round(struct ot_nic *nic) {
  if (++nic->round) return;
  memset(nic->done_in, 0, ((size_t)nic->done_mask + 1) * sizeof *nic->done_in);
  nic->round = 1;
}

static uint32_t csum_start(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] & 0xffff; }
static uint32_t csum_offset(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] >> 16; }
static uint32_t csum_field(const int32_t *tx) { return (uint32_t)tx[TX_OFFSET] + csum_start(tx) + csum_offset(tx); }

/* Frames on the wire are always finished; several commands may share one frame, whose sum must be taken once. */
static int finish_checksum(struct ot_nic *nic, const int32_t *tx) {
  size_t length = (size_t)tx[TX_LENGTH];
  if (csum_start(tx) < 14 || csum_start(tx) + csum_offset(tx) + 2 > length) return EINVAL;
  bool found;
  uint32_t *place = find_done(nic, csum_field(tx), &found);
  if (found) return 0;
  *place = csum_field(tx);
  nic->done_in[place - nic->done_at] = nic->round;
  ot_complete(nic->arena + tx[TX_OFFSET], length, csum_start(tx), csum_offset(tx));
  return 0;
}

/* ---- TAPs ---- */

static int fill_vnet(struct ot_nic *nic, const int32_t *tx, struct ot_vnet *vnet) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  int32_t shift = operation == TAG_PUSH ? 4 : operation == TAG_POP ? -4 : 0;
  memset(vnet, 0, sizeof *vnet);
  vnet->flags = (uint8_t)tx[TX_VNET];
  vnet->gso_type = (uint8_t)(tx[TX_VNET] >> 8);
  vnet->gso_size = (uint16_t)tx[TX_GSO];
  int32_t header = (int32_t)((uint32_t)tx[TX_GSO] >> 16);
  if (header) {
    header += shift;
    if (header < 14 || header > 0xffff) return EINVAL;
    vnet->hdr_len = (uint16_t)header;
  }
  if (!(vnet->flags & VNET_NEEDS_CSUM)) return 0;
  bool found = false;
  if (vnet->gso_type == VNET_GSO_NONE) find_done(nic, csum_field(tx), &found);
  if (found) {
    vnet->flags &= (uint8_t)~VNET_NEEDS_CSUM;
    return 0;
  }
  int32_t start = (int32_t)csum_start(tx) + shift;
  if (start < 14 || start > 0xffff) return EINVAL;
  vnet->csum_start = (uint16_t)start;
  vnet->csum_offset = (uint16_t)csum_offset(tx);
  return 0;
}

static int write_tap(struct ot_nic *nic, const int32_t *tx) {
  struct ot_port *port = ot_port_at(&nic->taps, tx[TX_INDEX]);
  if (!port) return EBADF;
  struct ot_vnet vnet;
  struct iovec vectors[4];
  uint8_t tag[4];
  int count = gather(nic, tx, vectors + 1, tag);
  if (!count) return EINVAL;
  int number = fill_vnet(nic, tx, &vnet);
  if (number) return number;
  vectors[0] = (struct iovec){.iov_base = &vnet, .iov_len = nic->vnet_size};
  ssize_t written;
  do written = writev(port->fd, vectors, count + 1);
  while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

/* ---- Sending sockets ---- */

/* Appends the command to its sender's list; the senders that have one make a list themselves. */
static int queue_send(struct ot_nic *nic, int32_t at, int32_t *first_sender) {
  const int32_t *tx = nic->tx + (size_t)at * TX_STRIDE;
  struct ot_port *sender = ot_port_at(&nic->senders, tx[TX_INDEX]);
  if (!sender) return EBADF;
  struct iovec vectors[3];
  uint8_t tag[4];
  if (!gather(nic, tx, vectors, tag) || !inside(nic, tx[TX_HEADER], tx[TX_HEADER_LENGTH])) return EINVAL;
  int32_t remote = tx[TX_REMOTE];
  if (remote < 0 || (uint32_t)remote >= nic->remote_count || !nic->remotes[remote].v6.sin6_family) return EDESTADDRREQ;
  if (sender->family == AF_INET && !nic->remotes[remote].v4.sin_family) return EAFNOSUPPORT;
  if (((tx[TX_VNET] >> 8) & 0xff & ~VNET_GSO_ECN) != VNET_GSO_NONE) return EOPNOTSUPP;
  if (tx[TX_VNET] & VNET_NEEDS_CSUM) {
    int number = finish_checksum(nic, tx);
    if (number) return number;
  }
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

static void set_tos(struct msghdr *message, uint8_t *control, int family, int32_t tos) {
  struct cmsghdr *header = (struct cmsghdr *)control;
  header->cmsg_level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  header->cmsg_type = family == AF_INET6 ? IPV6_TCLASS : IP_TOS;
  header->cmsg_len = CMSG_LEN(sizeof tos);
  tos &= 0xff;
  memcpy(CMSG_DATA(header), &tos, sizeof tos);
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof tos);
}

static void fill_message(struct ot_nic *nic, const struct ot_port *sender, int32_t at, uint32_t i) {
  const int32_t *tx = nic->tx + (size_t)at * TX_STRIDE;
  struct ot_remote *remote = &nic->remotes[tx[TX_REMOTE]];
  struct iovec *vectors = nic->vectors[i];
  vectors[0] = (struct iovec){.iov_base = nic->arena + tx[TX_HEADER], .iov_len = (size_t)tx[TX_HEADER_LENGTH]};
  int count = 1 + gather(nic, tx, vectors + 1, nic->tags[i]);
  struct msghdr *message = &nic->messages[i].msg_hdr;
  bool v6 = sender->family == AF_INET6;
  *message = (struct msghdr){.msg_name = v6 ? (void *)&remote->v6 : (void *)&remote->v4,
                             .msg_namelen = v6 ? sizeof remote->v6 : sizeof remote->v4,
                             .msg_iov = vectors,
                             .msg_iovlen = (size_t)count};
  if (tx[TX_TOS]) set_tos(message, nic->control[i], sender->family, tx[TX_TOS]);
  nic->commands[i] = at;
}

/* An error belongs to the first message of a call: the command is marked, and the rest goes on behind it. */
static uint32_t send_messages(struct ot_nic *nic, int fd, uint32_t count) {
  uint32_t failed = 0;
  for (uint32_t at = 0; at < count;) {
    int sent = sendmmsg(fd, nic->messages + at, count - at, MSG_DONTWAIT);
    if (sent > 0) {
      at += (uint32_t)sent;
    } else if (sent == 0 || errno != EINTR) {
      nic->tx[(size_t)nic->commands[at] * TX_STRIDE + TX_STATUS] = sent == 0 ? EIO : errno;
      failed++;
      at++;
    }
  }
  return failed;
}

static uint32_t send_queue(struct ot_nic *nic, struct ot_port *sender) {
  uint32_t failed = 0, count = 0;
  for (int32_t at = sender->first; at >= 0; at = nic->links[at]) {
    fill_message(nic, sender, at, count++);
    if (count == OT_SEND_MESSAGES) {
      failed += send_messages(nic, sender->fd, count);
      count = 0;
    }
  }
  sender->first = -1;
  return failed + send_messages(nic, sender->fd, count);
}

uint32_t ot_nic_transmit(struct ot_nic *nic, uint32_t count) {
  uint32_t failed = 0;
  int32_t first_sender = -1;
  begin_round(nic);
  for (uint32_t i = 0; i < count; i++) {
    int32_t *tx = nic->tx + (size_t)i * TX_STRIDE;
    int number = EINVAL;
    if (tx[TX_KIND] == KIND_TAP) number = write_tap(nic, tx);
    else if (tx[TX_KIND] == KIND_UDP) number = queue_send(nic, (int32_t)i, &first_sender);
    tx[TX_STATUS] = number;
    failed += number != 0;
  }
  while (first_sender >= 0) {
    struct ot_port *sender = &nic->senders.ports[first_sender];
    first_sender = sender->next;
    failed += send_queue(nic, sender);
  }
  return failed;
}
