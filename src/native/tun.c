/* Queues of TUN/TAP devices: opens /dev/net/tun for one (Documentation/networking/tuntap.rst). */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "overtap.h"

#ifndef IFF_MULTI_QUEUE
#define IFF_MULTI_QUEUE 0x0100
#endif

int ot_tun_attach(const char *ifname, bool multi_queue, bool vnet_header, struct ot_fault *fault) {
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ot_fail(fault, errno, "open", "opening /dev/net/tun");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
  request.ifr_flags =
      (short)(IFF_TAP | IFF_NO_PI | (vnet_header ? IFF_VNET_HDR : 0) | (multi_queue ? IFF_MULTI_QUEUE : 0));
  int result = ioctl(fd, TUNSETIFF, &request);
  /* EINVAL: the existing TAP has the other IFF_MULTI_QUEUE setting. */
  if (result < 0 && errno == EINVAL) {
    request.ifr_flags = (short)(request.ifr_flags ^ IFF_MULTI_QUEUE);
    result = ioctl(fd, TUNSETIFF, &request);
  }
  if (result == 0) return fd;
  int number = errno;
  close(fd);
  return ot_fail(fault, number, "TUNSETIFF", "opening the TAP %s", ifname);
}
