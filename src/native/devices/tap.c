/*
 * TAP devices (Documentation/networking/tuntap.rst): creation, and taking over an existing one. tap-change.c handles
 * open ones. Never reads or writes a frame.
 *
 * A descriptor of /dev/net/tun belongs to the namespace where it was opened, and keeps that namespace alive. A new TAP
 * for another namespace is therefore made in our own, moved, and renamed there: otherwise a namespace deleted by its
 * owner would live on, and the switch would not notice. Only a persistent TAP that is taken over has to be opened
 * inside its namespace.
 */
#include "../overtap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/*
 * Sets the offloads that the kernel supports. Returns those; 0 where it refuses them all, as gVisor does, which is the
 * state of a new TAP; -1 when the device is gone.
 */
static int set_offload(int fd, unsigned wanted, struct ot_fault *fault) {
  const unsigned allowed[] = {~0u, ~(unsigned)(TUN_F_USO4 | TUN_F_USO6), TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
                              TUN_F_CSUM, 0};
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    unsigned flags = wanted & allowed[i];
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) == 0) return (int)flags;
    if (errno == EBADFD) return ot_fail(fault, errno, "TUNSETOFFLOAD", "setting the offloads of the TAP");
  }
  return 0;
}

/*
 * Sets the size of the virtio-net header. Where the kernel refuses that, the present one will do. Returns the size, or
 * -1.
 */
static int set_header(int fd, struct ot_fault *fault) {
  int size = VNET_HEADER_SIZE;
  if (ioctl(fd, TUNSETVNETHDRSZ, &size) == 0) return size;
  int number = errno;
  /* Where not even that is told, it is the default: nobody could have set another one. */
  if (ioctl(fd, TUNGETVNETHDRSZ, &size) < 0) size = VNET_HEADER_SIZE;
  if (number != EBADFD && (size == VNET_HEADER_SIZE || size == VNET_HEADER_SIZE + 2)) return size;
  return ot_fail(fault, number, "TUNSETVNETHDRSZ", "setting the virtio-net header's size");
}

/* Notes the state of an existing TAP. No process has it open, so it is persistent. */
static void note_found(int fd, const struct ot_link *link, struct ot_tap *tap) {
  tap->taken_over = true;
  tap->is_foreign = !link->is_marked;
  if (ioctl(fd, TUNGETVNETHDRSZ, &tap->found_vnet_size) < 0) tap->found_vnet_size = VNET_HEADER_SIZE;
}

/* Takes over an existing TAP, in its namespace. Returns its descriptor, -1 on failure, -2 when there is none. */
static int take_over(const struct ot_tap_options *options, int netlink, struct ot_tap *tap, struct ot_fault *fault) {
  struct ot_link link;
  const char *kind = ot_tun_kind(options->layer3);
  int number = ot_link_get(netlink, options->ifname, &link);
  if (number == ENODEV) return -2;
  if (number) return ot_fail(fault, number, "RTM_GETLINK", "looking for %s", options->ifname);
  int fd = ot_tun_attach(options->ifname, options->layer3, options->multi_queue, &tap->has_header, fault);
  if (fd < 0) {
    if (fault->number == EINVAL)
      ot_fail(fault, EINVAL, "TUNSETIFF", "opening the %s %s: a device of that name exists and is no %s", kind,
              options->ifname, kind);
    else if (fault->number == EBUSY)
      ot_fail(fault, EBUSY, "TUNSETIFF", "opening the %s %s: another process has it open", kind, options->ifname);
    return -1;
  }
  /*
   * A multi-queue TAP lets a second process attach, which would get part of the frames. Carrier on means that it is in
   * use.
   */
  if (link.carrier) {
    close(fd);
    return ot_fail(fault, EBUSY, "TUNSETIFF", "opening the %s %s: another process has it open", kind, options->ifname);
  }
  note_found(fd, &link, tap);
  return fd;
}

/* Whether a NIC that was there stays as it is: its user may open it (ip-tuntap(8)), and lacks the right to change it.
 */
static bool stays(const struct ot_tap *tap, int number) { return tap->taken_over && number == EPERM; }

/* What may be done only where the device will stay: a move to another namespace takes addresses away, and sets it DOWN.
 */
