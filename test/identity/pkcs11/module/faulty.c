/*
 * A PKCS#11 module that is SoftHSM2 with faults: what the file MODULE.control
 * says, beside this library. Counts calls in MODULE.log. The control file holds
 * words such as "sign=segv login=hang flags=low".
 *
 * FUNCTION=FAULT, for list (C_GetFunctionList), initialize, finalize, unload (a
 * destructor), session, login, label (C_GetAttributeValue of CKA_LABEL), value,
 * always (CKA_ALWAYS_AUTHENTICATE), mechanisms (C_GetMechanismList), combined
 * (C_SignInit of a mechanism that hashes too) and sign:
 *   segv, abort, exit (_exit(7)), leave (exit(0)), quit (_exit(0)), hang, slow
 *   (a second), slower (two), print (to standard output), child (leaves a child behind that
 *   holds what it inherited), environment (writes MODULE.environment), removed, device-error, vendor, mechanism
 *
 * initialize=needs-locks, no-arguments, no-locks: what it wants of C_Initialize.
 * flags=low, final, locked, silent, no-login; version=1; list=null; sign=wrong;
 * slots=lost (no slots, and find=stale no new objects, to a process that has seen some before);
 * mechanisms=raw; context=other (keys have a PIN of their own); find=endless (the first
 * object again and again); value=large (CKA_VALUE of 128 KiB).
 *
 * session-of=LABEL and value-of=LABEL limit those faults to one token, one object.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef unsigned long ulong_t;

/* CK_FUNCTION_LIST: a version, then 68 functions (pkcs11f.h has their order). */
struct list {
  unsigned char version[2];
  void *function[68];
};

struct attribute {
  ulong_t type;
  void *value;
  ulong_t length;
};

/* CK_C_INITIALIZE_ARGS */
struct initialize_args {
  void *mutex[4];
  ulong_t flags;
  void *reserved;
};

enum {
  INITIALIZE = 0,
  FINALIZE = 1,
  GET_SLOT_LIST = 4,
  GET_TOKEN_INFO = 6,
  GET_MECHANISM_LIST = 7,
  OPEN_SESSION = 12,
  CLOSE_SESSION = 13,
  LOGIN = 18,
  GET_ATTRIBUTE_VALUE = 24,
  FIND_OBJECTS = 27,
  SIGN_INIT = 42,
  SIGN = 43
};

static struct list *real;
static struct list own;
static char base[4000];

static void beside(char *path, size_t size, const char *suffix) {
  snprintf(path, size, "%s%s", base, suffix);
}

/* The control file's text from a word on; NULL without it. */
static const char *find(const char *word) {
  static char text[1024];
  char path[4096];
  beside(path, sizeof path, ".control");
  FILE *file = fopen(path, "r");
  if (file == NULL) return NULL;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  return strstr(text, word);
}

static int asked(const char *word) {
  return find(word) != NULL;
}

/* Whether a label is the one of prefix=LABEL; so is any, where there is no such word. */
static int concerns(const char *prefix, const unsigned char *label, size_t length) {
  const char *word = find(prefix);
  if (word == NULL) return 1;
  word += strlen(prefix);
  size_t wanted = strcspn(word, " ");
  while (length > 0 && label[length - 1] == ' ') length -= 1;
  return wanted == length && memcmp(word, label, length) == 0;
}

static void note(const char *what, ulong_t detail) {
  char path[4096];
  beside(path, sizeof path, ".log");
  FILE *file = fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s %lu\n", what, detail);
  fclose(file);
}

/* Told by the one who leaves it, before it goes on: the child may come to run after all is over. */
static void leave_child(void) {
  pid_t child = fork();
  if (child > 0) note("child", (ulong_t)child);
  if (child != 0) return;
  prctl(PR_SET_NAME, "faulty-child");
  for (;;) pause();
}

/* The helper's end of the channel to the process that asks. */
#define CHANNEL 3

static void say(const char *text) {
  if (write(CHANNEL, text, strlen(text)) < 0) note("refused", 0);
}

