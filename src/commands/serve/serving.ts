/** A server at work, or about to be, as the steps of its start hand it on. */
import type { Activity } from '../../console/activity.ts';
import type { ServeOptions } from '../../options/serve.ts';
import type { AuditLog } from '../../server/audit.ts';
import type { Renewer } from '../../renewal/renewer.ts';
import type { TlsMaterial } from '../../server/http-server.ts';
import type { BoundAddress, ListenTarget } from '../../server/listen.ts';
import type { Metrics } from '../../server/metrics.ts';
import type { ConsoleHandler } from '../../server/request-handler.ts';
import type { Tokens } from '../../server/role-tokens.ts';
import type { CredentialServer } from '../../server/server.ts';
import type { Vended } from '../../server/vend.ts';
import type { RunningRoles } from '../running-roles.ts';

/** A server at work, or about to be. */
export interface Serving extends RunningRoles {
  readonly options: ServeOptions;
  /** Where to give credentials. */
  readonly targets: readonly ListenTarget[];
  /** The socket that systemd opened for health and metrics. */
  readonly statusFd: number | undefined;
  readonly tokens: Tokens;
  /** The key of IMDS' session tokens, where one is kept. */
  readonly sessionKey: Buffer | undefined;
  readonly audit: AuditLog | undefined;
  readonly metrics: Metrics;
  /** The last role of `--assume-role-arn`; undefined without one. */
  readonly furtherRoleArn: string | undefined;
  /** Keeps the certificate renewed, where that was asked for. */
  readonly renewer: Renewer | undefined;
  /** Reads the files of --tls-cert and --tls-key; undefined without them. */
  readonly readTls: () => Promise<TlsMaterial | undefined>;
  /** What was read last, and is good. */
  tls: TlsMaterial | undefined;
  /** The web console before its ports are open; undefined without one. */
  readonly beginning: ConsoleBeginning | undefined;
  /** The web console, once its ports are open. */
  console: ServeConsole | undefined;
  /** Once its ports are open. */
  server: CredentialServer | undefined;
}

/** What is there before the first credentials: their history begins with them. */
export interface ConsoleBeginning {
  readonly activity: Activity;
  readonly vended: Vended;
  /** Counts what the page shows, and hands everything on. */
  countIn(metrics: Metrics): Metrics;
  /** Makes the console of a server that has all its parts. */
  finish(serving: Serving): Promise<ServeConsole>;
}

/** The console at work. */
export interface ServeConsole {
  at(address: BoundAddress): ConsoleHandler;
  /** Prints a link, the one before being good no more; opens it where that was asked for. */
  announce(address: BoundAddress): Promise<void>;
  identityChanged(): void;
  close(): Promise<void>;
}
