/*
 * The verbs on the process and its thread that Node lacks: descriptors, the namespace, immediate exit, tests of the
 * kernel.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "../devices/socket-options.h"

/* Arguments (status). Ends the process without waiting for threads: one may hang in a write that never returns. */
static napi_value exit_at_once(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t status;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "status", 0, 255, &status)) return NULL;
  _exit((int)status);
}

/* Arguments (descriptor). The process that connected to a unix socket, at the time of connecting (SO_PEERCRED). */
static napi_value peer_of(napi_env env, napi_callback_info info) {
  napi_value value, result;
  int64_t fd;
  struct ot_fault fault;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 0, INT32_MAX, &fd)) return NULL;
  if (getsockopt((int)fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
    ot_fail(&fault, errno, "getsockopt", "asking for the peer of descriptor %d", (int)fd);
    return ot_throw(env, &fault);
  }
  napi_create_object(env, &result);
  ot_set(env, result, "pid", ot_int(env, peer.pid));
  ot_set(env, result, "uid", ot_int(env, peer.uid));
  return result;
}

static napi_value wait_readable(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  int64_t fd, timeout;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!ot_to_int(env, values[1], "timeoutMs", -1, INT32_MAX, &timeout)) return NULL;
  int ready = ot_wait_readable((int)fd, (int)timeout, &fault);
  if (ready < 0) return ot_throw(env, &fault);
  napi_get_boolean(env, ready == 1, &result);
  return result;
}

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t fd;
  struct ot_fault fault;
  /* The standard streams belong to Node. */
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 3, INT32_MAX, &fd)) return NULL;
  if (close((int)fd) == 0) return NULL;
  ot_fail(&fault, errno, "close", "closing descriptor %d", (int)fd);
  return ot_throw(env, &fault);
}

/* Arguments (descriptor), which becomes the standard error. */
static napi_value keep_stderr(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t fd;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 3, INT32_MAX, &fd)) return NULL;
  if (dup2((int)fd, STDERR_FILENO) >= 0) {
    close((int)fd);
    return NULL;
  }
  ot_fail(&fault, errno, "dup2", "moving descriptor %d", (int)fd);
  return ot_throw(env, &fault);
}

/*
 * Arguments (bytes). Two joined sockets that keep the bounds of messages: one end of a cable each. `bytes` limits what
 * is under way in each direction. With SOCK_SEQPACKET the end that is left sees EPOLLHUP when the other one is closed.
 */
static napi_value open_pair(napi_env env, napi_callback_info info) {
  napi_value value, result;
  int64_t bytes;
  int fds[2];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "bytes", 1, INT32_MAX / 2, &bytes)) return NULL;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
    ot_fail(&fault, errno, "socketpair", "joining two ports");
    return ot_throw(env, &fault);
  }
  napi_create_array_with_length(env, 2, &result);
  for (int i = 0; i < 2; i++) {
    int size = (int)bytes;
    /* Beyond the limit of the system only with CAP_NET_ADMIN; a smaller buffer only holds less. */
    if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
      setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    napi_set_element(env, result, (uint32_t)i, ot_int(env, fds[i]));
  }
  return result;
}

static napi_value enter_namespace(napi_env env, napi_callback_info info) {
  napi_value value;
  char path[OT_PATH];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_text(env, value, "path", path, sizeof path)) return NULL;
  return ot_netns_move(path, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value self_test(napi_env env, napi_callback_info info) {
  napi_value result, reasons;
  struct ot_trial trials[OT_TRIALS];
  (void)info;
  ot_self_test(trials);
  napi_create_object(env, &result);
  napi_create_object(env, &reasons);
  for (int i = 0; i < OT_TRIALS; i++) {
    ot_set_bool(env, result, trials[i].name, trials[i].works);
    if (trials[i].reason[0]) ot_set_text(env, reasons, trials[i].name, trials[i].reason);
  }
  ot_set(env, result, "reasons", reasons);
  return result;
}

static napi_value release_start_pages(napi_env env, napi_callback_info info) {
  (void)info;
  return ot_int(env, (int64_t)ot_release_start_pages());
}

static napi_value collect_garbage(napi_env env, napi_callback_info info) {
  (void)info;
  return ot_int(env, ot_collect_garbage());
}

void ot_export_process(napi_env env, napi_value exports) {
  ot_export(env, exports, "exitAtOnce", exit_at_once);
  ot_export(env, exports, "peerOf", peer_of);
  ot_export(env, exports, "waitReadable", wait_readable);
  ot_export(env, exports, "closeFd", close_descriptor);
  ot_export(env, exports, "keepStderr", keep_stderr);
  ot_export(env, exports, "openPair", open_pair);
  ot_export(env, exports, "enterNamespace", enter_namespace);
  ot_export(env, exports, "selfTest", self_test);
  ot_export(env, exports, "collectGarbage", collect_garbage);
  ot_export(env, exports, "releaseStartPages", release_start_pages);
}
