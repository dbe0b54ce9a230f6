/*
 * What a network card does to frames: parsing (headers.c), checksums (finish.c), TSO and USO (split.c), IPv4
 * fragmentation (fragment.c), GRO towards TAPs (merge.c), writes to a TAP (tap-write.c, tap-queue.c), frames of
 * existing interfaces (netdev-read.c, netdev-tunnel.c, netdev-write.c), and UDP_SEGMENT sends (train.c).
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

/* ---- fragment.c ---- */

struct ot_fragments {
  uint8_t headers[OT_MAX_HEADERS]; /* tag operation applied: up to the end of the IP header, and a transport header */
  uint32_t header_length, l3;      /* up to the end of the IP header */
  uint32_t l4_length;              /* of the transport header in `headers`; 0: it is part of the payload */
  const uint8_t *payload;
  uint32_t length;
  uint32_t step, count;
  uint16_t flags; /* of the packet, which may be a fragment itself */
};

struct ot_fragment {
  uint32_t header_length;
  const uint8_t *payload;
  uint32_t length;
};

/*
 * Divides the packet of a command, whose checksum is complete, or a stamped segment of a superframe, into frames of at
 * most `most` bytes. Returns 0, EMSGSIZE when it may not be divided, or OFFLOAD_MISFIT.
 */
int ot_fragment_frame(const struct ot_nic *nic, const int32_t *tx, uint32_t most, struct ot_fragments *fragments);
int ot_fragment_segment(const struct ot_split *split, const uint8_t *headers, const uint8_t *payload, uint32_t length,
                        uint32_t most, struct ot_fragments *fragments);
/* Writes the headers of fragment `i`. */
struct ot_fragment ot_fragment_stamp(const struct ot_fragments *fragments, uint32_t i, uint8_t *headers);

/* ---- train.c ---- */

struct ot_outbox *ot_outbox_create(void);
/* Takes the commands in a sender's list, which transmit.c has checked: sends them, or keeps some. */
void ot_send_queue(struct ot_nic *nic, struct ot_port *sender);
/* Sends what is kept. */
void ot_send_end(struct ot_nic *nic);

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
/* Most bytes of a virtio-net header and addresses with a tag. */
#define OT_TAP_PREFIX (sizeof(struct ot_vnet) + 16)
/*
 * What a frame starts with as it is written: the virtio-net header, and the addresses with the tag operation applied.
 * The rest of the frame follows from its byte `*rest` on. Returns the number of bytes.
 */
uint32_t ot_tap_prefix(const struct ot_port *port, const int32_t *tx, const uint8_t *frame, const struct ot_vnet *vnet,
                       uint8_t prefix[OT_TAP_PREFIX], uint32_t *rest);
/* The frame or packet as 1 to 3 vectors; 0: the command is invalid. */
int ot_tap_gather(const struct ot_nic *nic, const struct ot_port *port, const int32_t *tx, struct iovec *vectors,
                  uint8_t tag[4]);
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
/* The same of a frame that lies at `offset`, behind its virtio-net header. `tag`: NULL: it has none. */
void ot_netdev_describe_frame(struct ot_nic *nic, int32_t index, struct ot_port *port, size_t offset, size_t length,
                              const uint8_t *tag);
/* Writes the tag beside a frame, by its TP_STATUS_*. False: there is none. */
bool ot_netdev_tag(uint32_t status, uint16_t tpid, uint16_t tci, uint8_t tag[4]);
/* Describes a frame that was lost, since it does not fit a virtio-net header or the arena: it is counted as invalid. */
void ot_netdev_describe_lost(struct ot_nic *nic, int32_t index, size_t offset);

/* ---- netdev-lro.c ---- */

/*
 * Gives a superframe of TCP that has no partial checksum one, in the frame and in its virtio-net header, whose offsets
 * lie `shift` bytes before those of the frame. Others stay as they are.
 */
void ot_lro_complete(struct ot_vnet *header, uint8_t *frame, size_t length, uint32_t shift);

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

/* ---- tap-queue.c ---- */

struct ot_tap_queue *ot_tap_queue_create(void);
/*
 * Writes a command's frame to a TAP, or keeps it to be written with others, in the order of the commands. Returns 0 or
 * an errno; the failure of a frame that was kept is noted when it is written.
 */
int ot_tap_queue(struct ot_nic *nic, const struct ot_port *port, int32_t at);
/* Writes what is kept. To be called before anything else is written to a TAP, and at the end of a list of commands. */
void ot_tap_flush(struct ot_nic *nic);

/* ---- merge.c ---- */

struct ot_merge *ot_merges_create(void);
void ot_merge_begin(struct ot_nic *nic);
/* Takes a command to a TAP: writes it now, or keeps it open to be merged with later ones. */
void ot_merge(struct ot_nic *nic, struct ot_port *port, int32_t at);
/* Writes all open merges. */
void ot_merge_end(struct ot_nic *nic);

#endif
