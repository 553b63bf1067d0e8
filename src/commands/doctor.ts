/** `doctor`: looks a set-up over, from its options to what the service says, and reports what is wrong and what to do. */
// Tests: test/doctor/broken.heavy.test.ts, test/doctor/healthy.heavy.test.ts
import { isAbsolute } from 'node:path';
import { callerIdentity } from '../aws/caller-identity.ts';
import { createSession } from '../aws/create-session.ts';
import { endpointOf } from '../aws/endpoints.ts';
import { presumedNow } from '../aws/service-clock.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { checkEnvironment } from '../doctor/environment.ts';
import { explainRefusal } from '../doctor/explain.ts';
import { checkFiles } from '../doctor/files.ts';
import { checkIdentity } from '../doctor/identity.ts';
import type { Examined } from '../doctor/identity.ts';
import { checkTrust, isOfAws, listConnection, reach } from '../doctor/network.ts';
import { Notebook } from '../doctor/notebook.ts';
import { checkOptions, listSettings } from '../doctor/options.ts';
import type { SetUp } from '../doctor/options.ts';
import { checkProfile, chosenProfile } from '../doctor/profile.ts';
import type { ProfileLine } from '../doctor/profile.ts';
import { jsonReport, redactor, textReport } from '../doctor/report.ts';
import { checkServe, namesEndpoint } from '../doctor/serve.ts';
import { loadCertificates } from '../identity/load.ts';
import type { LoadDeps } from '../identity/load.ts';
import { parseAny } from '../options/any-line.ts';
import { certificateChoice, storeSettings } from '../options/choice.ts';
import { explain, parseConfigured } from '../options/config/configured.ts';
import { describeOrigin } from '../options/config/sources.ts';
import { configPath, sharedConfig } from '../options/config/shared.ts';
import { connectionSettings } from '../options/connection.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import type { FlagName } from '../options/flags.ts';
import { passwordSources } from '../options/passwords.ts';
import { tpmOptions } from '../options/tpm.ts';
import type { VendingOptions } from '../options/vending.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { createLog } from '../platform/log.ts';
import { styleOf } from '../platform/terminal-style.ts';
import { readCertificate } from '../x509/certificate.ts';
import type { Certificate } from '../x509/certificate.ts';
import { nameText, readName } from '../x509/names.ts';
import { chainOf, checkSourceIdentity } from './chain.ts';
import type { Io, RunCommand } from './command.ts';
import { openConnection } from './connection.ts';
import type { CommandConnection } from './connection.ts';
import { BARE_PATH, commandLine } from './init/program.ts';
import { oneShotToken } from './one-shot-token.ts';

/** Flags of files that a line names. */
const FILES = [
  'certificate',
  'private-key',
  'intermediates',
  'pkcs8-password-file',
  'pkcs12-password-file',
  'pkcs11-pin-file',
  'ca-bundle',
] as const satisfies readonly FlagName[];

export const run: RunCommand<'doctor'> = async (flags, given) => {
  // What commands warn of on their way is found here by itself.
  const io: Io =
    given.log.level === 'debug' ? given : { ...given, log: createLog({ write: () => {}, level: 'error' }) };
  const notes = new Notebook();
  const subject = await subjectOf(flags, io, notes);
  let examined: Examined | undefined;
  const { setUp } = subject;
  if (setUp !== undefined) {
    const plain = notes.explain;
    notes.explain = (error) => explain(error, setUp);
    examined = await examine(setUp, flags, io, notes);
    notes.explain = plain;
  }
  checkEnvironment(io.env, subject.profile, notes);
  await askServe(subject, io, notes);
  leaveStores(subject.setUp, notes);
  await examined?.identity?.close();
  const redact = flags.redact === true ? redactor(namesIn(subject, examined)) : undefined;
  const style = styleOf(io.stdoutIsTerminal?.() === true, io.env);
  const options = { subject: subject.words, style, redact };
  io.stdout(flags.json === true ? jsonReport(notes, options) : textReport(notes, options));
  io.endWith?.(notes.exitStatus());
};

/** What is looked at. */
interface Subject {
  /** In words. */
  readonly words: string;
  /** Undefined where there is none, or none that can be looked into. */
  readonly setUp: SetUp | undefined;
  /** The profile of the AWS config file that it is from. */
  readonly profile: string | undefined;
  /** Whether it is an endpoint that the environment names. */
  readonly isEndpoint: boolean;
}

