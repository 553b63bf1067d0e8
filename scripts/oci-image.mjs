// `node scripts/oci-image.mjs [EXECUTABLE]`: an image in the OCI layout from the standalone executable (by default
// dist/standalone/roles-anywhere-linux-x64), without Docker: dist/oci/roles-anywhere.tar, which `podman load`, `docker load` and
// `skopeo copy oci-archive:...` read. In it are the executable, the C library of this machine with its copyright, and
// nothing else: no shell, no package manager. It needs a Linux with glibc, GNU tar and ldd. See docs/operations.md.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from './prepare.mjs';
import { readArguments } from './usage.mjs';

const { version, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const PROGRAM = '/usr/local/bin/roles-anywhere';
/** A user without a name: the same number as in the Dockerfile and the manifests. */
const USER = '65532:65532';
/** Debian's and Red Hat's places of the licence of their C library. */
const COPYRIGHTS = ['/usr/share/doc/libc6/copyright', '/usr/share/licenses/glibc/COPYING.LIB'];
/** All times are this one, so that the same files give the same image. */
const EPOCH = '1970-01-01T00:00:00Z';

const place = join(root, 'dist/oci');
const work = join(root, 'node_modules/.cache', `oci.${process.pid}`);

try {
  const executable = resolve(
    readArguments(import.meta.filename, {}, true).positionals[0] ??
      join(root, 'dist/standalone/roles-anywhere-linux-x64'),
  );
  if (!existsSync(executable))
    throw new Error(`${executable} is not there: npm run build:standalone -- linux-x64 makes it`);
  makeImage(executable);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function makeImage(executable) {
  const files = join(work, 'root');
  layRoot(executable, files);
  const blobs = join(work, 'image/blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const layer = tarOf(files);
  const packed = gzipSync(layer, { level: 9 });
  const config = json({
    created: EPOCH,
    architecture: architectureOf(executable),
    os: 'linux',
    config: {
      User: USER,
      Env: ['PATH=/usr/local/bin', 'XDG_RUNTIME_DIR=/run'],
      Entrypoint: [PROGRAM],
      Cmd: ['--help'],
      StopSignal: 'SIGTERM',
      Labels: {
        'org.opencontainers.image.title': 'roles-anywhere',
        'org.opencontainers.image.description': description,
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': license,
      },
    },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created: EPOCH, created_by: 'scripts/oci-image.mjs' }],
  });
  const put = (mediaType, bytes) => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const configBlob = put('application/vnd.oci.image.config.v1+json', config);
  const layerBlob = put('application/vnd.oci.image.layer.v1.tar+gzip', packed);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(mediaType, json({ schemaVersion: 2, mediaType, config: configBlob, layers: [layerBlob] }));
  const annotations = { 'org.opencontainers.image.ref.name': version };
  const image = join(work, 'image');
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(image, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(image, 'index.json'), json(index));
  // Docker before 25 reads this, and none of the above.
  const tags = [`roles-anywhere:${version}`];
  writeFileSync(
    join(image, 'manifest.json'),
    json([{ Config: placeOf(configBlob), RepoTags: tags, Layers: [placeOf(layerBlob)] }]),
  );
  mkdirSync(place, { recursive: true });
  const archive = join(place, 'roles-anywhere.tar');
  writeFileSync(`${archive}.new`, tarOf(image));
  renameSync(`${archive}.new`, archive);
  const megabytes = (statSync(archive).size / 1e6).toFixed(1);
  console.log(`${archive}: roles-anywhere:${version}, ${manifest.digest}, ${megabytes} MB`);
}

/** The image's files: the executable, the libraries that it names, and what they are under. */
function layRoot(executable, files) {
  const put = (from, to, mode) => {
    mkdirSync(join(files, dirname(to)), { recursive: true });
    copyFileSync(realpathSync(from), join(files, to));
    chmodSync(join(files, to), mode);
  };
  put(executable, PROGRAM, 0o755);
  for (const library of librariesOf(executable)) put(library, library, 0o755);
  for (const path of COPYRIGHTS) if (existsSync(path)) put(path, path, 0o644);
  const notices = `${executable}.NOTICES.txt`;
  if (existsSync(notices)) put(notices, '/usr/share/doc/roles-anywhere/NOTICES.txt', 0o644);
  put(join(root, 'LICENSE'), '/usr/share/doc/roles-anywhere/LICENSE', 0o644);
  for (const folder of ['dev', 'etc', 'proc', 'run', 'sys', 'tmp']) mkdirSync(join(files, folder));
  chmodSync(join(files, 'tmp'), 0o1777);
  writeFileSync(join(files, 'etc/passwd'), `roles-anywhere:x:${USER}::/:/sbin/nologin\n`, { mode: 0o644 });
}

function librariesOf(executable) {
  const listed = execFileSync('ldd', [executable], { encoding: 'utf8' });
  const found = [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
  if (found.length === 0) throw new Error(`ldd names no library of ${executable}: is it for this machine?`);
  return found;
}

/** The architecture as images name it, from the header of the ELF file. */
function architectureOf(executable) {
  const header = Buffer.alloc(20);
  const file = openSync(executable);
  readSync(file, header);
  closeSync(file);
  const machine = header.readUInt16LE(18);
  const name = { 62: 'amd64', 183: 'arm64' }[machine];
  if (name === undefined) throw new Error(`${executable} is for a machine that this script does not know: ${machine}`);
  return name;
}

/** A folder as a tar: names in order, root's, of one time. */
function tarOf(folder) {
  const flags = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=ustar'];
  return execFileSync('tar', [...flags, '-C', folder, '-cf', '-', '.'], { maxBuffer: 1 << 30 });
}

/** Where a blob lies in the layout. */
function placeOf({ digest }) {
  return `blobs/${digest.replace(':', '/')}`;
}

function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}
