/**
 * The one error class of this project, the closed set of its codes, and the
 * exit status that each class of code gives a command.
 */
// Tests: test/docs/troubleshooting.test.ts, test/cli/refusals.test.ts

/** The kind of trouble that a code stands for; a command's exit status follows from it. */
export type ErrorClass =
  | 'internal'
  | 'usage'
  | 'identity'
  | 'refused'
  | 'unavailable'
  | 'not-executable'
  | 'not-found'
  | 'interrupted';

/** Exit status of a command that fails with an error of each class. */
export const EXIT_STATUS: Readonly<Record<ErrorClass, number>> = {
  internal: 1, // a defect of this program, or of what it runs on
  usage: 2, // the command line, its environment or its configuration is wrong
  identity: 3, // the certificate, its chain or its private key cannot be used
  refused: 4, // the service answered and said no: asking again changes nothing
  unavailable: 5, // no usable answer: network, TLS, throttling or a failing service; asking later may work
  'not-executable': 126, // the command that exec is to run cannot be run, as a shell says it
  'not-found': 127, // it is not there
  interrupted: 130,
};

/** Every code that a {@link RolesAnywhereError} can carry, with its class. Codes are stable: callers compare them. */
export const ERROR_CLASSES = {
  ERR_INTERNAL: 'internal',
  ERR_INTERRUPTED: 'interrupted',
  ERR_OUTPUT: 'internal', // standard output or an output file could not be written

  // command line and options
  ERR_USAGE: 'usage',
  ERR_UNKNOWN_COMMAND: 'usage',
  ERR_UNKNOWN_FLAG: 'usage',
  ERR_FLAG_VALUE: 'usage',
  ERR_FLAG_CONFLICT: 'usage',
  ERR_FLAG_REQUIRED: 'usage',
  ERR_UNSUPPORTED: 'usage', // a flag or kind of identity that this version does not have
  ERR_ARN: 'usage',
  ERR_ARN_MISMATCH: 'usage',
  ERR_REGION: 'usage',
  ERR_CONFIG_FILE: 'usage', // the AWS config file as a whole
  ERR_CONFIG_PROFILE: 'usage',
  ERR_CONFIG_KEY: 'usage',
  ERR_PROCESS_LINE: 'usage', // a credential_process that somebody cannot read, or reads otherwise
  ERR_PROCESS_PROGRAM: 'usage', // the program of a credential_process is not found
  ERR_PROFILE_IN_USE: 'usage', // it has settings that those of init would not go together with
  ERR_CREDENTIALS_FILE: 'usage', // the shared credentials file, as something to write to
  ERR_COMMAND_NOT_FOUND: 'not-found', // the command of exec
  ERR_COMMAND_NOT_EXECUTABLE: 'not-executable',
  ERR_ON_UPDATE: 'usage', // the program that update runs after a write
  ERR_EXPORT_VALUE: 'usage', // a value that a form of export cannot hold
  ERR_CACHE: 'usage', // the folder of kept credentials
  ERR_ENDPOINT: 'usage',
  ERR_DURATION: 'usage',
  ERR_SESSION_NAME: 'usage',
  ERR_SELECTOR: 'usage',
  ERR_LINK_EXISTS: 'usage',
  ERR_TERMINAL: 'usage', // what was typed at the terminal cannot be used
  ERR_WORLD: 'usage', // what an emulator is to know cannot be
  ERR_STATE: 'usage', // a state directory of an emulator that cannot be used
  ERR_LISTEN: 'usage', // an address that the server cannot or must not listen on
  ERR_TOKEN_FILE: 'usage', // a file that should hold the container endpoint's token
  ERR_AUDIT_LOG: 'usage', // the file of the server's audit log cannot be written

  // what STS is asked
  ERR_EXTERNAL_ID: 'usage',
  ERR_SOURCE_IDENTITY: 'usage',
  ERR_TAG: 'usage', // a session tag
  ERR_POLICY: 'usage', // a session policy
  ERR_CONTEXT: 'usage', // a provided context
  ERR_MFA_SERIAL: 'usage',
  ERR_MFA_CODE: 'identity', // no usable code came from where it should
  ERR_WEB_IDENTITY_TOKEN: 'identity', // the same of a token
  ERR_SOURCE_CREDENTIALS: 'identity', // nothing to assume a role with

  // certificate, chain and key
  ERR_FILE_NOT_FOUND: 'identity',
  ERR_FILE_UNREADABLE: 'identity',
  ERR_FILE_IS_DIRECTORY: 'identity',
  ERR_FILE_TOO_LARGE: 'identity',
  ERR_VARIABLE_NOT_SET: 'identity', // env:NAME
  ERR_FORMAT_UNKNOWN: 'identity', // neither PEM nor any other format that is read here
  ERR_PEM_EMPTY: 'identity', // no bytes at all
  ERR_PEM_TRUNCATED: 'identity', // a BEGIN line without its END line
  ERR_PEM_MALFORMED: 'identity',
  ERR_PEM_LABEL: 'identity', // well-formed PEM that holds something else than was asked for
  ERR_CERTIFICATE_MALFORMED: 'identity',
  ERR_CERTIFICATE_EXPIRED: 'identity',
  ERR_CERTIFICATE_NOT_YET_VALID: 'identity',
  ERR_CERTIFICATE_VERSION: 'identity', // not X.509 version 3
  ERR_CERTIFICATE_IS_CA: 'identity',
  ERR_CERTIFICATE_KEY_USAGE: 'identity', // without digitalSignature
  ERR_CERTIFICATE_SIGNATURE_ALGORITHM: 'identity', // below SHA-256
  ERR_CERTIFICATE_SUBJECT_EMPTY: 'identity',
  ERR_CERTIFICATE_SERIAL_NUMBER: 'identity', // negative
  ERR_KEY_MISSING: 'identity',
  ERR_KEY_MALFORMED: 'identity',
  ERR_KEY_UNSUPPORTED: 'identity',
  ERR_KEY_ENCRYPTED: 'identity', // where only plain keys are read
  ERR_KEY_MISMATCH: 'identity',
  ERR_PKCS7_MALFORMED: 'identity',
  ERR_PKCS12_MALFORMED: 'identity',
  ERR_ENCRYPTION_UNSUPPORTED: 'identity', // a scheme that keys and containers are not read under here
  ERR_KDF_TOO_COSTLY: 'identity', // well-formed, and more work than any real file asks for
  ERR_PASSWORD_REQUIRED: 'identity', // none was given, and there is no terminal to ask at
  ERR_PASSWORD_INCORRECT: 'identity',
  ERR_PASSWORD_SOURCE: 'identity', // the file that should give the password does not
  ERR_CHAIN_TOO_LONG: 'identity',
  ERR_CHAIN_INCOMPLETE: 'identity', // nothing that is sent leads to the trust anchor
  ERR_CHAIN_SIGNATURE: 'identity', // a CA of the right name and another key
  ERR_CHAIN_PATH_LENGTH: 'identity', // more CAs below a CA than it allows
  ERR_CHAIN_NAMES: 'identity', // names below a CA that it may not give
  ERR_TRUST_ANCHOR: 'identity', // a certificate of the trust anchor that is not valid now
  ERR_CERTIFICATE_NOT_FOUND: 'identity', // none that a selector matches
  ERR_CERTIFICATE_AMBIGUOUS: 'identity', // several that it matches
  ERR_SIGN: 'identity',

  // keys in tokens
  ERR_PKCS11_URI: 'usage',
  ERR_PKCS11_BINDING: 'identity', // the optional native package that loads modules is not installed
  ERR_PKCS11_HELPER: 'identity', // the helper program that keeps a module apart cannot be found or started
  ERR_PKCS11_MODULE_NOT_FOUND: 'identity',
  ERR_PKCS11_MODULE_INVALID: 'identity', // a file that is not a PKCS#11 library for this platform
  ERR_PKCS11_MODULE_CRASHED: 'identity',
  ERR_PKCS11_TIMEOUT: 'identity', // a module that did not return from a call
  ERR_PKCS11_FAILED: 'identity', // any other failure that a module reports
  ERR_TOKEN_NOT_FOUND: 'identity',
  ERR_TOKEN_AMBIGUOUS: 'identity',
  ERR_TOKEN_REMOVED: 'identity',
  ERR_OBJECT_NOT_FOUND: 'identity', // no such certificate or key in the token
  ERR_OBJECT_AMBIGUOUS: 'identity',
  ERR_PIN_REQUIRED: 'identity', // none was given, and there is no terminal to ask at
  ERR_PIN_SOURCE: 'identity', // the file or command that should give the PIN does not
  ERR_PIN_EMPTY: 'identity',
  ERR_PIN_INCORRECT: 'identity',
  ERR_PIN_EXPIRED: 'identity',
  ERR_PIN_FINAL_TRY: 'identity',
  ERR_PIN_LOCKED: 'identity',
  ERR_PIN_WITHHELD: 'identity', // refused before, or after logins of unknown end: not presented now
  ERR_PIN_STATE: 'identity', // the record of refused PINs cannot be kept

  // keys in a system's certificate store
  ERR_STORE_PLATFORM: 'usage', // a system that has none that is read here
  ERR_STORE_BINDING: 'identity', // the optional native package that calls the system is not installed
  ERR_STORE_NOT_FOUND: 'identity', // no store of that name
  ERR_STORE_ACCESS: 'identity', // this user may not read it
  ERR_STORE_KEY: 'identity', // the certificate is there, and its key cannot be opened
  ERR_STORE_FAILED: 'identity', // any other refusal

  // keys in a TPM
  ERR_TPM_DEVICE: 'usage', // a value that should name a TPM
  ERR_TPM_HANDLE: 'usage',
  ERR_TPM_HANDLE_KIND: 'usage', // the handle of something that is no key, or no NV index
  ERR_TPM_POLICY: 'usage', // PCRs that a key should be bound to
  ERR_TPM_PLATFORM: 'usage', // a system on which TPMs are not reached
  ERR_TPM_NOT_FOUND: 'identity',
  ERR_TPM_ACCESS: 'identity', // this user may not open it
  ERR_TPM_NOT_PERMITTED: 'identity', // nobody may, in this container
  ERR_TPM_BUSY: 'identity', // another program holds it
  ERR_TPM_CONNECT: 'identity', // nobody answers there
  ERR_TPM_CLOSED: 'identity', // the connection ended before the answer
  ERR_TPM_TIMEOUT: 'identity',
  ERR_TPM_ANSWER: 'identity', // not what the specification says
  ERR_TPM_VERSION: 'identity', // too old
  ERR_TPM_NOT_STARTED: 'identity',
  ERR_TPM_FAILURE: 'identity', // it says itself that it is out of order
  ERR_TPM_FAILED: 'identity', // any other refusal
  ERR_TPM_RETRY: 'identity', // asked several times, never ready
  ERR_TPM_YIELDED: 'identity',
  ERR_TPM_TESTING: 'identity',
  ERR_TPM_OBJECT_MEMORY: 'identity', // no slot for a key
  ERR_TPM_SESSION_MEMORY: 'identity', // no slot for a session
  ERR_TPM_SESSION: 'identity', // it does not take the session
  ERR_TPM_KEY_NOT_FOUND: 'identity',
  ERR_TPM_HANDLE_NOT_LOADED: 'identity', // a transient handle
  ERR_TPM_KEY_NOT_SIGNING: 'identity',
  ERR_TPM_KEY_NOT_LOADABLE: 'identity', // of another TPM, or changed
  ERR_TPM_KEY_IMPORTABLE: 'identity', // a file of a kind that is not loaded
  ERR_TPM_KEY_SEALED: 'identity', // the same
  ERR_TPM_PARENT: 'identity', // not one that a key can be loaded under
  ERR_TPM_PARENT_NOT_FOUND: 'identity',
  ERR_TPM_SCHEME: 'identity', // the key makes other signatures only
  ERR_TPM_DIGEST: 'identity',
  ERR_TPM_RESTRICTED: 'identity', // the key signs only what the TPM has hashed
  ERR_TPM_POLICY_REQUIRED: 'identity',
  ERR_TPM_POLICY_FAILED: 'identity', // PCRs have other values
  ERR_TPM_POLICY_UNSUPPORTED: 'identity',
  ERR_TPM_KEY_PASSWORD: 'identity', // wrong
  ERR_TPM_PARENT_PASSWORD: 'identity', // wrong
  ERR_TPM_HIERARCHY_PASSWORD: 'identity', // wrong
  ERR_TPM_PASSWORD_SIZE: 'identity',
  ERR_TPM_PASSWORD_WITHHELD: 'identity', // refused before: not sent again by itself
  ERR_TPM_LAST_TRY: 'identity',
  ERR_TPM_LOCKOUT: 'identity',
  ERR_TPM_NV_NOT_FOUND: 'identity',
  ERR_TPM_NV_EMPTY: 'identity',
  ERR_TPM_NV_ACCESS: 'identity',

  // identities of a SPIFFE Workload API
  ERR_SPIFFE_ADDRESS: 'usage', // a spiffe: value, or SPIFFE_ENDPOINT_SOCKET
  ERR_SPIFFE_ID: 'identity', // none of those that it gives is the one that was named
  ERR_SPIFFE_DENIED: 'identity', // it has none for this process
  ERR_SPIFFE_FAILED: 'identity', // any other refusal
  ERR_SPIFFE_CONNECT: 'unavailable', // the agent does not run, or is not ready
  ERR_SPIFFE_TIMEOUT: 'unavailable',
  ERR_SPIFFE_ANSWER: 'unavailable', // not what the specification says

  // renewal of the certificate
  ERR_RENEWAL_TOKEN: 'identity', // the file that should prove to the CA who asks does not
  ERR_RENEWAL_REFUSED: 'refused', // by the CA
  ERR_RENEWAL_CHECK: 'refused', // what the CA issued is not taken
  ERR_RENEWAL_COMMAND: 'unavailable', // the command that should renew failed
  ERR_RENEWAL_WRITE: 'usage', // the new certificate cannot be put in place

  // the service's verdict
  ERR_ACCESS_DENIED: 'refused',
  ERR_VALIDATION: 'refused',
  ERR_NOT_FOUND: 'refused',
  ERR_SERVICE_REFUSED: 'refused', // any other 4xx

  // no usable answer
  ERR_THROTTLED: 'unavailable',
  ERR_SERVICE_FAILED: 'unavailable', // 5xx
  ERR_RESPONSE_INVALID: 'unavailable', // not what the protocol says, or cut off, or too large
  ERR_CREDENTIALS_EMPTY: 'unavailable',
  ERR_CREDENTIALS_EXPIRED: 'unavailable',
  ERR_TIMEOUT: 'unavailable',
  ERR_CONNECT: 'unavailable', // refused, reset, unreachable
  ERR_DNS: 'unavailable',
  ERR_TLS: 'unavailable', // what has no code of its own
  ERR_TLS_AUTHORITY: 'unavailable', // the certificate's issuer is not trusted
  ERR_TLS_NAME: 'unavailable', // the certificate is for another host
  ERR_TLS_VALIDITY: 'unavailable', // a certificate has expired, or is not valid yet
  ERR_TLS_VERSION: 'unavailable', // no version of TLS in common
  ERR_CA_BUNDLE: 'usage',
  ERR_PROXY: 'unavailable', // the proxy answered, and did not let through
  ERR_PROXY_AUTH: 'usage', // the proxy wants a user name and a password, or others
  ERR_PROXY_URL: 'usage',
} as const satisfies Record<string, ErrorClass>;

