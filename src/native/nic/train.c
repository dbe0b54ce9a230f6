/*
 * Sends. Consecutive datagrams of a sender's list become a train when they have one remote, one type of service and one
 * size (the last may be shorter); a train leaves as one message with UDP_SEGMENT (udp(7)). One sendmmsg takes up to
 * OT_SEND_MESSAGES messages of a sender, one call of the ring those of several senders (uring.c).
 *
 * Only the headers of a superframe's segments are copied. When a train is refused its datagrams are sent one by one;
 * when the kernel or device is at fault and not the train, the sender makes no trains from then on.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "../gso-tap/gso-tap.h"
#include "../devices/socket-options.h"
#include "uring.h"

#define VECTORS 2048
#define DATAGRAMS 1024
#define SCRATCH (128 * 1024)
/* Encapsulation header, and a frame in three parts. */
#define MOST_VECTORS 4
/* Bytes of the encapsulation header that is copied before each segment's headers. */
#define MOST_ENCAPSULATION 256
/* With so many messages for each sender, a sendmmsg for each costs less than the ring, which takes them one by one. */
#define MESSAGES_OF_SENDER 4

struct train {
  const struct ot_port *sender;
  int32_t remote, tos;
  uint32_t segment, bytes;
  uint32_t vector, datagram,
      datagrams; /* index of the first vector, index of the first datagram, number of datagrams */
  bool closed;   /* its last datagram was shorter */
};

struct ot_outbox {
  uint32_t count, vectors_used, datagrams_used, scratch_used;
  struct train trains[OT_SEND_MESSAGES];
  struct mmsghdr messages[OT_SEND_MESSAGES];
  struct sockaddr_in6 labelled[OT_SEND_MESSAGES]; /* addresses of messages with a flow label of their own */
  struct iovec vectors[VECTORS];
  int32_t owners[DATAGRAMS]; /* the command of each datagram */
  _Alignas(struct cmsghdr) uint8_t control[OT_SEND_MESSAGES][64];
  uint8_t scratch[SCRATCH];
};

struct ot_outbox *ot_outbox_create(void) { return calloc(1, sizeof(struct ot_outbox)); }

/* ---- Messages ---- */

static void add_control(struct msghdr *message, int level, int type, const void *value, size_t size) {
  struct cmsghdr *header = (struct cmsghdr *)((uint8_t *)message->msg_control + message->msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(header), value, size);
  message->msg_controllen += CMSG_SPACE(size);
}

/* The label is a part of the address. Messages to one remote are sent together, so each label needs an address. */
static struct sockaddr_in6 *address_of(struct ot_nic *nic, uint32_t i) {
  const struct train *train = &nic->outbox->trains[i];
  struct sockaddr_in6 *shared = &nic->remotes[train->remote].v6, *own = &nic->outbox->labelled[i];
  if (train->tos & TX_LABELLED) {
    *own = *shared;
    own->sin6_flowinfo = ot_flow_label(train->sender, train->tos);
    return own;
  }
  /* A constant of the port that the remote belongs to. Sockets without IPV6_FLOWINFO_SEND do not read it. */
  shared->sin6_flowinfo = train->sender->flow_label;
  return shared;
}

static void fill_message(struct ot_nic *nic, uint32_t i, struct msghdr *message) {
  const struct train *train = &nic->outbox->trains[i];
  bool v6 = train->sender->family == AF_INET6;
  struct sockaddr_in *v4 = &nic->remotes[train->remote].v4;
  *message = (struct msghdr){.msg_name = v6 ? (void *)address_of(nic, i) : (void *)v4,
                             .msg_namelen = v6 ? sizeof(struct sockaddr_in6) : sizeof *v4,
                             .msg_control = nic->outbox->control[i]};
  int32_t tos = train->tos & 0xff;
  if (tos) add_control(message, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof tos);
  if (!message->msg_controllen) message->msg_control = NULL;
}

