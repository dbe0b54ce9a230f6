/*
 * Tests what this kernel can do: a train over the loopback, and a temporary TAP. Decides nothing: the caller disables
 * what does not work.
 */
#include "../flows/flows.h"
#include "../gso-tap/gso-tap.h"
#include "../devices/packet-ring.h"
#include "../devices/tcx.h"
#include "../devices/socket-options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Two whole segments and a shorter one. */
#define SEGMENT 100
#define TRAIN 250

static void because(struct ot_trial *trial, const char *what, int number) {
  errno = number;
  if (number) snprintf(trial->reason, sizeof trial->reason, "%.50s: %m", what);
  else snprintf(trial->reason, sizeof trial->reason, "%.150s", what);
}

static int set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

/* Returns the length of the next message and, in *segment, its UDP_GRO size; -1: none arrived. */
static ssize_t take(int fd, int *segment) {
  _Alignas(struct cmsghdr) uint8_t control[128];
  uint8_t bytes[TRAIN * 2];
  struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  *segment = 0;
  if (poll(&wait, 1, 200) != 1) return -1;
  ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  if (got < 0) return -1;
  for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at))
    if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) memcpy(segment, CMSG_DATA(at), sizeof *segment);
  return got;
}

/* Both sockets are bound to the loopback; `out` is connected to `in` and sends trains. */
static void try_train(int in, int out, struct ot_trial *segments, struct ot_trial *gro) {
  uint8_t bytes[TRAIN] = {0};
  int segment, number = send(out, bytes, TRAIN, MSG_DONTWAIT) == TRAIN ? 0 : errno;
  ssize_t got = number ? -1 : take(in, &segment);
  /*
   * When a single datagram does not arrive either, the loopback is down or a firewall drops it: that says nothing about
   * trains.
   */
  if (got < 0 &&
      (set(out, SOL_UDP, UDP_SEGMENT, 0) < 0 || send(out, bytes, 1, MSG_DONTWAIT) != 1 || take(in, &segment) != 1)) {
    because(segments, "accepted, but not tried: no loopback", number);
    if (gro->works) because(gro, "accepted, but not tried: no loopback", number);
    return;
  }
  bool whole = got == TRAIN && segment == SEGMENT;
  segments->works = whole || got == SEGMENT;
  if (number) because(segments, "a send with UDP_SEGMENT was refused", number);
  else if (got < 0) because(segments, "a train sent over the loopback did not arrive", 0);
  else if (!segments->works) because(segments, "a train arrived as one datagram", 0);
  if (gro->works && !whole) because(gro, "accepted, but no train came over the loopback to try it", 0);
}

static void try_sockets(struct ot_trial *segments, struct ot_trial *gro) {
  int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (in < 0 || out < 0) {
    because(segments, "opening a UDP socket", errno);
    because(gro, "opening a UDP socket", errno);
  } else {
    segments->works = set(out, SOL_UDP, UDP_SEGMENT, SEGMENT) == 0;
    if (!segments->works) because(segments, "setting UDP_SEGMENT", errno);
    gro->works = set(in, SOL_UDP, UDP_GRO, 1) == 0;
    if (!gro->works) because(gro, "setting UDP_GRO", errno);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    bool linked = bind(in, (struct sockaddr *)&address, size) == 0 &&
                  getsockname(in, (struct sockaddr *)&address, &size) == 0 &&
                  connect(out, (struct sockaddr *)&address, size) == 0;
    if (!linked && segments->works) because(segments, "accepted, but not tried: no loopback", errno);
    if (!linked && gro->works) because(gro, "accepted, but not tried: no loopback", errno);
    if (linked && segments->works) try_train(in, out, segments, gro);
  }
  if (in >= 0) close(in);
  if (out >= 0) close(out);
}

/* A temporary TAP. Returns its descriptor, or -1 with errno and the step that failed. */
static int make_tap(int flags, const char **step) {
  struct ifreq request = {.ifr_name = "ottry%d", .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  *step = fd < 0 ? "opening /dev/net/tun" : "making a TAP";
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) == 0) return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static void conclude(struct ot_trial *trial, bool works, const char *what) {
  trial->works = works;
  if (!works) because(trial, what, errno);
}

