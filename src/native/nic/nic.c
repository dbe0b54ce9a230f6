/*
 * Creation and end of a Nic, and its tables of attached descriptors. Never moves a frame; never closes an attached
 * descriptor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../gso-tap/gso-tap.h"
#include "nic.h"
#include "receive.h"
#include "uring.h"
#include "../frames/offload.h"
#include "../devices/socket-options.h"

static int check_options(const struct ot_nic_options *options, struct ot_fault *fault) {
  size_t smallest = options->header_bytes + HEADROOM + 2 * 64 + SLOT_BYTES;
  if (options->arena_bytes > INT32_MAX || options->header_bytes > INT32_MAX || options->arena_bytes < smallest)
    return ot_fail(fault, EINVAL, "createNic",
                   "the arena must hold the headers and one datagram: at least %zu bytes, at most %d", smallest,
                   INT32_MAX);
  if (options->max_frames < 1 || options->rx_words / RX_STRIDE < options->max_frames)
    return ot_fail(fault, EINVAL, "createNic", "rx is too short for %zu descriptors", options->max_frames);
  if (options->tx_words < TX_STRIDE || options->tx_words / TX_STRIDE > 1 << 20)
    return ot_fail(fault, EINVAL, "createNic", "tx must hold 1 to 1,048,576 commands");
  if (options->status_words < STATUS_WORDS) return ot_fail(fault, EINVAL, "createNic", "status is too short");
  if (options->vnet_size != 10 && options->vnet_size != 12)
    return ot_fail(fault, EINVAL, "createNic", "vnetHeaderSize must be 10 or 12");
  if (options->batch_bytes < 1) return ot_fail(fault, EINVAL, "createNic", "batchBytes must be positive");
  return 0;
}

struct ot_nic *ot_nic_create(const struct ot_nic_options *options, struct ot_fault *fault) {
  if (check_options(options, fault) < 0) return NULL;
  struct ot_nic *nic = calloc(1, sizeof *nic);
  if (!nic) {
    ot_fail(fault, ENOMEM, "malloc", "creating a Nic");
    return NULL;
  }
  nic->arena = options->arena;
  nic->arena_bytes = options->arena_bytes;
  nic->header_bytes = options->header_bytes;
  nic->rx = options->rx;
  nic->tx = options->tx;
  nic->status = options->status;
  nic->tx_capacity = options->tx_words / TX_STRIDE;
  nic->batch_bytes = options->batch_bytes;
  nic->max_frames = (uint32_t)options->max_frames;
  nic->vnet_size = (uint32_t)options->vnet_size;
  nic->udp_segment = options->udp_segment;
  nic->merge = options->merge;
  /* With a single CPU nothing can arrive while this thread polls. */
  nic->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint64_t)options->spin_us * 1000 : 0;
  nic->spin_adapts = options->spin_adapts;
  nic->event = -1;
  uint32_t places = 64;
  while (places < nic->tx_capacity * 2) places *= 2;
  nic->done_mask = places - 1;
  nic->links = calloc(nic->tx_capacity, sizeof *nic->links);
  nic->done_at = calloc(places, sizeof *nic->done_at);
  nic->done_in = calloc(places, sizeof *nic->done_in);
  nic->outbox = ot_outbox_create();
  nic->parcel = ot_parcel_create();
  nic->merges = ot_merges_create();
  nic->tap_queue = ot_tap_queue_create();
  nic->epoll = epoll_create1(EPOLL_CLOEXEC);
  /* The self-test reports whether it works; here a failure only disables it. */
  if (options->tunnel_gso && !(nic->gso_tap = ot_gso_tap_open(options->tunnel_guard, fault)))
    nic->latched |= LATCHED_TUNNEL_GSO;
  if (options->io_uring && !(nic->uring = ot_uring_open(fault))) nic->latched |= LATCHED_IO_URING;
  if (nic->epoll >= 0 && nic->links && nic->done_at && nic->done_in && nic->outbox && nic->parcel && nic->merges &&
      nic->tap_queue)
    return nic;
  if (nic->epoll < 0) ot_fail(fault, errno, "epoll_create1", "creating a Nic");
  else ot_fail(fault, ENOMEM, "malloc", "creating a Nic");
  ot_nic_free(nic);
  return NULL;
}