/* Bytes of all kinds, the same each time. */
static int make_noise(size_t length) {
  static unsigned char noise[65536];
  for (unsigned int at = 0, seed = 7; at < sizeof noise; at++) {
    seed = seed * 1103515245 + 12345;
    noise[at] = (unsigned char)(seed >> 16);
  }
  return write(CHANNEL, noise, length) > 0;
}

static void endless(const char *text) {
  for (size_t length = strlen(text); write(CHANNEL, text, length) > 0;) continue;
  for (;;) pause();
}

/* Writes into the channel what no helper would. */
static void spoil_channel(const char *how) {
  if (strncmp(how, "noise", 5) == 0) make_noise(4096);
  if (strncmp(how, "shape", 5) == 0) say("[1,2,3]\n");
  if (strncmp(how, "forged", 6) == 0) {
    for (int id = 0; id < 64; id++) dprintf(CHANNEL, "{\"id\":%d,\"answer\":{\"__proto__\":[1]}}\n", id);
  }
  if (strncmp(how, "answers", 7) == 0) endless("{\"id\":123456,\"answer\":null}\n");
  if (strncmp(how, "line", 4) == 0) endless("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  if (strncmp(how, "brackets", 8) == 0) {
    for (int count = 0; count < 400000; count++) say("[");
    say("\n");
  }
  if (strncmp(how, "half", 4) == 0) say("{\"id\":1,\"answ");
  if (strncmp(how, "half", 4) == 0 || strncmp(how, "closed", 6) == 0) {
    close(CHANNEL);
    for (;;) pause();
  }
  if (strncmp(how, "later", 5) == 0 && fork() == 0) {
    usleep(200000);
    make_noise(4096);
    note("noise", 0);
    _exit(0);
  }
}

extern char **environ;

/* MODULE.environment: each variable, ended with a zero byte. */
static void write_environment(void) {
  char path[4096];
  beside(path, sizeof path, ".environment");
  FILE *file = fopen(path, "w");
  if (file == NULL) return;
  for (char **entry = environ; *entry != NULL; entry++) fwrite(*entry, 1, strlen(*entry) + 1, file);
  fclose(file);
}

static void maybe_fail(const char *prefix, ulong_t *result) {
  char word[64];
#define ASKED(fault) (snprintf(word, sizeof word, "%s=" fault, prefix), asked(word))
  if (ASKED("print")) {
    char text[64];
    int length = snprintf(text, sizeof text, "%s says hello\n", prefix);
    if (write(1, text, (size_t)length) < 0) return;
    printf("%s says it by stdio\n", prefix);
    fflush(stdout);
  }
  if (ASKED("child")) leave_child();
  if (ASKED("channel-")) spoil_channel(find(word) + strlen(word));
  if (ASKED("environment")) write_environment();
  if (ASKED("segv")) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (ASKED("abort")) abort();
  if (ASKED("exit")) _exit(7);
  if (ASKED("quit")) _exit(0);
  if (ASKED("leave")) exit(0);
  if (ASKED("hang")) for (;;) pause();
  if (ASKED("slow")) sleep(1);
  if (ASKED("slower")) sleep(2);
  if (ASKED("removed")) *result = 0x32;
  if (ASKED("device-error")) *result = 0x30;
  if (ASKED("vendor")) *result = 0x80000001;
  if (ASKED("mechanism")) *result = 0x70;
}

__attribute__((destructor)) static void unload(void) {
  ulong_t result = 0;
  if (base[0] != 0) maybe_fail("unload", &result);
}

static ulong_t initialize(struct initialize_args *args) {
  ulong_t result = 0;
  note("C_Initialize", args == NULL ? 0 : args->flags);
  maybe_fail("initialize", &result);
  if (result != 0) return result;
  if (asked("initialize=needs-locks") && (args == NULL || (args->flags & 2) == 0)) return 0x07;
  if (asked("initialize=no-arguments") && args != NULL) return 0x07;
  if (asked("initialize=no-locks") && args != NULL && (args->flags & 2) != 0) return 0x0a;
  return ((ulong_t(*)(void *))real->function[INITIALIZE])(args);
}

