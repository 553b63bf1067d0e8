/*
 * A PKCS#11 module that is SoftHSM2 with faults: what the file MODULE.control
 * says, beside this library. Counts calls in MODULE.log. The control file holds
 * words such as "sign=segv login=hang flags=low".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong_t;

/* CK_FUNCTION_LIST: a version, then 68 functions (pkcs11f.h has their order). */
struct list {
  unsigned char version[2];
  void *function[68];
};

enum { GET_TOKEN_INFO = 6, GET_MECHANISM_LIST = 7, OPEN_SESSION = 12, CLOSE_SESSION = 13, LOGIN = 18, SIGN_INIT = 42, SIGN = 43 };

static struct list *real;
static struct list own;
static char base[4000];

static void beside(char *path, size_t size, const char *suffix) {
  snprintf(path, size, "%s%s", base, suffix);
}

static int asked(const char *word) {
  char path[4096], text[1024] = {0};
  beside(path, sizeof path, ".control");
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  return strstr(text, word) != NULL;
}

static void note(const char *what, ulong_t detail) {
  char path[4096];
  beside(path, sizeof path, ".log");
  FILE *file = fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s %lu\n", what, detail);
  fclose(file);
}

static void maybe_fail(const char *prefix, ulong_t *result) {
  char word[64];
#define ASKED(fault) (snprintf(word, sizeof word, "%s=" fault, prefix), asked(word))
  if (ASKED("segv")) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (ASKED("abort")) abort();
  if (ASKED("exit")) _exit(7);
  if (ASKED("hang")) for (;;) pause();
  if (ASKED("removed")) *result = 0x32;
  if (ASKED("device-error")) *result = 0x30;
  if (ASKED("mechanism")) *result = 0x70;
}

static ulong_t get_token_info(ulong_t slot, unsigned char *info) {
  ulong_t result = ((ulong_t(*)(ulong_t, unsigned char *))real->function[GET_TOKEN_INFO])(slot, info);
  ulong_t *flags = (ulong_t *)(info + 96); /* after label, manufacturer, model and serial */
  if (asked("flags=low")) *flags |= 0x10000;
  if (asked("flags=final")) *flags |= 0x20000;
  if (asked("flags=locked")) *flags |= 0x40000;
  return result;
}

/* Leaves out the mechanisms that hash and sign in one. */
static ulong_t get_mechanism_list(ulong_t slot, ulong_t *list, ulong_t *count) {
  ulong_t result = ((ulong_t(*)(ulong_t, ulong_t *, ulong_t *))real->function[GET_MECHANISM_LIST])(slot, list, count);
  if (list != NULL && asked("mechanisms=raw"))
    for (ulong_t i = 0; i < *count; i++)
      if (list[i] >= 0x40 && list[i] <= 0x42) list[i] = 0x80000000;
  return result;
}

static ulong_t open_session(ulong_t slot, ulong_t flags, void *application, void *notify, ulong_t *session) {
  note("C_OpenSession", slot);
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
  return ((ulong_t(*)(ulong_t, ulong_t, unsigned char *, ulong_t))real->function[LOGIN])(session, user, pin, length);
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
  Dl_info info;
  if (dladdr((void *)C_GetFunctionList, &info) == 0) return 5;
  snprintf(base, sizeof base, "%s", info.dli_fname);
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
  own.function[GET_TOKEN_INFO] = (void *)get_token_info;
  own.function[GET_MECHANISM_LIST] = (void *)get_mechanism_list;
  own.function[OPEN_SESSION] = (void *)open_session;
  own.function[CLOSE_SESSION] = (void *)close_session;
  own.function[LOGIN] = (void *)login;
  own.function[SIGN_INIT] = (void *)sign_init;
  own.function[SIGN] = (void *)sign;
  *list = &own;
  return 0;
}