/** The set-up of the flags, wherever they are from; without any, that of the profile which AWS's tools take. */
async function subjectOf(flags: FlagsOf<'doctor'>, io: Io, notes: Notebook): Promise<Subject> {
  const { env } = io;
  const isGiven =
    flags.certificate !== undefined ||
    flags['cert-selector'] !== undefined ||
    (['trust-anchor-arn', 'profile-arn', 'role-arn'] as const).some((flag) => flags[flag] !== undefined);
  const surroundings = {
    env,
    platform: process.platform,
    barePath: BARE_PATH,
    commandLine: (words: readonly string[]) => commandLine(words, process.platform),
  };
  const configured = parseConfigured(io.tokens ?? ['doctor'], {
    ...io,
    shared: sharedConfig(env),
    // What the config file has for others is not looked at.
    tellFault: (fault) => (isGiven || !isOfConfigFile(fault) ? tellFault(fault, notes) : undefined),
  });
  const named = flags.profile ?? (isGiven ? flags['config-profile'] : undefined);
  if (isGiven) {
    const line =
      named === undefined ? undefined : checkProfile(named, surroundings, flags.profile !== undefined, notes);
    tellWarnings(configured?.warnings, notes);
    const settings = configured?.settings ?? new Map();
    const words =
      flags['config-profile'] === undefined ? 'the set-up of these flags' : `profile ${flags['config-profile']}`;
    return { words, setUp: { flags, settings }, profile: line?.profile, isEndpoint: false };
  }
  const profile = named ?? flags['config-profile'] ?? chosenProfile(env);
  const isChosen = flags.profile !== undefined || flags['config-profile'] !== undefined;
  const isEndpoint = !isChosen && namesEndpoint(env);
  const line = checkProfile(profile, surroundings, !isEndpoint, notes);
  if (isEndpoint && line === undefined)
    return { words: 'the endpoint that the environment names', setUp: undefined, profile: undefined, isEndpoint };
  const setUp = line?.tokens === undefined ? undefined : await setUpOf(line, line.tokens, io, notes);
  return { words: `profile ${profile} of ${configPath(env)}`, setUp, profile: line?.profile, isEndpoint: false };
}

function isOfConfigFile({ code }: RolesAnywhereError): boolean {
  return code.startsWith('ERR_CONFIG');
}

/** A fault of the environment or of the config file, which ends every other command. */
function tellFault(fault: RolesAnywhereError, notes: Notebook): void {
  notes.fail(isOfConfigFile(fault) ? 'profile' : 'options', fault);
}

function tellWarnings(warnings: readonly string[] = [], notes: Notebook): void {
  for (const warning of warnings)
    notes.find(warning.startsWith('ROLES_ANYWHERE_') ? 'WARN_VARIABLE_UNKNOWN' : 'WARN_SETTING', warning);
}

/** What a line of a profile says, as this program would read it when an SDK starts it. */
async function setUpOf(
  { profile, origin, compat }: ProfileLine,
  tokens: readonly string[],
  { env }: Io,
  notes: Notebook,
): Promise<SetUp | undefined> {
  try {
    const line = { program: compat ? 'aws_signing_helper' : 'roles-anywhere', compat };
    const configured = parseConfigured(tokens, {
      ...line,
      env,
      shared: sharedConfig(env),
      tellFault: (fault) => tellFault(fault, notes),
    });
    if (configured === undefined) {
      // It finds what is wrong, and throws.
      const { kind } = await parseAny(tokens, { ...line, columns: undefined });
      throw new RolesAnywhereError(
        'ERR_PROCESS_LINE',
        `the line of profile ${profile} prints ${kind === 'version' ? 'a version' : 'help'}, and no credentials`,
        {
          hint: 'it begins with: roles-anywhere credential-process',
        },
      );
    }
    const { parsed, settings } = configured;
    if (parsed.command !== 'credential-process') {
      const prints = ['assume-role', 'web-identity', 'export'].includes(parsed.command);
      if (prints)
        notes.find(
          'NOTE_PROCESS_OTHER',
          `the line of profile ${profile} runs ${parsed.command}, which asks without a certificate or prints another form`,
        );
      else
        throw new RolesAnywhereError(
          'ERR_PROCESS_LINE',
          `the line of profile ${profile} runs ${parsed.command}, which prints no credentials`,
          {
            hint: 'it begins with: roles-anywhere credential-process',
          },
        );
      return undefined;
    }
    tellWarnings(configured.warnings, notes);
    for (const flag of FILES) {
      const path = parsed.flags[flag];
      if (path !== undefined && path !== '-' && !/^[a-z][a-z0-9]*:/i.test(path) && !isAbsolute(path))
        notes.find('WARN_PROCESS_PATH', `--${flag} ${path} is below the working directory of whoever asks`);
    }
    const own = [...settings].map(
      ([flag, setting]) => [flag, setting.origin.kind === 'command line' ? { ...setting, origin } : setting] as const,
    );
    return { flags: parsed.flags, settings: new Map(own) };
  } catch (error) {
    notes.fail('profile', error);
    return undefined;
  }
}

