/** A server at work, or about to be, as the steps of its start hand it on. */
import type { CredentialsProvider } from '../../credentials/provider.ts';
import type { IdentityWatcher } from '../../identity/reload.ts';
import type { ServeOptions } from '../../options/serve.ts';
import type { RoleOptions } from '../../options/served-roles.ts';
import type { AuditLog } from '../../server/audit.ts';
import type { Renewer } from '../../renewal/renewer.ts';
import type { Validity } from '../../server/certificate-watch.ts';
import type { TlsMaterial } from '../../server/http-server.ts';
import type { ListenTarget } from '../../server/listen.ts';
import type { Metrics } from '../../server/metrics.ts';
import type { Tokens } from '../../server/role-tokens.ts';
import type { CredentialServer } from '../../server/server.ts';
import type { Vending } from '../vending.ts';

/** One role at work. */
export interface RunningRole extends RoleOptions {
  readonly provider: CredentialsProvider;
}

/** A server at work, or about to be. */
export interface Serving {
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
  readonly vending: Vending;
  readonly identity: IdentityWatcher;
  readonly roles: readonly RunningRole[];
  /** The last role of `--assume-role-arn`; undefined without one. */
  readonly furtherRoleArn: string | undefined;
  /** Keeps the certificate renewed, where that was asked for. */
  readonly renewer: Renewer | undefined;
  /** Of the certificate in use. */
  readonly certificateValidity: () => Validity;
  /** Reads the files of --tls-cert and --tls-key; undefined without them. */
  readonly readTls: () => TlsMaterial | undefined;
  /** What was read last, and is good. */
  tls: TlsMaterial | undefined;
  /** Once its ports are open. */
  server: CredentialServer | undefined;
}
