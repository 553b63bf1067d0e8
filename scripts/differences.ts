/**
 * In what this program differs from AWS's `aws_signing_helper` when it stands in for it, and means to. docs/compatibility.md
 * is made from this list (`npm run docs`), and test/peer/ lets the two differ in nothing else.
 */

/** Under which heading of the page a difference stands. */
export const AREAS = [
  'Lines and what is printed',
  'Certificates and keys',
  'Requests',
  'Surroundings',
  'serve',
  'update',
] as const;
export type Area = (typeof AREAS)[number];

export interface Difference {
  readonly area: Area;
  readonly what: string;
  readonly theirs: string;
  readonly ours: string;
  /** Why no command line of the comparison shows it; without one, at least one must. */
  readonly unshown?: string;
}

const LINES = 'Lines and what is printed';
const KEYS = 'Certificates and keys';

/** Every difference, by the name that the comparison calls it by. */
export const DIFFERENCES = {
  'exit-status': {
    area: LINES,
    what: 'Exit status of a failure',
    theirs: '1; 2 when it panics',
    ours: 'an [exit status for each class of error](commands.md#exit-status), and a stable code in the message',
    unshown: 'the comparison tells success from failure',
  },
  'failure-text': {
    area: LINES,
    what: 'Text of a failure',
    theirs: 'the error, the whole usage text, and the error again',
    ours: 'the error and a hint; for an unknown flag, the nearest one',
    unshown: 'what is said of failures is not compared',
  },
  'help-text': {
    area: LINES,
    what: 'Help',
    theirs: 'its own text',
    ours: 'our own, with the flags of this program',
  },
  'help-for-nothing': {
    area: LINES,
    what: '`help` for a command that is not there; `completion` without a shell',
    theirs: 'help, status 0',
    ours: 'an error that names those that are there',
  },
  completion: {
    area: LINES,
    what: '`completion SHELL`',
    theirs: "cobra's scripts, which ask the program by `__complete`",
    ours: 'our own scripts for the same shells; they complete the values of flags, too',
  },
  version: {
    area: LINES,
    what: '`version`',
    theirs: 'its version; built by `go install`, an empty line',
    ours: "the version of AWS's helper that command lines were compared with, and this program's own version behind it",
  },
  integers: {
    area: LINES,
    what: 'Numbers such as `0xE10`, `3_600` and `03600`',
    theirs: "taken in any base of Go's: `03600` is octal, 1920",
    ours: 'refused, with the decimal number in the hint',
  },
  'broken-line': {
    area: LINES,
    what: 'An argument that begins with blanks and then dashes, as a backslash with a blank behind it makes it',
    theirs: 'ignored, and with it what was to be a flag',
    ours: 'refused',
  },
  'early-checks': {
    area: LINES,
    what: 'A mistake in an ARN, a region, a duration or a session name',
    theirs: 'found by the service',
    ours: 'found before anything is read or sent',
  },
  debug: {
    area: LINES,
    what: '`--debug`',
    theirs: 'prints request and response, credentials included',
    ours: 'shows what is sent, and never a secret',
  },
  'json-escapes': {
    area: LINES,
    what: '`<`, `>` and `&` in credentials',
    theirs: 'printed as `\\u003c`, `\\u003e` and `\\u0026`',
    ours: 'printed as they are: the same to whoever reads JSON',
  },
  expiration: {
    area: LINES,
    what: 'An expiry that is past, no time at all, or has fractions or an offset',
    theirs: 'printed as it came',
    ours: 'refused, or printed as a whole second of UTC',
  },
  'own-flags': {
    area: LINES,
    what: 'Flags and commands of this program',
    theirs: 'unknown',
    ours: 'taken under this name too',
  },
  'certificate-checks': {
    area: KEYS,
    what: "A certificate that the service is documented to refuse (expired, a CA's, without *Digital Signature*, ...)",
    theirs: 'sent',
    ours: '[an error that names the field](identities.md#what-is-checked-before-anything-is-sent); `--skip-checks` sends it. For one that is out of its time, the service is asked for its time first, by one small unsigned request',
  },
  'key-mismatch': {
    area: KEYS,
    what: 'Certificate and key that do not belong together',
    theirs: 'signed with; the service refuses it (`Invalid signature`)',
    ours: 'an error before anything is signed or sent',
  },
  curves: {
    area: KEYS,
    what: 'Keys on the curves P-224 and secp256k1',
    theirs: 'P-224 signs; secp256k1 cannot be read',
    ours: 'certificates of both are read; neither signs',
  },
  'more-files': {
    area: KEYS,
    what: 'DER, PEM with a byte order mark or an old label, PKCS#12 of OpenSSL 3, with a password, or for `read-certificate-data`; keys encrypted in the traditional way, with 3DES or by PBES1; a bundle that also holds a key',
    theirs: 'refused',
    ours: 'read',
  },
  'key-alone': {
    area: KEYS,
    what: '`sign-string` with a `--private-key` file alone',
    theirs: 'refused',
    ours: 'signs',
  },
  'needless-password': {
    area: KEYS,
    what: '`--pkcs8-password` with a key that is not encrypted',
    theirs: 'refused',
    ours: 'not needed, and ignored',
  },
  'junk-intermediates': {
    area: KEYS,
    what: '`--intermediates` of a file that has something in it, and no PEM',
    theirs: 'ignored',
    ours: 'DER is read; anything else is refused. A file that is empty or white space is ignored',
  },
  chain: {
    area: KEYS,
    what: 'Order and content of the chain sent',
    theirs: 'as in the file',
    ours: 'issuer of the leaf first; without leaf, self-signed root, duplicates, and what does not belong to it',
  },
  'chain-in-file': {
    area: KEYS,
    what: 'A `--certificate` file with more than one certificate',
    theirs: 'the first is the leaf, the rest is not sent',
    ours: 'the leaf is found wherever it stands, and the rest is sent as its chain',
  },
  'negative-serial': {
    area: KEYS,
    what: 'A certificate with a negative serial number',
    theirs: 'cannot be read',
    ours: '`read-certificate-data` shows it; the service would not take it',
  },
  'token-text': {
    area: KEYS,
    what: '`sign-string` with a key in a token and its certificate elsewhere, or none',
    theirs: 'signs the text without the hash of the key',
    ours: 'signs the text that its documentation describes, as for every other key',
  },
  'token-uri': {
    area: KEYS,
    what: 'The URI that `read-certificate-data` shows for a certificate in a token',
    theirs: "the slot's attributes too, in an order that changes from run to run",
    ours: 'token, object and id, in one order: what another command needs to find it',
    unshown: 'the order of theirs is random',
  },
  'pin-places': {
    area: KEYS,
    what: 'A PIN in the path of a PKCS#11 URI (`;pin-value=`), or in a file (`pin-source`)',
    theirs: 'refused',
    ours: 'taken; the first with a warning under our own name, since RFC 7512 has it behind a `?`',
  },
  'second-uri': {
    area: KEYS,
    what: 'A `--private-key` URI without a token, where several tokens are there',
    theirs: 'refused, unless one token alone matches it',
    ours: 'looked for in the token of the certificate too',
    unshown: 'the comparison has one token',
  },
  'tpm-keys': {
    area: KEYS,
    what: 'Keys in a TPM',
    theirs:
      'the password as it is, the empty one for parents and hierarchies; waits for ever; a failed signature ends `serve`',
    ours: '[salted HMAC sessions, passwords of parents and hierarchies, PCR policies, restricted keys, certificates in NV](identities.md#keys-in-the-machines-tpm-20); bounded waits',
    unshown: "AWS's helper takes the machine's own TPM alone",
  },
  'tpm-empty-password': {
    area: KEYS,
    what: 'A password for a TPM key whose file says that it has none',
    theirs: 'an error',
    ours: 'used: files of tpm2_encodeobject say the opposite of what is',
    unshown: "AWS's helper takes the machine's own TPM alone",
  },
  passwords: {
    area: KEYS,
    what: 'Passwords',
    theirs: '`--pkcs8-password`',
    ours: 'also for PKCS#12 and traditional PEM, and also from a file, the environment or a prompt: `--pkcs8-password-file`, `--pkcs12-password`, `--pkcs12-password-file`',
    unshown: 'the flags are our own',
  },
  'wrong-password': {
    area: KEYS,
    what: 'A wrong password or PIN',
    theirs: 'an error',
    ours: 'a wrong password is told from a damaged file where the format allows it; a PIN that a token refused [is not presented again](identities.md), and not at all without a person when the token reports few tries left',
    unshown: 'what is said of failures is not compared',
  },
  'endpoint-path': {
    area: 'Requests',
    what: 'An `--endpoint` with a path',
    theirs: 'the path is sent, and `/sessions` alone is signed',
    ours: 'the path that is sent is signed: a gateway that takes a prefix away must sign anew',
  },
  'endpoint-form': {
    area: 'Requests',
    what: 'An `--endpoint` with a query, or a user name',
    theirs: 'a query is dropped',
    ours: 'refused',
  },
  'endpoint-precedence': {
    area: 'Requests',
    what: '`--endpoint` and `AWS_ENDPOINT_URL_ROLESANYWHERE` together',
    theirs: 'the variable wins',
    ours: 'the flag wins, as every flag does',
  },
  'plain-http': {
    area: 'Requests',
    what: 'Endpoints of plain `http`',
    theirs: 'accepted',
    ours: 'only on this machine; elsewhere with `--allow-http`',
  },
  eusc: {
    area: 'Requests',
    what: 'The European Sovereign Cloud',
    theirs: '`rolesanywhere.eusc-de-east-1.amazonaws.com`',
    ours: '`rolesanywhere.eusc-de-east-1.amazonaws.eu`',
  },
  headers: {
    area: 'Requests',
    what: 'Headers that the service has no use for',
    theirs: '`Amz-Sdk-Invocation-Id` and `Amz-Sdk-Request`, signed; `User-Agent: CredHelper/...`',
    ours: 'neither of the first two; `User-Agent` says `CredHelper` and this program, see [below](#what-cloudtrail-sees)',
    unshown: 'the comparison leaves them out',
  },
  'not-implemented': {
    area: 'Requests',
    what: 'An answer of 501',
    theirs: 'final',
    ours: 'tried again, as every other 5xx',
  },
  throttling: {
    area: 'Requests',
    what: 'Too many requests (429, ThrottlingException), without a limit of attempts',
    theirs: 'three attempts',
    ours: 'tried again with full jitter until `--timeout`; `--max-attempts` and AWS_MAX_ATTEMPTS bound it',
  },
  'retry-pace': {
    area: 'Requests',
    what: 'Attempts',
    theirs:
      '`Retry-After` is not read; a service that hangs is waited for without end; an untrusted server is tried three times',
    ours: '`Retry-After` is obeyed; an attempt takes 20 seconds at most, the whole 60; an untrusted server is tried once',
    unshown: 'times are not compared',
  },
  'no-proxy-dot': {
    area: 'Surroundings',
    what: '`NO_PROXY=.example.com` for `example.com` itself',
    theirs: 'through the proxy',
    ours: 'direct, as curl does',
  },
  'node-roots': {
    area: 'Surroundings',
    what: 'Roots that came with Node, and those of `NODE_EXTRA_CA_CERTS`',
    theirs: 'not trusted',
    ours: "trusted too, [before the system's](network.md#tls)",
  },
  'sdk-trifles': {
    area: 'Surroundings',
    what: 'Settings of the SDK that have nothing to do with this: a profile in `AWS_PROFILE` that is not there, half of a static key, `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`',
    theirs: 'an error when it is malformed',
    ours: 'not read',
  },
  'update-last-line': {
    area: 'update',
    what: 'The last line of the file, where the profile is the last section; a section whose header is the last line',
    theirs: 'dropped; written a second time, so that botocore refuses the file',
    ours: 'kept; used',
  },
  'update-long-line': {
    area: 'update',
    what: 'A line of more than 64 KiB, and what follows it',
    theirs: 'dropped, with status 0',
    ours: 'kept',
  },
  'update-line-ends': {
    area: 'update',
    what: 'Line ends of CR LF',
    theirs: 'made LF',
    ours: 'kept',
  },
  'update-header': {
    area: 'update',
    what: 'A header with a comment or with blanks, such as `[work] # jobs` or `[ work ]`',
    theirs: 'not found: a second section is appended',
    ours: 'found',
  },
  'update-keys': {
    area: 'update',
    what: 'Keys in capitals or indented, and keys that only begin like one of the three, such as `aws_session_token_old`',
    theirs: 'not found, and written a second time; replaced',
    ours: 'replaced; kept',
  },
  'update-places': {
    area: 'update',
    what: 'Where a key stands that was not there, and blank lines around a new section',
    theirs: 'at the end of the section, behind blank lines; one blank line behind, none in front',
    ours: 'behind the other keys of the set, or below the header; one blank line in front, none behind',
  },
  'update-older-token': {
    area: 'update',
    what: '`aws_security_token`, which botocore prefers to the new token, and `aws_account_id`',
    theirs: 'kept',
    ours: 'removed; kept true',
  },
  'update-refused-file': {
    area: 'update',
    what: 'A file that the AWS CLI or the SDK for JavaScript refuses',
    theirs: 'written, and refused as before',
    ours: '`ERR_CREDENTIALS_FILE` with the line, before anything is asked; the file stays as it was',
  },
  'update-half-key': {
    area: 'update',
    what: 'A profile `default` with a key id and no secret',
    theirs: 'an error of its SDK before anything is asked',
    ours: 'completed',
  },
  'update-names': {
    area: 'update',
    what: 'Names of profiles that tools read differently, such as `a]b` or `DEFAULT`; an empty one',
    theirs: 'written as they are; `[]`',
    ours: 'refused; `default`',
  },
  'update-home': {
    area: 'update',
    what: '`HOME` is not set',
    theirs: 'an error, also where `AWS_SHARED_CREDENTIALS_FILE` is set',
    ours: 'not needed then; else the home of the user database',
  },
  'update-in-place': {
    area: 'update',
    what: 'How the file is written',
    theirs: 'truncated and written in place, without a lock; a missing folder has mode 0600, which only root can use',
    ours: 'replaced as a whole, [under a lock](credentials.md#what-is-written-and-what-is-not); a missing folder has mode 0700',
    unshown: 'what is left is compared, not how it came there; the suite of update kills it a thousand times',
  },
  'update-renewal': {
    area: 'update',
    what: 'Renewal; a renewal that fails',
    theirs: 'five minutes before the end, and without a pause for sessions of less; it ends with 1',
    ours: '[by the rules of `serve`](server.md#operation); tried again until it succeeds',
    unshown: 'lines are compared with `--once`',
  },
  'update-end': {
    area: 'update',
    what: 'SIGTERM',
    theirs: 'dies by the signal',
    ours: 'status 0, the write under way is finished or undone',
    unshown: 'lines are compared with `--once`',
  },
  'serve-errors': {
    area: 'serve',
    what: 'Words of an error',
    theirs: 'text/plain, or nothing',
    ours: 'JSON with `code` and `message`',
  },
  'serve-ttl': {
    area: 'serve',
    what: 'A token for `+5` or `060` seconds',
    theirs: 'given',
    ours: 'refused (400)',
  },
  'serve-guards': {
    area: 'serve',
    what: "Requests that a web page or a proxy may have made: a `Host` that is not this machine's, `Origin`, `X-Forwarded-For`",
    theirs: '`X-Forwarded-For` is refused with 400 when a token is asked for; all else is answered',
    ours: 'refused (403): [who may ask](server.md)',
  },
  'serve-roles': {
    area: 'serve',
    what: 'Credentials of a role that is not the one served, or below its path',
    theirs: 'answered with 200',
    ours: '404',
  },
  'serve-more': {
    area: 'serve',
    what: 'Paths that SDKs probe: `instance-id`, `iam/info`, `placement/region`, the identity document',
    theirs: '404',
    ours: 'answered',
  },
  'serve-head': {
    area: 'serve',
    what: '`HEAD`',
    theirs: '405',
    ours: 'answered as `GET` is',
  },
  'serve-paths': {
    area: 'serve',
    what: 'Paths with doubled slashes or dots',
    theirs: '307 to the plain path',
    ours: 'a doubled leading slash is answered, anything else is 404',
  },
  'serve-start': {
    area: 'serve',
    what: 'CreateSession fails at the start',
    theirs: 'it listens, and answers with empty credentials and `"Code":"Success"`',
    ours: 'the port is not opened before there are credentials: refused for good ends it, anything else is tried again',
    unshown: 'the comparison needs servers that have started',
  },
  'serve-refresh': {
    area: 'serve',
    what: 'Renewal',
    theirs: 'at a request, when less than ten minutes are left; a failure replaces good credentials with empty ones',
    ours: 'in the background; good credentials are kept while they last',
    unshown: 'credentials of the comparison do not grow old',
  },
  'serve-container': {
    area: 'serve',
    what: 'Addresses and endpoints',
    theirs: '127.0.0.1, and the instance metadata service alone',
    ours: "127.0.0.1 and ::1, and the container endpoint too, which has a token file in the user's runtime directory",
    unshown: 'the endpoint is our own',
  },
  'serve-hop-limit': {
    area: 'serve',
    what: '`--hop-limit`',
    theirs: 'set on the connection',
    ours: 'taken, with no effect: Node cannot set it, `IPTTL=` of a systemd socket unit can',
    unshown: 'seen on the wire only',
  },
  'serve-tokens': {
    area: 'serve',
    what: 'Tokens of the instance metadata service',
    theirs: '256 at most: the next one ends the oldest; the list of roles says how long one lives on',
    ours: 'as many as are asked for; how long one lives is said when it is given',
    unshown: 'headers are not compared',
  },
  'serve-end': {
    area: 'serve',
    what: 'SIGTERM',
    theirs: 'dies by the signal',
    ours: 'ends with status 0',
    unshown: 'the comparison compares answers',
  },
} as const satisfies Record<string, Difference>;

export type DifferenceId = keyof typeof DIFFERENCES;
