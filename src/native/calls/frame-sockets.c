/* The verbs on sockets of local ports as JavaScript calls them. Owns the checks of their arguments. */
#include "args.h"

static bool read_path(napi_env env, napi_callback_info info, char path[OT_PATH]) {
  napi_value value;
  return ot_arguments(env, info, 1, &value) && ot_to_text(env, value, "path", path, OT_PATH);
}

static napi_value descriptor(napi_env env, int fd, const struct ot_fault *fault) {
  return fd < 0 ? ot_throw(env, fault) : ot_int(env, fd);
}

static napi_value connect_stream(napi_env env, napi_callback_info info) {
  char path[OT_PATH];
  struct ot_fault fault;
  return read_path(env, info, path) ? descriptor(env, ot_stream_connect(path, &fault), &fault) : NULL;
}

static napi_value listen_stream(napi_env env, napi_callback_info info) {
  char path[OT_PATH];
  struct ot_fault fault;
  return read_path(env, info, path) ? descriptor(env, ot_stream_listen(path, &fault), &fault) : NULL;
}

static napi_value bind_datagrams(napi_env env, napi_callback_info info) {
  char path[OT_PATH];
  struct ot_fault fault;
  return read_path(env, info, path) ? descriptor(env, ot_datagrams_bind(path, &fault), &fault) : NULL;
}

static napi_value socket_answers(napi_env env, napi_callback_info info) {
  char path[OT_PATH];
  struct ot_fault fault;
  napi_value result;
  if (!read_path(env, info, path)) return NULL;
  int answers = ot_socket_answers(path, &fault);
  if (answers < 0) return ot_throw(env, &fault);
  napi_get_boolean(env, answers == 1, &result);
  return result;
}

/* Arguments (descriptor of a listening socket). Null: nobody is waiting. */
static napi_value accept_stream(napi_env env, napi_callback_info info) {
  napi_value value, nobody;
  int64_t fd;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 0, INT32_MAX, &fd)) return NULL;
  int peer = ot_stream_accept((int)fd, &fault);
  if (peer) return descriptor(env, peer, &fault);
  napi_get_null(env, &nobody);
  return nobody;
}

static napi_value open_tail(napi_env env, napi_callback_info info) {
  struct ot_fault fault;
  (void)info;
  return descriptor(env, ot_tail_open(&fault), &fault);
}

static napi_value connect_datagrams(napi_env env, napi_callback_info info) {
  napi_value options;
  char local[64] = "", remote[64] = "";
  int64_t family, local_port, remote_port;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !ot_get_int(env, options, "family", true, 4, 6, &family) ||
      !ot_get_text(env, options, "local", true, local, sizeof local) ||
      !ot_get_text(env, options, "remote", true, remote, sizeof remote) ||
      !ot_get_int(env, options, "localPort", true, 0, 65535, &local_port) ||
      !ot_get_int(env, options, "remotePort", true, 1, 65535, &remote_port))
    return NULL;
  if (family == 5) return ot_throw_argument(env, "family must be 4 or 6");
  int fd =
      ot_datagrams_connect(family == 6 ? AF_INET6 : AF_INET, local, (int)local_port, remote, (int)remote_port, &fault);
  return descriptor(env, fd, &fault);
}

/* Arguments (descriptor, options). */
static napi_value reconnect_datagrams(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char remote[64] = "";
  int64_t fd, family, port;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_get_int(env, values[1], "family", true, 4, 6, &family) ||
      !ot_get_text(env, values[1], "remote", true, remote, sizeof remote) ||
      !ot_get_int(env, values[1], "remotePort", true, 1, 65535, &port))
    return NULL;
  int done = ot_datagrams_reconnect((int)fd, family == 6 ? AF_INET6 : AF_INET, remote, (int)port, &fault);
  return done < 0 ? ot_throw(env, &fault) : NULL;
}

void ot_export_frame_sockets(napi_env env, napi_value exports) {
  ot_export(env, exports, "connectStream", connect_stream);
  ot_export(env, exports, "listenStream", listen_stream);
  ot_export(env, exports, "acceptStream", accept_stream);
  ot_export(env, exports, "openTail", open_tail);
  ot_export(env, exports, "bindDatagrams", bind_datagrams);
  ot_export(env, exports, "connectDatagrams", connect_datagrams);
  ot_export(env, exports, "reconnectDatagrams", reconnect_datagrams);
  ot_export(env, exports, "socketAnswers", socket_answers);
}