static void try_offloads(int fd, struct ot_trial *tso, struct ot_trial *uso) {
  unsigned long base = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  conclude(tso, ioctl(fd, TUNSETOFFLOAD, base) == 0, "asking a TAP for TSO");
  conclude(uso, ioctl(fd, TUNSETOFFLOAD, base | TUN_F_USO4 | TUN_F_USO6) == 0, "asking a TAP for USO");
}

static void try_tcx(int fd, struct ot_trial *tcx) {
  struct ot_fault fault;
  struct ot_link link;
  struct ifreq request = {0};
  int number = ioctl(fd, TUNGETIFF, &request) < 0 ? errno : ot_link_look(request.ifr_name, &link);
  int silencer = number ? -1 : ot_tcx_silence(link.index, &fault);
  tcx->works = silencer >= 0;
  if (silencer >= 0) close(silencer);
  else because(tcx, number ? "looking for a TAP" : fault.step, number ? number : fault.number);
}

/* What any TAP has on a full kernel. */
static void try_requests(int fd, struct ot_trial trials[OT_TRIALS]) {
  int size = VNET_HEADER_SIZE;
  conclude(&trials[OT_TRIAL_PERSIST], ioctl(fd, TUNSETPERSIST, 0ul) == 0, "TUNSETPERSIST");
  conclude(&trials[OT_TRIAL_HEADER_SIZE], ioctl(fd, TUNSETVNETHDRSZ, &size) == 0, "TUNSETVNETHDRSZ");
  int netns = ioctl(fd, TUNGETDEVNETNS, 0);
  conclude(&trials[OT_TRIAL_DEVICE_NETNS], netns >= 0, "TUNGETDEVNETNS");
  if (netns >= 0) close(netns);
  try_tcx(fd, &trials[OT_TRIAL_TCX]);
  const char *step;
  int queue = make_tap(IFF_MULTI_QUEUE, &step);
  conclude(&trials[OT_TRIAL_MULTI_QUEUE], queue >= 0, "IFF_MULTI_QUEUE");
  if (queue >= 0) close(queue);
}

static void try_tap(struct ot_trial trials[OT_TRIALS]) {
  static const int requests[] = {OT_TRIAL_PERSIST, OT_TRIAL_HEADER_SIZE, OT_TRIAL_DEVICE_NETNS, OT_TRIAL_MULTI_QUEUE,
                                 OT_TRIAL_TCX};
  const char *missing = "not tried, for want of a TAP with a virtio-net header", *step;
  int fd = make_tap(IFF_VNET_HDR, &step);
  conclude(&trials[OT_TRIAL_VNET_HEADER], fd >= 0, step);
  if (fd >= 0) {
    try_offloads(fd, &trials[OT_TRIAL_TSO], &trials[OT_TRIAL_USO]);
  } else {
    because(&trials[OT_TRIAL_TSO], missing, 0);
    because(&trials[OT_TRIAL_USO], missing, 0);
    fd = make_tap(0, &step);
  }
  conclude(&trials[OT_TRIAL_TAP], fd >= 0, step);
  ot_self_test_uring(fd, &trials[OT_TRIAL_IO_URING]);
  if (fd >= 0) {
    try_requests(fd, trials);
    close(fd);
    return;
  }
  /* A TAP that is there may be taken over, and may have them. */
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    trials[requests[i]].works = true;
    because(&trials[requests[i]], "not tried, for want of a TAP", 0);
  }
}

/* Whether a socket gets a buffer as large as the switch asks for (RECEIVE_BUFFER of src/port/underlay.ts). */
static void try_buffers(struct ot_trial *buffers) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), wanted = 8 << 20, got = 0, number = 0;
  socklen_t size = sizeof got;
  if (fd >= 0 && set(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted) < 0) {
    number = errno;
    set(fd, SOL_SOCKET, SO_RCVBUF, wanted);
  }
  /* The kernel tells twice the value, for its own overhead. */
  buffers->works = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &size) == 0 && got / 2 >= wanted;
  if (fd >= 0) close(fd);
  errno = number;
  if (!buffers->works)
    snprintf(buffers->reason, sizeof buffers->reason, "SO_RCVBUFFORCE: %m; %d bytes instead of %d", got / 2, wanted);
}

