/**
 * From the error codes of Node, OpenSSL, llhttp and undici to ours: the one
 * mapping, whichever transport met the fault. Loaded at the first fault. Tests: test/http/faults.test.ts
 */
import { OPEN_FILES_HINT, RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorCode } from '../platform/errors.ts';
import type { TlsSettings } from './http.ts';

/** What a code of the layers below means. `{}` in a message is the host, `{min}` the least version of TLS. */
interface Fault {
  code: ErrorCode;
  message: string;
  hint?: string | undefined;
}

const UNKNOWN_ISSUER: Fault = {
  code: 'ERR_TLS_AUTHORITY',
  message: 'the certificate of {} was issued by an authority that is not trusted here',
  hint: 'does a proxy inspect TLS on the way? then give its root certificate with --ca-bundle',
};
const CLOCK_HINT = "check this machine's clock, and whether this is the right endpoint";
const NOT_HTTP: Fault = {
  code: 'ERR_RESPONSE_INVALID',
  message: 'what {} answered is not HTTP, or malformed',
  hint: 'check the scheme and the port of the endpoint',
};
const CUT_OFF: Fault = { code: 'ERR_RESPONSE_INVALID', message: 'the answer of {} was cut off' };
const CLOSED: Fault = { code: 'ERR_CONNECT', message: '{} closed the connection without an answer' };
const UNREACHABLE: Fault = {
  code: 'ERR_CONNECT',
  message: 'cannot reach {}',
  hint: 'check the network, and whether a proxy is needed',
};
const NO_CONNECTION: Fault = {
  code: 'ERR_TIMEOUT',
  message: 'no connection to {} in time',
  hint: 'check the network, and whether a proxy is needed',
};
const NO_DESCRIPTOR: Fault = {
  code: 'ERR_CONNECT',
  message: 'cannot reach {}: too many files are open',
  hint: OPEN_FILES_HINT,
};
const RESOLVER_FAILED: Fault = {
  code: 'ERR_DNS',
  message: 'the name of {} cannot be resolved now',
  hint: 'check the network and its name servers',
};

const FAULTS: Readonly<Record<string, Fault>> = {
  ENOTFOUND: {
    code: 'ERR_DNS',
    message: 'there is no host of the name in {}',
    hint: 'check the region and the endpoint, and whether a proxy is needed',
  },
  EMFILE: NO_DESCRIPTOR,
  ENFILE: NO_DESCRIPTOR,
  EAI_AGAIN: RESOLVER_FAILED,
  EAI_FAIL: RESOLVER_FAILED,

  ECONNREFUSED: {
    code: 'ERR_CONNECT',
    message: '{} refused the connection',
    hint: 'check the port, and that the server runs',
  },
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  ENETUNREACH: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETDOWN: UNREACHABLE,
  EHOSTDOWN: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  ETIMEDOUT: NO_CONNECTION,
  UND_ERR_CONNECT_TIMEOUT: NO_CONNECTION,

  // OpenSSL's X509_V_ERR_ codes, as Node names them
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_ISSUER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_ISSUER,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_ISSUER,
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    ...UNKNOWN_ISSUER,
    message: 'the certificate of {} is self-signed and not trusted here',
  },
  CERT_UNTRUSTED: UNKNOWN_ISSUER,
  CERT_HAS_EXPIRED: { code: 'ERR_TLS_VALIDITY', message: 'a certificate of {} has expired', hint: CLOCK_HINT },
  CERT_NOT_YET_VALID: { code: 'ERR_TLS_VALIDITY', message: 'a certificate of {} is not valid yet', hint: CLOCK_HINT },
  CERT_REVOKED: { code: 'ERR_TLS', message: 'a certificate of {} has been revoked' },
  CERT_SIGNATURE_FAILURE: { code: 'ERR_TLS', message: 'the signature of a certificate of {} is wrong' },
  CERT_CHAIN_TOO_LONG: { code: 'ERR_TLS', message: 'the certificate chain of {} is too long' },
  INVALID_CA: { code: 'ERR_TLS', message: 'an issuer in the certificate chain of {} is not a certificate authority' },
  INVALID_PURPOSE: { code: 'ERR_TLS', message: 'a certificate of {} is not for TLS servers' },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    code: 'ERR_TLS_NAME',
    message: 'the certificate of {} is for another host name',
    hint: 'check the host name of the endpoint',
  },
  // Ours: tls.ts
  ERR_TLS_CERT_NO_NAMES: {
    code: 'ERR_TLS_NAME',
    message: 'the certificate of {} names no host: it has a common name at best, and no subjectAltName',
    hint: 'have it issued again with a subjectAltName, the only place where host names are looked for (RFC 9525)',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    code: 'ERR_TLS',
    message: '{} does not speak TLS on that port',
    hint: 'check the scheme and the port of the endpoint',
  },
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: { code: 'ERR_TLS_VERSION', message: '{} does not speak TLS {min} or later' },
  ERR_SSL_UNSUPPORTED_PROTOCOL: { code: 'ERR_TLS_VERSION', message: '{} does not speak TLS {min} or later' },

  HPE_HEADER_OVERFLOW: { code: 'ERR_RESPONSE_INVALID', message: 'the head of the answer of {} is too long' },
  UND_ERR_HEADERS_OVERFLOW: { code: 'ERR_RESPONSE_INVALID', message: 'the head of the answer of {} is too long' },
  HPE_INVALID_EOF_STATE: CUT_OFF,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: NOT_HTTP,
  // undici's, of what its parser lets through, such as status 000
  ERR_ASSERTION: NOT_HTTP,
};

