/* Preloaded into a program under test: makes something happen at the n-th call to the system that is about the files below
   one folder, counted over all threads.
   AT_UNDER  the folder
   AT_CALLS  "changes": calls that change files; "reads": calls that read them
   AT_CALL   n, from 1; 0 only counts
   AT_DOES   "kill": SIGKILL before it; "killed": SIGKILL right after it; "fail": it fails with the errno of AT_ERRNO;
             "replace": before it, everything in the folder AT_FROM is renamed into AT_UNDER; "cut": before it, each file
             of AT_UNDER is cut to half its length
   AT_COUNT  a file that gets the number of calls so far, at the end */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4096

static atomic_int calls;
static atomic_char ours[MOST];
static const char *under, *does;
static int at, reads;

__attribute__((constructor)) static void begin(void) {
  const char *number = getenv("AT_CALL"), *kind = getenv("AT_CALLS");
  under = getenv("AT_UNDER");
  does = getenv("AT_DOES");
  at = number == NULL ? 0 : atoi(number);
  reads = kind != NULL && strcmp(kind, "reads") == 0;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("AT_COUNT");
  FILE *file = path == NULL ? NULL : fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%d", atomic_load(&calls));
  fclose(file);
}

static int is_below(const char *path) {
  return under != NULL && path != NULL && strncmp(path, under, strlen(under)) == 0;
}

static int is_ours(int descriptor) { return descriptor >= 0 && descriptor < MOST && atomic_load(&ours[descriptor]); }

static void replace(void) {
  const char *from = getenv("AT_FROM");
  DIR *folder = from == NULL ? NULL : opendir(from);
  int (*original)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
  char one[MOST], other[MOST];
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(one, sizeof one, "%s/%s", from, entry->d_name);
    snprintf(other, sizeof other, "%s/%s", under, entry->d_name);
    original(one, other);
  }
  if (folder != NULL) closedir(folder);
}

static void cut(void) {
  DIR *folder = opendir(under);
  char path[MOST];
  struct stat stats;
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    snprintf(path, sizeof path, "%s/%s", under, entry->d_name);
    if (stat(path, &stats) == 0 && S_ISREG(stats.st_mode) && truncate(path, stats.st_size / 2) != 0) abort();
  }
  if (folder != NULL) closedir(folder);
}

/* Whether this call is the one; what happens before it has happened then. */
static int is_it(int is_read) {
  if (is_read != reads) return 0;
  if (atomic_fetch_add(&calls, 1) + 1 != at || does == NULL) return 0;
  if (strcmp(does, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(does, "replace") == 0) replace();
  if (strcmp(does, "cut") == 0) cut();
  return 1;
}

static int fails(int it) {
  if (!it || strcmp(does, "fail") != 0) return 0;
  errno = atoi(getenv("AT_ERRNO"));
  return 1;
}

static void after(int it) {
  if (it && strcmp(does, "killed") == 0) kill(getpid(), SIGKILL);
}

/* result NAME parameters: WHICH says whether the call counts, ARGUMENTS are passed on. */
#define WRAP(result, name, parameters, which, arguments)            \
  result name parameters {                                          \
    result(*original) parameters = dlsym(RTLD_NEXT, #name);         \
    int it = (which) ? is_it(0) : 0;                                \
    if (fails(it)) return (result)-1;                               \
    result given = original arguments;                              \
    int kept = errno;                                               \
    after(it);                                                      \
    errno = kept;                                                   \
    return given;                                                   \
  }

WRAP(int, rename, (const char *from, const char *to), is_below(from) || is_below(to), (from, to))
WRAP(int, link, (const char *from, const char *to), is_below(to), (from, to))
WRAP(int, symlink, (const char *from, const char *to), is_below(to), (from, to))
WRAP(int, unlink, (const char *path), is_below(path), (path))
WRAP(int, rmdir, (const char *path), is_below(path), (path))
WRAP(int, mkdir, (const char *path, mode_t mode), is_below(path), (path, mode))
WRAP(int, chmod, (const char *path, mode_t mode), is_below(path), (path, mode))
WRAP(int, chown, (const char *path, uid_t user, gid_t group), is_below(path), (path, user, group))
WRAP(int, fchmod, (int descriptor, mode_t mode), is_ours(descriptor), (descriptor, mode))
WRAP(int, fchown, (int descriptor, uid_t user, gid_t group), is_ours(descriptor), (descriptor, user, group))
WRAP(int, fsync, (int descriptor), is_ours(descriptor), (descriptor))
WRAP(int, fdatasync, (int descriptor), is_ours(descriptor), (descriptor))
WRAP(int, ftruncate, (int descriptor, off_t length), is_ours(descriptor), (descriptor, length))
WRAP(ssize_t, write, (int descriptor, const void *bytes, size_t length), is_ours(descriptor), (descriptor, bytes, length))
WRAP(ssize_t, writev, (int descriptor, const struct iovec *pieces, int count), is_ours(descriptor),
     (descriptor, pieces, count))
WRAP(ssize_t, pwrite, (int descriptor, const void *bytes, size_t length, off_t offset), is_ours(descriptor),
     (descriptor, bytes, length, offset))
WRAP(ssize_t, pwrite64, (int descriptor, const void *bytes, size_t length, off_t offset), is_ours(descriptor),
     (descriptor, bytes, length, offset))

char *mkdtemp(char *template) {
  char *(*original)(char *) = dlsym(RTLD_NEXT, "mkdtemp");
  int it = is_below(template) ? is_it(0) : 0;
  if (fails(it)) return NULL;
  char *given = original(template);
  int kept = errno;
  after(it);
  errno = kept;
  return given;
}

ssize_t read(int descriptor, void *bytes, size_t length) {
  ssize_t (*original)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
  int it = is_ours(descriptor) ? is_it(1) : 0;
  if (fails(it)) return -1;
  return original(descriptor, bytes, length);
}

static int opened(const char *name, const char *path, int flags, mode_t mode) {
  int (*original)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
  int below = is_below(path), writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
  int it = below ? is_it(!writes) : 0;
  if (fails(it)) return -1;
  int given = original(path, flags, mode);
  int kept = errno;
  if (given >= 0 && given < MOST) atomic_store(&ours[given], below);
  after(it);
  errno = kept;
  return given;
}

#define OPEN(name)                              \
  int name(const char *path, int flags, ...) {  \
    va_list rest;                               \
    va_start(rest, flags);                      \
    mode_t mode = va_arg(rest, mode_t);         \
    va_end(rest);                               \
    return opened(#name, path, flags, mode);    \
  }

OPEN(open)
OPEN(open64)
