/**
 * What each code of an error means and what to do about it, for docs/troubleshooting.md. It stands here and not beside the
 * codes, because no command needs it. A code of src/platform/errors.ts that has no row here does not compile.
 */
// Tests: test/docs/troubleshooting.test.ts
import type { ERROR_CLASSES, ErrorClass, ErrorCode } from '../src/platform/errors.ts';

/** A row of the page: one code, or several that are explained together. */
export interface Row<C extends ErrorCode = ErrorCode> {
  readonly codes: readonly C[];
  /** The words of the service that this row is about, where they tell more than the code does. */
  readonly says?: string | undefined;
  /** Markdown, like all texts here. */
  readonly cause: string;
  readonly remedy: string;
}

/** A table of the page, with the codes of one class. */
export interface Section<K extends ErrorClass = ErrorClass, C extends ErrorCode = ErrorCode> {
  readonly class: K;
  readonly title: string;
  /** A part of the section before it, which has the heading of the class. */
  readonly isPart?: boolean | undefined;
  /** A paragraph above the table. */
  readonly text?: string | undefined;
  readonly rows: readonly Row<C>[];
}

type CodesOf<K extends ErrorClass> = {
  [C in ErrorCode]: (typeof ERROR_CLASSES)[C] extends K ? C : never;
}[ErrorCode];

function section<K extends ErrorClass, const C extends CodesOf<K>>(
  kind: K,
  content: Omit<Section<K, C>, 'class'>,
): Section<K, C> {
  return { class: kind, ...content };
}

