/* The verbs on the host's service manager and its groups that Node lacks: a notification, the number of a group. */
#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "args.h"

/* Bytes of a group's record in /etc/group, with the names of its members. */
#define GROUP_BYTES 65536

/*
 * Arguments (name). The gid of a group, or null when the host has no such group. Asks the name service of the host,
 * which may take its time: for a start only.
 */
static napi_value group_id(napi_env env, napi_callback_info info) {
  napi_value value, result = NULL;
  char name[256], buffer[GROUP_BYTES];
  struct group group, *found;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_text(env, value, "name", name, sizeof name)) return NULL;
  int number = getgrnam_r(name, &group, buffer, sizeof buffer, &found);
  if (found) return ot_int(env, found->gr_gid);
  /* getgrnam(3): these mean "not found" as well. */
  if (!number || number == ENOENT || number == ESRCH || number == EBADF || number == EPERM) {
    napi_get_null(env, &result);
    return result;
  }
  ot_fail(&fault, number, "getgrnam_r", "looking up group %s", name);
  return ot_throw(env, &fault);
}

/* sd_notify(3): a path, or with '@' a name in the abstract namespace, which has no terminating zero. */
static socklen_t notify_address(const char *name, struct sockaddr_un *address) {
  size_t length = strlen(name);
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if ((name[0] != '/' && name[0] != '@') || !name[1] || length >= sizeof address->sun_path) return 0;
  memcpy(address->sun_path, name, length);
  if (name[0] == '@') address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
}

/*
 * Arguments (socket, text). Sends one datagram to the service manager, as sd_notify(3) does. Never waits: EAGAIN when
 * its queue is full. A socket for each datagram, since the manager may have been replaced in between.
 */
static napi_value send_notice(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char name[sizeof((struct sockaddr_un *)0)->sun_path + 1], text[4096];
  struct sockaddr_un address;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_text(env, values[0], "socket", name, sizeof name)) return NULL;
  if (!ot_to_text(env, values[1], "text", text, sizeof text)) return NULL;
  socklen_t length = notify_address(name, &address);
  if (!length) return ot_throw_argument(env, "socket must be a path or a name that begins with @");
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ssize_t sent = -1;
  if (fd >= 0) sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
  int number = errno;
  if (fd >= 0) close(fd);
  if (sent >= 0) return NULL;
  ot_fail(&fault, number, fd < 0 ? "socket" : "sendto", "telling the service manager");
  return ot_throw(env, &fault);
}

void ot_export_service(napi_env env, napi_value exports) {
  ot_export(env, exports, "groupId", group_id);
  ot_export(env, exports, "sendNotice", send_notice);
}
