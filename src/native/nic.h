/*
 * The inside of a Nic: its memory, its tables, and what its parts ask of each other.
 *
 *   receive.c    takes in a batch            headers.c   where the headers of a frame are
 *   transmit.c   walks the ring              split.c     a superframe's segments
 *   tap-write.c  one frame to a TAP          train.c     datagrams into trains, trains into sends
 *   finish.c     checksums left open         merge.c     segments of a flow into one write
 *   gso-tap.c     superframes that leave whole (gso-tap.h)
 */
#ifndef OVERTAP_NIC_H
#define OVERTAP_NIC_H

#include "overtap.h"

/* Room for the largest datagram or coalesced train, and for the largest frame of a TAP with its tags. */
#define OT_ROOM 65600
/* The distance of two datagrams in one call. An odd number of cache lines, or all of them would fight for the same cache sets. */
#define OT_SLOT (1065 * 64)
/* Datagrams taken in by one call, messages sent by one call. */
#define OT_RECEIVE_MESSAGES 32
#define OT_SEND_MESSAGES 64
/* Segments of a train that is taken in: UDP_MAX_SEGMENTS of kernels since 6.9; older ones know 64. */
#define OT_TRAIN_IN 128
/* A train that is sent: 64 segments and one datagram's bytes are what every kernel takes. */
#define OT_TRAIN_OUT 64
#define OT_TRAIN_BYTES 65507
/* Segments of a superframe. A segment size of a few bytes would make 65,000 of them, out of one write of a guest. */
#define OT_MAX_SEGMENTS 4096
/* Bytes of all headers that are copied and stamped for each segment, the encapsulation's included. */
#define OT_MAX_HEADERS 1024
/* Devices of one kind, and remotes. */
#define OT_MAX_PORTS 65536
#define OT_MAX_REMOTES 1048576
/* Merges open at a time: to one TAP, and in all. */
#define OT_TAP_MERGES 8
#define OT_MERGES 64
#define OT_MERGE_MEMBERS 64
/* Commands from which on it is measured how long carrying them out takes. */
#define OT_MEASURED 256

#define OT_ETHERNET 14
#define OT_TCP 6
#define OT_UDP_PROTOCOL 17

/* virtio-net header in the byte order of the host, which is what a TAP uses unless told otherwise. */
struct ot_vnet {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

struct ot_port {
  int fd; /* -1: not attached */
  int family;
  uint32_t vnet_size;  /* TAPs: bytes of the virtio-net header, 0: none */
  uint32_t reserve;    /* receiving sockets: descriptors that one datagram may take */
  uint32_t typical;    /* receiving sockets: bytes of a recent datagram */
  bool trains;         /* senders: UDP_SEGMENT may be tried */
  uint8_t local[16];   /* senders: the address that they are bound to, zeros: any */
  uint32_t bound_to;   /* senders: the index of a device, 0: none */
  uint16_t source_port;
  uint8_t ttl;
  bool df, checksum; /* senders: of the datagrams they send */
  int32_t first, last; /* of this call: a sender's commands, a TAP's open merges */
  int32_t next;        /* the next sender with commands, or TAP with open merges */
  uint32_t open;       /* TAPs: number of open merges */
  bool listed;         /* TAPs: in the list of those that have, or had, some */
};

struct ot_table {
  struct ot_port *ports;
  uint32_t size;
};

/* By which device superframes to a remote may leave whole, for senders like the one for which it was asked. */
struct ot_path {
  bool asked;
  uint32_t asked_ms, news, bound_to;
  uint8_t local[16], ttl;
  bool checksum;
  uint32_t device; /* 0: none */
  uint32_t mtu;      /* that the path has of its own, 0: the device's */
  uint32_t segments; /* the most that the device takes in one piece */
  uint8_t source[16];
  uint32_t hop_family; /* of the next hop: the gateway, or the remote itself */
  uint8_t hop[16];
};

struct ot_remote {
  struct sockaddr_in6 v6;
  struct sockaddr_in v4; /* sin_family 0: the address is no IPv4 one */
  struct ot_path path;
};

/* What one recvmmsg fills. */
struct ot_inbox {
  struct mmsghdr messages[OT_RECEIVE_MESSAGES];
  struct iovec vectors[OT_RECEIVE_MESSAGES];
  struct sockaddr_in6 sources[OT_RECEIVE_MESSAGES];
  _Alignas(struct cmsghdr) uint8_t control[OT_RECEIVE_MESSAGES][128];
};

struct ot_nic {
  uint8_t *arena;
  size_t arena_bytes, header_bytes;
  int32_t *rx, *tx, *status;
  size_t tx_capacity;
  size_t batch_bytes;
  uint32_t max_frames;
  uint32_t vnet_size;
  bool udp_segment, merge;
  uint64_t spin_ns; /* how long `receive` looks before it sleeps */
  int32_t latched; /* LATCHED_* bits that `receive` has still to report */
  int epoll, event; /* -1: closed, none */
  struct ot_table taps, sockets, senders;
  struct ot_remote *remotes;
  uint32_t remote_count;

  /* The batch being taken in. */
  uint32_t frames, turn;
  size_t bytes, next;
  struct ot_inbox inbox;

