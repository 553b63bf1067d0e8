/** The lines that lead SDKs to the server, in the words of each shell. */
import { resolve } from 'node:path';
import { SHELL_WORDS } from '../output/shell-lines.ts';
import type { Shell } from '../output/shell-lines.ts';
import { withoutProxy } from './no-proxy.ts';

/**
 * Makes the URL by which clients reach an address.
 *
 * @param name what to call instead of an address that stands for all of the machine's; with a port or without
 */
export function originOf(bound: { address: string; port: number }, tls: boolean, name: string | undefined): string {
  const scheme = tls ? 'https' : 'http';
  const wildcard = bound.address === '0.0.0.0' || bound.address === '::';
  const host = wildcard && name !== undefined ? name : bound.address;
  if (/^(?:\[.*\]|[^:]*):\d+$/.test(host)) return `${scheme}://${host}`;
  return `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${bound.port}`;
}

export interface ExportOptions {
  /** Scheme, host and port: no trailing slash, which Java's SDK would double. */
  readonly origin: string;
  /** The container endpoint's roles by path, the default first. */
  readonly container: readonly {
    readonly path: string;
    readonly tokenFile?: string | undefined;
    /** Only when the user asked to see it. */
    readonly token?: string | undefined;
  }[];
  readonly imds: boolean;
  /** The value of NO_PROXY so far, where there is a proxy. */
  readonly noProxy?: string | undefined;
}

/** Debian's AWS CLI, for one: without the file's variable it sends no token at all. */
const OLDER_SDKS = ' (AWS CLI 2.9 and other older SDKs: start with --print-token)';

/** Gives the lines to run in a shell so that SDKs find the server. */
export function exportLines(shell: Shell, { origin, container, imds, noProxy }: ExportOptions): string {
  const { set, comment } = SHELL_WORDS[shell];
  const lines: string[] = [];
  for (const [index, { path, tokenFile, token }] of container.entries()) {
    const what =
      index === 0
        ? `container credentials${token === undefined ? OLDER_SDKS : ''}`
        : `instead, for the role of ${path}`;
    const block = [set('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${origin}${path}`)];
    if (tokenFile !== undefined) block.push(set('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', resolve(tokenFile)));
    if (token !== undefined) block.push(set('AWS_CONTAINER_AUTHORIZATION_TOKEN', token));
    // Only the default's lines take effect when the whole is run.
    lines.push(
      `${comment} ${what}`,
      // A value from the environment may hold a line end.
      ...(index === 0 ? block : block.flatMap((line) => line.split(/[\r\n]+/)).map((line) => `${comment} ${line}`)),
    );
  }
  // SDKs ask for instance metadata over plain http alone.
  if (imds && !origin.startsWith('https:')) {
    lines.push(
      `${comment} instance metadata, which any user of this machine can ask`,
      set('AWS_EC2_METADATA_SERVICE_ENDPOINT', origin),
      // botocore before it learned to put one between, as AWS CLI 2.9 has it.
      `${comment} (older AWS CLI 2 needs a slash at its end)`,
    );
  }
  if (noProxy !== undefined && noProxy.trim() !== '*') {
    const value = withoutProxy(noProxy, origin);
    lines.push(`${comment} some SDKs would send these requests, and the token, to the proxy`);
    // Some programs read one of them, some the other; to Windows they are the same.
    const names = shell === 'cmd' || shell === 'powershell' ? ['NO_PROXY'] : ['NO_PROXY', 'no_proxy'];
    lines.push(...names.map((name) => set(name, value)));
  }
  return `${lines.join('\n')}\n`;
}