/** A stable code of this project's errors. */
export type ErrorCode = keyof typeof ERROR_CLASSES;

/** Facts that may accompany an error. */
export interface ErrorDetails {
  /** Advice: one sentence that says what to do, in lower case and without a full stop. */
  hint?: string | undefined;
  /** The flag that it is about, or the flags, with their dashes, as in `--role-arn`. The message names them too. */
  flag?: string | readonly string[] | undefined;
  /** The error below this one. Never printed without `--debug`. */
  cause?: unknown;
  /** The service's own error code, as it spelt it. */
  serviceCode?: string | undefined;
  /** HTTP status of the answer that led here. */
  status?: number | undefined;
  /** The service's request id, which AWS Support asks for. */
  requestId?: string | undefined;
  /** How long the service asks to be left alone (Retry-After, RFC 9110, section 10.2.3), in milliseconds. */
  retryAfterMs?: number | undefined;
}

/**
 * Text that quotes a PKCS#11 URI, or what should be one, without its PIN, and without a private key in PEM, which somebody
 * may have given in another's place. Where a PIN ends nobody can say: a value that is malformed may hold anything.
 */
export function withoutPin(text: string): string {
  return text
    .replace(/(pin-value(?:=|%3d))\S.*/gi, '$1<redacted>')
    .replace(/(-----BEGIN [A-Z\d ]*PRIVATE KEY-----)(?:(?!-----END)[^])*(?:-----END [A-Z\d ]*-----)?/g, '$1<redacted>');
}

/**
 * Every failure that this project reports. `message` says what is wrong and in
 * which flag or file, in lower case and without a full stop; it never holds a
 * secret.
 */
export class RolesAnywhereError extends Error {
  override readonly name = 'RolesAnywhereError';
  /** Stable, for callers to compare. */
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly flag: string | readonly string[] | undefined;
  readonly serviceCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(withoutPin(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint === undefined ? undefined : withoutPin(details.hint);
    this.flag = details.flag;
    this.serviceCode = details.serviceCode;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** The class of {@link code}. */
  get class(): ErrorClass {
    return ERROR_CLASSES[this.code];
  }
}

/** For EMFILE, of the process, and ENFILE, of the whole system. */
export const OPEN_FILES_HINT =
  'raise the limit on open files (ulimit -n, LimitNOFILE= of a unit), or find out what keeps them open';
