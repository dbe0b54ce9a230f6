/* overtap-cni: a CNI plugin (specification 1.1). The environment and the configuration go to the switch as they are;
 * the switch answers what is to be done: see src/control/cni/driver.ts. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni.h"

#define DEFAULT_SOCKET "/run/overtap/cni.sock"
#define VERSIONS "[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"
/* Codes of the specification. */
/* Seconds that the IPAM plugin has for a call. The switch refuses others than 1 to 600. */
#define IPAM_SECONDS 60
#define MOST_IPAM_SECONDS 600
#define CODE_IO 5
#define CODE_AGAIN 11
#define CODE_UNAVAILABLE 50

struct call {
  struct text config;
  char version[17];
  char socket[108];
  int ipamSeconds;
};

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? "" : value;
}

static bool is_command(const char *command) { return strcmp(variable("CNI_COMMAND"), command) == 0; }

static int fail(const struct call *call, int code, const char *what, int error) {
  struct text line = {0};
  char message[512];
  snprintf(message, sizeof message, "overtap-cni: %s: %s", what, strerror(error));
  bool is_said = text_word(&line, "{\"cniVersion\":") && text_quote(&line, call->version, strlen(call->version)) &&
                 text_word(&line, ",\"msg\":") && text_quote(&line, message, strlen(message));
  if (is_said) printf("%s,\"code\":%d}\n", line.bytes, code);
  free(line.bytes);
  return 1;
}

static bool add_member(struct text *request, const char *key, const char *value, size_t length) {
  return text_word(request, key) && text_quote(request, value, length);
}

static bool add_variable(struct text *request, const char *key, const char *name) {
  return add_member(request, key, variable(name), strlen(variable(name)));
}

/* @param ipam what the IPAM plugin has said; NULL: it has not run */
static bool build(struct text *request, const struct call *call, const char *command, const struct text *ipam,
                  int status) {
  bool done = add_member(request, "{\"command\":", command, strlen(command)) &&
              add_variable(request, ",\"container\":", "CNI_CONTAINERID") &&
              add_variable(request, ",\"netns\":", "CNI_NETNS") &&
              add_variable(request, ",\"ifname\":", "CNI_IFNAME") && add_variable(request, ",\"args\":", "CNI_ARGS") &&
              add_member(request, ",\"config\":", call->config.bytes, call->config.length);
  if (done && ipam != NULL) {
    char words[64];
    snprintf(words, sizeof words, ",\"ipam\":{\"status\":%d,\"output\":", status);
    done = add_member(request, words, ipam->bytes, ipam->length) && text_word(request, "}");
  }
  return done && text_word(request, "}");
}

static int ask(const struct call *call, const char *command, const struct text *ipam, int status, struct text *answer) {
  struct text request = {0};
  int result = build(&request, call, command, ipam, status) ? switch_ask(call->socket, &request, answer) : -1;
  int error = errno;
  free(request.bytes);
  errno = error;
  return result;
}

/* Takes back what an ADD has done. Whatever fails is for the DEL of the runtime. */
static void take_back(const struct call *call, const char *type) {
  struct text said = {0};
  struct text answer = {0};
  ask(call, "DEL", NULL, 0, &answer);
  if (*type != '\0') ipam_run(type, "DEL", &call->config, call->ipamSeconds, &said);
  free(said.bytes);
  free(answer.bytes);
}

/* The line, without its end; the answer goes on behind it. */
static char *take_line(char **rest) {
  char *line = *rest;
  char *end = line + strcspn(line, "\n");
  *rest = *end == '\0' ? end : end + 1;
  *end = '\0';
  return line;
}

/* Carries an answer out. @param type of the IPAM plugin that has run @returns the exit status, -1: the IPAM plugin is
 * to run */
static int carry_out(const struct call *call, struct text *answer, char type[64]) {
  char *rest = answer->bytes;
  for (;;) {
    char *line = take_line(&rest);
    if (strncmp(line, "route ", 6) == 0) {
      if (route_add(variable("CNI_NETNS"), variable("CNI_IFNAME"), line + 6) == 0) continue;
      int error = errno;
      take_back(call, type);
      return fail(call, CODE_IO, line, error);
    }
    if (strncmp(line, "ipam ", 5) == 0) {
      snprintf(type, 64, "%s", line + 5);
      return -1;
    }
    if (strncmp(line, "undo ", 5) == 0) {
      struct text said = {0};
      ipam_run(line + 5, "DEL", &call->config, call->ipamSeconds, &said);
      free(said.bytes);
      fputs(rest, stdout);
      return 1;
    }
    if (strncmp(line, "end ", 4) != 0)
      return fail(call, CODE_IO, "the switch says what this plugin does not know", EPROTO);
    fputs(rest, stdout);
    return atoi(line + 4) == 0 ? 0 : 1;
  }
}

static int run(const struct call *call) {
  const char *command = variable("CNI_COMMAND");
  int unreachable = is_command("STATUS") ? CODE_UNAVAILABLE : CODE_AGAIN;
  struct text answer = {0};
  struct text output = {0};
  char type[64] = "";
  if (ask(call, command, NULL, 0, &answer) < 0) return fail(call, unreachable, call->socket, errno);
  int status = carry_out(call, &answer, type);
  if (status >= 0) return status;
  int ended = ipam_run(type, command, &call->config, call->ipamSeconds, &output);
  if (ended < 0) return fail(call, CODE_IO, "the IPAM plugin cannot be run", errno);
  answer.length = 0;
  if (ask(call, command, &output, ended, &answer) < 0) {
    int error = errno;
    if (is_command("ADD")) take_back(call, type);
    return fail(call, unreachable, call->socket, error);
  }
  status = carry_out(call, &answer, type);
  return status >= 0 ? status : fail(call, CODE_IO, "the switch asks for the IPAM plugin twice", EPROTO);
}

static int seconds_of(const char *config) {
  char digits[4];
  int seconds = json_member(config, "ipamTimeout", digits, sizeof digits) ? atoi(digits) : IPAM_SECONDS;
  return seconds < 1 || seconds > MOST_IPAM_SECONDS ? IPAM_SECONDS : seconds;
}

int main(void) {
  struct call call = {.version = "1.1.0", .socket = DEFAULT_SOCKET};
  signal(SIGPIPE, SIG_IGN);
  if (text_read(&call.config, STDIN_FILENO) < 0) return fail(&call, CODE_IO, "the configuration cannot be read", errno);
  json_member(call.config.bytes, "cniVersion", call.version, sizeof call.version);
  json_member(call.config.bytes, "socket", call.socket, sizeof call.socket);
  call.ipamSeconds = seconds_of(call.config.bytes);
  if (is_command("VERSION")) {
    struct text version = {0};
    if (!text_quote(&version, call.version, strlen(call.version))) return 1;
    printf("{\"cniVersion\":%s,\"supportedVersions\":" VERSIONS "}\n", version.bytes);
    return 0;
  }
  return run(&call);
}
