// What the standalone executables are made for, and the runtime in each: Bun, by its npm packages. They are not among the
// development dependencies: nobody needs 350 MB of runtimes for other systems to work on this program.

/** The version of every runtime. A new one means new digests below, and another look at docs/standalone.md. */
export const BUN_VERSION = '1.4.5';

/**
 * @typedef {object} Target
 * @property {string} name the end of the executable's name, and of its npm package's
 * @property {string} package the runtime's npm package
 * @property {string} integrity of that package's archive, as npm publishes it
 * @property {string} bun what the compiler calls it. Processors without AVX2 need the baseline form.
 * @property {{ os: string[], cpu: string[], libc?: string[] }} runsOn for package.json
 * @property {string | undefined} koffi the package with the native part of PKCS#11
 */

/** @type {readonly Target[]} */
const TARGETS = [
  {
    name: 'linux-x64',
    package: '@oven/bun-linux-x64-baseline',
    integrity: 'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
    bun: 'bun-linux-x64-baseline',
    runsOn: { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
    koffi: '@koromix/koffi-linux-x64',
  },
  {
    name: 'linux-x64-musl',
    package: '@oven/bun-linux-x64-musl-baseline',
    integrity: 'sha512-cWJhU8h0+MiUgpSt99sQhjxLIIosKEcKYdtKddohokUvAuN6jKOy7g7+QDTZTXtwHxz93wL3BX+L6wXVPDUH3A==',
    bun: 'bun-linux-x64-musl-baseline',
    runsOn: { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
    koffi: '@koromix/koffi-linux-x64',
  },
  {
    name: 'linux-arm64',
    package: '@oven/bun-linux-aarch64',
    integrity: 'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
    bun: 'bun-linux-arm64',
    runsOn: { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
    koffi: '@koromix/koffi-linux-arm64',
  },
  {
    name: 'linux-arm64-musl',
    package: '@oven/bun-linux-aarch64-musl',
    integrity: 'sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==',
    bun: 'bun-linux-arm64-musl',
    runsOn: { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
    koffi: '@koromix/koffi-linux-arm64',
  },
  {
    name: 'windows-x64',
    package: '@oven/bun-windows-x64-baseline',
    integrity: 'sha512-/U3Dc74uGqE6EUqef7mPtg9KwJs7iJH4JHRMfIZIn18MrJh6Xz4gVvWDXRvzCL2j8wPlTnJVyrO4n7Qq4uM7TQ==',
    bun: 'bun-windows-x64-baseline',
    runsOn: { os: ['win32'], cpu: ['x64'] },
    koffi: '@koromix/koffi-win32-x64',
  },
  {
    name: 'darwin-arm64',
    package: '@oven/bun-darwin-aarch64',
    integrity: 'sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==',
    bun: 'bun-darwin-arm64',
    runsOn: { os: ['darwin'], cpu: ['arm64'] },
    koffi: '@koromix/koffi-darwin-arm64',
  },
  {
    name: 'darwin-x64',
    package: '@oven/bun-darwin-x64-baseline',
    integrity: 'sha512-zqfLA5A4B+hYMh5WYzYSot3uZ06FzhdP0OEwQisEzdirYtXGj5cQFlfy31BGfNsAsk1Gd/w/OxJ/jqqJ3cMclw==',
    bun: 'bun-darwin-x64-baseline',
    runsOn: { os: ['darwin'], cpu: ['x64'] },
    koffi: '@koromix/koffi-darwin-x64',
  },
];

/** The name of a target's executable. */
export function executableOf({ name, runsOn }) {
  return `roles-anywhere-${name}${runsOn.os[0] === 'win32' ? '.exe' : ''}`;
}

/** The targets of those names; without names, all. */
export function targetsNamed(names) {
  if (names.length === 0) return TARGETS;
  return names.map((name) => {
    const target = TARGETS.find((one) => one.name === name);
    if (target === undefined)
      throw new Error(`there is no target ${name}: name some of ${TARGETS.map((one) => one.name).join(', ')}`);
    return target;
  });
}

/** The target that this machine is, whose runtime does the compiling. */
export function hostTarget() {
  const { platform, arch } = process;
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  const host = TARGETS.find(
    ({ runsOn }) => runsOn.os[0] === platform && runsOn.cpu[0] === arch && [undefined, libc].includes(runsOn.libc?.[0]),
  );
  if (host === undefined) throw new Error(`executables cannot be compiled on ${platform} ${arch}`);
  return host;
}
