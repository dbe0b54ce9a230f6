/*
 * What a network card does to frames: parsing (headers.c), checksums (finish.c), TSO and USO (split.c), GRO towards
 * TAPs (merge.c), writes to a TAP (tap-write.c), frames of existing interfaces (netdev-read.c, netdev-tunnel.c,
 * netdev-write.c), and UDP_SEGMENT sends (train.c).
 */
#ifndef OVERTAP_OFFLOAD_H
#define OVERTAP_OFFLOAD_H

#include "device.h"

/* ---- finish.c ---- */

void ot_finish_begin(struct ot_nic *nic);
/* Completes the frame's partial checksum in the arena, once for all commands that share the frame. */
int ot_finish(struct ot_nic *nic, const int32_t *tx);
bool ot_is_finished(struct ot_nic *nic, const int32_t *tx);

/* ---- headers.c ---- */

struct ot_headers {
  uint32_t l3, l4, end; /* offsets of the IP header, of its payload, and of the payload's end */
  uint8_t family;       /* 4, 6, or 0: no IP */
  uint8_t protocol;     /* of the header at l4 */
  bool tagged;          /* an 802.1Q or 802.1ad tag lies behind the addresses */
  bool plain;           /* neither options nor extension headers, at most one tag */
  bool fragment;
  bool routed; /* the pseudo-header's addresses differ from the IP header's: source route with hops left, or home
                  address option */
};

/* Finds the headers of a frame. False: they do not fit in it. */
bool ot_parse(const uint8_t *frame, size_t length, struct ot_headers *headers);
/* Bytes of the TCP header at l4, options included, or 0 when it does not fit before `end`. */
uint32_t ot_tcp_length(const uint8_t *frame, uint32_t l4, uint32_t end);
/* Sum of the pseudo-header but for its length field. */
uint64_t ot_pseudo_sum(const uint8_t *ip, int family, uint8_t protocol);
/*
 * Copies the frame's first `length` bytes with the command's tag operation applied. Returns the number of bytes
 * written.
 */
uint32_t ot_copy_headers(const int32_t *tx, const uint8_t *frame, uint32_t length, uint8_t *copy);
/* The frame with its tag pushed, popped or replaced, as 1 to 3 vectors; 0: the command is invalid. */
int ot_gather(const struct ot_nic *nic, const int32_t *tx, struct iovec *vectors, uint8_t tag[4]);

/* ---- split.c ---- */

struct ot_split {
  uint8_t headers[OT_MAX_HEADERS]; /* of the superframe, tag operation applied */
  uint32_t header_length, l3, l4, checksum;
  bool v6, tcp;
  const uint8_t *payload;
  uint32_t payload_length, segment, count;
  uint64_t ip_sum, l4_sum; /* sums over the fields that are equal in all segments */
  uint16_t id;
  uint32_t sequence;
  uint8_t flags;
};

/* Returns 0, EINVAL when the frame lies outside the arena, or OFFLOAD_MISFIT. Never writes to the frame. */
int ot_split_begin(const struct ot_nic *nic, const int32_t *tx, struct ot_split *split);
/*
 * Writes the headers of segment `i` (header_length bytes). Returns the length of its payload, which starts at i *
 * segment.
 */
uint32_t ot_split_stamp(const struct ot_split *split, uint32_t i, uint8_t *headers);

/* ---- train.c ---- */

struct ot_outbox *ot_outbox_create(void);
/* Sends the commands in a sender's list, which transmit.c has checked. */
void ot_send_queue(struct ot_nic *nic, struct ot_port *sender);

/* ---- parcel.c: frames to streams and datagram ports ---- */

struct ot_parcel *ot_parcel_create(void);
/* Appends a command to the port's list, after its check, with its checksum completed. Returns 0 or an errno. */
int ot_parcel_queue(struct ot_nic *nic, struct ot_port *port, int32_t at, int32_t *first_port);
/* Sends the commands in a port's list, superframes segmented. */
void ot_parcel_send(struct ot_nic *nic, struct ot_port *port);

/* ---- tap-write.c ---- */

/*
 * Writes a command's frame unchanged; to a TAP without a virtio-net header, checksummed and segmented. Returns 0 or an
 * errno.
 */
int ot_tap_write(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx);
int ot_write(int fd, const struct iovec *vectors, int count);
/*
 * The command's offload words, with offsets adjusted for the tag operation, and for the header that a TUN does not get.
 * Returns 0 or OFFLOAD_MISFIT.
 */
int ot_fill_vnet(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx, struct ot_vnet *vnet);

/* ---- netdev-read.c: a TAP's frame, but for its outer tag, which is beside it ---- */

/* Bytes by which a frame is received behind its place, for the tag that is put back. */
#define OT_TAG_ROOM 4

/*
 * Describes a message that recvmmsg has put behind the virtio-net header at `offset`; a superframe of a tunnel becomes
 * its segments, for which the next calls of recvmmsg leave descriptors free.
 */
void ot_netdev_describe(struct ot_nic *nic, int32_t index, struct ot_port *port, const struct mmsghdr *message,
                        size_t offset);
/* Describes a frame that was lost, since it does not fit a virtio-net header or the arena: it is counted as invalid. */
void ot_netdev_describe_lost(struct ot_nic *nic, int32_t index, size_t offset);

/* ---- netdev-tunnel.c ---- */

/*
 * Whether the virtio-net header describes a packet inside of the frame's own IP packet. `start`: its checksum's start.
 */
bool ot_tunnel_superframe(const struct ot_vnet *header, const uint8_t *frame, size_t length, uint32_t start);
/* Writes and describes its segments. Returns false, and has done nothing, when it is no such frame, or has no room. */
bool ot_tunnel_split(struct ot_nic *nic, int32_t index, const struct ot_vnet *header, size_t offset, size_t length,
                     uint32_t start);

/* ---- netdev-write.c ---- */

struct ot_packet_queue *ot_packet_queue_create(void);
/* Queues a command for the packet socket, and sends what is queued when it is full. */
void ot_packet_queue(struct ot_nic *nic, struct ot_port *port, int32_t at);
/* Sends what is queued. */
void ot_packet_flush(struct ot_nic *nic, struct ot_port *port);
void ot_packet_flush_all(struct ot_nic *nic);
/* What the errno of a send means: a device without carrier answers as a full queue does. */
int ot_packet_errno(struct ot_nic *nic, const struct ot_port *port, int number);

/* ---- merge.c ---- */

struct ot_merge *ot_merges_create(void);
void ot_merge_begin(struct ot_nic *nic);
/* Takes a command to a TAP: writes it now, or keeps it open to be merged with later ones. */
void ot_merge(struct ot_nic *nic, struct ot_port *port, int32_t at);
/* Writes all open merges. */
void ot_merge_end(struct ot_nic *nic);

#endif
