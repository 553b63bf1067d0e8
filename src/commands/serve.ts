/**
 * `serve`: one identity and its roles, given to every SDK on this machine until the process is told to stop.
 * Tests: test/clients/serve.test.ts, serve-operation.test.ts, serve-outage.test.ts, serve-rotation.test.ts
 */
import { refuseStreams } from '../platform/files.ts';
import type { RunCommand } from './command.ts';
import { checkPorts, openPorts, openStatusPort } from './serve/listen.ts';
import { prepare } from './serve/prepare.ts';
import { readAgain } from './serve/reload.ts';
import { runService } from './service.ts';

export const run: RunCommand<'serve'> = async (flags, io) =>
  await runService(io, async (service) => {
    const { cleanup, signal } = service;
    const serving = await service.unlessStopped(prepare(flags, io, cleanup));
    refuseStreams();
    service.watch(serving.roles);
    await openStatusPort(serving, io, cleanup);
    await checkPorts(serving.targets);

    service.onReload(() => readAgain(serving, io));
    await Promise.all(serving.roles.map(({ provider }) => provider.start(signal)));
    await openPorts(serving, io, cleanup);
  });
