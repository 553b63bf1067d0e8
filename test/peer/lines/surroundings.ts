/** What the environment says: proxies, trusted roots, endpoints. */
import type { Line } from '../support/compare.ts';
import { ARNS, EC, arns } from './words.ts';

const PROXIED = { HTTPS_PROXY: 'http://{proxy}', AWS_CA_BUNDLE: '{files}/inspection.pem' };
const line = (...more: string[]): string[] => ['credential-process', ...ARNS, ...EC, ...more];

/** Through the proxy, to the host that it shows. */
function proxied(name: string, { args = line(), env = {}, ...more }: Partial<Line> = {}): Line {
  return { name, args, env: { ...PROXIED, ...env }, way: 'proxy', ...more };
}

const REGIONS: Readonly<Record<string, string>> = {
  'us-east-1': 'aws',
  'eu-central-1': 'aws',
  'mx-central-1': 'aws',
  'cn-north-1': 'aws-cn',
  'us-gov-west-1': 'aws-us-gov',
  'us-iso-east-1': 'aws-iso',
  'us-isob-east-1': 'aws-iso-b',
  'eu-isoe-west-1': 'aws-iso-e',
  'us-isof-south-1': 'aws-iso-f',
};

/** At https://localhost, whose certificate `{files}/inspection.pem` vouches for. */
function trusted(name: string, env: Readonly<Record<string, string>>, more: Partial<Line> = {}): Line {
  return { name, args: line('--endpoint', 'https://localhost:{port}'), env, way: 'tls', ...more };
}