/* Frees what a local port over a socket has. */
static void forget_socket(struct ot_nic *nic, struct ot_port *port) {
  if (port->fd < 0) return;
  if (port->stream) ot_stream_free(nic, port->stream);
  free(port->peer);
  free(port->packets);
  if (port->ring) {
    ot_ring_forget(nic, port->ring);
    ot_ring_free(port->ring);
    nic->rings--;
  }
  port->ring = NULL;
  port->stream = NULL;
  port->peer = NULL;
  port->packets = NULL;
}

void ot_nic_close(struct ot_nic *nic) {
  if (nic->epoll >= 0) close(nic->epoll);
  nic->epoll = -1;
  ot_gso_tap_close(nic->gso_tap);
  nic->gso_tap = NULL;
  ot_uring_close(nic->uring);
  ot_uring_close(nic->failed_uring);
  nic->uring = nic->failed_uring = NULL;
  for (uint32_t i = 0; i < nic->taps.size; i++) forget_socket(nic, &nic->taps.ports[i]);
  struct ot_table *tables[] = {&nic->taps, &nic->sockets, &nic->senders};
  for (int i = 0; i < 3; i++) {
    free(tables[i]->ports);
    tables[i]->ports = NULL;
    tables[i]->size = 0;
  }
}

void ot_nic_free(struct ot_nic *nic) {
  ot_nic_close(nic);
  free(nic->remotes);
  free(nic->links);
  free(nic->done_at);
  free(nic->done_in);
  free(nic->outbox);
  free(nic->parcel);
  free(nic->merges);
  free(nic->tap_queue);
  free(nic);
}

static int place(struct ot_table *table, uint32_t index, int fd, int family, struct ot_fault *fault) {
  if (index >= OT_MAX_PORTS)
    return ot_fail(fault, EINVAL, "attach", "index %u is over the limit of %d", index, OT_MAX_PORTS);
  if (index >= table->size) {
    uint32_t size = table->size ? table->size : 16;
    while (size <= index) size *= 2;
    struct ot_port *ports = realloc(table->ports, size * sizeof *ports);
    if (!ports) return ot_fail(fault, ENOMEM, "realloc", "attaching index %u", index);
    for (uint32_t i = table->size; i < size; i++) ports[i] = (struct ot_port){.fd = -1};
    table->ports = ports;
    table->size = size;
  }
  if (table->ports[index].fd >= 0) return ot_fail(fault, EEXIST, "attach", "index %u is in use", index);
  table->ports[index] = (struct ot_port){.fd = fd,
                                         .family = family,
                                         .reserve = 1,
                                         .typical = 1500,
                                         .expected = OT_URING_CALLS,
                                         .first = -1,
                                         .last = -1,
                                         .next = -1};
  return 0;
}

static int watch(struct ot_nic *nic, enum ot_kind kind, uint32_t index, int fd, struct ot_fault *fault) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | index};
  if (epoll_ctl(nic->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    return ot_fail(fault, errno, "epoll_ctl", "attaching descriptor %d", fd);
  return 0;
}

static int usable(const struct ot_nic *nic, int fd, struct ot_fault *fault) {
  if (nic->epoll < 0) return ot_fail(fault, EBADF, "attach", "the Nic is closed");
  if (fd < 0) return ot_fail(fault, EBADF, "attach", "%d is no descriptor", fd);
  return 0;
}

static int attach(struct ot_nic *nic, struct ot_table *table, enum ot_kind kind, uint32_t index, int fd,
                  struct ot_fault *fault) {
  if (usable(nic, fd, fault) < 0 || place(table, index, fd, 0, fault) < 0) return -1;
  if (watch(nic, kind, index, fd, fault) == 0) return 0;
  table->ports[index].fd = -1;
  return -1;
}

static int attach_frames(struct ot_nic *nic, uint32_t index, const struct ot_port *how, struct ot_fault *fault) {
  struct ot_table *table = &nic->taps;
  if (usable(nic, how->fd, fault) < 0 || place(table, index, how->fd, 0, fault) < 0) return -1;
  struct ot_port *port = &table->ports[index];
  port->way = how->way;
  port->reads = how->reads;
  if (!port->reads || watch(nic, OT_TAP, index, how->fd, fault) == 0) return 0;
  port->fd = -1;
  return -1;
}

int ot_nic_attach_stream(struct ot_nic *nic, uint32_t index, int fd, int tail, bool reads, struct ot_fault *fault) {
  struct ot_stream *stream = ot_stream_create(index, tail, fault);
  if (!stream) return -1;
  if (attach_frames(nic, index, &(struct ot_port){.fd = fd, .way = OT_STREAM, .reads = reads}, fault) == 0) {
    nic->taps.ports[index].stream = stream;
    ot_stream_resume(nic, index, &nic->taps.ports[index]);
    return 0;
  }
  ot_stream_free(nic, stream);
  return -1;
}

int ot_nic_attach_datagrams(struct ot_nic *nic, uint32_t index, int fd, bool reads, const char *peer,
                            struct ot_fault *fault) {
  struct sockaddr_un *name = NULL;
  if (strlen(peer) >= sizeof name->sun_path)
    return ot_fail(fault, EINVAL, "attach", "the path of a socket has at most %zu bytes", sizeof name->sun_path - 1);
  if (peer[0] && !(name = calloc(1, sizeof *name))) return ot_fail(fault, ENOMEM, "malloc", "attaching a socket");
  if (name) {
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, peer, strlen(peer));
  }
  if (attach_frames(nic, index, &(struct ot_port){.fd = fd, .way = OT_DATAGRAMS, .reads = reads}, fault) == 0) {
    nic->taps.ports[index].peer = name;
    return 0;
  }
  free(name);
  return -1;
}

