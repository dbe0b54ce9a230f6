/*
 * What a network card does to frames on their way.
 *
 *   headers.c     where the headers of a frame are     finish.c   checksums left open
 *   split.c       a superframe's segments              merge.c    segments of a flow into one write
 *   tap-write.c   one frame to a TAP                   train.c    datagrams into trains, trains into sends
 */
#ifndef OVERTAP_OFFLOAD_H
#define OVERTAP_OFFLOAD_H

#include "device.h"

/* ---- finish.c ---- */

void ot_finish_begin(struct ot_nic *nic);
/* Completes the checksum that the frame leaves open, in the arena, once for all commands of this call that share it. */
int ot_finish(struct ot_nic *nic, const int32_t *tx);
bool ot_is_finished(struct ot_nic *nic, const int32_t *tx);

/* ---- headers.c ---- */

struct ot_headers {
  uint32_t l3, l4, end; /* offsets of IP, of what it carries, and of the end of that */
  uint8_t family;       /* 4, 6, or 0: no IP */
  uint8_t protocol;     /* of what lies at l4 */
  bool tagged;          /* an 802.1Q or 802.1ad tag lies behind the addresses */
  bool plain;           /* neither options nor extension headers, at most one tag */
  bool fragment;
  bool routed; /* the pseudo-header's addresses are not those of the IP header: a source route has hops left, or there
                  is a home address */
};

/* Finds the headers of a frame. False: they do not fit in it. */
bool ot_parse(const uint8_t *frame, size_t length, struct ot_headers *headers);
/* Bytes of the TCP header at l4, options included, or 0 when it does not fit before `end`. */
uint32_t ot_tcp_length(const uint8_t *frame, uint32_t l4, uint32_t end);
/* Sum of the pseudo-header but for its length field. */
uint64_t ot_pseudo_sum(const uint8_t *ip, int family, uint8_t protocol);
/*
 * Carries the command's tag operation out on a copy: writes the frame's first `length` bytes. Returns how many were
 * written.
 */
uint32_t ot_copy_headers(const int32_t *tx, const uint8_t *frame, uint32_t length, uint8_t *copy);
/*
 * The frame as it is to leave, with its tag pushed, popped or replaced: 1 to 3 vectors, or 0 when the command is not
 * possible.
 */
int ot_gather(const struct ot_nic *nic, const int32_t *tx, struct iovec *vectors, uint8_t tag[4]);

/* ---- split.c ---- */

struct ot_split {
  uint8_t headers[OT_MAX_HEADERS]; /* those of the superframe, tag operation carried out */
  uint32_t header_length, l3, l4, checksum;
  bool v6, tcp;
  const uint8_t *payload;
  uint32_t payload_length, segment, count;
  uint64_t ip_sum, l4_sum; /* over the fields that are the same in each segment */
  uint16_t id;
  uint32_t sequence;
  uint8_t flags;
};

/* 0, EINVAL: no frame of the arena, or OFFLOAD_MISFIT. The frame is never written to. */
int ot_split_begin(const struct ot_nic *nic, const int32_t *tx, struct ot_split *split);
/*
 * Stamps segment `i`'s headers (header_length bytes). Returns the length of its payload, which starts i * segment bytes
 * into all of it.
 */
uint32_t ot_split_stamp(const struct ot_split *split, uint32_t i, uint8_t *headers);

/* ---- train.c ---- */

struct ot_outbox *ot_outbox_create(void);
/* Sends a sender's list of commands, which have been checked. */
void ot_send_queue(struct ot_nic *nic, struct ot_port *sender);

/* ---- tap-write.c ---- */

/* Writes a command's frame as it is; without a virtio-net header, finished and split. Returns 0 or an errno. */
int ot_tap_write(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx);
int ot_write(int fd, const struct iovec *vectors, int count);

/* ---- merge.c ---- */

struct ot_merge *ot_merges_create(void);
void ot_merge_begin(struct ot_nic *nic);
/* Takes over a command to a TAP: writes it now, or keeps it to be written with those that follow. */
void ot_merge(struct ot_nic *nic, struct ot_port *port, int32_t at);
/* Writes whatever is still open. */
void ot_merge_end(struct ot_nic *nic);

#endif
