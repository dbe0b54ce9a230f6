/*
 * Sends frames to streams and datagram ports: several with one call, superframes segmented (split.c), checksums
 * completed (finish.c). Nothing waits: what a socket does not take is refused with EAGAIN.
 *
 * Of a stream the socket may take a part of a frame. That frame counts as sent, and its rest is kept in the tail of the
 * stream (stream.h), before which no other frame goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../frames/offload.h"
#include "stream.h"

/* Of one frame: length, and addresses, tag and rest, or headers and payload of a segment. */
#define VECTORS 4

/* Frames under way to one socket. */
struct ot_parcel {
  uint32_t count;
  int full; /* the errno with which the socket takes no more, 0: it does */
  int32_t at[OT_SEND_MESSAGES];
  size_t bytes[OT_SEND_MESSAGES];
  size_t parts[OT_SEND_MESSAGES];
  struct iovec vectors[OT_SEND_MESSAGES][VECTORS];
  struct mmsghdr messages[OT_SEND_MESSAGES];
  struct iovec joined[OT_SEND_MESSAGES * VECTORS];
  uint8_t lengths[OT_SEND_MESSAGES][OT_STREAM_LENGTH];
  uint8_t tags[OT_SEND_MESSAGES][4];
  uint8_t headers[OT_SEND_MESSAGES][OT_MAX_HEADERS];
};

struct ot_parcel *ot_parcel_create(void) { return calloc(1, sizeof(struct ot_parcel)); }

int ot_parcel_queue(struct ot_nic *nic, struct ot_port *port, int32_t at, int32_t *first_port) {
  const int32_t *tx = ot_command(nic, at);
  struct iovec vectors[3];
  uint8_t tag[4];
  if (!ot_gather(nic, tx, vectors, tag)) return EINVAL;
  int number = ot_gso_type(tx) == VNET_GSO_NONE && tx[TX_VNET] & VNET_NEEDS_CSUM ? ot_finish(nic, tx) : 0;
  if (number) return number;
  nic->links[at] = -1;
  if (port->first < 0) {
    port->first = at;
    port->next = *first_port;
    *first_port = tx[TX_INDEX];
  } else {
    nic->links[port->last] = at;
  }
  port->last = at;
  return 0;
}

/* ---- Streams ---- */

/* Keeps what the socket has not taken of frame `i`: the bytes from `from` on. */
static void keep_rest(const struct ot_parcel *parcel, uint32_t i, size_t from, struct ot_tail *tail) {
  tail->at = tail->end = 0;
  for (size_t part = 0; part < parcel->parts[i]; part++) {
    const struct iovec *vector = &parcel->vectors[i][part];
    if (from >= vector->iov_len) {
      from -= vector->iov_len;
      continue;
    }
    memcpy(tail->bytes + tail->end, (const uint8_t *)vector->iov_base + from, vector->iov_len - from);
    tail->end += (uint32_t)(vector->iov_len - from);
    from = 0;
  }
}