const ALL = [
  section('usage', {
    title: 'The command line and its surroundings',
    rows: [
      {
        codes: ['ERR_USAGE'],
        cause: 'an argument too many, or a combination that means nothing',
        remedy: 'see `--help` of the command; quote values with spaces',
      },
      {
        codes: ['ERR_UNKNOWN_COMMAND', 'ERR_UNKNOWN_FLAG'],
        cause: 'a misspelling, or a flag of another command',
        remedy: 'the hint names the nearest',
      },
      {
        codes: ['ERR_FLAG_VALUE'],
        cause: 'a value that the flag does not take',
        remedy: 'the hint says what it takes',
      },
      { codes: ['ERR_FLAG_CONFLICT'], cause: 'two flags that exclude each other', remedy: 'leave one out' },
      {
        codes: ['ERR_FLAG_REQUIRED'],
        cause: 'a flag that the command cannot do without',
        remedy: 'all that are missing are named',
      },
      {
        codes: ['ERR_UNSUPPORTED'],
        cause: 'something that this version does not have',
        remedy: 'the hint names what to use instead',
      },
      {
        codes: ['ERR_ARN'],
        cause: 'not an ARN of the kind that the flag takes',
        remedy: 'copy it from the AWS console; the flag is named',
      },
      {
        codes: ['ERR_ARN_MISMATCH'],
        cause: 'ARNs of different regions, accounts or partitions',
        remedy: 'trust anchor and profile must be of one region and account',
      },
      {
        codes: ['ERR_REGION', 'ERR_ENDPOINT'],
        cause: 'not a region; not a URL, or plain http to another machine',
        remedy: 'leave `--region` out; use https',
      },
      {
        codes: ['ERR_CONFIG_FILE'],
        cause:
          'the AWS config file cannot be read, or the AWS CLI would refuse it whole: a section or key twice, text before the first section, a byte order mark',
        remedy: 'the line is named; see [configuration](configuration.md#how-values-are-read)',
      },
      {
        codes: ['ERR_CONFIG_PROFILE'],
        cause: 'the config file has no such profile',
        remedy: 'the hint names the nearest; `AWS_CONFIG_FILE` says which file is read',
      },
      {
        codes: ['ERR_CONFIG_KEY'],
        cause: 'an unknown `rolesanywhere_` key, or a value on which the AWS CLI and the AWS SDK for JavaScript differ',
        remedy: 'the line is named; the hint says how to write it',
      },
      {
        codes: ['ERR_PROCESS_LINE'],
        cause:
          '`doctor`: a `credential_process` that the AWS CLI and a shell read differently, that cannot be taken apart, or that prints no credentials',
        remedy: 'the corrected line is printed where that can be; [doctor](doctor.md#the-line-in-awsconfig)',
      },
      {
        codes: ['ERR_PROCESS_PROGRAM'],
        cause: '`doctor`: the program of a `credential_process`, or the Node that runs it, is not found',
        remedy: 'write absolute paths; `init` does',
      },
      {
        codes: ['ERR_PROFILE_IN_USE'],
        cause: '`init`: the profile has credentials of another kind, in the config file or in the credentials file',
        remedy: 'each key and line is named: remove them, or take another `--profile`',
      },
      {
        codes: ['ERR_CREDENTIALS_FILE'],
        cause:
          'the credentials file cannot be written, or the AWS CLI would refuse it whole; a profile or value that it cannot hold. Nothing was changed',
        remedy: 'the line is named; correct it. A file that is mounted by itself cannot be replaced: mount its folder',
      },
      {
        codes: ['ERR_CACHE'],
        cause:
          "there is no folder to keep credentials in, it cannot be made, or it is not this user's alone. `credential-process` says so and goes on without the cache",
        remedy:
          'set `XDG_RUNTIME_DIR` or `HOME` to a directory of this user; look whose the folder is that `cache path` names',
      },
      {
        codes: ['ERR_EXPORT_VALUE'],
        cause: 'a value that the form of `export` cannot hold, such as one with a line end. Nothing was printed',
        remedy: 'the variable is named; check where the credentials are from, or take [another form](export.md)',
      },
      { codes: ['ERR_DURATION'], cause: 'outside 900 to 43200 seconds', remedy: 'give one inside, or none' },
      { codes: ['ERR_SESSION_NAME'], cause: 'not 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`', remedy: 'rename' },
      {
        codes: ['ERR_EXTERNAL_ID', 'ERR_SOURCE_IDENTITY', 'ERR_TAG', 'ERR_POLICY', 'ERR_CONTEXT', 'ERR_MFA_SERIAL'],
        cause: "a parameter of STS past AWS's limits, or MFA half given; nothing was sent",
        remedy: 'the flag and the limit are named; see [further roles](sts.md)',
      },
      {
        codes: ['ERR_STORE_PLATFORM'],
        cause: '`--cert-selector` without `--certificate`, on a system without a certificate store',
        remedy: 'name a folder, a file or a PKCS#11 URI with `--certificate`',
      },
      {
        codes: ['ERR_SELECTOR'],
        cause: '`--cert-selector` does not follow its grammar',
        remedy: 'see `--help` for its form',
      },
      {
        codes: ['ERR_LINK_EXISTS'],
        cause: 'something else is where `link` would make its link',
        remedy: 'look what it is; `--force` replaces it',
      },
      {
        codes: ['ERR_CA_BUNDLE'],
        cause:
          "the file of `--ca-bundle` or AWS_CA_BUNDLE is missing or holds no certificate; the system's store is not found",
        remedy: 'give a PEM file with the roots to trust',
      },
      {
        codes: ['ERR_PROXY_URL'],
        cause: '`--proxy`, or the proxy in the environment, is no URL of a proxy',
        remedy: '`http://USER:PASSWORD@HOST:PORT` or `socks5://...`, special characters percent-encoded',
      },
      {
        codes: ['ERR_PROXY_AUTH'],
        cause: 'the proxy wants a user name and a password, or others',
        remedy: 'put them into its URL; see [network](network.md#proxies)',
      },
      {
        codes: ['ERR_WORLD'],
        cause: 'what an emulator is to know cannot be',
        remedy: 'the place in the world file is named; check the file with `emulator-world.schema.json`',
      },
      {
        codes: ['ERR_STATE'],
        cause: "an emulator's state directory is in use, damaged or not writable",
        remedy: 'a directory of its own for each emulator; the message says which it is',
      },
      {
        codes: ['ERR_LISTEN'],
        cause: 'the address is in use, not permitted, or not one to listen on',
        remedy: 'another `--port`; a loopback address',
      },
      {
        codes: ['ERR_TOKEN_FILE'],
        cause: "the file for the container endpoint's token cannot be used",
        remedy: 'a writable place that only you can read',
      },
      {
        codes: ['ERR_ON_UPDATE'],
        cause: 'the program of `--on-update` cannot be run, failed, or took longer than a minute; the file is written',
        remedy: 'run it by itself; for pipes and variables there is `--on-update-shell`',
      },
      {
        codes: ['ERR_AUDIT_LOG'],
        cause: 'the file of `--audit-log` cannot be written',
        remedy: 'a writable folder that exists, with space on its disk; no pipe that nothing reads',
      },
      {
        codes: ['ERR_TERMINAL'],
        cause: 'what was typed cannot be used',
        remedy: 'type it again, or give it by a file',
      },
      { codes: ['ERR_PKCS11_URI'], cause: 'not a PKCS#11 URI by RFC 7512', remedy: 'the position is named' },
      {
        codes: ['ERR_TPM_DEVICE'],
        cause: '`--tpm-device`, `TPM_DEVICE` or `TPM2TOOLS_TCTI` names no TPM',
        remedy: 'a path, or `device:`, `swtpm:`, `mssim:` or `tabrmd:` as the hint shows',
      },
      {
        codes: ['ERR_SPIFFE_ADDRESS'],
        cause: 'a `spiffe:` value, or SPIFFE_ENDPOINT_SOCKET, names no Workload API',
        remedy: '`unix:///absolute/path` or `tcp://IP-ADDRESS:PORT`; `id=`, `hint=`, and `audience=` for tokens',
      },
      {
        codes: ['ERR_TPM_HANDLE', 'ERR_TPM_HANDLE_KIND'],
        cause:
          'what follows `handle:` or `nv:` is no number, or the number of something else: an NV index, a PCR, a hierarchy',
        remedy: '`tpm2_getcap handles-persistent` lists keys, `handles-nv-index` indices',
      },
      { codes: ['ERR_TPM_POLICY'], cause: '`--tpm-policy-pcr` names no PCRs', remedy: 'for example `sha256:0,7`' },
      {
        codes: ['ERR_TPM_PLATFORM'],
        cause: 'Windows gives programs no file of its TPM',
        remedy: 'a simulator by its port works',
      },
      {
        codes: ['ERR_RENEWAL_WRITE'],
        cause:
          'the new certificate cannot be put in place: a full disk, a read-only folder, files of another user, a form that is not written',
        remedy: 'the error names the file and the reason; the old pair is in use: [renewal](renewal.md)',
      },
    ],
  }),
  section('identity', {
    title: 'Certificate, chain and key',
    rows: [
      {
        codes: ['ERR_FILE_NOT_FOUND', 'ERR_FILE_UNREADABLE', 'ERR_FILE_IS_DIRECTORY', 'ERR_FILE_TOO_LARGE'],
        cause: 'no such file, no permission or no file at all but a pipe or a device, a directory, more than 1 MiB',
        remedy: 'the flag and the file are named',
      },
      {
        codes: ['ERR_VARIABLE_NOT_SET'],
        cause: '`env:NAME` names a variable that is not set',
        remedy: 'set it, and export it',
      },
      {
        codes: ['ERR_FORMAT_UNKNOWN'],
        cause: 'neither PEM nor another format that is read',
        remedy: 'convert with `openssl`',
      },
      { codes: ['ERR_PEM_EMPTY'], cause: 'the file has no bytes', remedy: 'a rotation that failed?' },
      {
        codes: ['ERR_PEM_TRUNCATED', 'ERR_PEM_MALFORMED'],
        cause: 'cut off, or damaged base64',
        remedy: 'copy the file again, whole',
      },
      {
        codes: ['ERR_PEM_LABEL'],
        cause: 'PEM of something else: a key where a certificate belongs, a request, a public key',
        remedy: "exchange the flags' files",
      },
      { codes: ['ERR_CERTIFICATE_MALFORMED'], cause: 'not a certificate inside', remedy: 'issue it again' },
      {
        codes: ['ERR_CERTIFICATE_EXPIRED', 'ERR_CERTIFICATE_NOT_YET_VALID'],
        cause: "outside its validity, by this machine's clock",
        remedy: 'renew it; check the clock',
      },
      {
        codes: [
          'ERR_CERTIFICATE_VERSION',
          'ERR_CERTIFICATE_IS_CA',
          'ERR_CERTIFICATE_KEY_USAGE',
          'ERR_CERTIFICATE_SIGNATURE_ALGORITHM',
          'ERR_CERTIFICATE_SUBJECT_EMPTY',
          'ERR_CERTIFICATE_SERIAL_NUMBER',
        ],
        cause:
          'the service will not take it: not version 3; a CA; no *Digital Signature*; MD5 or SHA-1; no subject; a negative serial number',
        remedy: 'issue it again with what is named; `--skip-checks` sends it anyway',
      },
      {
        codes: ['ERR_CHAIN_TOO_LONG'],
        cause: 'more than five intermediates',
        remedy: 'give only those between leaf and trust anchor',
      },
      {
        codes: ['ERR_CHAIN_INCOMPLETE'],
        cause: '`doctor --trust-anchor`: nothing that is sent leads from the certificate to the trust anchor',
        remedy: 'the certificate that is missing is named: give it with `--intermediates`',
      },
      {
        codes: ['ERR_CHAIN_SIGNATURE'],
        cause: '`doctor`: a CA of the right name, and of another key than the one that signed',
        remedy: 'the CA was made anew: take the certificate of the old one, or have the certificate issued again',
      },
      {
        codes: ['ERR_CHAIN_PATH_LENGTH'],
        cause: '`doctor`: more CAs stand below a CA than its certificate allows (path length constraint)',
        remedy:
          'have the certificate issued by the CA that is named, or that CA certified again with a larger `pathlen`',
      },
      {
        codes: ['ERR_CHAIN_NAMES'],
        cause: '`doctor`: a name in the certificate is not one that a CA above it may give (name constraints)',
        remedy: 'have it issued with another name, or by another CA',
      },
      {
        codes: ['ERR_TRUST_ANCHOR'],
        cause: '`doctor --trust-anchor`: a certificate of the trust anchor is not valid now',
        remedy: 'put the CA certificate of today into the trust anchor',
      },
      { codes: ['ERR_KEY_MISSING'], cause: 'no private key in the files', remedy: 'give `--private-key`' },
      {
        codes: ['ERR_PKCS7_MALFORMED'],
        cause: 'a PKCS#7 file that is damaged, or holds other things than certificates',
        remedy: '`openssl pkcs7 -print_certs` shows what is in it; ask for PEM',
      },
      {
        codes: ['ERR_KEY_MALFORMED', 'ERR_KEY_UNSUPPORTED'],
        cause: 'damaged; a kind of key that Roles Anywhere does not take',
        remedy: 'RSA, EC P-256, P-384, P-521 or ML-DSA',
      },
      {
        codes: ['ERR_KEY_MISMATCH'],
        cause: 'the key is of another certificate',
        remedy: 'find the pair: `openssl x509 -pubkey` and `openssl pkey -pubout` print the same',
      },
      {
        codes: ['ERR_KEY_ENCRYPTED'],
        cause: 'an encrypted key where only plain ones are read',
        remedy: 'decrypt it, or use the password flags of `--help`',
      },
      { codes: ['ERR_PKCS12_MALFORMED'], cause: 'a damaged PKCS#12 file', remedy: 'export it again' },
      {
        codes: ['ERR_ENCRYPTION_UNSUPPORTED'],
        cause: 'an encryption scheme that is not read',
        remedy: 'the scheme is named; convert with `openssl pkcs8 -topk8`',
      },
      {
        codes: ['ERR_KDF_TOO_COSTLY'],
        cause: "a key derivation beyond any real file's",
        remedy: 'convert it; it may be meant to stall you',
      },
      {
        codes: ['ERR_PASSWORD_REQUIRED', 'ERR_PASSWORD_INCORRECT', 'ERR_PASSWORD_SOURCE'],
        cause: 'no password and no terminal to ask at; a wrong one; a file of it that cannot be read',
        remedy: 'the password flags of `--help`',
      },
      { codes: ['ERR_MFA_CODE'], cause: 'no MFA code came, or one that was used', remedy: 'see [MFA](sts.md#mfa)' },
      {
        codes: ['ERR_WEB_IDENTITY_TOKEN'],
        cause: 'no token, or a file that holds none',
        remedy: 'check what writes the file',
      },
      {
        codes: ['ERR_SOURCE_CREDENTIALS'],
        cause: 'nothing to assume a role with',
        remedy: 'the places that were looked at are named; see [further roles](sts.md#without-a-certificate)',
      },
      { codes: ['ERR_SIGN'], cause: "the key's home refused to sign", remedy: 'its own words are quoted' },
      {
        codes: ['ERR_RENEWAL_TOKEN'],
        cause: 'the file of `--renew-token-file` cannot be read, or is empty',
        remedy: 'its first line is the token, `USER:PASSWORD` or `ROLE_ID:SECRET_ID`',
      },
    ],
  }),
  section('identity', {
    title: 'Keys in tokens',
    isPart: true,
    rows: [
      {
        codes: ['ERR_PKCS11_BINDING', 'ERR_PKCS11_HELPER'],
        cause: 'the optional native part is not there, or its helper cannot start',
        remedy: 'install as the hint says',
      },
      {
        codes: ['ERR_PKCS11_MODULE_NOT_FOUND', 'ERR_PKCS11_MODULE_INVALID'],
        cause: 'no such library; not a PKCS#11 library of this platform',
        remedy: '`--pkcs11-lib`',
      },
      {
        codes: ['ERR_PKCS11_MODULE_CRASHED', 'ERR_PKCS11_TIMEOUT', 'ERR_PKCS11_FAILED'],
        cause: "the vendor's module crashed, hung, or reported a failure",
        remedy: "the module's own name of the failure is quoted",
      },
      {
        codes: ['ERR_TOKEN_NOT_FOUND', 'ERR_TOKEN_AMBIGUOUS', 'ERR_TOKEN_REMOVED'],
        cause: 'no token matches the URI; several do; it was pulled out',
        remedy: 'add attributes to the URI; put it back',
      },
      {
        codes: ['ERR_CERTIFICATE_NOT_FOUND', 'ERR_CERTIFICATE_AMBIGUOUS'],
        cause: '`--cert-selector` matches no certificate, or several',
        remedy: 'what is there is listed; see [Choosing one of several](identities.md#choosing-one-of-several)',
      },
      {
        codes: ['ERR_STORE_BINDING'],
        cause: "the optional package that calls the system's store is not installed",
        remedy: '`npm install` what the hint names, or reinstall without `--omit=optional`',
      },
      {
        codes: ['ERR_STORE_NOT_FOUND', 'ERR_STORE_ACCESS'],
        cause: 'no store of that name; this user may not read it',
        remedy: 'check `--system-store-name` and `--system-store-location`',
      },
      {
        codes: ['ERR_STORE_KEY'],
        cause: 'the certificate is in the store, and its key cannot be opened',
        remedy:
          'the status of the system is quoted, with what it means; see [The certificate store](identities.md#the-certificate-store-of-windows-the-keychain-of-macos)',
      },
      { codes: ['ERR_STORE_FAILED'], cause: 'any other refusal of the store', remedy: 'the same' },
      {
        codes: ['ERR_OBJECT_NOT_FOUND', 'ERR_OBJECT_AMBIGUOUS'],
        cause: 'no such certificate or key; several',
        remedy: 'the candidates are listed with their URIs',
      },
      {
        codes: ['ERR_PIN_REQUIRED', 'ERR_PIN_SOURCE', 'ERR_PIN_EMPTY'],
        cause: 'no PIN, or its file or variable gives none',
        remedy: 'see [identities](identities.md)',
      },
      {
        codes: ['ERR_PIN_INCORRECT', 'ERR_PIN_EXPIRED'],
        cause: 'the token refused the PIN',
        remedy: 'correct it where it comes from: it is not presented again before',
      },
      {
        codes: ['ERR_PIN_FINAL_TRY', 'ERR_PIN_LOCKED'],
        cause: 'the token counts: one try left, none',
        remedy: "log in by hand with the vendor's tool",
      },
      {
        codes: ['ERR_PIN_WITHHELD', 'ERR_PIN_STATE'],
        cause:
          'this PIN was refused before, or nobody knows how the last logins ended; the record of that cannot be kept',
        remedy: 'correct the PIN, wait as the message says, or ask for another try as the hint says',
      },
    ],
  }),
  section('identity', {
    title: 'Keys in a TPM',
    isPart: true,
    text: 'See [Keys in a TPM](identities.md#keys-in-the-machines-tpm-20) for set-up. The return code of the TPM is in parentheses behind the message.',
    rows: [
      {
        codes: ['ERR_TPM_NOT_FOUND'],
        cause: 'no device or socket there, or no TPM at all',
        remedy: 'firmware settings, kernel module, `--device /dev/tpmrm0` of the container',
      },
      {
        codes: ['ERR_TPM_ACCESS'],
        cause: 'this user may not open the device',
        remedy: 'the group of the file, `tss` most often',
      },
      {
        codes: ['ERR_TPM_NOT_PERMITTED'],
        cause: 'the container or sandbox forbids the device',
        remedy: '`--device /dev/tpmrm0`, `DeviceAllow=`',
      },
      { codes: ['ERR_TPM_BUSY'], cause: 'another program holds it', remedy: '`/dev/tpmrm0` in place of `/dev/tpm0`' },
      {
        codes: ['ERR_TPM_CONNECT', 'ERR_TPM_CLOSED'],
        cause: 'nobody answers at the socket; the connection ended before the answer',
        remedy: 'start the simulator or resource manager again',
      },
      {
        codes: ['ERR_TPM_TIMEOUT'],
        cause: 'no answer in 20 seconds',
        remedy: 'see what holds it: `tpm2_getcap properties-fixed`',
      },
      {
        codes: ['ERR_TPM_ANSWER'],
        cause: 'not an answer by the specification, or one that was changed on its way',
        remedy: 'see what is behind that path or port',
      },
      {
        codes: ['ERR_TPM_VERSION'],
        cause: 'a TPM 1.2, or firmware without a command that is needed',
        remedy: 'firmware',
      },
      {
        codes: ['ERR_TPM_NOT_STARTED'],
        cause: 'nobody sent it TPM2_Startup',
        remedy: '`tpm2_startup -c`; swtpm has the flag `startup-clear`',
      },
      {
        codes: ['ERR_TPM_FAILURE'],
        cause: 'it says itself that it is out of order, or wants a restart',
        remedy: 'switch the machine off and on',
      },
      {
        codes: ['ERR_TPM_RETRY', 'ERR_TPM_YIELDED', 'ERR_TPM_TESTING'],
        cause: 'asked several times, it was not ready: busy, or testing itself',
        remedy: 'ask again later',
      },
      {
        codes: ['ERR_TPM_OBJECT_MEMORY', 'ERR_TPM_SESSION_MEMORY'],
        cause: 'no slot for a key, for a session: programs that were killed left theirs',
        remedy: '`tpm2_flushcontext -t`, `tpm2_flushcontext -l`; or the resource manager, `/dev/tpmrm0`',
      },
      {
        codes: ['ERR_TPM_SESSION'],
        cause: 'it does not take the session that hides the password',
        remedy: 'firmware; `--tpm-password-in-clear` where nobody reads the wire',
      },
      {
        codes: ['ERR_TPM_KEY_NOT_FOUND', 'ERR_TPM_HANDLE_NOT_LOADED'],
        cause: 'no key at the handle; a transient one that was flushed',
        remedy: '`tpm2_evictcontrol` makes a key persistent',
      },
      {
        codes: ['ERR_TPM_KEY_NOT_SIGNING'],
        cause: 'a storage or decryption key, or no key',
        remedy: 'a key with the attribute `sign`',
      },
      {
        codes: ['ERR_TPM_KEY_NOT_LOADABLE'],
        cause:
          'the file is of another TPM or parent, was changed, or the TPM was cleared; null hierarchy: the machine was started again',
        remedy: 'make the key anew',
      },
      {
        codes: ['ERR_TPM_KEY_IMPORTABLE', 'ERR_TPM_KEY_SEALED'],
        cause: 'the file holds a key that must be imported first; sealed data',
        remedy: '`tpm2_import`; name the signing key',
      },
      {
        codes: ['ERR_TPM_PARENT', 'ERR_TPM_PARENT_NOT_FOUND'],
        cause: 'the parent is no storage key, or switched off; it is not there',
        remedy: '`tpm2_getcap handles-persistent`',
      },
      {
        codes: ['ERR_TPM_SCHEME', 'ERR_TPM_DIGEST'],
        cause: 'the key is fixed to RSA-PSS or another hash',
        remedy: 'a key without a scheme of its own',
      },
      {
        codes: ['ERR_TPM_RESTRICTED'],
        cause: 'a restricted key signs only what the TPM has hashed itself: up to 1024 bytes, with its own hash',
        remedy: 'a key without `restricted`',
      },
      {
        codes: ['ERR_TPM_POLICY_REQUIRED', 'ERR_TPM_POLICY_FAILED', 'ERR_TPM_POLICY_UNSUPPORTED'],
        cause: 'the key is bound to a policy; its PCRs have other values; its policy has steps that are not done here',
        remedy: '`--tpm-policy-pcr`; `tpm2_pcrread`',
      },
      {
        codes: ['ERR_TPM_KEY_PASSWORD', 'ERR_TPM_PARENT_PASSWORD', 'ERR_TPM_HIERARCHY_PASSWORD'],
        cause: 'that password is wrong; the hint says how many tries are left',
        remedy: 'correct it: a wrong one is not sent again',
      },
      {
        codes: ['ERR_TPM_PASSWORD_SIZE'],
        cause: 'the password is longer than the TPM takes',
        remedy: '32 bytes for a key with SHA-256',
      },
      {
        codes: ['ERR_TPM_PASSWORD_WITHHELD'],
        cause: 'this password was refused before',
        remedy: 'change its source, or ask for another try as the hint says',
      },
      {
        codes: ['ERR_TPM_LAST_TRY', 'ERR_TPM_LOCKOUT'],
        cause: 'one wrong password more locks the TPM; it is locked',
        remedy: 'wait, or `tpm2_dictionarylockout -c`',
      },
      {
        codes: ['ERR_TPM_NV_NOT_FOUND', 'ERR_TPM_NV_EMPTY', 'ERR_TPM_NV_ACCESS'],
        cause: 'no such NV index; never written; it may not be read',
        remedy: '`tpm2_getcap handles-nv-index`; define it with `ownerread` or `authread`',
      },
      { codes: ['ERR_TPM_FAILED'], cause: 'any other refusal', remedy: '`tpm2_rc_decode CODE`' },
    ],
  }),
  section('identity', {
    title: 'Identities of SPIFFE',
    isPart: true,
    text: 'See [SPIFFE](identities.md#spiffe) for set-up.',
    rows: [
      {
        codes: ['ERR_SPIFFE_DENIED'],
        cause: 'the SPIFFE agent has no identity for this process',
        remedy:
          'register the workload: with SPIRE, an entry whose selectors fit the user, group or pod of this program',
      },
      {
        codes: ['ERR_SPIFFE_ID'],
        cause: 'none of the identities that the agent gives is the one that `id=` or `hint=` names',
        remedy: 'the hint lists those that it gives',
      },
      {
        codes: ['ERR_SPIFFE_FAILED'],
        cause: 'any other refusal of the agent',
        remedy: 'name its public socket, not its admin socket; see its log',
      },
    ],
  }),
  section('refused', {
    title: 'The service said no',
    rows: [
      {
        codes: ['ERR_ACCESS_DENIED'],
        says: 'Untrusted certificate. Insufficient certificate',
        cause: 'no *Digital Signature* key usage (most often), not version 3, or a CA',
        remedy: 'issue it again',
      },
      {
        codes: ['ERR_ACCESS_DENIED'],
        says: 'Untrusted signing certificate',
        cause: 'no chain to this trust anchor',
        remedy: "give `--intermediates`; check the anchor's ARN; `openssl verify`",
      },
      {
        codes: ['ERR_ACCESS_DENIED'],
        says: 'Unable to assume role for ...',
        cause:
          "the role is not in the profile's list, or not in this account; its trust policy (principal, `sts:AssumeRole`, `sts:TagSession`, `sts:SetSourceIdentity`, or a condition), or a duration above the role's maximum",
        remedy: "CloudTrail's AssumeRole event tells which",
      },
      {
        codes: ['ERR_ACCESS_DENIED'],
        says: 'Not authorized to set roleSessionName',
        cause: 'the profile accepts no session names',
        remedy: 'leave `--role-session-name` out, or enable it on the profile',
      },
      {
        codes: ['ERR_ACCESS_DENIED'],
        says: 'Invalid signature',
        cause: 'another region, or something on the way that changes requests',
        remedy: '`--region`; no proxy in between',
      },
      {
        codes: ['ERR_VALIDATION'],
        cause: 'a value that the service does not take',
        remedy: 'its words name the field',
      },
      {
        codes: ['ERR_NOT_FOUND'],
        cause: 'no such trust anchor or profile in this region and account',
        remedy: 'check the ARNs',
      },
      {
        codes: ['ERR_SERVICE_REFUSED'],
        cause: 'any other refusal',
        remedy: 'its words are quoted; AWS Support asks for the request id',
      },
      {
        codes: ['ERR_RENEWAL_REFUSED'],
        cause: 'the CA does not renew: its words are quoted',
        remedy:
          'the certificate has ended or was revoked, the token is used up, or the provisioner or role does not allow it',
      },
      {
        codes: ['ERR_RENEWAL_CHECK'],
        cause:
          'what the CA issued is not taken: another subject, key or authority, a shorter life, or what Roles Anywhere would refuse',
        remedy:
          'correct the template, provisioner or role of the CA: [renewal](renewal.md#what-is-done-and-what-is-never-done)',
      },
    ],
  }),
  section('unavailable', {
    title: 'No usable answer',
    rows: [
      {
        codes: ['ERR_THROTTLED'],
        cause: 'more than 10 sessions a second in the account and region',
        remedy: 'share credentials; ask for a higher quota',
      },
      { codes: ['ERR_SERVICE_FAILED'], cause: '5xx, three times', remedy: 'later' },
      {
        codes: ['ERR_RESPONSE_INVALID'],
        cause: 'HTML, a cut-off or an oversized answer',
        remedy: "something answers in the service's place: a captive portal, a wrong `--endpoint`",
      },
      {
        codes: ['ERR_CREDENTIALS_EMPTY', 'ERR_CREDENTIALS_EXPIRED'],
        cause: 'an answer without credentials, or with stale ones',
        remedy: 'check the clock',
      },
      {
        codes: ['ERR_TIMEOUT', 'ERR_CONNECT', 'ERR_DNS'],
        cause: 'no route, a firewall, a wrong host',
        remedy: 'the host is named',
      },
      {
        codes: ['ERR_SPIFFE_CONNECT'],
        cause: 'the SPIFFE agent does not run, is not ready, or ended the connection',
        remedy: 'start it; let this user write to its socket',
      },
      {
        codes: ['ERR_SPIFFE_TIMEOUT'],
        cause: 'the SPIFFE agent did not answer in time',
        remedy: 'its own log says what it waits for',
      },
      {
        codes: ['ERR_SPIFFE_ANSWER'],
        cause: 'what listens on the socket is no SPIFFE Workload API',
        remedy: "name the agent's public socket",
      },
      {
        codes: ['ERR_TLS_AUTHORITY'],
        cause: "nobody who is trusted here, by Node or by the system, issued the server's certificate",
        remedy: "`--ca-bundle`, or the system's store, for a private CA or a proxy that inspects TLS",
      },
      {
        codes: ['ERR_TLS_NAME'],
        cause: "the server's certificate is for another host",
        remedy: 'check the host name in `--endpoint`',
      },
      {
        codes: ['ERR_TLS_VALIDITY'],
        cause: 'a certificate of the server has expired, or is not valid yet',
        remedy: 'check the clock first: the error says when it explains it',
      },
      {
        codes: ['ERR_TLS_VERSION'],
        cause: 'the server does not speak TLS 1.2, or what `--tls-min-version` asks for',
        remedy: 'update the server, or what is on the way',
      },
      {
        codes: ['ERR_TLS'],
        cause: 'any other failure of TLS',
        remedy: "the error names OpenSSL's reason; check the scheme and the port",
      },
      {
        codes: ['ERR_PROXY'],
        cause: 'the proxy answered, and does not connect to the service',
        remedy: 'have the host allowed there; check that the proxy can resolve it',
      },
      {
        codes: ['ERR_RENEWAL_COMMAND'],
        cause: 'the command of `--renew-command` failed, did not end, or left no certificate',
        remedy: 'run it by itself; its standard error is in the log',
      },
    ],
  }),
  section('not-executable', {
    title: 'The command of `exec` cannot be run',
    rows: [
      {
        codes: ['ERR_COMMAND_NOT_EXECUTABLE'],
        cause: 'the command of `exec` is there and cannot be run',
        remedy: 'check its mode, and that the program of its first line (`#!`) is there',
      },
    ],
  }),
  section('not-found', {
    title: 'The command of `exec` is not there',
    rows: [
      {
        codes: ['ERR_COMMAND_NOT_FOUND'],
        cause: 'the command of `exec` is not there',
        remedy: 'check its name and the `PATH`, or give its path',
      },
    ],
  }),
  section('internal', {
    title: 'Defects',
    rows: [
      {
        codes: ['ERR_INTERNAL'],
        cause: 'a defect of this program',
        remedy: 'run it again with `--debug`, and report what it says',
      },
      {
        codes: ['ERR_OUTPUT'],
        cause: 'standard output or a file could not be written',
        remedy: 'look at what reads it, and at the space on its disk',
      },
    ],
  }),
  section('interrupted', {
    title: 'Interruption',
    rows: [{ codes: ['ERR_INTERRUPTED'], cause: 'it was told to stop: Ctrl-C or a signal', remedy: 'run it again' }],
  }),
] as const;

type Unexplained = Exclude<ErrorCode, (typeof ALL)[number]['rows'][number]['codes'][number]>;

/** Does not compile where a code has no row: the message of the compiler names the code. */
true satisfies [Unexplained] extends [never] ? true : Unexplained;

/** The page's tables in their order. */
export const SECTIONS: readonly Section[] = ALL;
