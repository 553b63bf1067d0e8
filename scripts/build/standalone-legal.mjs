// What is in a standalone executable, with what licences: its notices and its bill of materials.
import { notices, sbom } from './packages.mjs';
import { BUN_VERSION } from './standalone-targets.mjs';

/** The MIT licence, under which the runtime's own code is. */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const RUNTIME = `Copyright (c) Oven and the contributors of Bun

${MIT}

The runtime links these libraries statically; their licences are in its source
(https://github.com/oven-sh/bun, tag bun-v${BUN_VERSION}, LICENSE.md):

- JavaScriptCore and parts of WebKit: LGPL-2.0. Their source, as it is linked, is at
  https://github.com/oven-sh/WebKit, and that page says how the runtime is linked again
  with changes. An executable is made of such a runtime by
  "npm run build:standalone", whose parts are in this program's source.
- TinyCC: LGPL-2.1
- BoringSSL, libarchive, ICU: licences of their own
- simdutf, uSockets, uWebSockets, highway, parts of TigerBeetle, LLVM libc++abi: Apache-2.0
- brotli, c-ares, ls-hpack, ls-qpack, lsquic, mimalloc, picohttpparser, libdeflate, libuv,
  uucode, and polyfills of Node's modules: MIT
- lol-html, zstd, libbase64, libspng, libwebp, libjpeg-turbo: BSD
- zlib-ng: zlib`;

export function standaloneNotices(packages, koffi) {
  return notices([
    {
      id: `Bun ${BUN_VERSION}, the runtime, changed in that it knows none of its own variables`,
      license: 'MIT and others',
      texts: [RUNTIME],
    },
    {
      id: `${koffi.name}@${koffi.version}`,
      license: koffi.license,
      texts: koffi.texts.length > 0 ? koffi.texts : [`Copyright (c) Niels Martignène\n\n${MIT}`],
    },
    ...packages,
  ]).replace('The compiled files of this package contain', 'This executable contains');
}

/** @param koffi see standalone-koffi.mjs */
export function standaloneSbom(root, manifest, packages, target, koffi) {
  const document = JSON.parse(sbom(root, manifest, packages));
  const parts = [
    { ...target, name: target.package, version: BUN_VERSION, license: 'MIT', type: 'platform' },
    { ...koffi, type: 'library' },
  ].map(({ name, version, license, integrity, type }) => ({
    type,
    'bom-ref': purl(name, version),
    group: name.split('/')[0],
    name: name.split('/')[1],
    version,
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') }],
    licenses: [{ license: { id: license } }],
    purl: purl(name, version),
  }));
  document.components = [...parts, ...document.components];
  document.dependencies[0].dependsOn.unshift(...parts.map((part) => part['bom-ref']));
  document.dependencies.push(...parts.map((part) => ({ ref: part['bom-ref'], dependsOn: [] })));
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function purl(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}