/* One write of all frames. With the lock held. Returns the number of frames that are sent, one of them in part. */
static uint32_t write_stream(struct ot_parcel *parcel, const struct ot_port *port) {
  struct ot_tail *tail = port->stream->tail;
  if ((parcel->full = ot_tail_send(tail, port->fd))) return 0;
  size_t parts = 0;
  for (uint32_t i = 0; i < parcel->count; i++) {
    memcpy(parcel->joined + parts, parcel->vectors[i], parcel->parts[i] * sizeof(struct iovec));
    parts += parcel->parts[i];
  }
  struct msghdr message = {.msg_iov = parcel->joined, .msg_iovlen = parts};
  ssize_t result;
  do result = sendmsg(port->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (result < 0 && errno == EINTR);
  if (result < 0) {
    parcel->full = errno;
    return 0;
  }
  size_t sent = (size_t)result;
  uint32_t done = 0;
  while (done < parcel->count && sent >= parcel->bytes[done]) sent -= parcel->bytes[done++];
  if (done == parcel->count) return done;
  parcel->full = EAGAIN;
  if (!sent) return done;
  keep_rest(parcel, done, sent, tail);
  return done + 1;
}

static void ship_stream(struct ot_nic *nic, uint32_t index, struct ot_port *port) {
  struct ot_parcel *parcel = nic->parcel;
  struct ot_tail *tail = port->stream->tail;
  ot_tail_lock(tail);
  uint32_t sent = write_stream(parcel, port);
  bool is_left = tail->at < tail->end;
  ot_tail_unlock(tail);
  if (is_left) ot_stream_arm(nic, index, port);
  for (uint32_t i = sent; i < parcel->count; i++) ot_command_failed(nic, parcel->at[i], parcel->full);
}

/* ---- Datagrams ---- */

static void ship_datagrams(struct ot_nic *nic, const struct ot_port *port) {
  struct ot_parcel *parcel = nic->parcel;
  for (uint32_t i = 0; i < parcel->count; i++)
    parcel->messages[i].msg_hdr = (struct msghdr){.msg_name = port->peer,
                                                  .msg_namelen = port->peer ? sizeof *port->peer : 0,
                                                  .msg_iov = parcel->vectors[i],
                                                  .msg_iovlen = parcel->parts[i]};
  for (uint32_t i = 0; i < parcel->count;) {
    int sent = parcel->full
                   ? -1
                   : ot_send_messages(port->fd, parcel->messages + i, parcel->count - i, MSG_DONTWAIT | MSG_NOSIGNAL);
    int number = parcel->full ? parcel->full : errno;
    if (sent < 0 && number == EINTR) continue;
    if (sent < 0) ot_command_failed(nic, parcel->at[i], number);
    /* A full socket takes none of the next ones either. Other errors belong to one datagram, or to an earlier one. */
    if (sent < 0 && (number == EAGAIN || number == ENOBUFS)) parcel->full = number;
    i += sent < 0 ? 1 : (uint32_t)sent;
  }
}

/* ---- Both ---- */

static void ship(struct ot_nic *nic, uint32_t index, struct ot_port *port) {
  if (!nic->parcel->count) return;
  if (port->way == OT_STREAM) ship_stream(nic, index, port);
  else ship_datagrams(nic, port);
  nic->parcel->count = 0;
}

/* Room for the vectors of a frame of `length` bytes: a stream has the length before it. */
static struct iovec *begin_frame(struct ot_parcel *parcel, const struct ot_port *port, int32_t at, size_t length) {
  uint32_t i = parcel->count;
  parcel->at[i] = at;
  parcel->bytes[i] = length;
  if (port->way != OT_STREAM) return parcel->vectors[i];
  ot_put_word(parcel->lengths[i], (uint32_t)length >> 16);
  ot_put_word(parcel->lengths[i] + 2, (uint32_t)length);
  parcel->vectors[i][0] = (struct iovec){.iov_base = parcel->lengths[i], .iov_len = OT_STREAM_LENGTH};
  parcel->bytes[i] += OT_STREAM_LENGTH;
  return parcel->vectors[i] + 1;
}

static void end_frame(struct ot_nic *nic, struct ot_port *port, int32_t at, struct iovec *end) {
  struct ot_parcel *parcel = nic->parcel;
  parcel->parts[parcel->count] = (size_t)(end - parcel->vectors[parcel->count]);
  if (++parcel->count == OT_SEND_MESSAGES) ship(nic, (uint32_t)ot_command(nic, at)[TX_INDEX], port);
}

/* Returns 0 or an errno. */
static int add_segments(struct ot_nic *nic, struct ot_port *port, int32_t at) {
  struct ot_parcel *parcel = nic->parcel;
  struct ot_split split;
  int number = ot_split_begin(nic, ot_command(nic, at), &split);
  for (uint32_t i = 0; number == 0 && i < split.count; i++) {
    if (parcel->full) return parcel->full;
    uint8_t *headers = parcel->headers[parcel->count];
    uint32_t length = ot_split_stamp(&split, i, headers);
    if (split.header_length + length > LONGEST_STREAM_FRAME) return EMSGSIZE;
    struct iovec *vectors = begin_frame(parcel, port, at, split.header_length + length);
    vectors[0] = (struct iovec){.iov_base = headers, .iov_len = split.header_length};
    vectors[1] = (struct iovec){.iov_base = (uint8_t *)split.payload + (size_t)i * split.segment, .iov_len = length};
    end_frame(nic, port, at, vectors + 2);
  }
  return number;
}

static int add_frame(struct ot_nic *nic, struct ot_port *port, int32_t at) {
  struct ot_parcel *parcel = nic->parcel;
  const int32_t *tx = ot_command(nic, at);
  if (ot_gso_type(tx) != VNET_GSO_NONE) return add_segments(nic, port, at);
  size_t length = (size_t)(tx[TX_LENGTH] + ot_tag_shift(tx));
  if (length > LONGEST_STREAM_FRAME) return EMSGSIZE;
  struct iovec *vectors = begin_frame(parcel, port, at, length);
  end_frame(nic, port, at, vectors + ot_gather(nic, tx, vectors, parcel->tags[parcel->count]));
  return 0;
}

void ot_parcel_send(struct ot_nic *nic, struct ot_port *port) {
  uint32_t index = (uint32_t)ot_command(nic, port->first)[TX_INDEX];
  nic->parcel->full = 0;
  for (int32_t at = port->first; at >= 0; at = nic->links[at]) {
    int number = nic->parcel->full ? nic->parcel->full : add_frame(nic, port, at);
    if (number) ot_command_failed(nic, at, number);
  }
  ship(nic, index, port);
  port->first = port->last = -1;
}
