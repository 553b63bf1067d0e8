/** `credential-process`: one CreateSession, printed as the AWS SDKs and CLI read it. */
import { directTransport } from '../http/direct.ts';
import type { TlsSettings } from '../http/http.ts';
import { loadIdentity } from '../identity/load.ts';
import { vendingOptions } from '../options/vending.ts';
import type { VendingOptions } from '../options/vending.ts';
import { processJson } from '../output/process-json.ts';
import { createSession } from '../session/create-session.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand = async (flags, io) => {
  const options = vendingOptions(flags, io.env);
  const { region, endpoint } = options.session;
  const note = (text: string): void => {
    if (flags['debug'] === true) io.stderr(`debug: ${text}\n`);
  };
  const tls = await tlsSettings(options);
  const identity = await loadIdentity(options.identity);
  try {
    const { signer, serialNumber, chain } = identity;
    note(`certificate ${serialNumber}, ${signer.keyType}, ${chain.length} intermediate certificates`);
    note(`CreateSession in ${region}${endpoint === undefined ? '' : ` at ${endpoint.href}`}`);
    if (!options.trust.verify) {
      io.stderr('warning: --no-verify-ssl: whoever answers is believed\n');
    }
    const credentials = await createSession({ ...options.session, identity, tls, transport: directTransport });
    note(`credentials until ${credentials.expiration.toISOString()}`);
    io.stdout(processJson(credentials));
  } finally {
    await identity.close();
  }
};

async function tlsSettings({ trust, session }: VendingOptions): Promise<TlsSettings> {
  const { verify, caBundle } = trust;
  const used = verify && session.endpoint?.protocol !== 'http:';
  // One that was asked for must be good; one that the environment names need not be where no roots are used.
  if (caBundle === undefined || (!used && caBundle.source !== '--ca-bundle')) return { verify };
  const { readCaBundle } = await import('../http/ca-bundle.ts');
  return { verify, ca: readCaBundle(caBundle.path, caBundle.source) };
}