  /* The ring being carried out: links of lists of commands, and the checksum fields finished so far. */
  uint32_t failed;
  int32_t *links;
  uint32_t *done_at, *done_in;
  uint32_t done_mask, done_count, round;
  /* The last call's commands were not the last of their frames, and these are still there. */
  bool mid_batch;
  struct ot_outbox *outbox;
  struct ot_gso_tap *gso_tap; /* NULL: none */
  uint32_t tunnelled;
  struct ot_merge *merges;
  int32_t free_merge, merging_tap;
};

enum ot_kind { OT_TAP = KIND_TAP, OT_UDP = KIND_UDP, OT_EVENT = 3 };

struct ot_nic_options {
  uint8_t *arena;
  size_t arena_bytes, header_bytes;
  int32_t *rx, *tx, *status;
  size_t rx_words, tx_words, status_words;
  size_t batch_bytes, max_frames, vnet_size;
  bool udp_segment, merge, tunnel_gso, tunnel_guard;
  uint32_t spin_us;
};

/* ---- nic.c ---- */

struct ot_nic *ot_nic_create(const struct ot_nic_options *options, struct ot_fault *fault);
/* Closes the wait, keeps the memory: an open handle still points to it. */
void ot_nic_close(struct ot_nic *nic);
void ot_nic_free(struct ot_nic *nic);
int ot_nic_attach_tap(struct ot_nic *nic, uint32_t index, int fd, uint32_t vnet_size, struct ot_fault *fault);
int ot_nic_attach_socket(struct ot_nic *nic, uint32_t index, int fd, struct ot_fault *fault);
int ot_nic_attach_sender(struct ot_nic *nic, uint32_t index, int fd, struct ot_fault *fault);
int ot_nic_attach_event(struct ot_nic *nic, int fd, struct ot_fault *fault);
void ot_nic_detach(struct ot_nic *nic, struct ot_table *table, uint32_t index);
int ot_nic_set_remote(struct ot_nic *nic, uint32_t index, const uint32_t address[4], int port, struct ot_fault *fault);
struct ot_port *ot_port_at(struct ot_table *table, int32_t index);
uint64_t ot_nanoseconds(void);
int ot_event_open(struct ot_fault *fault);
int ot_event_ring(int fd, struct ot_fault *fault);

/* ---- receive.c ---- */

/* Number of frames, or -1 when the Nic is closed or the wait itself failed. */
int ot_nic_receive(struct ot_nic *nic, int timeout_ms, struct ot_fault *fault);

/* ---- transmit.c ---- */

/* Number of commands that failed. The caller has checked `count` against the ring. */
uint32_t ot_nic_transmit(struct ot_nic *nic, uint32_t count, bool more);
/* Enters a failure into the command's status. The first one stays. */
void ot_command_failed(struct ot_nic *nic, int32_t at, int number);

static inline int32_t *ot_command(const struct ot_nic *nic, int32_t at) { return nic->tx + (size_t)at * TX_STRIDE; }

static inline bool ot_inside(const struct ot_nic *nic, int32_t offset, int32_t length) {
  return offset >= 0 && length >= 0 && (size_t)offset + (size_t)length <= nic->arena_bytes;
}

/* In network byte order; the bytes need not be aligned. */
static inline void ot_put_word(uint8_t *bytes, uint32_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

static inline uint32_t ot_gso_type(const int32_t *tx) { return (uint32_t)tx[TX_VNET] >> 8 & 0xff & ~(uint32_t)VNET_GSO_ECN; }
static inline uint32_t ot_csum_start(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] & 0xffff; }
static inline uint32_t ot_csum_offset(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] >> 16; }

/* By how much the tag operation moves what lies behind the addresses. */
static inline int32_t ot_tag_shift(const int32_t *tx) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  return operation == TAG_PUSH ? 4 : operation == TAG_POP ? -4 : 0;
}

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
  bool routed; /* the pseudo-header's addresses are not those of the IP header: a source route has hops left, or there is a home address */
};

/* Finds the headers of a frame. False: they do not fit in it. */
bool ot_parse(const uint8_t *frame, size_t length, struct ot_headers *headers);
/* Bytes of the TCP header at l4, options included, or 0 when it does not fit before `end`. */
uint32_t ot_tcp_length(const uint8_t *frame, uint32_t l4, uint32_t end);
/* Sum of the pseudo-header but for its length field. */
uint64_t ot_pseudo_sum(const uint8_t *ip, int family, uint8_t protocol);
/* Carries the command's tag operation out on a copy: writes the frame's first `length` bytes. Returns how many were written. */
uint32_t ot_copy_headers(const int32_t *tx, const uint8_t *frame, uint32_t length, uint8_t *copy);
/* The frame as it is to leave, with its tag pushed, popped or replaced: 1 to 3 vectors, or 0 when the command is not possible. */
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
/* Stamps segment `i`'s headers (header_length bytes). Returns the length of its payload, which starts i * segment bytes into all of it. */
uint32_t ot_split_stamp(const struct ot_split *split, uint32_t i, uint8_t *headers);

/* ---- train.c ---- */

struct ot_outbox *ot_outbox_create(void);
/* Sends a sender's list of commands, which have been checked. */
void ot_send_queue(struct ot_nic *nic, struct ot_port *sender);

/* ---- gso-tap.c ---- */

/* Makes no TAP yet. `guarded`: not to be used while somebody looks at what this host sends (gso-tap-guard.c). */
struct ot_gso_tap *ot_gso_tap_open(bool guarded, struct ot_fault *fault);
void ot_gso_tap_close(struct ot_gso_tap *gso_tap);
/* Makes the TAP. -1: this kernel cannot, or will not. */
int ot_gso_tap_start(struct ot_gso_tap *gso_tap, struct ot_fault *fault);
/* Whether a superframe may leave whole, as far as can be told before it is tried. The first one has the TAP made. */
bool ot_gso_tap_ready(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx, const struct ot_split *split);
/* False: it has not left. Whatever was sent before must be on its way. */
bool ot_gso_tap_send(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx, const struct ot_split *split);

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