async function examine(setUp: SetUp, own: FlagsOf<'doctor'>, io: Io, notes: Notebook): Promise<Examined> {
  const { env } = io;
  listSettings(setUp, notes);
  const options = checkOptions(setUp, env, notes);
  checkFiles(setUp.flags, notes);
  const way = await openWay(setUp, options, own.call === true, io, notes);
  if (options === undefined && Object.values(setUp.flags).includes('-')) {
    notes.leave('the identity: it is on standard input, which is not read as long as the options are wrong');
    return { identity: undefined, leaf: undefined };
  }
  const loading = loadingOf(setUp, io, notes);
  const examined = await checkIdentity(
    options ?? { identity: identityOf(setUp) },
    {
      loading,
      now: way === undefined ? Date.now() : presumedNow(way.connection.clock),
      anchors: await anchorsOf(own, notes),
      mayUseHardware: own.call === true,
    },
    notes,
  );
  if (options !== undefined && way !== undefined) await checkHops(setUp, options, way, examined, notes);
  if (options !== undefined && own.call === true) await call(setUp, options, way, examined, notes);
  for (const password of loading.typed?.values() ?? []) password.fill(0);
  return examined;
}

/** The way to the services, as far as it goes. */
interface Way {
  readonly connection: CommandConnection;
  readonly isReached: boolean;
  /** Whether STS is somewhere that can be asked: of an emulator, or of a stand-in, only where it is named. */
  readonly hasSts: boolean;
}

async function openWay(
  { flags, settings }: SetUp,
  options: VendingOptions | undefined,
  isCall: boolean,
  io: Io,
  notes: Notebook,
): Promise<Way | undefined> {
  if (options === undefined) {
    notes.leave('the network: the options above come first');
    return undefined;
  }
  const { session, partition } = options;
  checkTrust(options.connection, io.env, notes);
  try {
    // STS has a place of its own among the settings where it is asked.
    const { endpoints } = connectionSettings(flags, io.env, ['rolesanywhere', 'sts']);
    const connection = await openConnection({ ...options.connection, endpoints }, io, false);
    const url = endpointOf(connection, 'rolesanywhere', partition, session.region);
    const hasSts = endpoints.sts !== undefined || isOfAws(url);
    listConnection(options.connection, io.env, url, notes);
    const from = (flag: 'endpoint' | 'sts-endpoint', own: URL | undefined): string => {
      const { origin } = settings.get(flag) ?? {};
      if (origin !== undefined) return describeOrigin(origin);
      return own === undefined ? 'the standard endpoint' : 'the environment';
    };
    const isReached = await reach(
      { name: 'Roles Anywhere', url, from: from('endpoint', endpoints.rolesanywhere) },
      connection,
      notes,
    );
    const sts = hasSts ? endpointOf(connection, 'sts', partition, session.region) : undefined;
    if (isReached && sts !== undefined && sts.href !== url.href && (isCall || isChained(flags)))
      await reach({ name: 'STS', url: sts, from: from('sts-endpoint', endpoints.sts) }, connection, notes);
    return { connection, isReached, hasSts };
  } catch (error) {
    notes.fail('network', error);
    return undefined;
  }
}

/** Where the identity is, of options that are wrong elsewhere. */
function identityOf({ flags }: SetUp): VendingOptions['identity'] {
  return {
    certificate: flags.certificate,
    choice: certificateChoice(flags),
    store: storeSettings(flags),
    privateKey: flags['private-key'],
    intermediates: flags.intermediates,
    skipChecks: false,
  };
}

function loadingOf({ flags }: SetUp, io: Io, notes: Notebook): LoadDeps {
  return {
    env: io.env,
    passwords: notes.try('options', () => passwordSources(flags, io.env)),
    typed: new Map<string, Uint8Array>(),
    token: oneShotToken(flags, io),
    tpm: tpmOptions(flags),
  };
}

async function anchorsOf(
  { 'trust-anchor': files }: FlagsOf<'doctor'>,
  notes: Notebook,
): Promise<Certificate[] | undefined> {
  if (files === undefined) return undefined;
  try {
    return (await Promise.all(files.map(async (file) => await loadCertificates(file)))).flat();
  } catch (error) {
    notes.fail('chain', error);
    return undefined;
  }
}