/* The value of an integer socket option, or `fallback` where the kernel does not have it. */
static int option(int fd, int level, int name, int fallback) {
  int value = fallback;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) < 0 ? fallback : value;
}

int ot_nic_attach_tap(struct ot_nic *nic, uint32_t index, int fd, uint32_t vnet_size, bool layer3,
                      struct ot_fault *fault) {
  if (vnet_size != 0 && vnet_size != 10 && vnet_size != 12)
    return ot_fail(fault, EINVAL, "attach", "a virtio-net header has 10 or 12 bytes, or there is none");
  bool packets = ot_netdev_is_packet(fd);
  if (packets && vnet_size != VNET_HEADER_SIZE)
    return ot_fail(fault, EINVAL, "attach", "a packet socket needs a virtio-net header of %d bytes", VNET_HEADER_SIZE);
  if (attach(nic, &nic->taps, OT_TAP, index, fd, fault) < 0) return -1;
  struct ot_port *port = &nic->taps.ports[index];
  port->vnet_size = vnet_size;
  port->lacks = layer3 ? OT_ETHERNET : 0;
  if (!packets) return 0;
  port->way = OT_PACKETS;
  port->reads = true;
  port->packets = ot_packet_queue_create();
  port->ring = ot_ring_create(index, fd);
  if (port->ring) nic->rings++;
  int result =
      port->packets ? ot_netdev_listen(fd, fault) : ot_fail(fault, ENOMEM, "malloc", "attaching index %u", index);
  if (result < 0) ot_nic_detach(nic, &nic->taps, index);
  return result;
}

int ot_nic_attach_socket(struct ot_nic *nic, uint32_t index, int fd, struct ot_fault *fault) {
  /* Some kernels with UDP_GRO cannot report whether it is on. */
  bool gro = usable(nic, fd, fault) == 0 && option(fd, SOL_UDP, UDP_GRO, 1);
  if (gro && nic->max_frames < OT_TRAIN_IN)
    return ot_fail(fault, EINVAL, "attach", "a socket with UDP_GRO needs a Nic of at least %d frames", OT_TRAIN_IN);
  if (attach(nic, &nic->sockets, OT_UDP, index, fd, fault) < 0) return -1;
  if (gro) nic->sockets.ports[index].reserve = OT_TRAIN_IN;
  return 0;
}

/* Reads the header fields of a sender's datagrams: superframes that bypass the socket (gso-tap.c) get the same. */
static void describe_sender(struct ot_port *sender) {
  int fd = sender->fd;
  bool v6 = sender->family == AF_INET6;
  struct sockaddr_in6 address = {.sin6_family = AF_UNSPEC};
  socklen_t size = sizeof address;
  sender->checksum = !option(fd, SOL_SOCKET, SO_NO_CHECK, 0) && !(v6 && option(fd, SOL_UDP, UDP_NO_CHECK6_TX, 0));
  sender->ttl = (uint8_t)(v6 ? option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64) : option(fd, IPPROTO_IP, IP_TTL, 64));
  sender->df = v6 || option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO) == IP_PMTUDISC_DO;
  sender->bound_to = (uint32_t)option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0);
  if (!sender->bound_to)
    sender->bound_to =
        ntohl((uint32_t)(v6 ? option(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, 0) : option(fd, IPPROTO_IP, IP_UNICAST_IF, 0)));
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) return;
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
  sender->source_port = ntohs(address.sin6_port);
  if (v6) memcpy(sender->local, &address.sin6_addr, 16);
  else memcpy(sender->local, &v4->sin_addr, 4);
}