static void try_system(struct ot_trial trials[OT_TRIALS]) {
  struct ot_fault fault;
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  conclude(&trials[OT_TRIAL_IPV6], fd >= 0, "opening an IPv6 socket");
  if (fd >= 0) close(fd);
  fd = ot_netlink_open(&fault);
  trials[OT_TRIAL_NETLINK].works = fd >= 0;
  if (fd < 0) because(&trials[OT_TRIAL_NETLINK], fault.step, fault.number);
  if (fd >= 0) close(fd);
  /* To the namespace where the thread is. */
  fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  conclude(&trials[OT_TRIAL_SETNS], fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "entering a network namespace");
  if (fd >= 0) close(fd);
  try_buffers(&trials[OT_TRIAL_BUFFERS]);
}

/* Without packet sockets there is nothing that lacks a ring. */
static void try_packet_ring(struct ot_trial *ring) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), number;
  ring->works = true;
  if (fd < 0) {
    because(ring, "not tried, for want of a packet socket", 0);
    return;
  }
  number = set(fd, SOL_PACKET, PACKET_VNET_HDR, 1) < 0 ? errno : ot_packet_ring_make(fd);
  ring->works = number == 0;
  if (number) because(ring, "PACKET_RX_RING", number);
  close(fd);
}

/*
 * Delivery cannot be tested without traffic: a superframe that the TAP refuses is sent through the socket (gso-tap.c).
 */
static void try_tunnel(struct ot_trial *tunnel_gso) {
  struct ot_fault fault;
  struct ot_gso_tap *gso_tap = ot_gso_tap_open(true, &fault);
  tunnel_gso->works = gso_tap && ot_gso_tap_start(gso_tap, &fault) == 0;
  if (!tunnel_gso->works) because(tunnel_gso, fault.step, fault.number);
  else if (ot_gso_tap_watched(gso_tap->absences, 0))
    because(tunnel_gso, "not used while a firewall or IPsec looks at what this host sends", 0);
  ot_gso_tap_close(gso_tap);
}

/* Makes the maps and loads both programs, of no device. */
static void try_flows(struct ot_trial *flows) {
  struct ot_fault fault;
  struct ot_flow_maps maps;
  int fds[3] = {-1, -1, -1};
  if (ot_flow_maps_open(1, &maps, &fault) == 0) {
    fds[0] = ot_flow_filter(&maps, 1, &fault);
    if (fds[0] >= 0) fds[1] = ot_flow_link(&maps, 1, 0, &fault);
    if (fds[1] >= 0) fds[2] = ot_flow_under(&maps, 0, &fault);
    ot_flow_maps_close(&maps);
  }
  flows->works = fds[2] >= 0;
  if (!flows->works) because(flows, fault.step, fault.number);
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0) close(fds[i]);
}

void ot_self_test(struct ot_trial trials[OT_TRIALS]) {
  static const char *const names[OT_TRIALS] = {
      "udpSegment",   "udpGro",     "vnetHeader", "tso",          "uso",          "tunnelGso",    "tap",
      "multiQueue",   "persist",    "headerSize", "deviceNetns",  "buffers",      "ipv6",         "netlink",
      "setns",        "recvTos",    "recvTclass", "noCheck6Rx",   "multicastAll", "socketFilter", "mtuDiscover",
      "mtuDiscover6", "pathMtu",    "reusePort",  "bindToDevice", "ttl",          "noChecksum",   "messages",
      "tcx",          "packetRing", "ioUring",    "flows"};
  for (int i = 0; i < OT_TRIALS; i++) trials[i] = (struct ot_trial){.name = names[i]};
  try_sockets(&trials[OT_TRIAL_UDP_SEGMENT], &trials[OT_TRIAL_UDP_GRO]);
  try_tap(trials);
  try_system(trials);
  try_packet_ring(&trials[OT_TRIAL_PACKET_RING]);
  try_flows(&trials[OT_TRIAL_FLOWS]);
  ot_self_test_udp(trials);
  try_tunnel(&trials[OT_TRIAL_TUNNEL_GSO]);
}