static ulong_t finalize(void *reserved) {
  ulong_t result = 0;
  note("C_Finalize", 0);
  maybe_fail("finalize", &result);
  if (result != 0) return result;
  return ((ulong_t(*)(void *))real->function[FINALIZE])(reserved);
}

static ulong_t get_slot_list(unsigned char present, ulong_t *slots, ulong_t *count) {
  static int seen;
  ulong_t result = ((ulong_t(*)(unsigned char, ulong_t *, ulong_t *))real->function[GET_SLOT_LIST])(present, slots, count);
  if (!asked("slots=lost")) seen = 1;
  else if (seen) *count = 0;
  return result;
}

static ulong_t real_token_info(ulong_t slot, unsigned char *info) {
  return ((ulong_t(*)(ulong_t, unsigned char *))real->function[GET_TOKEN_INFO])(slot, info);
}

static ulong_t get_token_info(ulong_t slot, unsigned char *info) {
  ulong_t result = real_token_info(slot, info);
  ulong_t *flags = (ulong_t *)(info + 96); /* after label, manufacturer, model and serial */
  if (asked("flags=low")) *flags |= 0x10000;
  if (asked("flags=final")) *flags |= 0x20000;
  if (asked("flags=locked")) *flags |= 0x40000;
  if (asked("flags=silent")) *flags &= ~0x70000UL;    /* tells nothing of its tries */
  if (asked("flags=no-login")) *flags &= ~0x4UL;      /* CKF_LOGIN_REQUIRED */
  return result;
}

/* Leaves out the mechanisms that hash and sign in one. */
static ulong_t get_mechanism_list(ulong_t slot, ulong_t *list, ulong_t *count) {
  ulong_t result = 0;
  maybe_fail("mechanisms", &result);
  if (result != 0) return result;
  result = ((ulong_t(*)(ulong_t, ulong_t *, ulong_t *))real->function[GET_MECHANISM_LIST])(slot, list, count);
  if (list != NULL && asked("mechanisms=raw"))
    for (ulong_t i = 0; i < *count; i++)
      if (list[i] >= 0x40 && list[i] <= 0x42) list[i] = 0x80000000;
  return result;
}

static ulong_t open_session(ulong_t slot, ulong_t flags, void *application, void *notify, ulong_t *session) {
  ulong_t result = 0;
  unsigned char info[512];
  note("C_OpenSession", slot);
  if (real_token_info(slot, info) == 0 && concerns("session-of=", info, 32)) maybe_fail("session", &result);
  if (result != 0) return result;
  return ((ulong_t(*)(ulong_t, ulong_t, void *, void *, ulong_t *))real->function[OPEN_SESSION])(slot, flags, application, notify, session);
}

static ulong_t close_session(ulong_t session) {
  note("C_CloseSession", session);
  return ((ulong_t(*)(ulong_t))real->function[CLOSE_SESSION])(session);
}

static ulong_t login(ulong_t session, ulong_t user, unsigned char *pin, ulong_t length) {
  ulong_t result = 0;
  note("C_Login", user);
  maybe_fail("login", &result);
  if (result != 0) return result;
  if (user == 2 && asked("context=other")) { /* keys have a PIN of their own, 4321 */
    if (length != 4 || memcmp(pin, "4321", 4) != 0) return 0xa0;
    pin = (unsigned char *)"1234";
  }
  return ((ulong_t(*)(ulong_t, ulong_t, unsigned char *, ulong_t))real->function[LOGIN])(session, user, pin, length);
}

static ulong_t real_attributes(ulong_t session, ulong_t object, struct attribute *attributes, ulong_t count) {
  return ((ulong_t(*)(ulong_t, ulong_t, struct attribute *, ulong_t))real->function[GET_ATTRIBUTE_VALUE])(session, object, attributes, count);
}

