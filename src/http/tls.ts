import type { PeerCertificate } from 'node:tls';
import type { TlsSettings } from './http.ts';

/** The TLS options that node:tls and undici's connector both take. */
export interface TlsOptions {
  minVersion: 'TLSv1.2' | 'TLSv1.3';
  rejectUnauthorized: boolean;
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/**
 * How to make a TLS connection; {@link serverName} says to whom.
 *
 * Roots are Node's choice unless `ca` replaces them: its own, those of
 * NODE_EXTRA_CA_CERTS, and OpenSSL's store where the user starts Node with
 * `--use-openssl-ca`. Verification is asked for explicitly, so that
 * NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off unseen. Roles Anywhere
 * requires TLS 1.2 (its User Guide, "Data protection").
 */
export function tlsOptions({ ca, verify = true, minVersion = 'TLSv1.2', client }: TlsSettings = {}): TlsOptions {
  return { minVersion, rejectUnauthorized: verify, ca, ...client, checkServerIdentity };
}

/**
 * Whether a server's certificate is for a host. Names are those of its subjectAltName alone, as RFC 9525 (section 2),
 * browsers, curl and Go have it; Node by itself would take the common name where there is none.
 */
function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname === undefined)
    return Object.assign(new Error('the certificate has no subjectAltName'), { code: 'ERR_TLS_CERT_NO_NAMES' });
  return process.getBuiltinModule('node:tls').checkServerIdentity(host, certificate);
}

/**
 * The name to ask a TLS server for (RFC 6066, section 3), and to find in its
 * certificate: that of the URL, whatever Host says; never with the trailing
 * dot of an absolute name; and none for an IP address, when the certificate is
 * checked for the address.
 */
export function serverName({ hostname }: URL): string {
  // URL puts IPv6 addresses in brackets, and every form of an IPv4 address as four decimal numbers.
  const isAddress = hostname.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
  return isAddress ? '' : hostname.replace(/\.$/, '');
}