int ot_nic_attach_sender(struct ot_nic *nic, uint32_t index, int fd, uint32_t label, struct ot_fault *fault) {
  int family, segment;
  socklen_t size = sizeof family;
  if (usable(nic, fd, fault) < 0) return -1;
  struct sockaddr_in6 own;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) {
    size = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
      return ot_fail(fault, errno, "getsockname", "attaching the sender %d", fd);
    family = own.sin6_family;
  }
  if (family != AF_INET && family != AF_INET6)
    return ot_fail(fault, EAFNOSUPPORT, "attach", "sender %d is no UDP socket", fd);
  if (place(&nic->senders, index, fd, family, fault) < 0) return -1;
  /* An old kernel would ignore the unknown control message and send the train as one datagram. */
  size = sizeof segment;
  if (nic->udp_segment && getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &size) < 0) {
    nic->udp_segment = false;
    nic->latched |= LATCHED_UDP_SEGMENT;
  }
  describe_sender(&nic->senders.ports[index]);
  nic->senders.ports[index].flow_label = htonl(label);
  nic->senders.ports[index].trains = nic->senders.ports[index].checksum;
  return 0;
}

int ot_nic_attach_event(struct ot_nic *nic, int fd, struct ot_fault *fault) {
  if (usable(nic, fd, fault) < 0) return -1;
  if (nic->event >= 0) return ot_fail(fault, EEXIST, "attach", "an event is attached already");
  if (watch(nic, OT_EVENT, 0, fd, fault) < 0) return -1;
  nic->event = fd;
  return 0;
}

void ot_nic_detach(struct ot_nic *nic, struct ot_table *table, uint32_t index) {
  struct ot_port *port = index < OT_MAX_PORTS ? ot_port_at(table, (int32_t)index) : NULL;
  if (!port) return;
  /* A descriptor that its owner has closed has left epoll by itself. */
  if (table != &nic->senders) epoll_ctl(nic->epoll, EPOLL_CTL_DEL, port->fd, NULL);
  if (table == &nic->taps) forget_socket(nic, port);
  port->fd = -1;
}

int ot_nic_set_remote(struct ot_nic *nic, uint32_t index, const uint32_t address[4], int port, struct ot_fault *fault) {
  if (index >= OT_MAX_REMOTES)
    return ot_fail(fault, EINVAL, "setRemote", "index %u is over the limit of %d", index, OT_MAX_REMOTES);
  if (port < 1 || port > 65535) return ot_fail(fault, EINVAL, "setRemote", "%d is no port", port);
  if (index >= nic->remote_count) {
    uint32_t size = nic->remote_count ? nic->remote_count : 64;
    while (size <= index) size *= 2;
    struct ot_remote *remotes = realloc(nic->remotes, size * sizeof *remotes);
    if (!remotes) return ot_fail(fault, ENOMEM, "realloc", "storing remote %u", index);
    memset(remotes + nic->remote_count, 0, (size - nic->remote_count) * sizeof *remotes);
    nic->remotes = remotes;
    nic->remote_count = size;
  }
  struct ot_remote *remote = &nic->remotes[index];
  memset(remote, 0, sizeof *remote);
  remote->v6.sin6_family = AF_INET6;
  remote->v6.sin6_port = htons((uint16_t)port);
  for (int i = 0; i < 4; i++) {
    uint32_t word = htonl(address[i]);
    memcpy((uint8_t *)&remote->v6.sin6_addr + i * 4, &word, 4);
  }
  if (IN6_IS_ADDR_V4MAPPED(&remote->v6.sin6_addr)) {
    remote->v4.sin_family = AF_INET;
    remote->v4.sin_port = remote->v6.sin6_port;
    memcpy(&remote->v4.sin_addr, (uint8_t *)&remote->v6.sin6_addr + 12, 4);
  }
  return 0;
}

int ot_event_open(struct ot_fault *fault) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? ot_fail(fault, errno, "eventfd", "creating an event") : fd;
}

int ot_event_ring(int fd, struct ot_fault *fault) {
  uint64_t one = 1;
  /* EAGAIN: the counter is full, so the event is pending anyway. */
  if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) return ot_fail(fault, errno, "write", "ringing an event");
  return 0;
}