static void finish_message(struct ot_nic *nic, uint32_t i) {
  struct ot_outbox *box = nic->outbox;
  struct train *train = &box->trains[i];
  struct msghdr *message = &box->messages[i].msg_hdr;
  fill_message(nic, i, message);
  uint32_t end = i + 1 < box->count ? box->trains[i + 1].vector : box->vectors_used;
  message->msg_iov = box->vectors + train->vector;
  message->msg_iovlen = end - train->vector;
  if (train->datagrams < 2) return;
  uint16_t segment = (uint16_t)train->segment;
  message->msg_control = box->control[i];
  add_control(message, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
}

/* ---- Failures ---- */

static bool refuses_trains(int number) {
  return number == EIO || number == EINVAL || number == EOPNOTSUPP || number == ENOPROTOOPT;
}

/*
 * Sends the datagrams of a train one by one. Each owns whole vectors, and all but the last have the segment's length.
 */
static uint32_t take_apart(struct ot_nic *nic, uint32_t i, struct mmsghdr *singles) {
  struct ot_outbox *box = nic->outbox;
  const struct train *train = &box->trains[i];
  struct iovec *vector = box->vectors + train->vector;
  struct msghdr message;
  fill_message(nic, i, &message);
  uint32_t left = train->bytes;
  for (uint32_t k = 0; k < train->datagrams; k++) {
    uint32_t size = left < train->segment ? left : train->segment, got = 0;
    singles[k].msg_hdr = message;
    singles[k].msg_hdr.msg_iov = vector;
    while (got < size) got += (uint32_t)(vector++)->iov_len;
    singles[k].msg_hdr.msg_iovlen = (size_t)(vector - singles[k].msg_hdr.msg_iov);
    left -= size;
  }
  return train->datagrams;
}

static void send_apart(struct ot_nic *nic, uint32_t i, bool refused) {
  struct mmsghdr singles[SEND_SEGMENTS];
  const struct train *train = &nic->outbox->trains[i];
  const int32_t *owners = nic->outbox->owners + train->datagram;
  uint32_t count = take_apart(nic, i, singles);
  for (uint32_t at = 0; at < count;) {
    int sent = ot_send_messages(train->sender->fd, singles + at, count - at, MSG_DONTWAIT);
    if (sent > 0) {
      /* The datagrams can be sent alone but not as a train: this sender cannot use UDP_SEGMENT. */
      if (at == 0 && refused && nic->udp_segment) {
        nic->udp_segment = false;
        nic->latched |= LATCHED_UDP_SEGMENT;
      }
      at += (uint32_t)sent;
    } else if (sent == 0 || errno != EINTR) {
      ot_command_failed(nic, owners[at], sent == 0 ? EIO : errno);
      at++;
    }
  }
}

/* A train with datagrams too long for the path may end with one that fits. */
static void message_failed(struct ot_nic *nic, uint32_t i, int number) {
  const struct train *train = &nic->outbox->trains[i];
  if (train->datagrams > 1 && (refuses_trains(number) || number == EMSGSIZE)) {
    send_apart(nic, i, refuses_trains(number));
    return;
  }
  for (uint32_t k = 0; k < train->datagrams; k++)
    ot_command_failed(nic, nic->outbox->owners[train->datagram + k], number);
}

/* The first message from `at` on that is of another sender. */
static uint32_t end_of_sender(const struct ot_outbox *box, uint32_t at) {
  const struct ot_port *sender = box->trains[at].sender;
  while (at < box->count && box->trains[at].sender == sender) at++;
  return at;
}

/*
 * Sends the messages of one sender. An error of sendmmsg belongs to the first unsent message: it is handled, and the
 * call goes on behind it.
 */
static void send_of_one(struct ot_nic *nic, uint32_t at, uint32_t end) {
  struct ot_outbox *box = nic->outbox;
  int fd = box->trains[at].sender->fd;
  while (at < end) {
    int sent = ot_send_messages(fd, box->messages + at, end - at, MSG_DONTWAIT);
    if (sent > 0) at += (uint32_t)sent;
    else if (sent == 0 || errno != EINTR) message_failed(nic, at++, sent == 0 ? EIO : errno);
  }
}

/*
 * Sends those of several senders with one call. When a train is refused, what follows it has been sent by the time that
 * its datagrams are.
 */
static void send_of_all(struct ot_nic *nic) {
  struct ot_call calls[OT_SEND_MESSAGES];
  const struct ot_outbox *box = nic->outbox;
  uint32_t count = box->count;
  for (uint32_t i = 0; i < count; i++)
    calls[i] =
        (struct ot_call){.fd = box->trains[i].sender->fd, .kind = OT_CALL_SEND, .data = &box->messages[i].msg_hdr};
  ot_make_calls(nic, calls, count);
  for (uint32_t i = 0; i < count; i++)
    if (calls[i].result < 0) message_failed(nic, i, -calls[i].result);
}

static void flush(struct ot_nic *nic) {
  struct ot_outbox *box = nic->outbox;
  uint32_t senders = 0;
  for (uint32_t i = 0; i < box->count; i++) finish_message(nic, i);
  for (uint32_t at = 0; at < box->count; at = end_of_sender(box, at)) senders++;
  if (senders * MESSAGES_OF_SENDER > box->count && ot_makes_together(nic, senders)) {
    send_of_all(nic);
  } else {
    for (uint32_t at = 0, end; at < box->count; at = end) {
      end = end_of_sender(box, at);
      send_of_one(nic, at, end);
    }
  }
  box->count = box->vectors_used = box->datagrams_used = box->scratch_used = 0;
}

/* ---- Trains ---- */

static void make_room(struct ot_nic *nic, uint32_t scratch) {
  const struct ot_outbox *box = nic->outbox;
  /* The datagram may need a message of its own. */
  if (box->count == OT_SEND_MESSAGES || box->vectors_used + MOST_VECTORS > VECTORS ||
      box->datagrams_used == DATAGRAMS || box->scratch_used + scratch > SCRATCH)
    flush(nic);
}

static bool joins(const struct train *train, const struct ot_port *sender, const int32_t *tx, uint32_t size) {
  return !train->closed && train->sender == sender && train->remote == tx[TX_REMOTE] && train->tos == tx[TX_TOS] &&
         size <= train->segment && train->datagrams < SEND_SEGMENTS && train->bytes + size <= SEND_BYTES;
}

/* A datagram whose vectors were appended to the used ones. */
static void append(struct ot_nic *nic, const struct ot_port *sender, int32_t at, uint32_t vectors, uint32_t size) {
  struct ot_outbox *box = nic->outbox;
  const int32_t *tx = ot_command(nic, at);
  struct train *train = box->count ? &box->trains[box->count - 1] : NULL;
  if (!train || !sender->trains || !nic->udp_segment || !joins(train, sender, tx, size)) {
    train = &box->trains[box->count++];
    *train = (struct train){.sender = sender,
                            .remote = tx[TX_REMOTE],
                            .tos = tx[TX_TOS],
                            .segment = size,
                            .vector = box->vectors_used,
                            .datagram = box->datagrams_used};
  }
  train->closed = size < train->segment;
  train->bytes += size;
  train->datagrams++;
  box->vectors_used += vectors;
  box->owners[box->datagrams_used++] = at;
}

static void append_frame(struct ot_nic *nic, const struct ot_port *sender, int32_t at) {
  struct ot_outbox *box = nic->outbox;
  const int32_t *tx = ot_command(nic, at);
  make_room(nic, 4);
  struct iovec *vectors = box->vectors + box->vectors_used;
  uint32_t header = (uint32_t)tx[TX_HEADER_LENGTH], first = header ? 1 : 0;
  vectors[0] = (struct iovec){.iov_base = nic->arena + tx[TX_HEADER], .iov_len = header};
  uint32_t count = first + (uint32_t)ot_gather(nic, tx, vectors + first, box->scratch + box->scratch_used);
  box->scratch_used += 4;
  append(nic, sender, at, count, header + (uint32_t)(tx[TX_LENGTH] + ot_tag_shift(tx)));
}

static void append_superframe(struct ot_nic *nic, const struct ot_port *sender, int32_t at) {
  struct ot_outbox *box = nic->outbox;
  const int32_t *tx = ot_command(nic, at);
  struct ot_split split;
  uint32_t encapsulation = (uint32_t)tx[TX_HEADER_LENGTH];
  int number = encapsulation > MOST_ENCAPSULATION ? EINVAL : ot_split_begin(nic, tx, &split);
  if (number) {
    ot_command_failed(nic, at, number);
    return;
  }
  if (ot_gso_tap_ready(nic, sender, tx, &split)) {
    /* Earlier datagrams are sent first. */
    if (box->count) flush(nic);
    if (ot_gso_tap_send(nic, sender, tx, &split)) return;
  }
  for (uint32_t i = 0; i < split.count; i++) {
    make_room(nic, encapsulation + split.header_length);
    uint8_t *headers = box->scratch + box->scratch_used;
    struct iovec *vectors = box->vectors + box->vectors_used;
    memcpy(headers, nic->arena + tx[TX_HEADER], encapsulation);
    uint32_t length = ot_split_stamp(&split, i, headers + encapsulation);
    box->scratch_used += encapsulation + split.header_length;
    vectors[0] = (struct iovec){.iov_base = headers, .iov_len = encapsulation + split.header_length};
    vectors[1] = (struct iovec){.iov_base = (uint8_t *)split.payload + (size_t)i * split.segment, .iov_len = length};
    append(nic, sender, at, length ? 2 : 1, encapsulation + split.header_length + length);
  }
}

/* Appends the fragments of one packet. */
static void append_pieces(struct ot_nic *nic, const struct ot_port *sender, int32_t at,
                          const struct ot_fragments *fragments) {
  struct ot_outbox *box = nic->outbox;
  const int32_t *tx = ot_command(nic, at);
  uint32_t encapsulation = (uint32_t)tx[TX_HEADER_LENGTH];
  for (uint32_t i = 0; i < fragments->count; i++) {
    make_room(nic, encapsulation + fragments->header_length + fragments->l4_length);
    uint8_t *headers = box->scratch + box->scratch_used;
    struct iovec *vectors = box->vectors + box->vectors_used;
    memcpy(headers, nic->arena + tx[TX_HEADER], encapsulation);
    struct ot_fragment piece = ot_fragment_stamp(fragments, i, headers + encapsulation);
    box->scratch_used += encapsulation + piece.header_length;
    vectors[0] = (struct iovec){.iov_base = headers, .iov_len = encapsulation + piece.header_length};
    vectors[1] = (struct iovec){.iov_base = (uint8_t *)piece.payload, .iov_len = piece.length};
    append(nic, sender, at, piece.length ? 2 : 1, encapsulation + piece.header_length + piece.length);
  }
}

/* A packet that is too long for the path, or a superframe of such packets. Returns 0 or an errno. */
static int append_fragments(struct ot_nic *nic, const struct ot_port *sender, int32_t at, uint32_t most) {
  const int32_t *tx = ot_command(nic, at);
  struct ot_fragments fragments;
  struct ot_split split;
  uint8_t headers[OT_MAX_HEADERS];
  if (tx[TX_HEADER_LENGTH] > MOST_ENCAPSULATION) return EINVAL;
  if (ot_gso_type(tx) == VNET_GSO_NONE) {
    int number = ot_fragment_frame(nic, tx, most, &fragments);
    if (!number) append_pieces(nic, sender, at, &fragments);
    return number;
  }
  int number = ot_split_begin(nic, tx, &split);
  for (uint32_t i = 0; !number && i < split.count; i++) {
    uint32_t length = ot_split_stamp(&split, i, headers);
    const uint8_t *payload = split.payload + (size_t)i * split.segment;
    number = ot_fragment_segment(&split, headers, payload, length, most, &fragments);
    if (!number) append_pieces(nic, sender, at, &fragments);
  }
  return number;
}

void ot_send_queue(struct ot_nic *nic, struct ot_port *sender) {
  for (int32_t at = sender->first; at >= 0; at = nic->links[at]) {
    uint32_t tos = (uint32_t)ot_command(nic, at)[TX_TOS], most = tos & TX_LABELLED ? 0 : tos >> TX_FRAGMENT_SHIFT;
    int number = most ? append_fragments(nic, sender, at, most) : 0;
    if (number) ot_command_failed(nic, at, number);
    if (most) continue;
    if (ot_gso_type(ot_command(nic, at)) != VNET_GSO_NONE) append_superframe(nic, sender, at);
    else append_frame(nic, sender, at);
  }
  sender->first = -1;
}

void ot_send_end(struct ot_nic *nic) {
  if (nic->outbox->count) flush(nic);
}
