import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createConnections } from '../../src/server/connections.ts';
import { FakeClock } from '../support/fake-clock.ts';

const LIMITS = { maxConnections: 3, idleTimeoutMs: 40_000 };

/** All that a connection's bounds have to do with a socket. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function setUp(limits = LIMITS) {
  const clock = new FakeClock();
  const connections = createConnections(limits, clock);
  const connect = (): Socket & FakeSocket => {
    const socket = new FakeSocket() as Socket & FakeSocket;
    connections.add(socket);
    return socket;
  };
  return { clock, connections, connect };
}

it('a connection without a request is closed after the idle time, and within a quarter more', async () => {
  const { clock, connections, connect } = setUp();
  const socket = connect();
  await clock.advance(39_999);
  expect(socket.destroyed).toBe(false);
  await clock.advance(10_001);
  expect(socket.destroyed).toBe(true);
  expect(connections.size).toBe(0);
});

it('each answer begins the idle time anew', async () => {
  const { clock, connections, connect } = setUp();
  const socket = connect();
  for (let i = 0; i < 10; i++) {
    await clock.advance(39_000);
    connections.answered(connections.asked(socket));
  }
  expect(socket.destroyed).toBe(false);
  await clock.advance(50_000);
  expect(socket.destroyed).toBe(true);
});

it('who waits for an answer is not idle, however long it takes and however many were answered before', async () => {
  const { clock, connections, connect } = setUp();
  const socket = connect();
  const first = connections.asked(socket);
  const second = connections.asked(socket);
  await clock.advance(3_600_000);
  expect(socket.destroyed).toBe(false);
  connections.answered(first);
  await clock.advance(3_600_000);
  expect(socket.destroyed).toBe(false);
  connections.closeIdle();
  expect(socket.destroyed).toBe(false);
  connections.answered(second);
  await clock.advance(50_000);
  expect(socket.destroyed).toBe(true);
});

it('at the bound the one that has been idle for longest makes room, by its last answer and not by its age', () => {
  const { connections, connect } = setUp();
  const [a, b, c] = [connect(), connect(), connect()];
  connections.answered(connections.asked(a));
  const d = connect();
  expect([a, b, c, d].map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
  connections.asked(c);
  const e = connect();
  expect([a, c, d, e].map(({ destroyed }) => destroyed)).toEqual([true, false, false, false]);
  expect(connections.size).toBe(3);
});

it('when all wait, a new connection is the one that goes', () => {
  const { connections, connect } = setUp();
  const waiting = [connect(), connect(), connect()];
  for (const socket of waiting) connections.asked(socket);
  expect(connect().destroyed).toBe(true);
  expect(waiting.some(({ destroyed }) => destroyed)).toBe(false);
  expect(connections.size).toBe(3);
});

it('a request that was read after its connection was pushed out harms nobody', () => {
  const { connections, connect } = setUp();
  const [first] = [connect(), connect(), connect()];
  connect();
  expect(first.destroyed).toBe(true);
  connections.answered(connections.asked(first));
  expect(connections.size).toBe(3);
});

it('a TLS connection takes the place of the one it came over', () => {
  const { connections, connect } = setUp();
  const raw = connect();
  const secure = new FakeSocket() as Socket & FakeSocket;
  connections.replace(raw, secure);
  expect(connections.size).toBe(1);
  connections.closeAll();
  expect(secure.destroyed).toBe(true);
  expect(connections.size).toBe(0);
  // Pushed out while the two shook hands: there is no place to take.
  connections.replace(raw, new FakeSocket() as Socket & FakeSocket);
  expect(connections.size).toBe(0);
});

it('the quarter is not given away', async () => {
  const { clock, connect } = setUp();
  const socket = connect();
  await clock.advance(49_999);
  expect(socket.destroyed).toBe(false);
  await clock.advance(1);
  expect(socket.destroyed).toBe(true);
});

it('idle ones are closed when another has gone, and when all had', async () => {
  const { clock, connect } = setUp();
  const [left, gone] = [connect(), connect()];
  gone.destroy();
  await clock.advance(50_000);
  expect(left.destroyed).toBe(true);
  const later = connect();
  await clock.advance(50_000);
  expect(later.destroyed).toBe(true);
});

it('at an end those that are idle are closed, and those that wait are not', () => {
  const { connections, connect } = setUp();
  const [idle, waiting] = [connect(), connect()];
  connections.asked(waiting);
  connections.closeIdle();
  expect([idle.destroyed, waiting.destroyed, connections.size]).toEqual([true, false, 1]);
});

it('one that was pushed out counts no more, whenever it says that it is closed', () => {
  const { connections, connect } = setUp();
  const [first] = [connect(), connect(), connect()];
  first.destroy = () => {
    first.destroyed = true;
    return first;
  };
  connect();
  expect([first.destroyed, connections.size]).toEqual([true, 3]);
});

it('there is a timer only while there are connections, and it keeps no process alive', async () => {
  const { clock, connect } = setUp();
  expect(clock.timers.all).toBe(0);
  const sockets = [connect(), connect()];
  expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
  await clock.advance(20_000);
  expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
  for (const socket of sockets) socket.destroy();
  expect(clock.timers.all).toBe(0);
});