export const SURROUNDINGS_LINES: readonly Line[] = [
  proxied('goes through HTTPS_PROXY without being told to'),
  proxied('goes through HTTPS_PROXY with --with-proxy', { args: line('--with-proxy') }),
  proxied('goes through HTTPS_PROXY with --with-proxy=false', { args: line('--with-proxy=false') }),
  proxied('goes through https_proxy', { env: { HTTPS_PROXY: '', https_proxy: 'http://{proxy}' } }),
  proxied('prefers the variable in upper case', { env: { https_proxy: 'http://127.0.0.1:1' } }),
  proxied('goes through a proxy with a name and a password', {
    env: { HTTPS_PROXY: 'http://someone:sec-ret-9@{proxy}' },
  }),
  proxied('goes through a proxy without a scheme', { env: { HTTPS_PROXY: '{proxy}' } }),
  proxied('takes no heed of ALL_PROXY', {
    env: { HTTPS_PROXY: '', ALL_PROXY: 'http://{proxy}' },
    args: line('--endpoint', 'https://nowhere.invalid'),
  }),
  ...['nowhere.invalid', '.invalid', 'other.invalid,nowhere.invalid', '*'].map((list) =>
    proxied(`obeys NO_PROXY=${list}`, { env: { NO_PROXY: list }, args: line('--endpoint', 'https://nowhere.invalid') }),
  ),
  proxied('obeys no_proxy', {
    env: { no_proxy: 'nowhere.invalid' },
    args: line('--endpoint', 'https://nowhere.invalid'),
  }),
  proxied('goes through the proxy for another name', {
    env: { NO_PROXY: 'else.invalid' },
    args: line('--endpoint', 'https://nowhere.invalid'),
  }),
  proxied('reads a leading dot in NO_PROXY', {
    env: { NO_PROXY: '.nowhere.invalid' },
    args: line('--endpoint', 'https://nowhere.invalid'),
    differs: { by: 'no-proxy-dot', in: 'ours refuses' },
  }),
  {
    name: 'meets plain http on another machine',
    args: line('--endpoint', 'http://nowhere.invalid'),
    env: { HTTP_PROXY: 'http://{proxy}' },
    way: 'plain proxy',
    differs: { by: 'plain-http', in: 'ours refuses' },
  },
  {
    name: 'goes through SOCKS5',
    args: line(),
    env: { HTTPS_PROXY: 'socks5://{proxy}', AWS_CA_BUNDLE: '{files}/inspection.pem' },
    way: 'socks',
  },
  {
    name: 'goes through SOCKS5 with a name and a password',
    args: line(),
    env: { HTTPS_PROXY: 'socks5h://someone:sec-ret-9@{proxy}', AWS_CA_BUNDLE: '{files}/inspection.pem' },
    way: 'socks',
  },
  ...Object.entries(REGIONS).map(([region, partition]) =>
    proxied(`finds the host of ${region}`, { args: ['credential-process', ...arns({ region, partition }), ...EC] }),
  ),
  proxied('finds the host of eusc-de-east-1', {
    args: ['credential-process', ...arns({ region: 'eusc-de-east-1', partition: 'aws-eusc' }), ...EC],
    differs: { by: 'eusc', in: ['requests', 'tunnels'] },
  }),
  proxied('finds the host of another region', { args: line('--region', 'eu-west-1') }),
  proxied('finds the FIPS host', { env: { AWS_USE_FIPS_ENDPOINT: 'true' } }),
  proxied('finds the dual-stack host', { env: { AWS_USE_DUALSTACK_ENDPOINT: 'true' } }),
  proxied('finds the host of both', { env: { AWS_USE_FIPS_ENDPOINT: 'true', AWS_USE_DUALSTACK_ENDPOINT: 'true' } }),
  proxied('refuses another word for FIPS', { env: { AWS_USE_FIPS_ENDPOINT: '1' } }),
  proxied('refuses FIPS with an endpoint', {
    env: { AWS_USE_FIPS_ENDPOINT: 'true' },
    args: line('--endpoint', 'https://nowhere.invalid'),
  }),
  proxied('takes the endpoint of the environment', { env: { AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://env.invalid' } }),
  proxied('takes the endpoint of all services', { env: { AWS_ENDPOINT_URL: 'https://all.invalid' } }),
  proxied('prefers the endpoint of the service', {
    env: { AWS_ENDPOINT_URL: 'https://all.invalid', AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://env.invalid' },
  }),
  proxied('prefers the flag to the endpoint of all services', {
    env: { AWS_ENDPOINT_URL: 'https://all.invalid' },
    args: line('--endpoint', 'https://flag.invalid'),
  }),
  proxied('meets the flag and the endpoint of the service', {
    env: { AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://env.invalid' },
    args: line('--endpoint', 'https://flag.invalid'),
    differs: { by: 'endpoint-precedence', in: ['requests', 'tunnels'] },
  }),
  proxied('ignores configured endpoints when told to', {
    env: { AWS_ENDPOINT_URL: 'https://all.invalid', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' },
  }),
  proxied('takes no heed of a variable of another name', {
    env: { AWS_ENDPOINT_URL_ROLES_ANYWHERE: 'https://env.invalid' },
  }),
  trusted('trusts AWS_CA_BUNDLE', { AWS_CA_BUNDLE: '{files}/inspection.pem' }),
  trusted('trusts SSL_CERT_FILE', { SSL_CERT_FILE: '{files}/inspection.pem' }),
  trusted('trusts SSL_CERT_DIR', { SSL_CERT_DIR: '{files}/roots' }),
  trusted('trusts SSL_CERT_DIR of several folders', { SSL_CERT_DIR: '{files}/directory:{files}/roots' }),
  trusted('trusts SSL_CERT_DIR beside SSL_CERT_FILE', {
    SSL_CERT_DIR: '{files}/roots',
    SSL_CERT_FILE: '{pki}/tls-root.pem',
  }),
  trusted('trusts SSL_CERT_DIR of files under any name', { SSL_CERT_DIR: '{files}/plain-roots' }),
  trusted('trusts nobody else', {}),
  trusted(
    'meets NODE_EXTRA_CA_CERTS',
    { NODE_EXTRA_CA_CERTS: '{files}/inspection.pem' },
    { differs: { by: 'node-roots', in: 'theirs refuses' } },
  ),
  trusted('refuses AWS_CA_BUNDLE that is not there', { AWS_CA_BUNDLE: '{files}/missing' }),
  trusted('refuses AWS_CA_BUNDLE that is none', { AWS_CA_BUNDLE: '{files}/junk' }),
  trusted(
    'believes anyone with --no-verify-ssl',
    {},
    { args: line('--endpoint', 'https://localhost:{port}', '--no-verify-ssl') },
  ),
  {
    name: 'refuses a server certificate with a common name alone',
    args: line('--endpoint', 'https://localhost:{port}'),
    env: { SSL_CERT_FILE: '{files}/inspection.pem', AWS_CA_BUNDLE: '{files}/inspection.pem' },
    way: 'common name',
  },
];