static int set_up(const struct ot_tap_options *options, const char *name, int netlink, int index, struct ot_tap *tap,
                  struct ot_fault *fault) {
  int number;
  if (ot_tap_add_addresses(options->addresses, options->address_count, netlink, name, index, fault) < 0 &&
      !stays(tap, fault->number))
    return -1;
  if (options->up && (number = ot_link_set_up(netlink, index)) && !stays(tap, number))
    return ot_fail(fault, number, "RTM_SETLINK", "setting %s up", name);
  return 0;
}

static int set_attributes(const struct ot_tap_options *options, const char *name, int netlink, struct ot_tap *tap,
                          struct ot_fault *fault) {
  struct ot_link link;
  int number = ot_link_get(netlink, name, &link);
  if (number) return ot_fail(fault, number, "RTM_GETLINK", "looking for %s", name);
  if (options->mtu && options->mtu != link.mtu && (number = ot_link_set_mtu(netlink, link.index, options->mtu)) &&
      !stays(tap, number))
    return ot_fail(fault, number, "RTM_SETLINK", "setting the MTU of %s to %u", name, options->mtu);
  bool has_mac = options->has_mac && !(options->mac_if_new && tap->taken_over);
  if (has_mac && memcmp(options->mac, link.mac, 6) && (number = ot_link_set_mac(netlink, link.index, options->mac)) &&
      !stays(tap, number))
    return ot_fail(fault, number, "RTM_SETLINK", "setting the MAC address of %s", name);
  /* Only for speed: superframes then fit one send. A kernel may refuse. */
  if (options->gso_segments) ot_link_set_gso_segments(netlink, link.index, options->gso_segments);
  /*
   * The mark may be refused by a security policy; the next switch then treats the TAP as foreign and leaves it
   * persistent.
   */
  if (options->persist && !tap->taken_over) ot_link_mark(netlink, link.index);
  if (!tap->is_sent && set_up(options, name, netlink, link.index, tap, fault) < 0) return -1;
  if ((number = ot_link_get(netlink, name, &link)))
    return ot_fail(fault, number, "RTM_GETLINK", "reading the state of %s", name);
  memcpy(tap->mac, link.mac, 6);
  tap->mtu = link.mtu;
  return 0;
}

/* Opens the other queues, in the device's present namespace. */
static int open_queues(const struct ot_tap_options *options, const char *name, struct ot_tap *tap,
                       struct ot_fault *fault) {
  while (tap->more_count < options->queues - 1) {
    bool has_header = tap->has_header;
    int fd = ot_tun_attach(name, options->layer3, true, &has_header, fault);
    if (fd < 0) return -1;
    tap->more[tap->more_count++] = fd;
  }
  return 0;
}

/* Makes a TAP in our own namespace, under a random name. */
static int make_here(const struct ot_tap_options *options, char *name, struct ot_tap *tap, struct ot_fault *fault) {
  uint32_t random = 0;
  /* It is a name for a moment, and one that is in use is refused: without getrandom (Linux 3.17) the clock will do. */
  if (getrandom(&random, sizeof random, 0) != sizeof random) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    random = (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 16;
  }
  snprintf(name, OT_NAME, "ot%08x", random);
  int fd = ot_tun_attach(name, options->layer3, options->multi_queue, &tap->has_header, fault);
  if (fd < 0) {
    char step[sizeof fault->step];
    snprintf(step, sizeof step, "%s", fault->step);
    ot_fail(fault, fault->number, fault->syscall, "%.120s (for %s in %.120s)", step, options->ifname, options->netns);
  }
  return fd;
}

/* Moves a new TAP to its namespace. One that `is_sent` gets all that it can get, and its name on the way. */
static int move_there(const struct ot_tap_options *options, const char *name, struct ot_tap *tap,
                      struct ot_fault *fault) {
  struct ot_link link;
  int result = -1, number;
  int target = ot_netns_open(options->netns, fault);
  if (target < 0) return -1;
  int netlink = ot_netlink_open(fault);
  if (netlink >= 0) {
    if ((number = ot_link_get(netlink, name, &link))) ot_fail(fault, number, "RTM_GETLINK", "looking for %s", name);
    else if (!tap->is_sent || set_attributes(options, name, netlink, tap, fault) == 0)
      result = ot_link_set_netns(netlink, link.index, target, tap->is_sent ? options->ifname : name);
    if (result > 0)
      result =
          ot_fail(fault, result, "RTM_SETLINK", "moving the new TAP into the network namespace %s", options->netns);
    close(netlink);
  }
  close(target);
  return result;
}

