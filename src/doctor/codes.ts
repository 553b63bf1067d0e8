/**
 * The findings of `doctor` that no command refuses to go on for: their codes, and what to do about each. What a command does
 * refuse for has the code, the words and the advice of that error.
 */
// Tests: test/docs/doctor.test.ts, test/doctor/broken.heavy.test.ts

/** Where a finding is from, in the order in which causes come before what follows from them. */
export const AREAS = [
  'options',
  'profile',
  'certificate',
  'chain',
  'clock',
  'network',
  'environment',
  'serve',
  'service',
] as const;

export type Area = (typeof AREAS)[number];

/** A row of the table. */
interface CodeRow {
  readonly area: Area;
  /** What it is about, as the documentation has it. */
  readonly meaning: string;
  /** What to do, where the finding itself has nothing better. */
  readonly remedy: string;
}

/** Warnings and notes, which leave the exit status 0. */
export const FINDING_CODES = {
  WARN_VARIABLE_UNKNOWN: {
    area: 'options',
    meaning: 'a `ROLES_ANYWHERE_` variable is the variable of no flag',
    remedy: 'correct its name, or unset it',
  },
  WARN_SETTING: {
    area: 'options',
    meaning: 'a setting is odd, and is not refused for that',
    remedy: 'look at the setting that is named here',
  },
  WARN_SECRET_VISIBLE: {
    area: 'options',
    meaning: 'a password stands in a command line or in a config file',
    remedy: 'let a file of mode 600 give it, with the flag that ends in -file',
  },
  WARN_ROLE_ACCOUNT: {
    area: 'options',
    meaning: 'the role is in another account than trust anchor and profile',
    remedy: 'name a role of the account of the profile, and go on from it to this one with --assume-role-arn',
  },
  WARN_ENDPOINT_REGION: {
    area: 'options',
    meaning: "the endpoint's name has another region than the trust anchor",
    remedy: 'name the endpoint of the region of the trust anchor, or none',
  },
  WARN_PROFILE_REGION: {
    area: 'profile',
    meaning: 'neither the profile nor the environment names a region, without which most commands of the AWS CLI end',
    remedy: 'add region = REGION to the profile',
  },
  WARN_PROFILE_OTHER_CREDENTIALS: {
    area: 'profile',
    meaning: 'the profile has credentials of another kind besides its credential_process, and these come first',
    remedy: 'remove those lines, or give the credential_process a profile of its own',
  },
  WARN_PROCESS_PATH: {
    area: 'profile',
    meaning:
      'the credential_process is started by a name or a path that depends on where, or with what PATH, the caller runs',
    remedy: 'write absolute paths: roles-anywhere init does',
  },
  WARN_PROCESS_NODE: {
    area: 'profile',
    meaning: 'the program starts with the PATH of this shell, and not with that of cron or a service',
    remedy: 'put the path of node before it: roles-anywhere init does',
  },
  NOTE_PROCESS_OTHER: {
    area: 'profile',
    meaning: 'the credential_process runs another program, into which doctor cannot look',
    remedy: 'run it by itself, or give doctor the flags that it passes on',
  },
  WARN_KEY_READABLE: {
    area: 'certificate',
    meaning: 'others than its owner can read the private key',
    remedy: 'take the right to read it from everybody else, and have a new key if somebody may have read it',
  },
  WARN_SECRET_READABLE: {
    area: 'certificate',
    meaning: 'others than its owner can read a file with a password or a PIN',
    remedy: 'run chmod 600 on it',
  },
  WARN_FILE_WRITABLE: {
    area: 'certificate',
    meaning: 'others than its owner can replace a file of the identity',
    remedy: 'take the right to write from everybody else: chmod go-w',
  },
  WARN_FILE_OWNER: {
    area: 'certificate',
    meaning: 'a key belongs to another user, who can change it and its mode at any time',
    remedy: 'let it belong to the user who runs the program, or to root',
  },
  WARN_KEY_SHORT: {
    area: 'certificate',
    meaning: 'the RSA key is shorter than 2048 bits',
    remedy: 'have a certificate issued for a key of 2048 bits or more, or for an EC key',
  },
  WARN_SEVERAL_PAIRS: {
    area: 'certificate',
    meaning: 'several certificates fit the key, and nothing says which is meant',
    remedy: 'name one with --cert-selector, or remove the others',
  },
  WARN_CERTIFICATE_EXPIRES_SOON: {
    area: 'certificate',
    meaning: 'less than a tenth of the life of the certificate is left, and less than a week',
    remedy: 'renew it now: roles-anywhere renew does, and so does serve --renew',
  },
  WARN_SESSION_TAG: {
    area: 'certificate',
    meaning: 'a name in the certificate cannot be a session tag: conditions on it fail',
    remedy:
      "leave the characters that STS does not take out of the certificate's names, or change the attribute mapping of the profile",
  },
  WARN_CHAIN_EMPTY: {
    area: 'chain',
    meaning: 'the file of intermediates is empty',
    remedy: 'leave --intermediates out, or write the intermediates into the file',
  },
  WARN_CHAIN_UNRELATED: {
    area: 'chain',
    meaning: 'certificates of the bundle have nothing to do with the certificate',
    remedy: 'give the intermediates of this certificate',
  },
  WARN_CHAIN_VALIDITY: {
    area: 'chain',
    meaning: 'an intermediate certificate has expired, or is not valid yet',
    remedy: 'replace it by its successor, which the CA publishes',
  },
  WARN_CHAIN_CERTIFICATE: {
    area: 'chain',
    meaning: 'an intermediate certificate is not fit to issue others',
    remedy: 'give the certificate of the CA that issued the one below it',
  },
  WARN_CLOCK_OFFSET: {
    area: 'clock',
    meaning: "this machine's clock differs from the service's by more than a minute",
    remedy: 'set the clock, and let NTP keep it: this program corrects for it, other programs do not',
  },
  WARN_TLS_NOT_VERIFIED: {
    area: 'network',
    meaning: 'whoever answers is believed',
    remedy: 'leave --no-verify-ssl and NODE_TLS_REJECT_UNAUTHORIZED out, and name the roots with --ca-bundle',
  },
  WARN_EXTRA_CA_CERTS: {
    area: 'network',
    meaning: 'the file that NODE_EXTRA_CA_CERTS names cannot be read, which Node passes over',
    remedy: 'correct NODE_EXTRA_CA_CERTS, or unset it',
  },
  WARN_ENVIRONMENT_KEYS: {
    area: 'environment',
    meaning: 'static credentials in the environment come before those of a profile',
    remedy: 'unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN',
  },
  WARN_ENVIRONMENT_PROFILE: {
    area: 'environment',
    meaning: 'AWS_PROFILE chooses another profile than the one that was looked at',
    remedy: 'set AWS_PROFILE to this profile, or unset it',
  },
  WARN_ENVIRONMENT_WEB_IDENTITY: {
    area: 'environment',
    meaning: 'the token of a web identity comes before a profile to most SDKs',
    remedy: 'unset AWS_WEB_IDENTITY_TOKEN_FILE',
  },
  WARN_ENVIRONMENT_NODE: {
    area: 'environment',
    meaning: 'NODE_OPTIONS loads other code into this program, or opens it to a debugger',
    remedy: 'unset NODE_OPTIONS where credentials are asked for',
  },
  WARN_ENVIRONMENT_PRELOAD: {
    area: 'environment',
    meaning: 'the system loads another library into this program',
    remedy: 'unset LD_PRELOAD and DYLD_INSERT_LIBRARIES where credentials are asked for',
  },
  WARN_SERVE_ENDPOINT: {
    area: 'serve',
    meaning: 'the endpoint that the environment names for credentials gives none',
    remedy: 'start serve again, or unset the variable',
  },
} as const satisfies Readonly<Record<`${'WARN' | 'NOTE'}_${string}`, CodeRow>>;

export type FindingCode = keyof typeof FINDING_CODES;

/** The row of a code, at the general type. */
export function codeRow(code: FindingCode): CodeRow {
  return FINDING_CODES[code];
}

/** Whether a code is one of the table. */
export function isFindingCode(code: string): code is FindingCode {
  return Object.hasOwn(FINDING_CODES, code);
}