async function checkHops(
  { flags }: SetUp,
  { session }: VendingOptions,
  { connection }: Way,
  { leaf }: Examined,
  notes: Notebook,
): Promise<void> {
  if (!isChained(flags)) return;
  await Promise.resolve();
  notes.try('options', () => {
    chainOf(flags, { region: session.region, connection: () => connection, fromRole: true, once: true });
    if (leaf !== undefined) checkSourceIdentity(flags, leaf.der);
  });
}

/** Asks for credentials and whose they are. Nobody is shown them. */
async function call(
  { flags }: SetUp,
  { session, partition }: VendingOptions,
  way: Way | undefined,
  { identity, leaf }: Examined,
  notes: Notebook,
): Promise<void> {
  if (identity === undefined || way?.isReached !== true) {
    notes.leave(
      `CreateSession: ${identity === undefined ? 'the identity cannot be used' : 'the service is not reached'}`,
    );
    return;
  }
  const { connection, hasSts } = way;
  const { region } = session;
  let credentials: SessionCredentials;
  try {
    // Which rules the certificate breaks is said already.
    credentials = await createSession({ ...session, identity: { ...identity, skippedRule: undefined } }, connection);
    notes.fact('service', 'CreateSession', `gives credentials until ${credentials.expiration.toISOString()}`);
  } catch (error) {
    const lastSent = identity.chain.at(-1);
    const last = lastSent === undefined ? leaf : readCertificate(lastSent, 'the chain');
    const isRefusal = error instanceof RolesAnywhereError && error.class === 'refused';
    const follows = notes.hasErrors('certificate') || notes.hasErrors('chain');
    const more = isRefusal && !follows ? explainRefusal(error, { ...session, leaf, last }) : [];
    notes.fail(
      'service',
      error,
      isRefusal && follows ? ['this follows from the errors above, or may: mend them first'] : more,
    );
    return;
  }
  if (!hasSts) {
    notes.fact('service', 'GetCallerIdentity', "not asked: the endpoint is not AWS's, and no STS endpoint is given");
    return;
  }
  try {
    if (isChained(flags)) {
      const first = credentials;
      const further = chainOf(flags, { region, connection: () => connection, fromRole: true, once: true });
      credentials = await further(async () => first)(new AbortController().signal);
      notes.fact('service', 'AssumeRole', `gives credentials until ${credentials.expiration.toISOString()}`);
    }
    const { arn } = await callerIdentity({ credentials, region, partition }, connection);
    notes.fact('service', 'GetCallerIdentity', arn);
  } catch (error) {
    notes.fail('service', error);
  }
}

/** Asks the endpoints of this machine that the environment names. */
async function askServe({ isEndpoint }: Subject, io: Io, notes: Notebook): Promise<void> {
  const connection = notes.try('serve', () => connectionSettings({}, io.env, [], true));
  if (connection === undefined) return;
  const { transport, tls, local } = await openConnection(connection, io, false);
  void transport;
  await checkServe({ transport: local, tls, env: io.env, retry: { attempts: 1 } }, isEndpoint, notes);
}

/** Names the certificate stores that are of other systems. */
function leaveStores(setUp: SetUp | undefined, notes: Notebook): void {
  // A set-up that needs one is told so.
  if (setUp?.flags['cert-selector'] !== undefined && setUp.flags.certificate === undefined) return;
  const { platform } = process;
  const others = [
    ...(platform === 'win32' ? [] : ['of Windows']),
    ...(platform === 'darwin' ? [] : ['of macOS (Keychain)']),
  ];
  notes.leave(`the certificate store${others.length > 1 ? 's' : ''} ${others.join(' and ')}: this is ${platform}`);
}

/** What --redact takes out. */
function namesIn({ setUp, profile }: Subject, examined: Examined | undefined): Record<string, (string | undefined)[]> {
  const { flags } = setUp ?? {};
  const { leaf } = examined ?? {};
  const names = leaf === undefined ? [] : [leaf.subject, leaf.issuer].map((name) => readName(name));
  return {
    name: names.flatMap((name) => [nameText(name)].concat(name.flat().flatMap(({ value }) => value ?? []))),
    role: [flags?.['role-arn']?.split('/').at(-1)],
    profile: [profile, flags?.['config-profile'], flags?.profile],
    session: [flags?.['role-session-name']],
    serial: [leaf?.serialNumber],
  };
}