/* Renames a TAP, in its namespace. */
static int name_it(const char *from, const char *to, int netlink, struct ot_fault *fault) {
  struct ot_link link;
  int number = ot_link_get(netlink, from, &link);
  if (number) return ot_fail(fault, number, "RTM_GETLINK", "looking for %s", from);
  if ((number = ot_link_set_name(netlink, link.index, to)))
    return ot_fail(fault, number, "RTM_SETLINK", "giving the new TAP the name %s", to);
  return 0;
}

/*
 * Inside the namespace: takes over an existing TAP, or renames the one that was `moved` there; then sets its
 * attributes. Returns 0, -1, or 1 when there is nothing to take over.
 */
static int visit(const struct ot_tap_options *options, const char *moved, int *fd, struct ot_tap *tap,
                 struct ot_fault *fault) {
  int home, netlink, result;
  if (ot_netns_enter(options->netns, &home, fault) < 0) return -1;
  if (ot_links_open(&netlink, fault) < 0) {
    result = -1;
  } else if (moved) {
    result = name_it(moved, options->ifname, netlink, fault);
  } else {
    *fd = take_over(options, netlink, tap, fault);
    /* Without a namespace of its own the TAP is made here, and without netlink, which would move it there. */
    tap->made_inside = *fd == -2 && (!options->netns[0] || netlink < 0);
    if (tap->made_inside)
      *fd = ot_tun_attach(options->ifname, options->layer3, options->multi_queue, &tap->has_header, fault);
    result = *fd == -2 ? 1 : *fd < 0 ? -1 : open_queues(options, options->ifname, tap, fault);
  }
  if (result == 0) result = set_attributes(options, options->ifname, netlink, tap, fault);
  if (netlink >= 0) close(netlink);
  ot_netns_leave(home);
  return result;
}

int ot_tap_set_offloads(struct ot_tap *tap, unsigned offload, struct ot_fault *fault) {
  int size = tap->has_header ? set_header(tap->fd, fault) : 0;
  if (size < 0) return -1;
  /* Without a virtio-net header partial checksums and superframes cannot be described. */
  int accepted = set_offload(tap->fd, size ? offload : 0, fault);
  if (accepted < 0) return -1;
  tap->vnet_size = size;
  tap->offload = (unsigned)accepted;
  return 0;
}

static int finish(const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault) {
  if (ot_tap_set_offloads(tap, options->offload, fault) < 0) return -1;
  ot_tap_steer(options, tap);
  /*
   * Done last: an earlier failure then neither leaves a new TAP behind nor deletes a persistent one. A foreign TAP
   * keeps its setting.
   */
  if (!tap->is_foreign && ot_tap_set_persist(tap->fd, options->persist, fault) < 0) return -1;
  snprintf(tap->ifname, sizeof tap->ifname, "%s", options->ifname);
  return 0;
}

/* Makes the TAP here and moves it to its namespace, which this process may enter, or not (`is_sent`). */
static int make_and_move(const struct ot_tap_options *options, int *fd, struct ot_tap *tap, struct ot_fault *fault) {
  char name[OT_NAME];
  *fd = make_here(options, name, tap, fault);
  if (*fd < 0 || open_queues(options, name, tap, fault) < 0 || move_there(options, name, tap, fault) < 0) return -1;
  return tap->is_sent ? 0 : visit(options, name, fd, tap, fault);
}

int ot_tap_open(const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault) {
  int fd = -1;
  memset(tap, 0, sizeof *tap);
  tap->has_header = options->vnet_header;
  int result = visit(options, NULL, &fd, tap, fault);
  if (result == 1) {
    result = make_and_move(options, &fd, tap, fault);
  } else if (result < 0 && ot_netns_is_closed(fault)) {
    struct ot_fault first = *fault;
    tap->is_sent = true;
    result = make_and_move(options, &fd, tap, fault);
    /* The right that is missing is that of entering. */
    if (result < 0 && fault->number == EPERM) *fault = first;
  }
  tap->fd = fd;
  if (result == 0) result = finish(options, tap, fault);
  if (result == 0) return 0;
  if (fd >= 0) close(fd);
  for (int i = 0; i < tap->more_count; i++) close(tap->more[i]);
  return result;
}