/** OpenSSL's verification failures that the table does not have. */
const CERTIFICATE_FAULT =
  /^(?!UND_|ERR_)\w*(CERT|CRL|SIGNATURE)|^(PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|UNSPECIFIED)$/;

/**
 * What a code means, without a closer look.
 *
 * @param who what was at the other end, as messages name it
 */
export function faultOf(
  error: unknown,
  who: string,
  answered: boolean,
  { minVersion = 'TLSv1.2' }: TlsSettings = {},
): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) return error;
  const { code, message, hint } = findFault(error, answered);
  return new RolesAnywhereError(code, message.replace('{}', who).replace('{min}', minVersion.slice(4)), {
    cause: withoutBytes(error),
    hint,
  });
}

/** Whether a code says that a certificate was not believed. */
export function isAboutCertificate(code: string): boolean {
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code.startsWith('INVALID_') || CERTIFICATE_FAULT.test(code);
}

function findFault(error: unknown, answered: boolean): Fault {
  const code = codeOf(error);
  // Once the head was there, whatever ends the connection cuts the body off.
  if (answered) return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE' ? NOT_HTTP : CUT_OFF;
  // undici gives an unasked-for 100 or 101 the code of a closed connection.
  if (error instanceof Error && /^bad (response|upgrade)$/.test(error.message)) return NOT_HTTP;
  const known = Object.hasOwn(FAULTS, code) ? FAULTS[code] : undefined;
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return NOT_HTTP;
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code) || CERTIFICATE_FAULT.test(code)) {
    return { code: 'ERR_TLS', message: `no TLS connection to {}: ${code}` };
  }
  if (/^E[A-Z]+$/.test(code)) return { code: 'ERR_CONNECT', message: `no connection to {}: ${code}` };
  return { code: 'ERR_INTERNAL', message: `the request to {} could not be made${code === '' ? '' : `: ${code}`}` };
}

/** The code of an error: OpenSSL's reason where Node gives only EPROTO; of several addresses' errors, the first's. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // undici's parser, compiled to WebAssembly, does not always say which rule was broken.
  if (code === '' && error.name === 'HTTPParserError') {
    return error.message.includes('Invalid EOF state') ? 'HPE_INVALID_EOF_STATE' : 'HPE_UNKNOWN';
  }
  if (code === 'EPROTO') {
    if (/wrong version number/i.test(error.message)) return 'ERR_SSL_WRONG_VERSION_NUMBER';
    if (/alert protocol version|unsupported protocol/i.test(error.message)) return 'ERR_SSL_UNSUPPORTED_PROTOCOL';
  }
  return code === '' && error instanceof AggregateError ? codeOf(error.errors[0]) : code;
}

/** Parser errors carry the bytes that they stumbled over, which may hold a secret. */
function withoutBytes(error: unknown): unknown {
  if (!(error instanceof Error) || !codeOf(error).startsWith('HPE_')) return error;
  return Object.assign(new Error(error.message), { code: codeOf(error) });
}
