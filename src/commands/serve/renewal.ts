/** The renewal of the certificate that `serve` works with. Loaded with --renew alone. */
// Tests: test/clients/serve-renewal.heavy.test.ts
import type { FlagsOf } from '../../options/flag-values.ts';
import { renewalSettings } from '../../options/renewal.ts';
import { systemClock } from '../../platform/clock.ts';
import { checkRenewable, renew } from '../../renewal/renew.ts';
import { startRenewer } from '../../renewal/renewer.ts';
import type { Renewer } from '../../renewal/renewer.ts';
import { DEFAULT_AT, parseAt } from '../../renewal/when.ts';
import { readCertificate } from '../../x509/certificate.ts';
import type { Io } from '../command.ts';
import { openIssuer, renewedFiles } from '../renewal.ts';
import type { Serving } from './serving.ts';

/**
 * Begins to keep the certificate renewed: what is written is taken up at once, as any rotation is.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export async function startServeRenewer(
  flags: FlagsOf<'serve'>,
  io: Io,
  { vending, identity, audit }: Pick<Serving, 'vending' | 'identity' | 'audit'>,
): Promise<Renewer> {
  const settings = renewalSettings(flags);
  const at = settings.at === undefined ? DEFAULT_AT : parseAt(settings.at);
  const files = renewedFiles(flags);
  checkRenewable(files);
  const { now } = vending.connection().clock;
  const issuer = await openIssuer(settings, io, files.certificate, now);
  const { loading } = vending;
  return startRenewer({
    certificate: async () => readCertificate(identity.current().certificate, '--certificate'),
    renew: async (signal) => await renew({ identity: files, issuer, newKey: settings.newKey, loading, now, signal }),
    async onRenewed({ leaf }) {
      await identity.reload();
      try {
        audit?.renewed(leaf);
      } catch {
        // It has said so itself; the certificate was renewed all the same.
      }
    },
    at,
    clock: { ...systemClock, now },
    log: io.log,
  });
}