static ulong_t get_attribute_value(ulong_t session, ulong_t object, struct attribute *attributes, ulong_t count) {
  ulong_t result = 0;
  unsigned char label[64];
  struct attribute name = {0x3, label, sizeof label};
  if (attributes[0].type == 0x3) maybe_fail("label", &result);
  if (attributes[0].type == 0x202) maybe_fail("always", &result);
  if (attributes[0].type == 0x11 && real_attributes(session, object, &name, 1) == 0 &&
      concerns("value-of=", label, name.length))
    maybe_fail("value", &result);
  if (result != 0) return result;
  if (attributes[0].type == 0x11 && asked("value=large")) {
    const ulong_t room = attributes[0].value == NULL ? 0 : attributes[0].length;
    attributes[0].length = 128 * 1024;
    if (room < attributes[0].length) return room == 0 ? 0 : 0x150;
    memset(attributes[0].value, 0x30, attributes[0].length);
    return 0;
  }
  return real_attributes(session, object, attributes, count);
}

static ulong_t find_objects(ulong_t session, ulong_t *objects, ulong_t room, ulong_t *count) {
  static ulong_t first, newest;
  ulong_t kept = 0;
  ulong_t result = ((ulong_t(*)(ulong_t, ulong_t *, ulong_t, ulong_t *))real->function[FIND_OBJECTS])(session, objects, room, count);
  if (result != 0) return result;
  /* SoftHSM numbers objects as it meets them. */
  const int is_stale = asked("find=stale");
  for (ulong_t i = 0; i < *count; i++) {
    if (is_stale && newest > 0 && objects[i] > newest) continue;
    objects[kept++] = objects[i];
    if (!is_stale && objects[kept - 1] > newest) newest = objects[kept - 1];
  }
  *count = kept;
  if (!asked("find=endless")) return result;
  if (*count > 0) first = objects[0];
  for (*count = 0; *count < room; *count += 1) objects[*count] = first;
  return 0;
}

static ulong_t sign_init(ulong_t session, ulong_t *mechanism, ulong_t key) {
  ulong_t result = 0;
  note("C_SignInit", mechanism[0]);
  if (mechanism[0] >= 0x40 && mechanism[0] <= 0x42) maybe_fail("combined", &result);
  if (result != 0) return result;
  return ((ulong_t(*)(ulong_t, ulong_t *, ulong_t))real->function[SIGN_INIT])(session, mechanism, key);
}

static ulong_t sign(ulong_t session, unsigned char *data, ulong_t length, unsigned char *signature, ulong_t *signature_length) {
  ulong_t result = 0;
  note("C_Sign", length);
  maybe_fail("sign", &result);
  if (result != 0) return result;
  result = ((ulong_t(*)(ulong_t, unsigned char *, ulong_t, unsigned char *, ulong_t *))real->function[SIGN])(session, data, length, signature, signature_length);
  if (asked("sign=wrong")) signature[0] ^= 1;
  return result;
}

ulong_t C_GetFunctionList(struct list **list) {
  ulong_t result = 0;
  Dl_info info;
  if (dladdr((void *)C_GetFunctionList, &info) == 0) return 5;
  snprintf(base, sizeof base, "%s", info.dli_fname);
  maybe_fail("list", &result);
  void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 5;
  ulong_t (*get)(struct list **) = (ulong_t(*)(struct list **))dlsym(library, "C_GetFunctionList");
  if (get == NULL || get(&real) != 0) return 5;
  own = *real;
  if (asked("version=1")) own.version[0] = 1;
  if (asked("list=null")) {
    *list = NULL;
    return 0;
  }
  own.function[INITIALIZE] = (void *)initialize;
  own.function[FINALIZE] = (void *)finalize;
  own.function[GET_SLOT_LIST] = (void *)get_slot_list;
  own.function[GET_TOKEN_INFO] = (void *)get_token_info;
  own.function[GET_MECHANISM_LIST] = (void *)get_mechanism_list;
  own.function[OPEN_SESSION] = (void *)open_session;
  own.function[CLOSE_SESSION] = (void *)close_session;
  own.function[LOGIN] = (void *)login;
  own.function[GET_ATTRIBUTE_VALUE] = (void *)get_attribute_value;
  own.function[FIND_OBJECTS] = (void *)find_objects;
  own.function[SIGN_INIT] = (void *)sign_init;
  own.function[SIGN] = (void *)sign;
  *list = &own;
  return 0;
}
